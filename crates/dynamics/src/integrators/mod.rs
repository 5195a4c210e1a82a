//! One file an integrator. They know the model only through [`VectorField`]: one dynamic call an evaluation,
//! monomorphized kernels inside.
//!
//! Adding one: a file with an [`Integrator`], an arm in [`integrator`].

mod projected_euler;
mod rk4;

use crate::geometry::sphere::Landing;
use crate::model;
use crate::simd::{Isa, Pack};

/// The time of an evaluation. Parameters and layer norms that depend on the layer or on time read it;
/// t = layer·η in every lane (adaptive integrators will carry t and h of each lane here).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Steps taken before this one.
    #[allow(dead_code, reason = "layer-wise parameters, the next step of `Schedule`, read it")]
    pub layer: u64,
}

/// The attention of a model, up to a factor of each lane that only `scaled_step` knows.
pub(crate) trait VectorField: Send {
    /// `A_i / s_i` of `tokens` (n × d), without the common factor. `gram` spares computing the Gram matrix if it is known.
    fn attention(&mut self, clock: Clock, tokens: &[Pack], gram: Option<&[Pack]>, out: &mut [Pack]);
    /// Whether `attention` makes use of `gram`.
    fn uses_gram(&self) -> bool;
    /// η times the common factor.
    fn scaled_step(&self, step: &Pack) -> Pack;
}

/// What a step starts from and leaves behind.
pub(crate) struct Stage<'a> {
    pub clock: Clock,
    /// n × d, unit vectors.
    pub tokens: &'a mut [Pack],
    /// The Gram matrix of `tokens`, if the field uses it.
    pub gram: Option<&'a [Pack]>,
    /// η times the field's common factor.
    pub step: Pack,
    pub d: usize,
    pub lanes: usize,
    pub isa: Isa,
}

/// A fixed-step integrator, with its scratch.
pub(crate) trait Integrator: Send {
    /// Evaluations of the attention a step.
    fn evaluations(&self) -> u64;
    /// One step of every lane.
    fn step(&mut self, field: &mut dyn VectorField, stage: Stage) -> Landing;
}

/// The integrator of this name, for n·d = `size`.
pub(crate) fn integrator(name: model::Integrator, size: usize) -> Box<dyn Integrator> {
    match name {
        model::Integrator::ProjectedEuler => Box::new(projected_euler::ProjectedEuler::new(size)),
        model::Integrator::Rk4 => Box::new(rk4::Rk4::new(size)),
    }
}

/// Whether the integrator's attention keeps the self term where V = c·I.
pub(crate) fn keeps_self_term(name: model::Integrator) -> bool {
    match name {
        model::Integrator::ProjectedEuler => true,
        model::Integrator::Rk4 => false,
    }
}
