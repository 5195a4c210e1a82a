//! What the rules ask of a cell's parameters.

use metasweep_dynamics::initial::{self, Space};
use metasweep_dynamics::model::LayerNorm;

use super::{Parameters, text};
use crate::cell::Value;
use crate::families;
use crate::frozen;

/// Whether steps are those of a Runge–Kutta method.
pub(super) fn has_stages(cell: &Parameters) -> bool {
    matches!(text(cell, "integrator"), "rk4" | "adaptive" | "multiscale")
}

/// Whether tokens merge.
pub(super) fn is_multiscale(cell: &Parameters) -> bool {
    text(cell, "integrator") == "multiscale"
}

/// Whether no token sees itself.
pub(super) fn excludes_self(cell: &Parameters) -> bool {
    cell.get("exclude_self") == Some(&Value::Boolean(true))
}

/// The masses that are given.
pub(super) fn masses(cell: &Parameters) -> Vec<f64> {
    frozen::masses(text(cell, "weights")).unwrap_or_default()
}

/// Whether heads are named one by one.
pub(super) fn lists_heads(cell: &Parameters) -> bool {
    text(cell, "heads").starts_with("of(")
}

pub(super) fn starts_off_the_sphere(cell: &Parameters) -> bool {
    families::space(text(cell, "geometry")) == Space::Sphere
        && initial::parse(text(cell, "initial")).is_ok_and(|law| !law.on_sphere())
}

/// Whether tokens are unit vectors that the attention moves.
pub(super) fn is_on_sphere(cell: &Parameters) -> bool {
    matches!(text(cell, "geometry"), "sphere" | "circle")
}

/// Whether the layer norm moves radii.
pub(super) fn moves_radii(cell: &Parameters) -> bool {
    crate::choices::layer_norm(text(cell, "layer_norm")).is_ok_and(LayerNorm::has_radius)
}

/// Whether a layer forgets where its tokens were.
pub(super) fn forgets(cell: &Parameters) -> bool {
    cell.get("residual") == Some(&Value::Boolean(false))
}

/// Whether a parameter without a default is given.
pub(super) fn is_given(cell: &Parameters, key: &str) -> bool {
    cell.get(key).is_some_and(|value| *value != Value::Null)
}

/// A numeric parameter; NaN where it is null.
pub(super) fn number(cell: &Parameters, key: &str) -> f64 {
    cell.get(key).and_then(Value::number).unwrap_or(f64::NAN)
}
