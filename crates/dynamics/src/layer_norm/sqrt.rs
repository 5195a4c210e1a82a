//! `sqrt`: s_i = √(t + 1), the same for all tokens (P2 §6.2).

use super::{Scheme, Sight};
use crate::integrators::Clock;
use crate::simd::Pack;

pub(crate) struct Sqrt;

impl Scheme for Sqrt {
    fn apply(&self, clock: &Clock, _sight: Sight<'_>, attention: &mut [Pack], _growth: &mut [Pack]) {
        let speed = clock.time.0.map(|t| 1.0 / (t + 1.0).sqrt());
        for pack in attention {
            for (a, speed) in pack.0.iter_mut().zip(speed) {
                *a *= speed;
            }
        }
    }
}
