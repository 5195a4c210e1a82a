//! `mix(τ)`: `post` for t ≤ τ, then `pre` (P2 §6.2). A step belongs to the side that it
//! begins on, so `rk4` keeps its order if τ is a multiple of the step.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::{Scheme, Sight, TokenRule, each_token};
use crate::integrators::Clock;
use crate::simd::{Lanes, Pack};

#[derive(Clone, Copy)]
pub(crate) struct Mix {
    /// τ.
    pub switch: f64,
}

/// Whether a lane's step begins at the switch τ or after it: all stages of a step are on one side. A billionth of a step
/// before still is τ: 3·0.1 is 0.3.
pub(crate) fn is_past(switch: f64, clock: &Clock, lane: usize) -> bool {
    let step = clock.step.0[lane];
    clock.layer as f64 * step >= switch - 1e-9 * step
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
