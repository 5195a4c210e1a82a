//! The unit sphere: the projection `P_x y = y − ⟨x,y⟩x`, and steps that end in a normalization.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use crate::simd::{Kernel, LANES, Lanes, Pack, groups};

/// What a step did, one bit a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Landing {
    /// Some bit of the lane's tokens changed.
    pub moved: u8,
    /// All of the lane's tokens are finite.
    pub finite: u8,
}

/// `x_i ← normalize(x_i + h v_i)`.
///
/// A vector that is zero or not finite has no direction: its lane becomes NaN, and not finite for good. Lengths whose
/// square would overflow or underflow are scaled by a power of two first, so that only the direction counts.
pub(crate) struct Land<'a> {
    pub tokens: &'a mut [Pack],
    pub velocity: &'a [Pack],
    /// h of each lane.
    pub step: &'a Pack,
    pub d: usize,
    pub lanes: usize,
}

/// Squares of lengths between these are left as they are.
const SMALL: f64 = 1e-150;
const LARGE: f64 = 1e150;
/// 2^±600.
const SHRINK: f64 = f64::from_bits((1023 - 600) << 52);
const GROW: f64 = f64::from_bits((1023 + 600) << 52);

impl Kernel for Land<'_> {
    type Output = Landing;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> Landing {
        let Self { tokens, velocity, step, d, lanes } = self;
        let mut landing = Landing::default();
        for group in groups::<L>(lanes) {
            let step = L::load(step, group);
            let used = u8::MAX >> (LANES - L::WIDTH);
            let mut moved = 0;
            let mut finite = u8::MAX;
            for (token, velocity) in tokens.chunks_exact_mut(d).zip(velocity.chunks_exact(d)) {
                let mut square = L::splat(0.0);
                for (x, v) in token.iter().zip(velocity) {
                    let y = step.mul_add(L::load(v, group), L::load(x, group));
                    square = y.mul_add(y, square);
                }
                // One scale a lane: 1, but for lengths far from 1.
                let mut scale = L::splat(1.0);
                if L::bits(L::less(square, L::splat(SMALL))) | L::bits(L::less(L::splat(LARGE), square)) != 0
                {
                    scale = L::select(L::less(square, L::splat(SMALL)), L::splat(GROW), scale);
                    scale = L::select(L::less(L::splat(LARGE), square), L::splat(SHRINK), scale);
                    square = L::splat(0.0);
                    for (x, v) in token.iter().zip(velocity) {
                        let y = step.mul_add(L::load(v, group), L::load(x, group)) * scale;
                        square = y.mul_add(y, square);
                    }
                }
                let positive = L::bits(L::less(L::splat(0.0), square));
                let good = positive & L::bits(L::less(square, L::splat(f64::INFINITY)));
                finite &= good;
                let inverse = L::splat(1.0) / square.sqrt();
                for (x, v) in token.iter_mut().zip(velocity) {
                    let old = L::load(x, group);
                    let new = step.mul_add(L::load(v, group), old) * scale * inverse;
                    moved |= !L::bits(L::same_bits(new, old));
                    new.store(x, group);
                }
                // The NaNs of a failed lane have one bit pattern, on every machine.
                if !good & used != 0 {
                    for x in token.iter_mut() {
                        let new = L::load(x, group);
                        L::select(L::less(square, L::splat(f64::INFINITY)), new, L::splat(f64::NAN))
                            .store(x, group);
                        let new = L::load(x, group);
                        L::select(L::less(L::splat(0.0), square), new, L::splat(f64::NAN)).store(x, group);
                    }
                }
            }
            landing.moved |= (moved & used) << (group * L::WIDTH);
            landing.finite |= (finite & used) << (group * L::WIDTH);
        }
        landing
    }
}

/// `v_i ← P_{x_i} v_i`, in place.
pub(crate) struct Project<'a> {
    pub tokens: &'a [Pack],
    pub velocity: &'a mut [Pack],
    pub d: usize,
    pub lanes: usize,
}

impl Kernel for Project<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { tokens, velocity, d, lanes } = self;
        for group in groups::<L>(lanes) {
            for (token, velocity) in tokens.chunks_exact(d).zip(velocity.chunks_exact_mut(d)) {
                let mut along = L::splat(0.0);
                for (x, v) in token.iter().zip(&*velocity) {
                    along = L::load(x, group).mul_add(L::load(v, group), along);
                }
                for (x, v) in token.iter().zip(velocity) {
                    (-along).mul_add(L::load(x, group), L::load(v, group)).store(v, group);
                }
            }
        }
    }
}
