//! docs/oracles.md, as far as one trajectory shows it: oracles 1, 2, 5 and 9.

use std::sync::Arc;

use super::support::{INTEGRATORS, MASKS, NORMALIZATIONS, Random, ensemble, identity, model, scalar};
use crate::ensemble::{Ensemble, Start};
use crate::model::{Integrator, Mask, Model, Normalization};
use crate::parameters::{Head, Operator, Parameters, QueryKey};
use crate::simd::Isa;

fn single(model: &Model, beta: f64, step: f64, tokens: &[f64], parameters: &Arc<Parameters>) -> Ensemble {
    let start = Start::new(beta, step, tokens.to_vec(), Arc::clone(parameters));
    ensemble(model, &[start], Isa::widest())
}

fn orthonormal(n: usize) -> Vec<f64> {
    (0..n * n).map(|at| if at % (n + 1) == 0 { 1.0 } else { 0.0 }).collect()
}

/// γ̇ of P0 (4.8) (SA) and (4.9) (USA): the common cosine of tokens that start orthonormal.
fn cosine_velocity(normalization: Normalization, n: f64, beta: f64, cosine: f64) -> f64 {
    let weight = libm::exp(beta * cosine);
    let divisor = match normalization {
        Normalization::Softmax => libm::exp(beta) + (n - 1.0) * weight,
        Normalization::Unnormalized => n,
        Normalization::Hardmax | Normalization::Sinkhorn => unreachable!("not in NORMALIZATIONS"),
    };
    2.0 * weight * (1.0 - cosine) * ((n - 1.0) * cosine + 1.0) / divisor
}

/// γ(1), by rk4 on the scalar equation with this many steps.
fn cosine_at_one(normalization: Normalization, n: usize, beta: f64, steps: u32) -> f64 {
    let velocity = |cosine: f64| cosine_velocity(normalization, n as f64, beta, cosine);
    let h = 1.0 / f64::from(steps);
    let mut cosine = 0.0;
    for _ in 0..steps {
        let k1 = velocity(cosine);
        let k2 = velocity(cosine + 0.5 * h * k1);
        let k3 = velocity(cosine + 0.5 * h * k2);
        let k4 = velocity(cosine + h * k3);
        cosine += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
    }
    cosine
}

/// Oracle 1: from an orthonormal start all cosines follow the scalar equation. The tolerance is ten times the shift that
/// halving the step makes on either side (order 4: the error left is 1/15 of it), and rounding.
#[test]
fn orthonormal_tokens_follow_the_scalar_equation() {
    for normalization in NORMALIZATIONS {
        for (n, beta) in [(2, 1.0), (5, 2.0), (8, 4.0)] {
            let model = model(n, n, normalization, Mask::Full, Integrator::Rk4);
            let cosines = |steps: u32| {
                let mut ensemble = single(&model, beta, 1.0 / f64::from(steps), &orthonormal(n), &identity());
                for _ in 0..steps {
                    ensemble.step();
                }
                ensemble.gram().iter().map(|pack| pack.0[0]).collect::<Vec<f64>>()
            };
            // Stiffness of USA at β = 4: rates up to 2e^β ≈ 110.
            let (coarse, fine) = (cosines(512), cosines(1024));
            let scalar = cosine_at_one(normalization, n, beta, 4096);
            let error = (scalar - cosine_at_one(normalization, n, beta, 2048)).abs();
            for (coarse, fine) in coarse.iter().zip(&fine) {
                let tolerance = 10.0 * ((coarse - fine).abs() + error) + 1e-13;
                assert!(tolerance < 1e-6);
                assert!((fine - scalar).abs() < tolerance, "{normalization:?} {n} {beta}: {fine} {scalar}");
            }
        }
    }
}

/// Collapse time of n = 2, SA, from orthogonal tokens: the time at which rk4's cosine crosses 1 − δ, located by Hermite
/// interpolation with the exact slope (order 4, like the method).
fn pair_collapse(beta: f64, delta: f64, step: f64) -> f64 {
    let model = model(2, 2, Normalization::Softmax, Mask::Full, Integrator::Rk4);
    let mut ensemble = single(&model, beta, step, &orthonormal(2), &identity());
    let target = 1.0 - delta;
    let mut before = 0.0;
    loop {
        ensemble.step();
        let after = ensemble.gram()[0].0[0];
        if after >= target {
            let slope = |cosine| step * cosine_velocity(Normalization::Softmax, 2.0, beta, cosine);
            let (low, high) = (slope(before), slope(after));
            let hermite = |s: f64| {
                before * (1.0 + 2.0 * s) * (1.0 - s) * (1.0 - s)
                    + low * s * (1.0 - s) * (1.0 - s)
                    + after * s * s * (3.0 - 2.0 * s)
                    + high * s * s * (s - 1.0)
            };
            let (mut left, mut right) = (0.0, 1.0);
            for _ in 0..60 {
                let middle = 0.5 * (left + right);
                if hermite(middle) < target { left = middle } else { right = middle }
            }
            return ((ensemble.steps() - 1) as f64 + left) * step;
        }
        before = after;
    }
}

/// Oracle 2, β = 1, 4, 9. Tolerance: the shift that halving the step makes (order 4: the error left is 1/15 of it), and
/// rounding, which an initial displacement of 1e-16 over a dwell time with rates up to 1 turns into 1e-12 of the time.
#[test]
fn two_tokens_collapse_on_time() {
    for (beta, expected, step) in [
        (1.0, 4.271_067_680_309_354, 0.02),
        (4.0, 10.831_207_009_994_971, 0.02),
        (9.0, 466.710_652_910_029_4, 0.02),
    ] {
        let coarse = pair_collapse(beta, 1e-3, step);
        let fine = pair_collapse(beta, 1e-3, step / 2.0);
        let tolerance = (coarse - fine).abs() + 1e-12 * expected;
        assert!(tolerance < 1e-6 * expected, "{tolerance}");
        assert!((fine - expected).abs() < tolerance, "β = {beta}: {fine}, expected {expected} ± {tolerance}");
    }
}

/// `n^{−2} Σ_ij e^{β(⟨x_i,x_j⟩−1)}`.
fn energy(ensemble: &mut Ensemble, n: usize, beta: f64) -> f64 {
    let pairs: f64 = ensemble.gram().iter().map(|pack| libm::exp(beta * (pack.0[0] - 1.0))).sum();
    (n as f64 + 2.0 * pairs) / (n * n) as f64
}

/// Oracle 5: with B = I and the full mask the energy never decreases for V = I and never increases for V = −I
/// (up to the rounding of its n² terms).
#[test]
fn energy_is_monotone() {
    let mut random = Random(21);
    for normalization in NORMALIZATIONS {
        for sign in [1.0, -1.0] {
            for (n, d, beta) in [(8, 2, 4.0), (12, 3, 1.0), (5, 4, 2.0)] {
                let model = model(n, d, normalization, Mask::Full, Integrator::Rk4);
                let mut ensemble = single(&model, beta, 0.01, &random.sphere(n, d), &scalar(1.0, sign));
                let mut before = energy(&mut ensemble, n, beta);
                for _ in 0..500 {
                    ensemble.step();
                    let after = energy(&mut ensemble, n, beta);
                    assert!(sign * (after - before) > -1e-14, "{normalization:?} {sign}: {before} {after}");
                    before = after;
                }
            }
        }
    }
}

/// Oracle 5: a permutation of the tokens (full mask) and a rotation of space commute with the dynamics, up to rounding.
#[test]
fn permutations_and_rotations_commute() {
    let (n, d) = (7, 3);
    let mut random = Random(4);
    let tokens = random.sphere(n, d);
    // A reflection along u: x − 2⟨u,x⟩u.
    let u = random.sphere(1, d);
    let reflect = |tokens: &[f64]| -> Vec<f64> {
        let along = |x: &[f64]| x.iter().zip(&u).map(|(x, u)| x * u).sum::<f64>();
        tokens
            .chunks(d)
            .flat_map(|x| x.iter().zip(&u).map(|(x_k, u_k)| x_k - 2.0 * along(x) * u_k).collect::<Vec<_>>())
            .collect()
    };
    let reverse = |tokens: &[f64]| -> Vec<f64> { tokens.chunks(d).rev().flatten().copied().collect() };
    for normalization in NORMALIZATIONS {
        for mask in MASKS {
            for integrator in INTEGRATORS {
                let model = model(n, d, normalization, mask, integrator);
                let run = |tokens: &[f64]| {
                    let mut ensemble = single(&model, 2.0, 0.02, tokens, &scalar(0.7, 1.0));
                    for _ in 0..20 {
                        ensemble.step();
                    }
                    ensemble.lane_tokens(0)
                };
                let reference = run(&tokens);
                let close = |x: &[f64], y: &[f64]| x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-13);
                assert!(close(&run(&reflect(&tokens)), &reflect(&reference)), "{model:?}");
                if mask == Mask::Full {
                    assert!(close(&run(&reverse(&tokens)), &reverse(&reference)), "{model:?}");
                }
            }
        }
    }
}

/// Oracle 9: causal SA at β = 9, n = 32, d = 3, V = diag(…), Q = K = I; where the last tokens are at T.
fn causal(value: [f64; 3], horizon: f64) -> (Vec<f64>, Vec<f64>) {
    let model = model(32, 3, Normalization::Softmax, Mask::Causal, Integrator::ProjectedEuler);
    let head =
        Head { query_key: QueryKey::Joint(Operator::Scalar(1.0)), value: Operator::Diagonal(value.to_vec()) };
    let parameters = Arc::new(Parameters::new(vec![head]));
    let tokens = Random(9).sphere(32, 3);
    let mut ensemble = single(&model, 9.0, 0.1, &tokens, &parameters);
    while (ensemble.steps() as f64) < horizon / 0.1 {
        ensemble.step();
    }
    assert!(ensemble.finite(0));
    (tokens, ensemble.lane_tokens(0))
}

#[test]
fn causal_identity_collapses_to_the_first_token() {
    let (start, end) = causal([1.0, 1.0, 1.0], 5000.0);
    let stays = start[..3].iter().zip(&end).all(|(x, y)| (x - y).abs() < 1e-12);
    assert!(stays, "the first token sees itself alone");
    for x in end.chunks(3) {
        let cosine: f64 = x.iter().zip(&start).map(|(x, y)| x * y).sum();
        assert!(cosine > 1.0 - 1e-6, "{cosine}");
    }
}

#[test]
fn causal_double_eigenvalue_collapses_to_one_point_of_its_circle() {
    let (start, end) = causal([1.0, 1.0, 0.0], 5000.0);
    let length = (start[0] * start[0] + start[1] * start[1]).sqrt();
    for x in end.chunks(3) {
        let cosine = (x[0] * start[0] + x[1] * start[1]) / length;
        assert!(cosine > 1.0 - 1e-6, "{x:?}");
    }
}

#[test]
fn causal_simple_eigenvalue_collapses_to_its_two_poles() {
    let (_, end) = causal([1.0, 0.0, 0.0], 5000.0);
    for x in end.chunks(3) {
        assert!(x[0].abs() > 1.0 - 1e-6, "{x:?}");
    }
}

/// V < 0 with a double leading eigenvalue −1: a cloud around its circle. The first token settles on it, the rest stays near.
#[test]
fn causal_negative_double_eigenvalue_leaves_a_cloud_around_its_circle() {
    let (_, end) = causal([-1.0, -1.0, -3.0], 5000.0);
    assert!(end[2].abs() < 1e-6, "{end:?}");
    let far = end.chunks(3).filter(|x| x[2].abs() > 0.5).count();
    assert!(far <= 3, "{far} of 32 away from the circle");
    let spread: f64 = end.chunks(3).map(|x| x[2] * x[2]).sum::<f64>() / 32.0;
    assert!(spread < 1.0 / 12.0, "{spread}: a quarter of what uniform points have");
}

#[test]
fn causal_negative_simple_eigenvalue_leaves_two_clouds_around_its_poles() {
    let (_, end) = causal([-1.0, -3.0, -3.0], 5000.0);
    assert!(end[0].abs() > 1.0 - 1e-6, "{end:?}");
    let near = end.chunks(3).filter(|x| x[0].abs() > 0.5).count();
    assert!(near >= 29, "{near} of 32 near the poles");
}
