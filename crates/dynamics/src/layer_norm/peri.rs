//! `peri`: s_i = r_i ‖A_i‖, ṙ_i = ⟨θ_i, A_i⟩/‖A_i‖: the attention vector is normalized before it is added (P2 §6.2).
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::{Scheme, Sight, TokenRule, each_token};
use crate::integrators::Clock;
use crate::simd::{Lanes, Pack};

#[derive(Clone, Copy)]
pub(crate) struct Peri;

impl TokenRule for Peri {
    #[inline(always)]
    fn speed<L: Lanes<Scalar = f64>>(self, along: L, length: L, radius: L, _past: L) -> (L, L) {
        (L::splat(1.0) / (radius * length), along / length)
    }
}

impl Scheme for Peri {
    fn apply(&self, _clock: &Clock, sight: Sight<'_>, attention: &mut [Pack], growth: &mut [Pack]) {
        each_token(*self, &Pack::ZERO, sight, attention, growth);
    }
}
