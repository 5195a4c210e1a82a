//! Of tokens of two coordinates, replicas abreast.

use std::marker::PhantomData;
use std::sync::Arc;

use super::super::abreast::{Abreast, Attend, abreast_orders};
use crate::attention::apart::SetApart;
use crate::attention::{Attention, Evaluation, Softmax, Unnormalized, Weighting};
use crate::ensemble::{Ensemble, Start, side_by_side};
use crate::model::{Geometry, Integrator, LayerNorm, Mask, Model, Normalization, System};
use crate::simd::{Isa, LANES, Pack, dispatch};
use crate::tests::support::{Random, instructions, scalar};

/// n points: all over the circle, in two heaps, or in one.
fn points(random: &mut Random, n: usize) -> Vec<f64> {
    let kind = random.bits() % 3;
    let angle = |random: &mut Random, i: u64| match kind {
        0 => 6.3 * random.uniform(),
        1 => (i % 2) as f64 * 2.5 + 1e-3 * random.normal(),
        _ => 4.0 + 0.3 * random.normal(),
    };
    (0..n as u64).map(|i| angle(random, i)).flat_map(|x| [libm::cos(x), libm::sin(x)]).collect()
}

/// Z_i and Σ_j e^{κ(cos(θ_i − θ_j) − 1)} x_j, by exponentials of squared distances.
fn direct(points: &[f64], kappa: f64, i: usize) -> [f64; 3] {
    let (x, y) = (points[2 * i], points[2 * i + 1]);
    points.chunks_exact(2).fold([0.0; 3], |[total, a, b], other| {
        let (u, v) = (other[0], other[1]);
        let weight = libm::exp(-0.5 * kappa * ((x - u) * (x - u) + (y - v) * (y - v)));
        [total + weight, a + weight * u, b + weight * v]
    })
}

/// The rows of A of V = c·I.
fn rows<W: Weighting>(n: usize, kappa: f64, tokens: &[Pack], factor: f64) -> Vec<Pack> {
    let (isa, lanes, weighting) = (Isa::widest(), LANES, PhantomData::<W>);
    let mut series = Abreast::new(n, &Pack::splat(kappa), LANES).expect("the rule lets it through");
    let [mut apart, mut out, mut rates] =
        [2 * n, 2 * n, 2 * n.next_multiple_of(4)].map(|size| vec![Pack::ZERO; size]);
    dispatch(SetApart { tokens, n, d: 2, lanes, apart: &mut apart }, isa);
    let (series, apart, factor) = (&mut series, &apart[..], &Pack::splat(factor));
    let (rates, onto) = (&mut rates[..], None);
    dispatch(Attend { series, apart, n, lanes, factor, rates, out: &mut out, onto, weighting }, isa);
    out
}

/// Rows of A, softmax and unnormalized, at every κ that the rule lets through: off by less than 20 + κ roundings of the largest weight for
/// each of the n summands, which is below 10⁻¹² of it.
#[test]
fn series_abreast_are_the_direct_sums() {
    let mut random = Random(31);
    let cases = [
        (1, 0.0),
        (2, 0.0),
        (9, 1e-9),
        (16, 0.3),
        (17, 1.0),
        (32, 4.0),
        (33, 9.0),
        (63, 50.0),
        (200, 500.0),
        (301, 900.0),
    ];
    for (n, kappa) in cases {
        let all: Vec<Vec<f64>> = (0..LANES).map(|_| points(&mut random, n)).collect();
        let tokens = side_by_side(&all.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let found = [rows::<Softmax>(n, kappa, &tokens, -1.5), rows::<Unnormalized>(n, kappa, &tokens, -1.5)];
        let allowed = f64::EPSILON * (20.0 + kappa) * n as f64;
        assert!(allowed < 1e-12 * n as f64);
        for (lane, points) in all.iter().enumerate() {
            for i in 0..n {
                let [total, x, y] = direct(points, kappa, i);
                for (found, divisor) in found.iter().zip([total, n as f64]) {
                    for (found, sum) in found[2 * i..].iter().zip([x, y]) {
                        let error = (found.0[lane] + 1.5 * sum / divisor).abs() * divisor;
                        assert!(error <= allowed, "n = {n}, κ = {kappa}: off by {error:e} of {allowed:e}");
                    }
                }
            }
        }
    }
}

/// K is the first order whose coefficient is below 2⁻⁵³; the rule is one of n and κ alone.
#[test]
fn the_rule_is_one_of_n_and_kappa() {
    // mpmath: the first k with exp(−κ)·besseli(k, κ) < 2⁻⁵³.
    let first = [(0.0, 1), (0.1, 9), (1.0, 15), (4.0, 22), (9.0, 30), (50.0, 61), (400.0, 164), (900.0, 243)];
    for (kappa, order) in first {
        assert_eq!(abreast_orders(order, kappa), Some(order), "κ = {kappa}");
        assert_eq!(abreast_orders(order - 1, kappa), None, "κ = {kappa}");
        assert_eq!(abreast_orders(5000, kappa), Some(order), "κ = {kappa}");
    }
    for kappa in [-1e-300, -4.0, 1e10, f64::INFINITY, f64::NAN] {
        assert_eq!(abreast_orders(5000, kappa), None, "κ = {kappa}");
    }
}

fn bits(ensemble: &Ensemble, lane: usize) -> Vec<u64> {
    ensemble.lane_tokens(lane).into_iter().map(f64::to_bits).collect()
}

/// Lanes by series of other lengths, and lanes by direct sums beside them, leave each other alone, at every width.
#[test]
fn neighbours_change_no_bit() {
    let mut random = Random(8);
    let (n, parameters) = (24, scalar(1.0, 1.0));
    let start =
        |beta: f64, random: &mut Random| Start::new(beta, 0.3, points(random, n), Arc::clone(&parameters));
    let mixed = [4.0, 0.0, 40.0, 1.0, 4.5, 5.0, 2.0].map(|beta| start(beta, &mut random));
    let short = [4.0, 0.0, 0.5, 1.0, 4.5].map(|beta| start(beta, &mut random));
    for normalization in [Normalization::Softmax, Normalization::Unnormalized] {
        for integrator in [Integrator::ProjectedEuler, Integrator::Discrete { residual: false }] {
            let model = Model { normalization, integrator, ..Model::new(n, 2) };
            let run = |starts: &[Start], isa: Isa| {
                let mut ensemble = Ensemble::new(&model, starts, isa).expect("valid starts");
                (0..5).for_each(|_| ensemble.step());
                ensemble
            };
            for starts in [&mixed[..], &short] {
                for isa in instructions() {
                    let together = run(starts, isa);
                    for (lane, start) in starts.iter().enumerate() {
                        let alone = run(std::slice::from_ref(start), Isa::Portable);
                        assert_eq!(bits(&together, lane), bits(&alone, 0), "{model:?}, {isa:?}, lane {lane}");
                    }
                }
            }
        }
    }
}

/// Tokens collapse to one point, to rounding, and most come to rest there to the last bit: of 400 such replicas 98 in a hundred, by direct
/// sums 99.
#[test]
fn tokens_come_to_rest() {
    let mut random = Random(12);
    let (n, parameters) = (32, scalar(1.0, 1.0));
    let mut resting = 0;
    for _ in 0..10 {
        let starts: Vec<Start> = (0..LANES)
            .map(|_| Start::new(1.0, 0.1, points(&mut random, n), Arc::clone(&parameters)))
            .collect();
        let mut ensemble = Ensemble::new(&Model::new(n, 2), &starts, Isa::widest()).expect("valid starts");
        (0..1000).for_each(|_| ensemble.step());
        for lane in 0..LANES {
            let least = ensemble.gram().iter().map(|pack| pack.0[lane]).fold(1.0, f64::min);
            assert!(least > 1.0 - 1e-14, "{least}");
            resting += usize::from(ensemble.stationary(lane));
        }
    }
    assert!(resting >= 72, "{resting} of 80");
}

/// Of many tokens no pairs are kept, and a step is that of the few.
#[test]
fn many_tokens_keep_no_pairs() {
    let mut random = Random(40);
    let parameters = scalar(1.0, 1.0);
    for n in [257, 3000] {
        let points = points(&mut random, n);
        let start = Start::new(9.0, 1e12, points.clone(), Arc::clone(&parameters));
        let mut ensemble = Ensemble::new(&Model::new(n, 2), &[start], Isa::widest()).expect("a valid start");
        assert!(!ensemble.turns() && !ensemble.uses_gram());
        ensemble.step();
        assert_eq!(ensemble.known_gram(), None);
        // The step is so long that tokens land where A points to.
        for i in (0..n).step_by(7) {
            let [_, x, y] = direct(&points, 9.0, i);
            let (found, length) = (&ensemble.tokens()[2 * i..], (x * x + y * y).sqrt());
            let error = (found[0].0[0] - x / length).abs().max((found[1].0[0] - y / length).abs());
            assert!(error * length < 1e-12 * n as f64, "n = {n}, token {i}: off by {error:e}");
        }
    }
}

/// Everything else goes by direct sums: other steps, layer norms, masks and matrices, what is furnished, three coordinates.
#[test]
fn only_plain_sums_of_two_coordinates_go_abreast() {
    let mut random = Random(6);
    let plain = Model::new(64, 2);
    let mut goes = |model: &Model, kinds: &[(usize, usize)]| {
        let tokens = random.sphere(model.n, model.d);
        let start = Start::new(2.0, 0.1, tokens, random.parameters(kinds, model.d));
        let attention = Attention::new(model, &[start], true, Isa::Portable, Evaluation::Pairs);
        attention.expect("the model is valid").abreast.is_some()
    };
    let scalar = [(4, 0)];
    let layers = Model { integrator: Integrator::Discrete { residual: false }, ..plain.clone() };
    let unnormalized = Model { normalization: Normalization::Unnormalized, ..plain.clone() };
    for model in [&plain, &layers, &unnormalized] {
        assert!(goes(model, &scalar), "{model:?}");
    }
    for kinds in [[(5, 0)].as_slice(), &[(1, 0)], &[(4, 1)], &[(4, 2)], &[(3, 0)], &[(4, 0), (4, 0)]] {
        assert!(!goes(&plain, kinds), "{kinds:?}");
    }
    let others = [
        Model { integrator: Integrator::Rk4, ..plain.clone() },
        Model { layer_norm: LayerNorm::Pre, ..plain.clone() },
        Model { mask: Mask::Causal, ..plain.clone() },
        Model { exclude_self: true, ..plain.clone() },
        Model { masses: vec![1.0; 64], ..plain.clone() },
        Model { normalization: Normalization::Hardmax, ..plain.clone() },
        Model { geometry: Geometry::Euclidean, ..plain.clone() },
        Model { system: System::MeanShift { blurring: true }, ..plain },
        Model::new(64, 3),
        Model::new(5, 2),
    ];
    for model in &others {
        assert!(!goes(model, &scalar), "{model:?}");
    }
}
