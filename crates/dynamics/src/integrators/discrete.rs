//! `discrete`: layers, one a step. `x ← x + Δt A/s` in R^d (P1 (1.3)), `x ← normalize(x + Δt A/s)` for unit tokens,
//! θ ← θ + Δt θ̇ in angles; without residual `x ← A` or `x ← normalize(A)` (P2 Thm 7). Δt is 1 unless `step` says otherwise.

use super::projected_euler::with_noise;
use super::{Integrator, Landing, Rates, Stage, VectorField};
use crate::simd::{LANES, Pack};

pub(crate) struct Discrete {
    push: Vec<Pack>,
    /// The state before, where there is no residual.
    before: Vec<Pack>,
    residual: bool,
}

impl Discrete {
    pub(crate) fn new(size: usize, residual: bool) -> Self {
        let before = if residual { Vec::new() } else { vec![Pack::ZERO; size] };
        Self { push: vec![Pack::ZERO; size], before, residual }
    }
}

impl Integrator for Discrete {
    fn evaluations(&self) -> u64 {
        1
    }

    fn step(&mut self, field: &mut dyn VectorField, stage: Stage) -> Landing {
        let Stage { clock, state, gram, mut step, noise, lanes, .. } = stage;
        field.push(&clock, state, gram, &mut self.push);
        if let Some(noise) = noise {
            with_noise(&mut self.push, &step, noise);
            step = Pack::splat(1.0);
        }
        if self.residual {
            return field.land(&clock, state, &self.push, Rates::Push, &step);
        }
        self.before.copy_from_slice(state);
        field.forget(state);
        let mut landing = field.land(&clock, state, &self.push, Rates::Push, &step);
        landing.moved = changed(&self.before, state) & (u8::MAX >> (LANES - lanes));
        landing
    }
}

/// Lanes in which some bit differs.
fn changed(before: &[Pack], now: &[Pack]) -> u8 {
    before.iter().zip(now).fold(0, |moved, (before, now)| {
        (0..LANES).fold(moved, |moved, lane| {
            moved | u8::from(before.0[lane].to_bits() != now.0[lane].to_bits()) << lane
        })
    })
}
