//! `post`: s_i = 1, the flow of P0 (SA), (USA).

use super::{Scheme, Sight};
use crate::integrators::Clock;
use crate::simd::Pack;

pub(crate) struct Post;

impl Scheme for Post {
    fn apply(&self, _clock: &Clock, _sight: Sight<'_>, _attention: &mut [Pack], _growth: &mut [Pack]) {}

    fn is_identity(&self) -> bool {
        true
    }
}
