//! Which cells have their sums over pairs by Fourier series: what [`crate::cost`] reckons with and [`crate::explain`] says.
//!
//! The rule itself is the engine's ([`metasweep_dynamics::ensemble::series_orders`]); here it is read off a cell's words.

use metasweep_dynamics::ensemble::series_orders;
use metasweep_dynamics::model::{Geometry, Mask, Normalization, System};

use crate::cell::Cell;
use crate::start::model;

/// The last order of a cell's series; none where sums are direct, or where V or B is a multiple of I by other words than `identity`.
pub(crate) fn orders(cell: &Cell) -> Option<usize> {
    let model = model(cell);
    let plain = matches!(model.normalization, Normalization::Softmax | Normalization::Unnormalized)
        && model.mask == Mask::Full
        && !model.exclude_self
        && model.masses.is_empty()
        && model.frozen.weights.is_empty()
        && model.system != (System::MeanShift { blurring: false });
    let scalar = matches!(cell.text("value"), "identity" | "-identity")
        && cell.text("query_key") == "identity"
        && cell.text("query").is_empty()
        && cell.text("key").is_empty()
        && cell.heads() == 1;
    let on_circle =
        model.geometry == Geometry::Circle && plain && scalar && !model.layered && !cell.is_adaptive();
    series_orders(cell.n(), cell.beta()).filter(|_| on_circle)
}
