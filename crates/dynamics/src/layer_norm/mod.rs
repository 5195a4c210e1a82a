//! Layer-norm schemes (docs/models.md, P2 §6.2): the speed `1/s_i` at which token i follows its attention vector.
//!
//! Adding one: a file with a [`Scheme`], an arm in [`scheme`]. Those that let the radius r_i grow (`pre`, `mix`, `peri`,
//! the next issue) add r_i to the integrators' state, and `ṙ_i` to what the scheme gives.

mod post;

use crate::integrators::Clock;
use crate::model::LayerNorm;
use crate::simd::Pack;

/// What a scheme makes of the attention vectors.
pub(crate) trait Scheme: Send {
    /// Divides `attention` (n × d) by `s_i`, in place.
    fn divide(&self, clock: Clock, attention: &mut [Pack]);
}

/// The scheme of this name.
pub(crate) fn scheme(layer_norm: LayerNorm) -> Box<dyn Scheme> {
    match layer_norm {
        LayerNorm::Post => Box::new(post::Post),
    }
}
