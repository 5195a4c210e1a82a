//! Geometries, rotors, mean shift, layer norms and noise: each against a formula, another geometry, or a law.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::support::{LAYER_NORMS, Random, ensemble, identity};
use crate::ensemble::{Ensemble, Start};
use crate::linear;
use crate::model::{Geometry, Integrator, LayerNorm, Model, Normalization, System};
use crate::noise::Noise;
use crate::parameters::{Head, Operator, Parameters, QueryKey};
use crate::simd::Isa;

fn run(model: &Model, start: &Start, steps: u64) -> Ensemble {
    let mut ensemble = ensemble(model, std::slice::from_ref(start), Isa::widest());
    for _ in 0..steps {
        ensemble.step();
    }
    ensemble
}

fn distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).fold(0.0, |most: f64, (x, y)| most.max((x - y).abs()))
}

/// One head with this V and QᵀK = I.
fn with_value(value: DMatrix<f64>) -> Arc<Parameters> {
    let query_key = QueryKey::Joint(Operator::Scalar(1.0));
    Arc::new(Parameters::new(vec![Head { query_key, value: Operator::Dense(value) }]))
}

/// n orthonormal tokens of R^n.
fn orthonormal(n: usize) -> Vec<f64> {
    (0..n * n).map(|at| if at / n == at % n { 1.0 } else { 0.0 }).collect()
}

/// (d/dt) of the cosine of orthonormal tokens at t = 0, by a step so short that its square does not count.
fn initial_slope(layer_norm: LayerNorm, geometry: Geometry, beta: f64, n: usize) -> f64 {
    let model = Model { layer_norm, geometry, integrator: Integrator::Rk4, ..Model::new(n, n) };
    let tokens = if geometry == Geometry::Equiangular { vec![1.0] } else { orthonormal(n) };
    let step = 1e-6;
    run(&model, &Start::new(beta, step, tokens, identity()), 1).gram()[0].0[0] / step
}

/// docs/models.md: 2/(e^β + n − 1) under `post`, `sqrt` and `pre`, 2/√(e^{2β} + n − 1) under `peri` and `ngpt`; at β = 2,
/// n = 32 these are 0.05210 and 0.21617.
#[test]
fn initial_slopes_of_the_layer_norms() {
    for (beta, n) in [(2.0, 32), (0.5, 5)] {
        let (e, others) = (libm::exp(beta), n as f64 - 1.0);
        let (plain, normalized) = (2.0 / (e + others), 2.0 / (e * e + others).sqrt());
        if n == 32 {
            assert!((plain - 0.05210).abs() < 5e-6 && (normalized - 0.21617).abs() < 5e-6);
        }
        for geometry in [Geometry::Sphere, Geometry::Equiangular] {
            for (layer_norm, slope) in [
                (LayerNorm::Post, plain),
                (LayerNorm::Sqrt, plain),
                (LayerNorm::Pre, plain),
                (LayerNorm::Mix { switch: 3.0 }, plain),
                (LayerNorm::Peri, normalized),
                (LayerNorm::Ngpt { alpha: 1.0 }, normalized),
            ] {
                // The second derivative is of order one; the difference quotient carries ε/step.
                let found = initial_slope(layer_norm, geometry, beta, n);
                assert!((found - slope).abs() < 1e-5, "{layer_norm:?} {geometry:?}: {found} {slope}");
            }
        }
    }
}

/// n tokens on the sphere from an equiangular start have the cosine, and the radii, that the scalar equation says.
/// Two integrations of one equation by rk4 with step h: both within C h⁴ of it, and the difference falls accordingly.
#[test]
fn equiangular_tokens_follow_the_scalar_equation() {
    for layer_norm in LAYER_NORMS.into_iter().chain([LayerNorm::Post]) {
        for normalization in [Normalization::Softmax, Normalization::Unnormalized] {
            let difference = |steps: u64| {
                let step = 1.2 / steps as f64;
                let model =
                    Model { layer_norm, normalization, integrator: Integrator::Rk4, ..Model::new(5, 5) };
                let mut start = Start::new(0.8, step, orthonormal(5), identity());
                start.radius = 1.3;
                let mut whole = run(&model, &start, steps);
                let model = Model { geometry: Geometry::Equiangular, ..model };
                start.tokens = vec![1.0];
                let mut scalar = run(&model, &start, steps);
                let radii = whole.radii().first().zip(scalar.radii().first());
                let radius = radii.map_or(0.0, |(one, other)| (one.0[0] - other.0[0]).abs());
                (whole.gram()[3].0[0] - scalar.gram()[0].0[0]).abs().max(radius)
            };
            // mix switches at t = 0.15, a multiple of both steps.
            let (coarse, fine) = (difference(16), difference(32));
            assert!(coarse < 1e-4, "{layer_norm:?} {normalization:?}: {coarse}");
            assert!(
                fine < coarse / 10.0 || fine < 1e-13,
                "{layer_norm:?} {normalization:?}: {coarse} {fine}"
            );
        }
    }
}

/// Terminal rates of 1 − ρ (docs/models.md): e^{−2t} under `post`, e^{−2αt} under `ngpt`, e^{−4√(t+1)} under `sqrt`, e^{−2e^β t} for
/// `unnormalized`, and t^{−2} under `pre` and `peri`.
#[test]
fn terminal_rates() {
    let gap_at = |layer_norm, normalization, beta: f64, t: f64| {
        let step = 1e-3;
        let model = Model {
            geometry: Geometry::Equiangular,
            layer_norm,
            normalization,
            integrator: Integrator::Rk4,
            ..Model::new(8, 8)
        };
        let steps = (t / step).round() as u64;
        let tokens = run(&model, &Start::new(beta, step, vec![0.5], identity()), steps);
        tokens.state[0].0[0]
    };
    let rate = |layer_norm, normalization, from: f64, to: f64| {
        let gap = |t| gap_at(layer_norm, normalization, 1.0, t);
        libm::log(gap(from) / gap(to))
    };
    let softmax = Normalization::Softmax;
    // Corrections are of the order of the gap itself, below e^{−10} here.
    assert!((rate(LayerNorm::Post, softmax, 6.0, 8.0) - 4.0).abs() < 1e-3);
    assert!((rate(LayerNorm::Ngpt { alpha: 0.5 }, softmax, 12.0, 16.0) - 4.0).abs() < 1e-3);
    let unnormalized = rate(LayerNorm::Post, Normalization::Unnormalized, 3.0, 4.0);
    assert!((unnormalized - 2.0 * std::f64::consts::E).abs() < 1e-3);
    let sqrt = rate(LayerNorm::Sqrt, softmax, 15.0, 24.0);
    assert!((sqrt - 4.0 * (5.0 - 4.0)).abs() < 1e-2, "{sqrt}");
    for layer_norm in [LayerNorm::Pre, LayerNorm::Peri] {
        // r = t + c: the logarithm of ((2t + c)/(t + c))² tends to 2 ln 2 like 1/t.
        let found = rate(layer_norm, softmax, 200.0, 400.0);
        assert!((found - 2.0 * std::f64::consts::LN_2).abs() < 0.05, "{layer_norm:?} {found}");
    }
}

/// In angles and as vectors: one system, two integrations of order four.
#[test]
fn the_circle_is_the_sphere_of_the_plane() {
    let mut random = Random(11);
    let tokens = random.sphere(7, 2);
    // Near the identity: `peri` is not smooth where A vanishes.
    let value = DMatrix::identity(2, 2) + random.matrix(2, 2, 0.2);
    let parameters = with_value(value);
    for normalization in [Normalization::Softmax, Normalization::Unnormalized] {
        for layer_norm in [LayerNorm::Post, LayerNorm::Pre, LayerNorm::Peri] {
            let difference = |steps: u64| {
                let start = Start::new(1.0, 1.0 / steps as f64, tokens.clone(), parameters.clone());
                let sphere =
                    Model { normalization, layer_norm, integrator: Integrator::Rk4, ..Model::new(7, 2) };
                let circle = Model { geometry: Geometry::Circle, ..sphere.clone() };
                distance(
                    &run(&sphere, &start, steps).lane_tokens(0),
                    &run(&circle, &start, steps).lane_tokens(0),
                )
            };
            let (coarse, fine) = (difference(40), difference(80));
            assert!(
                coarse < 1e-3 && (fine < coarse / 8.0 || fine < 1e-12),
                "{layer_norm:?}: {coarse} {fine}"
            );
        }
    }
}

/// x of R^d and z = e^{−tV} x, integrated apart, for a V with a rotation and a growth.
#[test]
fn rescaled_tokens_are_the_tokens_rescaled() {
    let mut random = Random(12);
    let value = DMatrix::from_row_slice(3, 3, &[0.7, -0.5, 0.2, 0.4, 0.3, 0.0, 0.1, 0.2, -0.4]);
    let tokens: Vec<f64> = (0..15).map(|_| 0.5 * random.normal()).collect();
    for normalization in [Normalization::Softmax, Normalization::Unnormalized] {
        let difference = |steps: u64| {
            let start = Start::new(0.1, 1.0 / steps as f64, tokens.clone(), with_value(value.clone()));
            let plain = Model {
                geometry: Geometry::Euclidean,
                normalization,
                integrator: Integrator::Rk4,
                ..Model::new(5, 3)
            };
            let rescaled = Model { geometry: Geometry::Rescaled, ..plain.clone() };
            let back = linear::exponential(&value, -1.0);
            let back = back.mantissa * libm::exp2(back.exponent);
            let x = DMatrix::from_row_slice(5, 3, &run(&plain, &start, steps).lane_tokens(0)).transpose();
            let z = DMatrix::from_row_slice(5, 3, &run(&rescaled, &start, steps).lane_tokens(0)).transpose();
            (back * x - z).amax()
        };
        let (coarse, fine) = (difference(50), difference(100));
        assert!(coarse < 1e-3 && fine < coarse / 8.0, "{normalization:?} {coarse} {fine}");
    }
}

/// P1 Remark 3.3: R^{−k} x_k and the rescaled layers are the same numbers, up to rounding.
#[test]
fn rescaled_layers_are_the_layers_rescaled() {
    let mut random = Random(13);
    let value = DMatrix::from_row_slice(2, 2, &[0.5, -1.0, 1.0, 0.5]);
    let tokens: Vec<f64> = (0..8).map(|_| random.normal()).collect();
    let start = Start::new(0.5, 0.25, tokens, with_value(value.clone()));
    let layers = Integrator::Discrete { residual: true };
    let plain = Model { geometry: Geometry::Euclidean, integrator: layers, ..Model::new(4, 2) };
    let rescaled = Model { geometry: Geometry::Rescaled, ..plain.clone() };
    let growth = linear::power(&(DMatrix::identity(2, 2) + 0.25 * value), 12);
    let growth = growth.mantissa * libm::exp2(growth.exponent);
    let x = DMatrix::from_row_slice(4, 2, &run(&plain, &start, 12).lane_tokens(0)).transpose();
    let z = DMatrix::from_row_slice(4, 2, &run(&rescaled, &start, 12).lane_tokens(0)).transpose();
    let error = (growth * z - &x).amax() / x.amax();
    assert!(error < 1e-12, "{error}");
}

/// V = I, rescaled, for a time at which e^{tV} is beyond any f64: tokens end in the polytope's vertices, and stay finite.
#[test]
fn rescaled_tokens_survive_long_times() {
    let mut random = Random(14);
    let tokens: Vec<f64> = (0..20).map(|_| random.normal()).collect();
    let model = Model { geometry: Geometry::Rescaled, integrator: Integrator::Rk4, ..Model::new(10, 2) };
    let ensemble = run(&model, &Start::new(1.0, 0.1, tokens, identity()), 10_000);
    assert!(ensemble.finite(0));
    assert!(ensemble.lane_tokens(0).iter().all(|x| x.is_finite() && x.abs() < 4.0));
}

/// Two rotors: φ = θ_2 − θ_1 obeys φ̇ = ω_2 − ω_1 − K sin φ, which locks at sin φ = (ω_2 − ω_1)/K; and the mean turns at the
/// mean frequency.
#[test]
fn two_rotors_lock() {
    let model = Model {
        system: System::Kuramoto,
        geometry: Geometry::Circle,
        integrator: Integrator::Rk4,
        ..Model::new(2, 2)
    };
    for normalization in [Normalization::Softmax, Normalization::Unnormalized] {
        let model = Model { normalization, ..model.clone() };
        let mut start = Start::new(0.0, 0.01, vec![1.0, 0.0, libm::cos(1.0), libm::sin(1.0)], identity());
        start.coupling = 2.0;
        start.frequencies = vec![0.1, 0.9];
        let ensemble = run(&model, &start, 2000);
        let (first, second) = (ensemble.state[0].0[0], ensemble.state[1].0[0]);
        // The rest decays like e^{−K cos φ t}: below e^{−36}.
        assert!(((second - first) - libm::asin(0.4)).abs() < 1e-12);
        assert!((f64::midpoint(first, second) - (0.5 + 0.5 * 20.0)).abs() < 1e-10);
    }
}

/// P0 (6.1): θ̇_i = −(1/n) Σ_j e^{β cos(θ_i−θ_j)} sin(θ_i−θ_j), written down naively.
#[test]
fn usa_in_angles() {
    let angles = [0.3_f64, 1.9, -2.0, 0.8];
    let tokens = angles.iter().flat_map(|&a| [libm::cos(a), libm::sin(a)]).collect();
    let beta = 2.5;
    let model = Model {
        geometry: Geometry::Circle,
        normalization: Normalization::Unnormalized,
        integrator: Integrator::Discrete { residual: true },
        ..Model::new(4, 2)
    };
    let ensemble = run(&model, &Start::new(beta, 1e-3, tokens, identity()), 1);
    for (i, &angle) in angles.iter().enumerate() {
        let rate = -angles
            .iter()
            .map(|&other| libm::exp(beta * libm::cos(angle - other)) * libm::sin(angle - other))
            .sum::<f64>()
            / 4.0;
        assert!((ensemble.state[i].0[0] - (angle + 1e-3 * rate)).abs() < 1e-14);
    }
}

/// Mean shift climbs log Σ_j e^{β⟨x, y_j⟩}: the velocity is its tangent gradient, by central differences.
#[test]
fn mean_shift_is_a_gradient() {
    let mut random = Random(15);
    let (n, d, beta, step) = (6, 3, 4.0, 1e-7);
    let tokens = random.sphere(n, d);
    let log_density = |x: &[f64]| {
        let terms =
            tokens.chunks(d).map(|y| libm::exp(beta * x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>()));
        libm::log(terms.sum::<f64>())
    };
    for blurring in [false, true] {
        let model =
            Model { system: System::MeanShift { blurring }, integrator: Integrator::Rk4, ..Model::new(n, d) };
        let moved = run(&model, &Start::new(beta, step, tokens.clone(), identity()), 1).lane_tokens(0);
        for (x, y) in tokens.chunks(d).zip(moved.chunks(d)) {
            let gradient: Vec<f64> = (0..d)
                .map(|k| {
                    let at = |shift: f64| {
                        let mut point = x.to_vec();
                        point[k] += shift;
                        log_density(&point)
                    };
                    (at(1e-5) - at(-1e-5)) / 2e-5
                })
                .collect();
            let along: f64 = x.iter().zip(&gradient).map(|(a, b)| a * b).sum();
            for k in 0..d {
                // Differences: β³·10⁻¹⁰; the quotient: step·|ẍ| and ε/step.
                assert!(((y[k] - x[k]) / step - (gradient[k] - along * x[k])).abs() < 1e-5);
            }
        }
    }
    // Fixed: every token ends at a critical point of the density of the initial tokens, and the state rests.
    let model = Model { system: System::MeanShift { blurring: false }, ..Model::new(n, d) };
    let end = run(&model, &Start::new(beta, 0.05, tokens.clone(), identity()), 20_000);
    assert!(end.stationary(0));
}

/// Without attention (β = 0, V = 0) Brownian motion on the sphere: E⟨X_t, X_0⟩ = e^{−(d−1)t/κ}. 8 lanes × 125 replicas × 4
/// tokens; the product lies in [−1, 1] with variance below 1, so 5.6/√4000 deviates once in 10⁷; the scheme's bias is of
/// order η, C η t e^{−…} < 0.01 at η = 0.01.
#[test]
fn brownian_motion_decorrelates_at_its_rate() {
    let zero = QueryKey::Joint(Operator::Scalar(1.0));
    let parameters = Arc::new(Parameters::new(vec![Head { query_key: zero, value: Operator::Scalar(0.0) }]));
    for (d, kappa, t) in [(3, 4.0, 1.0), (2, 2.0, 0.8), (6, 10.0, 1.0)] {
        let mut random = Random(16);
        let tokens = random.sphere(4, d);
        let steps = (t / 0.01_f64).round() as u64;
        let (mut sum, mut count) = (0.0, 0.0);
        for batch in 0..125_u64 {
            let starts: Vec<Start> = (0..8)
                .map(|lane| {
                    let mut start = Start::new(0.0, 0.01, tokens.clone(), parameters.clone());
                    start.noise = Some(Noise { key: [9; 32], stream: 8 * batch + lane, kappa });
                    start
                })
                .collect();
            let mut ensemble = ensemble(&Model::new(4, d), &starts, Isa::widest());
            (0..steps).for_each(|_| ensemble.step());
            for lane in 0..8 {
                for (x, y) in ensemble.lane_tokens(lane).chunks(d).zip(tokens.chunks(d)) {
                    sum += x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>();
                    count += 1.0;
                }
            }
        }
        let expected = libm::exp(-(d as f64 - 1.0) * t / kappa);
        assert!(
            (sum / count - expected).abs() < 5.6 / f64::sqrt(count) + 0.01,
            "d = {d}: {} {expected}",
            sum / count
        );
    }
}

/// Halving the step refines the same path: the end points of one replica come together like √η.
#[test]
fn refinements_follow_the_same_path() {
    let mut random = Random(17);
    let tokens = random.sphere(5, 3);
    let end = |steps: u64| {
        let mut start = Start::new(2.0, 1.0 / steps as f64, tokens.clone(), identity());
        start.noise = Some(Noise { key: [4; 32], stream: 1, kappa: 5.0 });
        run(&Model::new(5, 3), &start, steps).lane_tokens(0)
    };
    let finest = end(4096);
    let errors: Vec<f64> = [16, 64, 256, 1024].map(|steps| distance(&end(steps), &finest)).to_vec();
    assert!(errors[0] < 0.5, "{errors:?}");
    // √4 = 2 a line; a path that were drawn anew would stay as far as its size, √(2/κ) ≈ 0.6.
    assert!(errors[3] < errors[0] / 4.0 && errors[3] < 0.05, "{errors:?}");
}

/// A layer without residual: x ← normalize(A), and x ← A in R^d.
#[test]
fn layers_without_residual() {
    let mut random = Random(18);
    let (n, d) = (4, 3);
    let tokens = random.sphere(n, d);
    let beta = 1.5;
    let attention: Vec<Vec<f64>> = tokens
        .chunks(d)
        .map(|x| {
            let weights: Vec<f64> = tokens
                .chunks(d)
                .map(|y| libm::exp(beta * x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>()))
                .collect();
            let total: f64 = weights.iter().sum();
            (0..d)
                .map(|k| tokens.chunks(d).zip(&weights).map(|(y, w)| w * y[k]).sum::<f64>() / total)
                .collect()
        })
        .collect();
    let integrator = Integrator::Discrete { residual: false };
    let start = Start::new(beta, 1.0, tokens.clone(), identity());
    let plain = Model { geometry: Geometry::Euclidean, integrator, ..Model::new(n, d) };
    assert!(distance(&run(&plain, &start, 1).lane_tokens(0), &attention.concat()) < 1e-14);
    let sphere = Model { geometry: Geometry::Sphere, ..plain };
    let lengths = attention.iter().map(|a| a.iter().map(|x| x * x).sum::<f64>().sqrt());
    let turned: Vec<f64> =
        attention.iter().zip(lengths).flat_map(|(a, length)| a.iter().map(move |x| x / length)).collect();
    assert!(distance(&run(&sphere, &start, 1).lane_tokens(0), &turned) < 1e-14);
}

/// Radii under layers are lengths: `pre` adds A to x = rθ, exactly.
#[test]
fn radii_of_layers_are_lengths() {
    let mut random = Random(19);
    let tokens = random.sphere(1, 3);
    let model = Model {
        layer_norm: LayerNorm::Pre,
        integrator: Integrator::Discrete { residual: true },
        ..Model::new(1, 3)
    };
    let value = DMatrix::from_row_slice(3, 3, &[0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
    let mut start = Start::new(1.0, 1.0, tokens.clone(), with_value(value.clone()));
    start.radius = 0.5;
    let ensemble = run(&model, &start, 1);
    let theta = DMatrix::from_row_slice(3, 1, &tokens);
    let x = 0.5 * &theta + &value * &theta;
    assert!((ensemble.radii()[0].0[0] - x.norm()).abs() < 1e-15);
    let direction = DMatrix::from_row_slice(3, 1, &ensemble.lane_tokens(0));
    assert!((direction - &x / x.norm()).amax() < 1e-15);
}
