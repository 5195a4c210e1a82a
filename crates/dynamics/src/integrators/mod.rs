//! One file an integrator. They know the model only through [`VectorField`]: a dynamic call or two an evaluation,
//! monomorphized kernels inside.
//!
//! Adding one: a file with an [`Integrator`], an arm in [`integrator`].

mod discrete;
mod projected_euler;
mod rk4;

use crate::ensemble_error::EnsembleError;
use crate::model;
use crate::simd::{Isa, Pack};

/// The time of an evaluation. Parameters and layer norms that depend on the layer or on time read it. Each lane has its
/// own t and η.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Steps taken before this one.
    pub layer: u64,
    /// t of each lane, at the stage.
    pub time: Pack,
    /// η of each lane.
    pub step: Pack,
}

impl Clock {
    /// The beginning of step `layer`.
    pub(crate) fn at(layer: u64, step: Pack) -> Self {
        Self { layer, time: Pack(step.0.map(|step| layer as f64 * step)), step }
    }

    /// This instant and a share of the step.
    fn ahead(&self, share: f64) -> Self {
        let mut time = self.time;
        for (time, step) in time.0.iter_mut().zip(self.step.0) {
            *time += share * step;
        }
        Self { time, ..*self }
    }
}

/// What a step did, one bit a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Landing {
    /// Some bit of the lane's state changed.
    pub moved: u8,
    /// All of the lane's state is finite.
    pub finite: u8,
}

impl Landing {
    /// Of no token: nothing moved, nothing is lost.
    pub(crate) const NONE: Self = Self { moved: 0, finite: u8::MAX };
    /// No lane is known any more.
    pub(crate) const LOST: Self = Self { moved: u8::MAX, finite: 0 };
}

/// What the rates that a state moves by are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rates {
    /// From [`VectorField::push`].
    Push,
    /// From [`VectorField::slope`], or a mean of such.
    Slope,
}

/// The right side of a model. The state is the tokens, then whatever else moves (radii).
pub(crate) trait VectorField: Send {
    /// `A_i/s_i` as it is, not projected, up to the common factor that only [`scaled_step`](Self::scaled_step) knows.
    /// `gram` spares computing the Gram matrix if it is known.
    fn push(&mut self, clock: &Clock, state: &[Pack], gram: Option<&[Pack]>, out: &mut [Pack]);
    /// The time derivative of the state, up to the same factor. Where nothing is projected it is the push.
    fn slope(&mut self, clock: &Clock, state: &[Pack], gram: Option<&[Pack]>, out: &mut [Pack]) {
        self.push(clock, state, gram, out);
    }
    /// `state + step·rates`, and whatever brings it back to where tokens live.
    fn land(
        &mut self,
        clock: &Clock,
        state: &mut [Pack],
        rates: &[Pack],
        kind: Rates,
        step: &Pack,
    ) -> Landing;
    /// Whether there is a [`turn`](Self::turn).
    fn turns(&self) -> bool {
        false
    }
    /// `state + step·push`, landed, in one pass that computes the same bits: from the tokens that the Gram matrix has set apart to `next`,
    /// which is as long. Asked for only where there is such a pass.
    fn turn(&mut self, _clock: &Clock, _gram: &[Pack], _next: &mut [Pack], _step: &Pack) -> Landing {
        Landing::LOST
    }
    /// Sets the tokens to zero, so that a step lands on what it adds: a layer without residual.
    fn forget(&self, state: &mut [Pack]) {
        state.fill(Pack::ZERO);
    }
    /// Whether `gram` is made use of.
    fn uses_gram(&self) -> bool {
        false
    }
    /// η times the common factor.
    fn scaled_step(&self, step: &Pack) -> Pack;
}

/// What a step starts from and leaves behind.
pub(crate) struct Stage<'a> {
    pub clock: Clock,
    pub state: &'a mut [Pack],
    /// The Gram matrix of the state's tokens, if the field uses it.
    pub gram: Option<&'a [Pack]>,
    /// η times the field's common factor.
    pub step: Pack,
    /// What noise adds to the leading part of the state in this step.
    pub noise: Option<&'a [Pack]>,
    pub lanes: usize,
    pub isa: Isa,
}

/// A fixed-step integrator, with its scratch.
pub(crate) trait Integrator: Send {
    /// Evaluations of the attention a step.
    fn evaluations(&self) -> u64;
    /// Whether its step is the field's [`turn`](VectorField::turn), where there is one and no noise.
    fn turns(&self) -> bool {
        false
    }
    /// One step of every lane.
    fn step(&mut self, field: &mut dyn VectorField, stage: Stage) -> Landing;
}

/// The integrator of this name, for a state of `size` packs.
///
/// # Errors
/// If its steps are adaptive.
pub(crate) fn integrator(name: model::Integrator, size: usize) -> Result<Box<dyn Integrator>, EnsembleError> {
    Ok(match name {
        model::Integrator::ProjectedEuler => Box::new(projected_euler::ProjectedEuler::new(size)),
        model::Integrator::Rk4 => Box::new(rk4::Rk4::new(size)),
        model::Integrator::Discrete { residual } => Box::new(discrete::Discrete::new(size, residual)),
        model::Integrator::Adaptive | model::Integrator::Multiscale => return Err(EnsembleError::Adaptive),
    })
}

/// Whether the integrator steps along A itself, whose self term then counts also where V = c·I.
pub(crate) fn keeps_self_term(name: model::Integrator) -> bool {
    match name {
        model::Integrator::ProjectedEuler | model::Integrator::Discrete { .. } => true,
        model::Integrator::Rk4 | model::Integrator::Adaptive | model::Integrator::Multiscale => false,
    }
}
