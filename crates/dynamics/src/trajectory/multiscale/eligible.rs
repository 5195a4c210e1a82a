//! Which models [`Multiscale`] is for: those in which tokens at one place are one weighted token, and only attract one another.

use super::Multiscale;
use crate::ensemble::Start;
use crate::ensemble_error::EnsembleError;
use crate::model::{Geometry, LayerNorm, Mask, Model, Normalization, System};
use crate::parameters::{Operator, QueryKey};
use crate::simd::Isa;

/// The points of a start, if the model is one whose tokens may merge and whose drifts stay relatively accurate.
///
/// # Errors
/// What of the model is not so.
pub fn of(model: &Model, start: &Start, isa: Isa) -> Result<Multiscale, EnsembleError> {
    let refuse = |reason| Err(EnsembleError::Multiscale(reason));
    let [head] = start.parameters.heads.as_slice() else { return refuse("it has several heads") };
    let (QueryKey::Joint(Operator::Scalar(b)), Operator::Scalar(c)) = (&head.query_key, &head.value) else {
        return refuse("V and QᵀK are not multiples of the identity");
    };
    let speed = match model.system {
        System::Attention => *c,
        System::Kuramoto if start.frequencies.is_empty() => c * start.coupling,
        System::MeanShift { blurring: true } => c * start.beta,
        System::Kuramoto | System::MeanShift { .. } => return refuse("tokens at one place may part again"),
    };
    let divides = match model.normalization {
        Normalization::Softmax => true,
        Normalization::Unnormalized => false,
        _ => return refuse("its weights are neither SA's nor USA's"),
    };
    if !(speed > 0.0 && *b >= 0.0) {
        return refuse("tokens do not attract one another");
    }
    let other = model.mask != Mask::Full
        || model.exclude_self
        || !model.frozen.weights.is_empty()
        || model.layered
        || start.noise.is_some()
        || start.parameters.feed_forward.is_some();
    if other || model.layer_norm != LayerNorm::Post {
        return refuse("tokens at one place are not one weighted token");
    }
    if !matches!(model.geometry, Geometry::Sphere | Geometry::Circle) {
        return refuse("its tokens are not unit vectors");
    }
    let masses = if model.masses.is_empty() { vec![1.0; model.n] } else { model.masses.clone() };
    Ok(Multiscale::new(masses, model.d, start.beta * b, divides, speed, isa))
}
