//! `pre`: s_i = r_i, ṙ_i = ⟨θ_i, A_i⟩: tokens that have grown long turn slowly (P2 §6.2).
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::{Scheme, Sight, TokenRule, each_token};
use crate::integrators::Clock;
use crate::simd::{Lanes, Pack};

#[derive(Clone, Copy)]
pub(crate) struct Pre;

impl TokenRule for Pre {
    #[inline(always)]
    fn speed<L: Lanes<Scalar = f64>>(self, along: L, _length: L, radius: L, _past: L) -> (L, L) {
        (L::splat(1.0) / radius, along)
    }
}

impl Scheme for Pre {
    fn apply(&self, _clock: &Clock, sight: Sight<'_>, attention: &mut [Pack], growth: &mut [Pack]) {
        each_token(*self, &Pack::ZERO, sight, attention, growth);
    }
}
