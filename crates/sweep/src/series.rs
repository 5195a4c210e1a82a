//! Which cells have their sums over pairs by Fourier series: what [`crate::cost`] reckons with and [`crate::explain`] says.
//!
//! The rules themselves are the engine's ([`series_orders`], [`abreast_orders`]); here they are read off a cell's words.

use metasweep_dynamics::ensemble::{abreast_orders, series_orders};
use metasweep_dynamics::model::{Geometry, Integrator, LayerNorm, Mask, Model, Normalization, System};

use crate::cell::Cell;
use crate::start::model;

/// The last order of a cell's series on the circle; none where sums are direct, or where V or B is a multiple of I by other words than
/// `identity`.
pub(crate) fn orders(cell: &Cell) -> Option<usize> {
    let model = model(cell);
    let on_circle = model.geometry == Geometry::Circle
        && model.system != (System::MeanShift { blurring: false })
        && has_plain_sums(cell, &model)
        && !cell.is_adaptive();
    series_orders(cell.n(), cell.beta()).filter(|_| on_circle)
}

/// The last order of the series of tokens of two coordinates on the sphere, likewise.
pub(crate) fn abreast(cell: &Cell) -> Option<usize> {
    let model = model(cell);
    let on_sphere = model.geometry == Geometry::Sphere
        && model.d == 2
        && model.layer_norm == LayerNorm::Post
        && model.system == System::Attention
        && matches!(model.integrator, Integrator::ProjectedEuler | Integrator::Discrete { .. })
        && has_plain_sums(cell, &model);
    abreast_orders(cell.n(), cell.beta()).filter(|_| on_sphere)
}

/// Of one head with V = ±I and B = I, over all tokens of mass 1, and the same in every layer.
fn has_plain_sums(cell: &Cell, model: &Model) -> bool {
    let plain = matches!(model.normalization, Normalization::Softmax | Normalization::Unnormalized)
        && model.mask == Mask::Full
        && !model.exclude_self
        && model.masses.is_empty()
        && model.frozen.weights.is_empty();
    let scalar = matches!(cell.text("value"), "identity" | "-identity")
        && cell.text("query_key") == "identity"
        && cell.text("query").is_empty()
        && cell.text("key").is_empty()
        && cell.heads() == 1;
    plain && scalar && !model.layered
}
