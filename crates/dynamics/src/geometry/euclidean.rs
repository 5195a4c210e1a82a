//! R^d: `ẋ_i = A_i` (P0 (8.1), P1 (1.1)); steps land where they lead.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use crate::attention::{Attention, Sources};
use crate::integrators::{Clock, Landing, Rates, VectorField};
use crate::simd::{Isa, Kernel, LANES, Lanes, Pack, dispatch, groups};

/// Tokens in R^d.
pub(crate) struct Euclidean {
    pub attention: Attention,
    pub lanes: usize,
    pub isa: Isa,
}

impl VectorField for Euclidean {
    fn push(&mut self, clock: &Clock, state: &[Pack], _gram: Option<&[Pack]>, out: &mut [Pack]) {
        let sources = Sources { tokens: state, others: state, values: state, gram: None, scale: None };
        self.attention.attention(clock, sources, out);
    }

    fn land(
        &mut self,
        _clock: &Clock,
        state: &mut [Pack],
        rates: &[Pack],
        _kind: Rates,
        step: &Pack,
    ) -> Landing {
        dispatch(Shift { state, rates, step, lanes: self.lanes }, self.isa)
    }

    fn scaled_step(&self, step: &Pack) -> Pack {
        self.attention.scaled_step(step)
    }
}

/// `x ← x + h v`. What is not finite becomes NaN, of one bit pattern, and its lane has failed.
pub(crate) struct Shift<'a> {
    pub state: &'a mut [Pack],
    pub rates: &'a [Pack],
    pub step: &'a Pack,
    pub lanes: usize,
}

impl Kernel for Shift<'_> {
    type Output = Landing;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> Landing {
        let mut landing = Landing::default();
        for group in groups::<L>(self.lanes) {
            let step = L::load(self.step, group);
            let used = u8::MAX >> (LANES - L::WIDTH);
            let (mut moved, mut finite) = (0, u8::MAX);
            for (x, v) in self.state.iter_mut().zip(self.rates) {
                let old = L::load(x, group);
                let new = step.mul_add(L::load(v, group), old);
                let below = L::less(new, L::splat(f64::INFINITY));
                let above = L::less(L::splat(f64::NEG_INFINITY), new);
                finite &= L::bits(below) & L::bits(above);
                let new = L::select(below, L::select(above, new, L::splat(f64::NAN)), L::splat(f64::NAN));
                moved |= !L::bits(L::same_bits(new, old));
                new.store(x, group);
            }
            landing.moved |= (moved & used) << (group * L::WIDTH);
            landing.finite |= (finite & used) << (group * L::WIDTH);
        }
        landing
    }
}

/// `1 − ‖x_i − x_j‖²/2`, i < j, packed as the Gram matrix is: on the unit sphere this is the cosine, so that observers
/// of closeness see R^d through it.
pub(crate) struct Closeness<'a> {
    /// n × d.
    pub tokens: &'a [Pack],
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    /// n(n−1)/2 pairs.
    pub products: &'a mut [Pack],
}

impl Kernel for Closeness<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { tokens, n, d, lanes, products } = self;
        for group in groups::<L>(lanes) {
            let mut pair = 0;
            for i in 0..n {
                let one = &tokens[i * d..(i + 1) * d];
                for other in tokens[(i + 1) * d..].chunks_exact(d) {
                    let mut square = L::splat(0.0);
                    for (x, y) in one.iter().zip(other) {
                        let difference = L::load(x, group) - L::load(y, group);
                        square = difference.mul_add(difference, square);
                    }
                    (L::splat(1.0) - L::splat(0.5) * square).store(&mut products[pair], group);
                    pair += 1;
                }
            }
        }
    }
}
