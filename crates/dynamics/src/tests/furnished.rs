//! Oracles of the weights beyond SA and USA: masses, frozen tokens, hardmax, Sinkhorn, rows without the token itself, layers.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::support::{Random, ensemble, identity, model, scalar};
use crate::ensemble::{Ensemble, EnsembleError, Start};
use crate::model::{Frozen, Geometry, Integrator, Mask, Model, Normalization};
use crate::parameters::{Head, Layers, Operator, Parameters, QueryKey};
use crate::simd::Isa;

const ALL: [Normalization; 4] =
    [Normalization::Softmax, Normalization::Unnormalized, Normalization::Hardmax, Normalization::Sinkhorn];

fn euler(n: usize, d: usize, normalization: Normalization) -> Model {
    model(n, d, normalization, Mask::Full, Integrator::ProjectedEuler)
}

fn run(model: &Model, start: Start, steps: usize) -> Ensemble {
    let mut ensemble = ensemble(model, &[start], Isa::widest());
    for _ in 0..steps {
        ensemble.step();
    }
    ensemble
}

/// A token of mass 2 moves, and is seen, as two coincident tokens are (P4 Assumption 5): exactly, up to rounding. Steps of
/// 0.05 and 40 of them let rounding errors grow by no more than e^{4β·2} ≈ 3·10³; Sinkhorn's weights are known to 10⁻¹².
#[test]
fn a_token_of_mass_two_is_two_coincident_tokens() {
    let d = 3;
    for normalization in ALL {
        for mask in [Mask::Full, Mask::Causal] {
            for b in [0.7, -0.4] {
                if normalization == Normalization::Sinkhorn && mask == Mask::Causal {
                    continue;
                }
                let tokens = Random(21).sphere(4, d);
                // The heavy token is the first: under the causal mask all others then see both of its halves, and the
                // halves themselves see the same direction.
                let doubled: Vec<f64> = tokens[..d].iter().chain(&tokens).copied().collect();
                let parameters = scalar(b, 1.0);
                let heavy = Model { masses: vec![2.0, 1.0, 1.0, 1.0], mask, ..euler(4, d, normalization) };
                let light = Model { mask, ..euler(5, d, normalization) };
                let start = |tokens: &[f64]| Start::new(1.0, 0.05, tokens.to_vec(), Arc::clone(&parameters));
                let one = run(&heavy, start(&tokens), 40).lane_tokens(0);
                let two = run(&light, start(&doubled), 40).lane_tokens(0);
                let tolerance = if normalization == Normalization::Sinkhorn { 1e-9 } else { 1e-12 };
                for (x, y) in one.iter().zip(&two[d..]) {
                    assert!((x - y).abs() < tolerance, "{normalization:?} {mask:?} {b}: {x} {y}");
                }
            }
        }
    }
}

/// Masses permute and rotate with their tokens.
#[test]
fn permutations_and_reflections_commute() {
    let (n, d) = (6, 3);
    let tokens = Random(22).sphere(n, d);
    let masses: Vec<f64> = (1..=n).map(|mass| mass as f64 / 2.0).collect();
    let frozen = Frozen { points: Random(23).sphere(2, d), weights: vec![1.5, 4.0] };
    let flip = |tokens: &[f64]| -> Vec<f64> { tokens.chunks(d).flat_map(|x| [-x[0], x[2], x[1]]).collect() };
    let reverse = |tokens: &[f64]| -> Vec<f64> { tokens.chunks(d).rev().flatten().copied().collect() };
    for normalization in ALL {
        for exclude_self in [false, true] {
            let is_sinkhorn = normalization == Normalization::Sinkhorn;
            let frozen = if is_sinkhorn { Frozen::default() } else { frozen.clone() };
            let plain = Model { exclude_self, ..euler(n, d, normalization) };
            let whole = Model { masses: masses.clone(), frozen: frozen.clone(), ..plain.clone() };
            let at = |model: &Model, tokens: &[f64]| {
                let start = Start::new(1.3, 0.05, tokens.to_vec(), scalar(0.8, 1.0));
                run(model, start, 10).lane_tokens(0)
            };
            let reference = at(&whole, &tokens);
            let tolerance = if is_sinkhorn { 1e-10 } else { 1e-13 };
            let close = |x: &[f64], y: &[f64]| x.iter().zip(y).all(|(x, y)| (x - y).abs() < tolerance);
            let turned = Model { masses: masses.iter().rev().copied().collect(), ..whole.clone() };
            assert!(close(&at(&turned, &reverse(&tokens)), &reverse(&reference)), "{whole:?}");
            let points = flip(&frozen.points);
            let flipped = Model { frozen: Frozen { points, ..frozen }, ..whole.clone() };
            assert!(close(&at(&flipped, &flip(&tokens)), &flip(&reference)), "{whole:?}");
        }
    }
}

/// Rows and columns of Sinkhorn's weights sum to 1, whatever B; with masses Σ_i α_i w_ij = α_j.
#[test]
fn sinkhorn_weights_are_doubly_stochastic() {
    let mut random = Random(24);
    let (n, d) = (7, 3);
    for (beta, kind) in [(1.0, 4), (20.0, 4), (3.0, 5), (2.0, 2), (1.5, 3)] {
        for masses in [Vec::new(), (0..n).map(|_| 0.5 + random.uniform()).collect()] {
            // Without the diagonal, clusters of a few tokens make Sinkhorn's own iteration slow at large β.
            for exclude_self in if beta > 10.0 { &[false][..] } else { &[false, true] } {
                let exclude_self = *exclude_self;
                let parameters = random.parameters(&[(kind, 0)], d);
                let model =
                    Model { masses: masses.clone(), exclude_self, ..euler(n, d, Normalization::Sinkhorn) };
                let start = Start::new(beta, 0.1, random.sphere(n, d), parameters);
                assert!(run(&model, start.clone(), 3).finite(0), "{model:?}");
                let weights = run(&model, start, 0).attention_weights(0).remove(0);
                let mass = |i: usize| masses.get(i).copied().unwrap_or(1.0);
                for i in 0..n {
                    let row: f64 = (0..n).map(|j| weights[i * n + j]).sum();
                    let column: f64 = (0..n).map(|j| mass(j) * weights[j * n + i]).sum();
                    assert!((row - 1.0).abs() < 1e-12, "{beta} {kind}: {row}");
                    assert!((column / mass(i) - 1.0).abs() < 1e-11, "{beta} {kind}: {column}");
                    assert!(!exclude_self || weights[i * n + i] == 0.0);
                }
            }
        }
    }
}

/// Two tokens at cosine g, V = B = I: w_12 = 1/(1 + e^{β(1−g)}), as softmax has it, since both rows are alike. With
/// B = diag(a, b) they are not: p = √(k_11 k_22)/(√(k_11 k_22) + √(k_12 k_21)) on the diagonal. The kernel's weights are read
/// off one Euler step.
#[test]
fn sinkhorn_of_two_tokens_is_the_closed_form() {
    let (g, h): (f64, f64) = (0.6, 0.8);
    let tokens = vec![1.0, 0.0, g, h];
    let (a, b, beta, step) = (1.2, -0.7, 1.5, 0.01);
    let form = QueryKey::Joint(Operator::Diagonal(vec![a, b]));
    let parameters = Arc::new(Parameters::new(vec![Head { query_key: form, value: Operator::Scalar(1.0) }]));
    let score = |x: [f64; 2], y: [f64; 2]| beta * (a * x[0] * y[0] + b * x[1] * y[1]);
    let (x, y) = ([1.0, 0.0], [g, h]);
    // log of √(k_12 k_21)/√(k_11 k_22).
    let odds = libm::exp(score(x, y) - 0.5 * (score(x, x) + score(y, y)));
    let other = odds / (1.0 + odds);
    let ensemble = run(&euler(2, 2, Normalization::Sinkhorn), Start::new(beta, step, tokens, parameters), 1);
    // x ← normalize(x + η (w_11 x + w_12 y)): the tangent of the angle.
    let along = 1.0 + step * ((1.0 - other) + other * g);
    let moved = ensemble.lane_tokens(0);
    assert!((moved[1] / moved[0] - step * other * h / along).abs() < 1e-14);
}

/// Every weight is e^{β(g_ij − 1)} up to scalings, here of three tokens with cosines 0.5, 0, −0.25 at β = 2. The expected
/// matrix was computed with mpmath to 30 digits: 500 rounds of normalizing rows and columns in turn.
#[test]
fn sinkhorn_of_three_tokens_is_what_another_program_finds() {
    let gram: [f64; 3] = [0.5, 0.0, -0.25];
    // Rows of the Cholesky factor.
    let y = (1.0 - 0.25_f64).sqrt();
    let z1 = (gram[2] - 0.5 * gram[1]) / y;
    let tokens = vec![1.0, 0.0, 0.0, 0.5, y, 0.0, gram[1], z1, (1.0 - z1 * z1).sqrt()];
    let start = Start::new(2.0, 0.1, tokens, identity());
    let weights = run(&euler(3, 3, Normalization::Sinkhorn), start, 0).attention_weights(0).remove(0);
    for (weight, expected) in weights.iter().zip(SINKHORN_OF_THREE) {
        assert!((weight - expected).abs() < 1e-12, "{weights:?}");
    }
}

const SINKHORN_OF_THREE: [f64; 9] = [
    0.652_905_395_014_950_2,
    0.247_018_935_509_983_7,
    0.100_075_669_475_066_08,
    0.247_018_935_509_983_7,
    0.690_556_469_453_282_4,
    0.062_424_595_036_733_94,
    0.100_075_669_475_066_08,
    0.062_424_595_036_733_94,
    0.837_499_735_488_2,
];

/// Hardmax is the limit β → ∞ of softmax (P0 (8.4) → (8.5)): at β·gap = 60 the weights agree to e^{−60}.
#[test]
fn hardmax_is_the_limit_of_softmax() {
    let (n, d) = (6, 3);
    let tokens = Random(25).sphere(n, d);
    let masses: Vec<f64> = (1..=n).map(|mass| mass as f64).collect();
    let mut random = Random(26);
    for parameters in [random.parameters(&[(2, 2)], d), scalar(-1.0, 1.0), scalar(1.0, 1.0)] {
        for exclude_self in [false, true] {
            let at = |normalization, beta| {
                let model = Model { exclude_self, masses: masses.clone(), ..euler(n, d, normalization) };
                let start = Start::new(beta, 0.1, tokens.clone(), Arc::clone(&parameters));
                let weights = run(&model, start.clone(), 0).attention_weights(0).remove(0);
                (weights, run(&model, start, 1).lane_tokens(0))
            };
            let (hard, moved) = at(Normalization::Hardmax, 1.0);
            let (soft, limit) = at(Normalization::Softmax, 1e5);
            assert!(hard.iter().zip(&soft).all(|(a, b)| (a - b).abs() < 1e-12), "{hard:?} {soft:?}");
            assert!(moved.iter().zip(&limit).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }
}

/// P0 Example 8.3: with Q = K = V = I, z_1 = (1, 1) and z_2 = (−1, 1) see themselves alone and stay; z_3 = 0 scores all alike,
/// and moves to the mean of all three.
#[test]
fn hardmax_shares_ties_out() {
    let model = Model {
        geometry: Geometry::Rescaled,
        integrator: Integrator::Discrete { residual: true },
        ..euler(3, 2, Normalization::Hardmax)
    };
    let tokens = vec![1.0, 1.0, -1.0, 1.0, 0.0, 0.0];
    let moved = run(&model, Start::new(1.0, 0.5, tokens, identity()), 1).lane_tokens(0);
    assert_eq!(moved[..4], [1.0, 1.0, -1.0, 1.0]);
    // z_3 + Δt R⁻¹ (mean − z_3) with R = (1 + Δt) I.
    assert!((moved[4]).abs() < 1e-15 && (moved[5] - 0.5 / 1.5 * 2.0 / 3.0).abs() < 1e-15, "{moved:?}");
    // At β = 0 every score is a tie.
    let sphere = euler(4, 3, Normalization::Hardmax);
    let start = Start::new(0.0, 0.1, Random(27).sphere(4, 3), identity());
    assert!(run(&sphere, start, 0).attention_weights(0)[0].iter().all(|weight| *weight == 0.25));
}

/// P2 §5.2, hardmax without itself: the closest pair of three moves towards each other at half speed each, the third one
/// follows its nearest neighbour. After a step of η the angle of a pair at distance φ is changed by 2η sin φ + O(η²).
#[test]
fn hardmax_without_itself_pairs_nearest_neighbours() {
    let model = Model {
        exclude_self: true,
        geometry: Geometry::Circle,
        integrator: Integrator::Discrete { residual: true },
        ..euler(3, 2, Normalization::Hardmax)
    };
    let angles = [0.0_f64, 0.3, 1.5];
    let tokens = angles.iter().flat_map(|a| [libm::cos(*a), libm::sin(*a)]).collect();
    let step = 0.01;
    let moved = run(&model, Start::new(5.0, step, tokens, identity()), 1).lane_tokens(0);
    let expected = [step * libm::sin(0.3), 0.3 - step * libm::sin(0.3), 1.5 - step * libm::sin(1.2)];
    for (point, angle) in moved.chunks(2).zip(expected) {
        assert!((libm::atan2(point[1], point[0]) - angle).abs() < 1e-14);
    }
}

/// P3 Thm 5.2, d = 2, V = B = I, causal: with β = 9, frozen tokens at 0 and π of weights 1.5 and 1 (distance c/√β, c = 3π),
/// n = 3, N = n + 2.5 and ε = 1 both conditions hold: N h((c−1−2ε)/√β) < h(ε/√β) and N g((c−2ε)/√β) < g(ε/√β). Every token
/// ends within ε/√β = 1/3 of a frozen one. (They start within a radian of one: farther away the pull is e^{−β}.)
#[test]
fn tokens_settle_at_frozen_ones() {
    let (beta, c, epsilon, n) = (9.0_f64, 3.0 * std::f64::consts::PI, 1.0, 3_u8);
    let h = |x: f64| libm::exp(beta * (libm::cos(x) - 1.0));
    let g = |x: f64| libm::sin(x) * h(x);
    let scale = 1.0 / beta.sqrt();
    let total = f64::from(n) + 2.5;
    assert!(total * h((c - 1.0 - 2.0 * epsilon) * scale) < h(epsilon * scale));
    assert!(total * g((c - 2.0 * epsilon) * scale) < g(epsilon * scale));
    let model = Model {
        frozen: Frozen { points: vec![1.0, 0.0, -1.0, 0.0], weights: vec![1.5, 1.0] },
        ..model(3, 2, Normalization::Softmax, Mask::Causal, Integrator::Rk4)
    };
    let tokens = [1.0_f64, -0.9, 2.3].iter().flat_map(|a| [libm::cos(*a), libm::sin(*a)]).collect();
    let ensemble = run(&model, Start::new(beta, 0.1, tokens, identity()), 5000);
    for x in ensemble.lane_tokens(0).chunks(2) {
        let nearest = libm::acos(x[0].abs().min(1.0));
        assert!(nearest < epsilon * scale, "{x:?}");
    }
}

/// Under the causal mask the first token sees itself alone and stays, and all others see it: n tokens are n − 1 and a frozen
/// one.
#[test]
fn the_first_token_of_a_causal_row_is_a_frozen_one() {
    let (n, d) = (5, 3);
    let tokens = Random(28).sphere(n, d);
    for normalization in [Normalization::Softmax, Normalization::Unnormalized, Normalization::Hardmax] {
        let causal = Model { mask: Mask::Causal, ..euler(n, d, normalization) };
        let frozen = Frozen { points: tokens[..d].to_vec(), weights: vec![1.0] };
        let others = Model { frozen, mask: Mask::Causal, ..euler(n - 1, d, normalization) };
        let start = |tokens: &[f64]| Start::new(1.5, 0.05, tokens.to_vec(), identity());
        let all = run(&causal, start(&tokens), 20).lane_tokens(0);
        let rest = run(&others, start(&tokens[d..]), 20).lane_tokens(0);
        assert!(all[d..].iter().zip(&rest).all(|(x, y)| (x - y).abs() < 1e-13), "{normalization:?}");
    }
}

/// Equiangular tokens without themselves, and under Sinkhorn: the scalar equation and the tokens agree, to the order of rk4.
#[test]
fn equiangular_tokens_follow_their_scalar_equation() {
    let (n, rho): (usize, f64) = (5, 0.2);
    // Rows of the Cholesky factor of (1−ρ)I + ρJ, by elimination.
    let gram = DMatrix::from_fn(n, n, |i, j| if i == j { 1.0 } else { rho });
    let factor = gram.cholesky().expect("positive definite").l();
    let tokens: Vec<f64> = (0..n).flat_map(|i| (0..n).map(|j| factor[(i, j)]).collect::<Vec<_>>()).collect();
    for (normalization, exclude_self) in [
        (Normalization::Softmax, true),
        (Normalization::Unnormalized, true),
        (Normalization::Sinkhorn, true),
        (Normalization::Sinkhorn, false),
    ] {
        let whole = Model { exclude_self, integrator: Integrator::Rk4, ..euler(n, n, normalization) };
        let scalar_model = Model { geometry: Geometry::Equiangular, ..whole.clone() };
        let steps = 200;
        let mut all = run(&whole, Start::new(2.0, 0.005, tokens.clone(), identity()), steps);
        let mut one = run(&scalar_model, Start::new(2.0, 0.005, vec![1.0 - rho], identity()), steps);
        let (all, one) = (all.gram()[0].0[0], one.gram()[0].0[0]);
        // Errors (rate·step)⁴ with rates below 2e^β/n ≈ 4: 2·10⁻⁷ at worst, and Sinkhorn's 10⁻¹².
        assert!((all - one).abs() < 2e-7 && all > rho + 0.1, "{normalization:?}: {all} {one}");
    }
}

/// A source of layers: V and B of each layer from its number and a seed.
#[derive(Debug)]
struct Seeded(u64);

impl Layers for Seeded {
    fn draw(&self, layer: u64) -> Result<Parameters, String> {
        let mut random = Random(self.0.wrapping_mul(1000).wrapping_add(layer));
        Ok((*random.parameters(&[(2, 2), (3, 1)], 3)).clone())
    }
}

/// Every step has its own matrices: as if each were taken by an ensemble of its own. Interrupted, it goes on with the same
/// bits; and no lane depends on another.
#[test]
fn layers_have_their_own_matrices() {
    let (n, d) = (5, 3);
    for integrator in [Integrator::ProjectedEuler, Integrator::Discrete { residual: true }] {
        let layered = Model { layered: true, integrator, ..euler(n, d, Normalization::Softmax) };
        let plain = Model { layered: false, ..layered.clone() };
        let starts: Vec<Start> = (0..3)
            .map(|lane| Start {
                layers: Some(Arc::new(Seeded(lane))),
                ..Start::new(1.0, 0.1, Random(lane).sphere(n, d), identity())
            })
            .collect();
        let mut together = ensemble(&layered, &starts, Isa::widest());
        let mut saved = None;
        for step in 0..6 {
            if step == 3 {
                saved = Some(together.save());
            }
            together.step();
        }
        for (lane, start) in starts.iter().enumerate() {
            let mut tokens = start.tokens.clone();
            for layer in 0..6 {
                let parameters = Arc::new(Seeded(lane as u64).draw(layer).expect("a draw"));
                tokens = run(&plain, Start::new(1.0, 0.1, tokens, parameters), 1).lane_tokens(0);
            }
            let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&tokens), bits(&together.lane_tokens(lane)), "{integrator:?}");
        }
        let state = saved.expect("saved at step 3");
        let mut resumed =
            Ensemble::restore(&layered, &starts, &state, Isa::Portable).expect("the same starts");
        for _ in 3..6 {
            resumed.step();
        }
        assert_eq!(resumed.save(), together.save());
        assert_eq!(*together.parameters(1), Seeded(1).draw(6).expect("a draw"));
    }
}

#[test]
fn weights_that_do_not_exist_are_refused() {
    let refused = |model: &Model| {
        let start = Start::new(1.0, 0.1, Random(1).sphere(model.n, model.d), identity());
        match Ensemble::new(model, &[start], Isa::Portable) {
            Ok(_) => panic!("accepted: {model:?}"),
            Err(error) => error,
        }
    };
    let plain = euler(3, 2, Normalization::Softmax);
    let masses = |masses: &[f64]| Model { masses: masses.to_vec(), ..plain.clone() };
    assert!(matches!(refused(&masses(&[1.0])), EnsembleError::Masses { found: 1, n: 3 }));
    assert!(matches!(refused(&masses(&[1.0, 0.0, 1.0])), EnsembleError::Masses { .. }));
    let frozen = Frozen { points: vec![1.0], weights: vec![1.0] };
    assert!(matches!(refused(&Model { frozen, ..plain.clone() }), EnsembleError::Frozen { numbers: 1, .. }));
    let alone = Model { exclude_self: true, mask: Mask::Causal, ..plain.clone() };
    assert!(matches!(refused(&alone), EnsembleError::Weights(_)));
    let sinkhorn = Model { normalization: Normalization::Sinkhorn, ..plain.clone() };
    assert!(matches!(refused(&Model { mask: Mask::Causal, ..sinkhorn.clone() }), EnsembleError::Weights(_)));
    let heavy = Model { exclude_self: true, masses: vec![1.0, 1.0, 2.0], ..sinkhorn };
    assert!(matches!(refused(&heavy), EnsembleError::Weights(_)));
    assert!(matches!(refused(&Model { layered: true, ..plain }), EnsembleError::NoLayers { lane: 0 }));
}
