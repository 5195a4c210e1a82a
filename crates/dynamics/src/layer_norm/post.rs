//! `post`: s_i = 1, the flow of P0 (SA), (USA).

use super::Scheme;
use crate::integrators::Clock;
use crate::simd::Pack;

pub(crate) struct Post;

impl Scheme for Post {
    fn divide(&self, _clock: Clock, _attention: &mut [Pack]) {}
}
