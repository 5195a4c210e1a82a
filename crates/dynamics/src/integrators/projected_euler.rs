//! `projected_euler`: `x ← normalize(x + η A/s)`, the authors' scheme. No tangent projection; the self term is kept.
//! First order in η: the part of A along x lengthens the vector before it is normalized, so that in effect token i moves
//! with the step η/(1 + η⟨x_i, A_i⟩/s_i).
//!
//! With noise, `x ← normalize(x + η A/s + √(2η/κ) ξ)`: of weak order 1 for the Itô equation of P2 (9) on the sphere, whose
//! drift −((d−1)/κ) x is what the normalization does to second order in ξ.

use super::{Integrator, Landing, Rates, Stage, VectorField};
use crate::simd::Pack;

pub(crate) struct ProjectedEuler {
    push: Vec<Pack>,
}

impl ProjectedEuler {
    pub(crate) fn new(size: usize) -> Self {
        Self { push: vec![Pack::ZERO; size] }
    }
}

impl Integrator for ProjectedEuler {
    fn evaluations(&self) -> u64 {
        1
    }

    fn turns(&self) -> bool {
        true
    }

    fn step(&mut self, field: &mut dyn VectorField, stage: Stage) -> Landing {
        let Stage { clock, state, gram, mut step, noise, .. } = stage;
        field.push(&clock, state, gram, &mut self.push);
        if let Some(noise) = noise {
            with_noise(&mut self.push, &step, noise);
            step = Pack::splat(1.0);
        }
        field.land(&clock, state, &self.push, Rates::Push, &step)
    }
}

/// `push ← step·push + noise`; what has no noise is only multiplied.
pub(super) fn with_noise(push: &mut [Pack], step: &Pack, noise: &[Pack]) {
    for (index, pack) in push.iter_mut().enumerate() {
        for (lane, (rate, step)) in pack.0.iter_mut().zip(step.0).enumerate() {
            let noise = noise.get(index).map_or(0.0, |noise| noise.0[lane]);
            *rate = *rate * step + noise;
        }
    }
}
