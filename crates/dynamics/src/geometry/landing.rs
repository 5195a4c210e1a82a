//! How tokens of the unit sphere land: `x_i ← normalize(x_i + h v_i)`.
//!
//! A vector that is zero or not finite has no direction: its lane becomes NaN, and not finite for good. Lengths whose
//! square would overflow or underflow are scaled by a power of two first, so that only the direction counts.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use crate::integrators::Landing;
use crate::simd::{Kernel, LANES, Lanes, Pack, groups};

/// All tokens, from velocities that stand as they do.
pub(crate) struct Land<'a> {
    pub tokens: &'a mut [Pack],
    pub velocity: &'a [Pack],
    /// h of each lane.
    pub step: &'a Pack,
    pub d: usize,
    pub lanes: usize,
}

/// Squares of lengths between these are left as they are.
pub(super) const SMALL: f64 = 1e-150;
pub(super) const LARGE: f64 = 1e150;
/// 2^±600.
pub(super) const SHRINK: f64 = f64::from_bits((1023 - 600) << 52);
pub(super) const GROW: f64 = f64::from_bits((1023 + 600) << 52);

/// Tokens that land together, so that the latency of one's sum of squares is another's time.
const ABREAST: usize = 4;

impl Kernel for Land<'_> {
    type Output = Landing;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> Landing {
        let Self { tokens, velocity, step, d, lanes } = self;
        // Every group in turn for a few tokens at a time, so that each line of the cache is read once.
        let mut each = [Landed::new(L::splat(0.0), d, 0); LANES];
        for group in groups::<L>(lanes) {
            each[group] = Landed::new(L::load(step, group), d, group);
        }
        for (tokens, velocity) in tokens.chunks_mut(ABREAST * d).zip(velocity.chunks(ABREAST * d)) {
            for group in groups::<L>(lanes) {
                each[group].land_in_place(velocity, tokens);
            }
        }
        let mut landing = Landing::NONE;
        for group in groups::<L>(lanes) {
            each[group].report(&mut landing);
        }
        landing
    }
}

/// Where a token is, and its velocity: d coordinates, so that no index below d is checked.
pub(crate) trait Motion<L>: Copy {
    /// A coordinate; `token` is where it will be written to.
    fn place(self, token: &[Pack], k: usize) -> L;
    /// Of its velocity.
    fn rate(self, k: usize) -> L;
}

/// A token that stands where it will land.
#[derive(Clone, Copy)]
struct InPlace<'a> {
    velocity: &'a [Pack],
    group: usize,
}

impl<L: Lanes<Scalar = f64>> Motion<L> for InPlace<'_> {
    #[inline(always)]
    fn place(self, token: &[Pack], k: usize) -> L {
        L::load(&token[k], self.group)
    }
    #[inline(always)]
    fn rate(self, k: usize) -> L {
        L::load(&self.velocity[k], self.group)
    }
}

/// A token that stands elsewhere, in registers side by side, and its velocity likewise.
#[derive(Clone, Copy)]
struct Elsewhere<'a, L> {
    place: &'a [L],
    velocity: &'a [L],
}

impl<L: Lanes<Scalar = f64>> Motion<L> for Elsewhere<'_, L> {
    #[inline(always)]
    fn place(self, _: &[Pack], k: usize) -> L {
        self.place[k]
    }
    #[inline(always)]
    fn rate(self, k: usize) -> L {
        self.velocity[k]
    }
}

/// The landing of the tokens of a group of lanes, and what has become of them.
#[derive(Clone, Copy)]
pub(crate) struct Landed<L> {
    /// h.
    step: L,
    d: usize,
    group: usize,
    /// 1 where no bit has changed, else 0.
    still: L,
    finite: u8,
}

impl<L: Lanes<Scalar = f64>> Landed<L> {
    #[inline(always)]
    pub(crate) fn new(step: L, d: usize, group: usize) -> Self {
        Self { step, d, group, still: L::splat(1.0), finite: u8::MAX }
    }

    /// Tells what has become of these tokens: a step in which no token has been lost before is finite in all lanes.
    #[inline(always)]
    pub(crate) fn report(self, landing: &mut Landing) {
        let used = u8::MAX >> (LANES - L::WIDTH);
        let moved = L::bits(L::less(self.still, L::splat(0.5)));
        landing.moved |= (moved & used) << (self.group * L::WIDTH);
        landing.finite &= !((!self.finite & used) << (self.group * L::WIDTH));
    }

    /// Tokens that stand elsewhere, `stride` apart.
    #[inline(always)]
    pub(crate) fn land_from(&mut self, places: &[L], stride: usize, velocity: &[L], tokens: &mut [Pack]) {
        let d = self.d;
        let blocks = tokens.chunks_mut(ABREAST * d).zip(velocity.chunks(ABREAST * d));
        for ((tokens, velocity), places) in blocks.zip(places.chunks(ABREAST * stride)) {
            let of =
                |i: usize| Elsewhere { place: &places[i * stride..][..d], velocity: &velocity[i * d..][..d] };
            if tokens.len() == ABREAST * d {
                self.land([of(0), of(1), of(2), of(3)], tokens);
            } else {
                for (i, token) in tokens.chunks_exact_mut(d).enumerate() {
                    self.land([of(i)], token);
                }
            }
        }
    }

    /// Tokens that stand where they land, up to [`ABREAST`].
    #[inline(always)]
    fn land_in_place(&mut self, velocity: &[Pack], tokens: &mut [Pack]) {
        let Self { d, group, .. } = *self;
        let of = |i: usize| InPlace { velocity: &velocity[i * d..][..d], group };
        if tokens.len() == ABREAST * d {
            self.land([of(0), of(1), of(2), of(3)], tokens);
        } else {
            for (i, token) in tokens.chunks_exact_mut(d).enumerate() {
                self.land([of(i)], token);
            }
        }
    }

    #[inline(always)]
    fn land<const N: usize>(&mut self, motions: [impl Motion<L>; N], tokens: &mut [Pack]) {
        let squares = squares::<L, N>(motions, &*tokens, self.step, self.d);
        for ((motion, square), token) in motions.into_iter().zip(squares).zip(tokens.chunks_exact_mut(self.d))
        {
            self.settle(motion, square, token);
        }
    }

    /// One token, whose new length before the normalization has this square.
    #[inline(always)]
    fn settle(&mut self, motion: impl Motion<L>, mut square: L, token: &mut [Pack]) {
        let Self { step, d, group, .. } = *self;
        let token = &mut token[..d];
        let used = u8::MAX >> (LANES - L::WIDTH);
        let far = L::bits(L::less(square, L::splat(SMALL))) | L::bits(L::less(L::splat(LARGE), square));
        if far == 0 {
            let inverse = L::splat(1.0) / square.sqrt();
            for k in 0..d {
                let old = motion.place(token, k);
                let new = step.mul_add(motion.rate(k), old) * inverse;
                self.still = L::select(L::same_bits(new, old), self.still, L::splat(0.0));
                new.store(&mut token[k], group);
            }
        } else {
            // One scale a lane: 1, but for lengths far from 1.
            let mut scale = L::splat(1.0);
            scale = L::select(L::less(square, L::splat(SMALL)), L::splat(GROW), scale);
            scale = L::select(L::less(L::splat(LARGE), square), L::splat(SHRINK), scale);
            square = L::splat(0.0);
            for k in 0..d {
                let y = step.mul_add(motion.rate(k), motion.place(token, k)) * scale;
                square = y.mul_add(y, square);
            }
            let inverse = L::splat(1.0) / square.sqrt();
            for k in 0..d {
                let old = motion.place(token, k);
                let new = step.mul_add(motion.rate(k), old) * scale * inverse;
                self.still = L::select(L::same_bits(new, old), self.still, L::splat(0.0));
                new.store(&mut token[k], group);
            }
        }
        let positive = L::bits(L::less(L::splat(0.0), square));
        let good = positive & L::bits(L::less(square, L::splat(f64::INFINITY)));
        self.finite &= good;
        // The NaNs of a failed lane have one bit pattern, on every machine.
        if !good & used != 0 {
            for x in token.iter_mut() {
                let new = L::load(x, group);
                L::select(L::less(square, L::splat(f64::INFINITY)), new, L::splat(f64::NAN)).store(x, group);
                let new = L::load(x, group);
                L::select(L::less(L::splat(0.0), square), new, L::splat(f64::NAN)).store(x, group);
            }
        }
    }
}

/// `‖x_i + h v_i‖²` of `N` tokens side by side, each over its coordinates in order.
#[inline(always)]
fn squares<L: Lanes<Scalar = f64>, const N: usize>(
    motions: [impl Motion<L>; N],
    tokens: &[Pack],
    step: L,
    d: usize,
) -> [L; N] {
    let mut places = [&tokens[..d]; N];
    for i in 1..N {
        places[i] = &tokens[i * d..][..d];
    }
    let mut squares = [L::splat(0.0); N];
    for k in 0..d {
        for i in 0..N {
            let y = step.mul_add(motions[i].rate(k), motions[i].place(places[i], k));
            squares[i] = y.mul_add(y, squares[i]);
        }
    }
    squares
}
