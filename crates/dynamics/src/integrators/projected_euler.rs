//! `projected_euler`: `x ← normalize(x + η A/s)`, the authors' scheme. No tangent projection; the self term is kept.
//! First order in η: the part of A along x lengthens the vector before it is normalized, so that in effect token i moves
//! with the step η/(1 + η⟨x_i, A_i⟩/s_i).

use super::{Integrator, Stage, VectorField};
use crate::geometry::sphere::{Land, Landing};
use crate::simd::{Pack, dispatch};

pub(crate) struct ProjectedEuler {
    attention: Vec<Pack>,
}

impl ProjectedEuler {
    pub(crate) fn new(size: usize) -> Self {
        Self { attention: vec![Pack::ZERO; size] }
    }
}

impl Integrator for ProjectedEuler {
    fn evaluations(&self) -> u64 {
        1
    }

    fn step(&mut self, field: &mut dyn VectorField, stage: Stage) -> Landing {
        let Stage { clock, tokens, gram, step, d, lanes, isa } = stage;
        field.attention(clock, tokens, gram, &mut self.attention);
        dispatch(Land { tokens, velocity: &self.attention, step: &step, d, lanes }, isa)
    }
}
