//! What the invariances are measured with: where a case ends, and how far two ways to compute one end may be apart.

use super::super::support::{Random, ensemble};
use super::models::Case;
use crate::model::{Geometry, Integrator, Normalization};
use crate::simd::Isa;

/// Steps of every run here.
pub const STEPS: u64 = 4;

/// The same case for the same time as [`STEPS`] of its own steps, in `steps` of them.
pub fn finer(case: &Case, steps: u64) -> Case {
    let mut case = case.clone();
    case.start.step *= STEPS as f64 / steps as f64;
    case
}

/// Tokens and radii of a case after `steps` steps; none if it has failed.
pub fn end(case: &Case, steps: u64) -> Option<Vec<f64>> {
    let mut ensemble = ensemble(&case.model, std::slice::from_ref(&case.start), Isa::widest());
    for _ in 0..steps {
        ensemble.step();
    }
    let mut numbers = ensemble.lane_tokens(0);
    if case.model.geometry == Geometry::Equiangular {
        // The cosine itself; the second token shown has it with √ε lost.
        numbers = vec![ensemble.state[0].0[0]];
    }
    numbers.extend(ensemble.radii().iter().map(|pack| pack.0[0]));
    ensemble.finite(0).then_some(numbers)
}

/// The largest distance of two numbers at the same place.
pub fn distance(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).fold(0.0, |most: f64, (x, y)| most.max((x - y).abs()))
}

/// The most by which two exact ways to compute a case may differ because they round differently; none where that is too
/// much to tell anything.
///
/// A step rounds the scores by (d + 4)ε of the largest of them and every sum by the number of its terms; Sinkhorn's
/// weights are known to 10⁻¹². What a step leaves is multiplied by what the run makes of a displacement of its start and
/// of its β, which is measured.
pub fn tolerance(case: &Case) -> Option<f64> {
    let shift = 1e-7;
    let reference = end(case, STEPS)?;
    let mut random = Random(99);
    let mut growth: f64 = 1.0;
    for _ in 0..3 {
        let mut moved = case.clone();
        for x in &mut moved.start.tokens {
            *x += shift * random.normal();
        }
        moved.start.beta *= 1.0 + shift * random.normal();
        if matches!(case.model.geometry, Geometry::Sphere | Geometry::Circle) {
            for x in moved.start.tokens.chunks_mut(case.model.d) {
                let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
                for x in x {
                    *x /= length;
                }
            }
        }
        growth = growth.max(distance(&end(&moved, STEPS)?, &reference) / shift);
    }
    let terms = (case.model.n + case.model.frozen.weights.len() + case.model.d) as f64;
    let scores = case.largest_score() * (case.model.d as f64 + 4.0);
    let mut rounding = 16.0 * f64::EPSILON * (terms + 8.0 + scores);
    if case.model.normalization == Normalization::Sinkhorn {
        rounding += 1e-11;
    }
    let tolerance = growth * STEPS as f64 * rounding;
    (tolerance < 1e-6).then_some(tolerance)
}

/// Counts what was compared, so that a test that compares next to nothing fails.
#[derive(Default)]
pub struct Tally {
    compared: usize,
    left_out: usize,
}

impl Tally {
    /// Both ends are there and agree to the tolerance of the first case.
    pub fn compare(&mut self, case: &Case, expected: Option<Vec<f64>>, found: Option<Vec<f64>>, what: &str) {
        let (Some(tolerance), Some(expected), Some(found)) = (tolerance(case), expected, found) else {
            self.left_out += 1;
            return;
        };
        let distance = distance(&expected, &found);
        assert!(distance <= tolerance, "{what}: {distance} > {tolerance}, {}", case.name());
        self.compared += 1;
    }

    /// Two integrations of one flow by a method of order four, with n and 2n steps each: the finer ones are off by 1/15 of
    /// what halving the step changed, so that they agree to the sum of both changes.
    pub fn compare_flows(
        &mut self,
        case: &Case,
        one: impl Fn(u64) -> Option<Vec<f64>>,
        other: impl Fn(u64) -> Option<Vec<f64>>,
        what: &str,
    ) {
        let ends = [one(STEPS), one(2 * STEPS), other(STEPS), other(2 * STEPS)];
        let ([Some(coarse), Some(fine), Some(coarse_other), Some(fine_other)], Some(rounding)) =
            (ends, tolerance(case))
        else {
            self.left_out += 1;
            return;
        };
        let shift = distance(&coarse, &fine) + distance(&coarse_other, &fine_other);
        // Where a right side is not smooth (‖A‖ near 0) the order says nothing.
        if shift > 1e-5 {
            self.left_out += 1;
            return;
        }
        let apart = distance(&fine, &fine_other);
        assert!(apart <= shift + 2.0 * rounding, "{what}: {apart} > {shift} + {rounding}, {}", case.name());
        self.compared += 1;
    }

    /// [`compare`](Self::compare) where two ways to compute a case are the same but for rounding, and
    /// [`compare_flows`](Self::compare_flows) under `rk4` where they are so on the sphere alone: its stages lie off it by the
    /// square of the step, where kernels extend the right side in ways of their own.
    pub fn compare_on_the_sphere(
        &mut self,
        case: &Case,
        one: impl Fn(u64) -> Option<Vec<f64>>,
        other: impl Fn(u64) -> Option<Vec<f64>>,
        what: &str,
    ) {
        if case.model.integrator == Integrator::Rk4 {
            self.compare_flows(case, one, other, what);
        } else {
            self.compare(case, one(STEPS), other(STEPS), what);
        }
    }

    /// Most of what there was has been compared.
    pub fn conclude(&self) {
        let Self { compared, left_out } = self;
        assert!(*compared > 4 * left_out && *compared > 0, "{compared} compared, {left_out} left out");
    }
}
