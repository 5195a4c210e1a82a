//! `ngpt(α)`: s_i = ‖A_i‖/α: every token turns by α times the direction of its attention vector (P2 §6.2).
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::{Scheme, Sight, TokenRule, each_token};
use crate::integrators::Clock;
use crate::simd::{Lanes, Pack};

#[derive(Clone, Copy)]
pub(crate) struct Ngpt {
    /// α, the same at all times.
    pub alpha: f64,
}

impl TokenRule for Ngpt {
    #[inline(always)]
    fn speed<L: Lanes<Scalar = f64>>(self, _along: L, length: L, _radius: L, _past: L) -> (L, L) {
        (L::splat(self.alpha) / length, L::splat(0.0))
    }
}

impl Scheme for Ngpt {
    fn apply(&self, _clock: &Clock, sight: Sight<'_>, attention: &mut [Pack], growth: &mut [Pack]) {
        each_token(*self, &Pack::ZERO, sight, attention, growth);
    }
}
