//! Of many tokens on the circle, block by block.

use super::super::*;
use crate::attention::Evaluation;
use crate::ensemble::Start;
use crate::model::{Frozen, Normalization};
use crate::tests::support::{Random, instructions};

/// n angles: some spread out, some in two narrow heaps.
fn points(random: &mut Random, n: usize) -> Vec<Pack> {
    let mut angle = |i: usize| match i % 3 {
        0 => 6.3 * random.uniform(),
        1 => 1.0 + 0.01 * random.normal(),
        _ => 3.5 + 0.1 * random.normal(),
    };
    let angles: Vec<f64> = (0..n).map(&mut angle).collect();
    angles.iter().flat_map(|x| [Pack::splat(libm::cos(*x)), Pack::splat(libm::sin(*x))]).collect()
}

/// The direct sums for token i.
fn direct(points: &[Pack], kappa: f64, i: usize) -> [f64; 3] {
    let (c, s) = (points[2 * i].0[0], points[2 * i + 1].0[0]);
    points.chunks_exact(2).fold([0.0; 3], |sums, other| {
        let (x, y) = (other[0].0[0], other[1].0[0]);
        // 1 − cos = ‖x_i − x_j‖²/2, accurate for neighbours.
        let weight = libm::exp(-0.5 * kappa * ((c - x) * (c - x) + (s - y) * (s - y)));
        [sums[0] + weight, sums[1] + weight * x, sums[2] + weight * y]
    })
}

/// Within 10⁻¹² of the largest weight (1 here) for each of the n terms, at every κ.
#[test]
fn series_are_the_direct_sums() {
    let mut random = Random(17);
    for kappa in [0.0, 1e-9, 0.3, 1.0, 2.5, 9.0, 50.0, 137.0, 333.0, 700.0, 5000.0] {
        for n in [1000, 1023, 1025, 2500] {
            let points = points(&mut random, n);
            let series = Arc::new(Series::new(kappa));
            let sums = sums(&points, 3, &series, &Crew::default(), Isa::widest());
            for i in (0..n).step_by(41) {
                let expected = direct(&points, kappa, i);
                for k in 0..3 {
                    let error = (sums[i / LANES][k].0[i % LANES] - expected[k]).abs();
                    assert!(error <= 1e-12 * n as f64, "κ = {kappa}, n = {n}: off by {error:e}");
                }
            }
        }
    }
}

/// Neither instructions nor threads change a bit.
#[test]
fn series_have_one_order() {
    let mut random = Random(4);
    let points = points(&mut random, 5003);
    let series = Arc::new(Series::new(50.0));
    let alone = sums(&points, 0, &series, &Crew::default(), Isa::Portable);
    let bits = |sums: &[[Pack; 3]]| -> Vec<u64> {
        sums.iter().flatten().flat_map(|pack| pack.0.map(f64::to_bits)).collect()
    };
    for isa in instructions() {
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let shared = pool.install(|| sums(&points, 0, &series, &Crew::default(), isa));
            assert_eq!(bits(&alone), bits(&shared), "{isa:?}, {threads} threads");
        }
    }
}

/// Everything else stays as it was: what is furnished, masked, not of one multiple of I, or elsewhere than on the circle.
#[test]
fn only_plain_sums_on_the_circle_have_series() {
    let mut random = Random(6);
    let circle = Model { geometry: Geometry::Circle, integrator: Integrator::Rk4, ..Model::new(1000, 2) };
    let tokens: Vec<f64> = points(&mut random, 1000).iter().map(|pack| pack.0[0]).collect();
    let mut by_series = |model: Model, kinds: &[(usize, usize)]| {
        let start = Start::new(2.0, 0.1, tokens.clone(), random.parameters(kinds, 2));
        let attention = Attention::new(&model, &[start], true, Isa::Portable, Evaluation::Tiles);
        attention.expect("the model is valid").series[0].is_some()
    };
    assert!(by_series(circle.clone(), &[(4, 0)]));
    for kinds in [[(5, 0)].as_slice(), &[(1, 0)], &[(4, 1)], &[(4, 2)], &[(3, 0)], &[(4, 0), (4, 0)]] {
        assert!(!by_series(circle.clone(), kinds), "{kinds:?}");
    }
    let others = [
        Model { geometry: Geometry::Sphere, ..circle.clone() },
        Model { geometry: Geometry::Euclidean, ..circle.clone() },
        Model { mask: Mask::Causal, ..circle.clone() },
        Model { exclude_self: true, ..circle.clone() },
        Model { masses: vec![1.0; 1000], ..circle.clone() },
        Model { frozen: Frozen { points: vec![1.0, 0.0], weights: vec![1.0] }, ..circle.clone() },
        Model { normalization: Normalization::Hardmax, ..circle.clone() },
        Model { system: System::MeanShift { blurring: false }, ..circle },
    ];
    for model in others {
        assert!(!by_series(model.clone(), &[(4, 0)]), "{model:?}");
    }
}

#[test]
fn the_rule_is_one_of_n_and_kappa() {
    assert_eq!([0.0, 1.0, 50.0, 700.0].map(orders), [12, 20, 69, 224]);
    let rule = [(999, 1.0), (1000, 1.0), (1000, 700.0), (50_000, 1e6), (30_000, 1e6), (5000, -1.0)];
    assert_eq!(
        rule.map(|(n, kappa)| series_orders(n, kappa).is_some()),
        [false, true, true, true, false, false]
    );
    assert_eq!([f64::INFINITY, f64::NAN].map(|kappa| series_orders(5000, kappa)), [None; 2]);
}
