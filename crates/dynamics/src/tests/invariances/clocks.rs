//! Layer norms as clocks, and the clock of the collapse.
//!
//! θ̇_i = (1/s_i) P A_i: where all s_i are equal, a layer norm moves the same directions along the same curve as `post`, later or
//! sooner: at t they are where `post` has them at ∫_0^t du/s(u) (P2 §6.2). For `sqrt` that is so for every model; for `pre`, `peri`
//! and `ngpt` from equiangular tokens, two tokens being such.

use std::sync::Arc;

use super::super::support::{Random, ensemble, scalar};
use super::equal_systems::equiangular;
use super::measure::{STEPS, Tally, end, finer};
use super::models::{Case, Choice, cases};
use crate::ensemble::{Ensemble, Start};
use crate::model::{Geometry, Integrator, LayerNorm, Model, Normalization, System};
use crate::parameters::Parameters;
use crate::simd::Isa;

/// Where `post` has the directions of a case at this time.
fn post_at(case: &Case, time: f64, steps: u64) -> Option<Vec<f64>> {
    let mut post = case.clone();
    post.model.layer_norm = LayerNorm::Post;
    post.start.step = time / steps as f64;
    end(&post, steps)
}

/// s = √(t+1) for all tokens of all models: `sqrt` at t is `post` at 2(√(t+1) − 1).
#[test]
fn square_root_is_post_on_another_clock() {
    let mut tally = Tally::default();
    let has = |choice: &Choice| {
        choice.model.layer_norm == LayerNorm::Sqrt && choice.model.integrator == Integrator::Rk4
    };
    for mut case in cases(501, 12, has) {
        // Long enough for the clocks to differ, if the flow is slow enough.
        case.start.step = case.start.step.min(1.0);
        let t = case.start.step * STEPS as f64;
        let slowed = 2.0 * t / ((t + 1.0).sqrt() + 1.0);
        let one = |steps| end(&finer(&case, steps), steps);
        tally.compare_flows(&case, one, |steps| post_at(&case, slowed, steps), "sqrt and post");
    }
    tally.conclude();
}

/// `mix(τ)` is `post` up to τ, and from there `pre` with the radius it had: for every model.
#[test]
fn mix_is_post_and_then_pre() {
    let mut tally = Tally::default();
    let has = |choice: &Choice| {
        matches!(choice.model.layer_norm, LayerNorm::Mix { .. })
            && choice.model.geometry != Geometry::Equiangular
    };
    for case in cases(502, 6, has) {
        // The switch is in the middle.
        let post_then_pre = |steps: u64| {
            let mut case = finer(&case, steps);
            case.model.layer_norm = LayerNorm::Post;
            let tokens = end(&case, steps / 2)?;
            case.model.layer_norm = LayerNorm::Pre;
            case.start.tokens = tokens;
            end(&case, steps / 2)
        };
        tally.compare_on_the_sphere(&case, |steps| end(&finer(&case, steps), steps), post_then_pre, "mix");
    }
    tally.conclude();
}

/// s of the first token: all others have the same.
fn slowness(case: &Case, ensemble: &Ensemble) -> f64 {
    let d = case.model.d;
    let weights = &ensemble.attention_weights(0)[0];
    let mut attention = vec![0.0; d];
    for (weight, x) in weights.iter().zip(ensemble.lane_tokens(0).chunks(d)) {
        attention.iter_mut().zip(x).for_each(|(a, x)| *a += weight * x);
    }
    let length = attention.iter().map(|a| a * a).sum::<f64>().sqrt();
    let radius = ensemble.radii().first().map_or(1.0, |radius| radius.0[0]);
    match case.model.layer_norm {
        LayerNorm::Pre => radius,
        LayerNorm::Peri => radius * length,
        LayerNorm::Ngpt { alpha } => length / alpha,
        other => unreachable!("{other:?} is not among the schemes of this test"),
    }
}

/// Directions under a layer norm after `steps` steps (even), and ∫ dt/s by Simpson's rule: of order four, as rk4 is.
fn directions_and_time(case: &Case, steps: u64) -> Option<(Vec<f64>, f64)> {
    let mut ensemble = ensemble(&case.model, std::slice::from_ref(&case.start), Isa::widest());
    let mut speeds = vec![1.0 / slowness(case, &ensemble)];
    for _ in 0..steps {
        ensemble.step();
        speeds.push(1.0 / slowness(case, &ensemble));
    }
    let panels = speeds.windows(3).step_by(2).map(|speed| speed[0] + 4.0 * speed[1] + speed[2]);
    let time = case.start.step / 3.0 * panels.sum::<f64>();
    ensemble.finite(0).then(|| (ensemble.lane_tokens(0), time))
}

/// From equiangular tokens with equal radii, V = B = I, full mask, every normalization: by symmetry all s_i stay equal, so that
/// `pre`, `peri` and `ngpt` are `post` at the time ∫ dt/s.
#[test]
fn layer_norms_are_clocks_of_equiangular_tokens() {
    let mut random = Random(7);
    let mut tally = Tally::default();
    let has = |choice: &Choice| {
        choice.model.geometry == Geometry::Equiangular
            && choice.model.integrator == Integrator::Rk4
            && matches!(choice.model.layer_norm, LayerNorm::Pre | LayerNorm::Peri | LayerNorm::Ngpt { .. })
    };
    for mut case in cases(503, 10, has) {
        let n = case.model.n;
        let lowest = -1.0 / (n as f64 - 1.0);
        case.model.geometry = Geometry::Sphere;
        case.start.tokens = equiangular(n, lowest + (1.0 - lowest) * (0.1 + 0.85 * random.uniform()));
        let one = |steps| directions_and_time(&finer(&case, steps), steps).map(|(directions, _)| directions);
        let other = |steps| {
            let (_, time) = directions_and_time(&finer(&case, steps), steps)?;
            post_at(&case, time, steps)
        };
        tally.compare_flows(&case, one, other, "a layer norm and post");
    }
    tally.conclude();
}

/// max_ij ‖x_i − x_j‖²/2, which is 1 − min cosine without its cancellation.
fn largest_gap(tokens: &[f64], d: usize) -> f64 {
    let gap = |x: &[f64], y: &[f64]| 0.5 * x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
    let pairs = tokens.chunks(d).flat_map(|x| tokens.chunks(d).map(move |y| gap(x, y)));
    pairs.fold(0.0, f64::max)
}

/// T(δ′) − T(δ) of a run with this step, ln(1 − min cosine) interpolated linearly.
fn time_between(model: &Model, start: &Start, from: f64, to: f64) -> f64 {
    let mut ensemble = ensemble(model, std::slice::from_ref(start), Isa::widest());
    let gap = |ensemble: &Ensemble| libm::log(largest_gap(&ensemble.lane_tokens(0), model.d));
    let mut before = gap(&ensemble);
    let mut times = Vec::new();
    for step in 0..20_000 {
        ensemble.step();
        let after = gap(&ensemble);
        for level in [from, to].map(libm::log) {
            if before > level && after <= level {
                times.push(start.step * (f64::from(step) + (before - level) / (before - after)));
            }
        }
        if let [first, second] = times[..] {
            return second - first;
        }
        before = after;
    }
    panic!("no collapse: {before}");
}

/// T(δ′) − T(δ) → ½ ln(δ/δ′)/r with the rate r at which a small displacement decays (docs/models.md): near a consensus all weights
/// are equal, so that u̇_i = r (ū − u_i). r = 1 for SA and Sinkhorn, with any masses and any B = b·I; e^{βb} for USA; n/(n−1) times
/// that without the token itself; c for V = c·I, H for H heads, K for rotors, β for blurring mean shift.
///
/// Corrections are of the order of δ times 1 + the largest score.
#[test]
fn the_last_stage_of_the_collapse_takes_its_time() {
    let mut random = Random(8);
    for trial in 0..60 {
        let n = 2 + (random.bits() % 6) as usize;
        let d = if trial % 2 == 0 { 2 } else { 2 + (random.bits() % 4) as usize };
        let beta = 6.0 * random.uniform();
        let (b, c) = (2.0 * random.uniform() - 0.7, 0.5 + random.uniform());
        let pole = random.sphere(1, d);
        let tokens: Vec<f64> = (0..n)
            .flat_map(|_| {
                let x: Vec<f64> = pole.iter().map(|x| x + 0.05 * random.normal()).collect();
                let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
                x.into_iter().map(move |x| x / length)
            })
            .collect();
        let plain = Model { integrator: Integrator::Rk4, ..Model::new(n, d) };
        let masses: Vec<f64> = (0..n).map(|_| 0.5 + random.uniform()).collect();
        let parameters = scalar(b, c);
        let usa = libm::exp(beta * b);
        let unnormalized = Normalization::Unnormalized;
        let others = n as f64 / (n as f64 - 1.0);
        let mut flows = vec![
            (plain.clone(), c),
            (Model { normalization: unnormalized, ..plain.clone() }, c * usa),
            (Model { normalization: Normalization::Sinkhorn, ..plain.clone() }, c),
            (Model { exclude_self: true, ..plain.clone() }, c * others),
            (Model { exclude_self: true, normalization: unnormalized, ..plain.clone() }, c * usa * others),
            (Model { masses: masses.clone(), ..plain.clone() }, c),
            (Model { masses, normalization: unnormalized, ..plain.clone() }, c * usa),
        ];
        if d == 2 {
            let circle = Model { geometry: Geometry::Circle, ..plain.clone() };
            flows.push((circle.clone(), c));
            flows.push((Model { normalization: unnormalized, ..circle }, c * usa));
        }
        let check = |model: &Model, start: &Start, rate: f64, score: f64| {
            let start = Start { step: 0.02 / rate, ..start.clone() };
            let (from, to) = (1e-6, 1e-8);
            let found = rate * time_between(model, &start, from, to);
            let expected = 0.5 * libm::log(from / to);
            let tolerance = 10.0 * from * (1.0 + score);
            assert!(
                (found - expected).abs() < tolerance,
                "{model:?} β = {beta}, b = {b}: {found} {expected}"
            );
        };
        let score = beta * b.abs();
        let start = Start::new(beta, 0.0, tokens.clone(), Arc::clone(&parameters));
        for (model, rate) in &flows {
            check(model, &start, *rate, score);
        }
        let head = parameters.heads[0].clone();
        let three = Start { parameters: Arc::new(Parameters::new(vec![head; 3])), ..start.clone() };
        check(&plain, &three, 3.0 * c, score);
        let identity = Start::new(beta + 0.1, 0.0, tokens, scalar(1.0, 1.0));
        let system = System::MeanShift { blurring: true };
        check(&Model { system, ..plain.clone() }, &identity, beta + 0.1, beta);
        if d == 2 {
            let rotors = Model { system: System::Kuramoto, geometry: Geometry::Circle, ..plain };
            check(&rotors, &Start { coupling: c, ..identity }, c, beta);
        }
    }
}
