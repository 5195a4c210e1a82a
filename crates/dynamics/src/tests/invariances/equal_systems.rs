//! One system in two coordinates: angles and vectors, x and z = e^{−tV} x, equiangular tokens and their cosine, mean shift and SA.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::super::support::Random;
use super::measure::{STEPS, Tally, end, finer};
use super::models::{Case, Choice, cases};
use crate::linear;
use crate::model::{Geometry, Integrator, Model, System};
use crate::parameters::Operator;

/// The circle in angles is the sphere of the plane, for every attention that `rk4` integrates.
#[test]
fn the_circle_is_the_sphere_of_the_plane() {
    let mut tally = Tally::default();
    let has = |choice: &Choice| {
        choice.model.geometry == Geometry::Circle
            && choice.model.integrator == Integrator::Rk4
            && choice.model.system != System::Kuramoto
    };
    for circle in cases(301, 12, has) {
        let mut sphere = circle.clone();
        sphere.model.geometry = Geometry::Sphere;
        let at = |case: &Case, steps| end(&finer(case, steps), steps);
        tally.compare_flows(
            &circle,
            |steps| at(&circle, steps),
            |steps| at(&sphere, steps),
            "circle and sphere",
        );
    }
    tally.conclude();
}

/// e^{tV}, or (I + Δt V)^k where time is discrete, applied to tokens z.
fn grown(case: &Case, steps: u64, tokens: &[f64]) -> Vec<f64> {
    let d = case.model.d;
    let value = match &case.start.parameters.heads[0].value {
        Operator::Scalar(c) => DMatrix::from_diagonal_element(d, d, *c),
        Operator::Diagonal(entries) => DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(entries)),
        Operator::Dense(matrix) => matrix.clone(),
    };
    let growth = if case.model.integrator == Integrator::Rk4 {
        linear::exponential(&value, case.start.step * steps as f64)
    } else {
        linear::power(&(DMatrix::identity(d, d) + case.start.step * value), steps)
    };
    let growth = growth.mantissa * libm::exp2(growth.exponent);
    let image = growth * DMatrix::from_column_slice(d, tokens.len() / d, tokens);
    image.iter().copied().collect()
}

/// z = e^{−tV} x for every weight: two integrations of order four; and with layers up to rounding (P1 Remark 3.3).
#[test]
fn rescaled_tokens_are_the_tokens_rescaled() {
    let mut tally = Tally::default();
    for rescaled in cases(302, 20, |choice| choice.model.geometry == Geometry::Rescaled) {
        let mut plain = rescaled.clone();
        plain.model.geometry = Geometry::Euclidean;
        let back = |steps| {
            let case = finer(&rescaled, steps);
            end(&case, steps).map(|z| grown(&case, steps, &z))
        };
        let straight = |steps| end(&finer(&plain, steps), steps);
        if rescaled.model.integrator == Integrator::Rk4 {
            tally.compare_flows(&plain, straight, back, "x and z");
        } else {
            tally.compare(&plain, straight(STEPS), back(STEPS), "x and z in layers");
        }
    }
    tally.conclude();
}

/// n tokens of R^n with this common cosine: the rows of the Cholesky factor of (1−ρ)I + ρJ.
pub fn equiangular(n: usize, cosine: f64) -> Vec<f64> {
    let gram = DMatrix::from_fn(n, n, |i, j| if i == j { 1.0 } else { cosine });
    let factor = gram.cholesky().expect("the cosine is above −1/(n−1)").l();
    factor.transpose().iter().copied().collect()
}

/// Tokens at equal angles stay so, and their cosine and radius follow the scalar equation, under every layer norm and weight that
/// `rk4` integrates. (The schemes of order one differ by their errors.)
#[test]
fn equiangular_tokens_follow_the_scalar_equation() {
    let mut random = Random(5);
    let mut tally = Tally::default();
    let has = |choice: &Choice| {
        choice.model.geometry == Geometry::Equiangular && choice.model.integrator == Integrator::Rk4
    };
    for mut scalar in cases(303, 12, has) {
        let n = scalar.model.n;
        let lowest = -1.0 / (n as f64 - 1.0);
        // Not at the lower end, where A may vanish.
        let cosine = lowest + (1.0 - lowest) * (0.1 + 0.85 * random.uniform());
        scalar.start.tokens = vec![1.0 - cosine];
        let mut whole = scalar.clone();
        whole.model = Model { geometry: Geometry::Sphere, ..whole.model };
        whole.start.tokens = equiangular(n, cosine);
        let of_tokens = |steps| {
            let end = end(&finer(&whole, steps), steps)?;
            let (x, y) = (&end[..n], &end[n..2 * n]);
            // The gap without cancellation, then the radius.
            let gap = 0.5 * x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
            Some([&[gap], end.get(n * n..=n * n).unwrap_or(&[])].concat())
        };
        tally.compare_flows(
            &scalar,
            |steps| end(&finer(&scalar, steps), steps),
            of_tokens,
            "scalar and tokens",
        );
    }
    tally.conclude();
}

/// Blurring mean shift is β times SA (P2 §5.3), masses and frozen tokens included: with 1/β of the step, up to rounding.
#[test]
fn blurring_mean_shift_is_attention_at_another_speed() {
    let mut tally = Tally::default();
    for shift in cases(304, 12, |choice| choice.model.system == System::MeanShift { blurring: true }) {
        if shift.start.beta == 0.0 || shift.start.noise.is_some() {
            continue;
        }
        let mut attention = shift.clone();
        attention.model.system = System::Attention;
        attention.start.step *= attention.start.beta;
        attention.start.parameters = Arc::clone(&shift.start.parameters);
        tally.compare(&shift, end(&attention, STEPS), end(&shift, STEPS), "mean shift and attention");
    }
    tally.conclude();
}
