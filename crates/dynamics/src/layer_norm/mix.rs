//! `mix(τ)`: `post` for t ≤ τ, then `pre` (P2 §6.2). A step of `rk4` that contains τ is of first order there; with τ a
//! multiple of the step none does.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::{Scheme, Sight, TokenRule, each_token};
use crate::integrators::Clock;
use crate::simd::{Lanes, Pack};

#[derive(Clone, Copy)]
pub(crate) struct Mix {
    /// τ.
    pub switch: f64,
}

/// Whether a lane is past the switch τ. A billionth of a step more still is τ: 3·0.1 is 0.3.
pub(crate) fn is_past(switch: f64, clock: &Clock, lane: usize) -> bool {
    clock.time.0[lane] > switch + 1e-9 * clock.step.0[lane]
}

impl Mix {
    /// 1 in the lanes that are past the switch.
    fn past(self, clock: &Clock) -> Pack {
        Pack(std::array::from_fn(|lane| f64::from(u8::from(is_past(self.switch, clock, lane)))))
    }
}

impl TokenRule for Mix {
    #[inline(always)]
    fn speed<L: Lanes<Scalar = f64>>(self, along: L, _length: L, radius: L, past: L) -> (L, L) {
        let late = L::less(L::splat(0.5), past);
        (L::select(late, L::splat(1.0) / radius, L::splat(1.0)), L::select(late, along, L::splat(0.0)))
    }
}

impl Scheme for Mix {
    fn apply(&self, clock: &Clock, sight: Sight<'_>, attention: &mut [Pack], growth: &mut [Pack]) {
        each_token(*self, &self.past(clock), sight, attention, growth);
    }

    fn moves_radii(&self, clock: &Clock) -> Pack {
        self.past(clock)
    }
}
