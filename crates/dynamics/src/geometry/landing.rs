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

/// Tokens that land together.
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
                if tokens.len() == ABREAST * d {
                    each[group].in_place::<ABREAST>(velocity, tokens);
                } else {
                    for (token, velocity) in tokens.chunks_exact_mut(d).zip(velocity.chunks_exact(d)) {
                        each[group].in_place::<1>(velocity, token);
                    }
                }
            }
        }
        let mut landing = Landing::NONE;
        for group in groups::<L>(lanes) {
            each[group].report(&mut landing);
        }
        landing
    }
}

/// One token that lands: d coordinates, so that no index below d is checked.
trait Lander<L> {
    /// A coordinate of where it is. Not to be asked for once it is [put](Self::put).
    fn place(&self, k: usize) -> L;
    /// Of its velocity.
    fn rate(&self, k: usize) -> L;
    /// Of where it lands.
    fn put(&mut self, k: usize, coordinate: L);
    /// What was put.
    fn landed(&self, k: usize) -> L;
}

/// Where it stands.
struct InPlace<'a> {
    token: &'a mut [Pack],
    velocity: &'a [Pack],
    group: usize,
}

impl<L: Lanes<Scalar = f64>> Lander<L> for InPlace<'_> {
    #[inline(always)]
    fn place(&self, k: usize) -> L {
        L::load(&self.token[k], self.group)
    }
    #[inline(always)]
    fn rate(&self, k: usize) -> L {
        L::load(&self.velocity[k], self.group)
    }
    #[inline(always)]
    fn put(&mut self, k: usize, coordinate: L) {
        coordinate.store(&mut self.token[k], self.group);
    }
    #[inline(always)]
    fn landed(&self, k: usize) -> L {
        self.place(k)
    }
}

/// Elsewhere, all of it in registers side by side.
struct Across<'a, L> {
    token: &'a [L],
    velocity: &'a [L],
    to: &'a mut [L],
}

impl<L: Lanes<Scalar = f64>> Lander<L> for Across<'_, L> {
    #[inline(always)]
    fn place(&self, k: usize) -> L {
        self.token[k]
    }
    #[inline(always)]
    fn rate(&self, k: usize) -> L {
        self.velocity[k]
    }
    #[inline(always)]
    fn put(&mut self, k: usize, coordinate: L) {
        self.to[k] = coordinate;
    }
    #[inline(always)]
    fn landed(&self, k: usize) -> L {
        self.to[k]
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

    /// Tokens that stand `stride` apart land as far apart.
    #[inline(always)]
    pub(crate) fn land_across(&mut self, tokens: &[L], stride: usize, velocity: &[L], to: &mut [L]) {
        let rows = to.len() / stride;
        let mut first = 0;
        while first < rows {
            let (tokens, to) = (&tokens[first * stride..], &mut to[first * stride..]);
            let velocity = &velocity[first * self.d..];
            first += if rows - first >= ABREAST {
                self.across::<ABREAST>(tokens, stride, velocity, to)
            } else {
                self.across::<1>(tokens, stride, velocity, to)
            };
        }
    }

    #[inline(always)]
    fn across<const N: usize>(&mut self, tokens: &[L], stride: usize, velocity: &[L], to: &mut [L]) -> usize {
        let d = self.d;
        let (mut places, mut rates) = ([&tokens[..d]; N], [&velocity[..d]; N]);
        for i in 1..N {
            places[i] = &tokens[i * stride..][..d];
            rates[i] = &velocity[i * d..][..d];
        }
        let squares = squares::<L, N>(places, rates, self.step, d);
        for i in 0..N {
            let to = &mut to[i * stride..][..d];
            self.settle(Across { token: places[i], velocity: rates[i], to }, squares[i]);
        }
        N
    }

    /// `N` tokens land where they stand.
    #[inline(always)]
    fn in_place<const N: usize>(&mut self, velocity: &[Pack], tokens: &mut [Pack]) {
        let Self { step, d, group, .. } = *self;
        let of = |packs| Group { packs, group };
        let (mut places, mut rates) = ([of(&tokens[..d]); N], [of(&velocity[..d]); N]);
        for i in 1..N {
            places[i] = of(&tokens[i * d..][..d]);
            rates[i] = of(&velocity[i * d..][..d]);
        }
        let squares = squares::<L, N>(places, rates, step, d);
        for i in 0..N {
            let token = &mut tokens[i * d..][..d];
            self.settle(InPlace { token, velocity: &velocity[i * d..][..d], group }, squares[i]);
        }
    }

    /// One token, whose new length before the normalization has this square.
    #[inline(always)]
    fn settle(&mut self, mut token: impl Lander<L>, mut square: L) {
        let Self { step, d, .. } = *self;
        let used = u8::MAX >> (LANES - L::WIDTH);
        let far = L::bits(L::less(square, L::splat(SMALL))) | L::bits(L::less(L::splat(LARGE), square));
        if far == 0 {
            let inverse = L::splat(1.0) / square.sqrt();
            for k in 0..d {
                let old = token.place(k);
                let new = step.mul_add(token.rate(k), old) * inverse;
                self.still = L::select(L::same_bits(new, old), self.still, L::splat(0.0));
                token.put(k, new);
            }
        } else {
            // One scale a lane: 1, but for lengths far from 1.
            let mut scale = L::splat(1.0);
            scale = L::select(L::less(square, L::splat(SMALL)), L::splat(GROW), scale);
            scale = L::select(L::less(L::splat(LARGE), square), L::splat(SHRINK), scale);
            square = L::splat(0.0);
            for k in 0..d {
                let y = step.mul_add(token.rate(k), token.place(k)) * scale;
                square = y.mul_add(y, square);
            }
            let inverse = L::splat(1.0) / square.sqrt();
            for k in 0..d {
                let old = token.place(k);
                let new = step.mul_add(token.rate(k), old) * scale * inverse;
                self.still = L::select(L::same_bits(new, old), self.still, L::splat(0.0));
                token.put(k, new);
            }
        }
        let positive = L::bits(L::less(L::splat(0.0), square));
        let good = positive & L::bits(L::less(square, L::splat(f64::INFINITY)));
        self.finite &= good;
        // The NaNs of a failed lane have one bit pattern, on every machine.
        if !good & used != 0 {
            for k in 0..d {
                let new =
                    L::select(L::less(square, L::splat(f64::INFINITY)), token.landed(k), L::splat(f64::NAN));
                token.put(k, L::select(L::less(L::splat(0.0), square), new, L::splat(f64::NAN)));
            }
        }
    }
}

/// Coordinates of one token.
trait Row<L>: Copy {
    fn at(self, k: usize) -> L;
}

impl<L: Lanes<Scalar = f64>> Row<L> for &[L] {
    #[inline(always)]
    fn at(self, k: usize) -> L {
        self[k]
    }
}

/// Those of a group of lanes.
#[derive(Clone, Copy)]
struct Group<'a> {
    packs: &'a [Pack],
    group: usize,
}

impl<L: Lanes<Scalar = f64>> Row<L> for Group<'_> {
    #[inline(always)]
    fn at(self, k: usize) -> L {
        L::load(&self.packs[k], self.group)
    }
}

/// `‖x_i + h v_i‖²` of `N` tokens side by side, so that the latency of one's sum is another's time; each over its coordinates in order.
#[inline(always)]
fn squares<L: Lanes<Scalar = f64>, const N: usize>(
    places: [impl Row<L>; N],
    rates: [impl Row<L>; N],
    step: L,
    d: usize,
) -> [L; N] {
    let mut squares = [L::splat(0.0); N];
    for k in 0..d {
        for i in 0..N {
            let y = step.mul_add(rates[i].at(k), places[i].at(k));
            squares[i] = y.mul_add(y, squares[i]);
        }
    }
    squares
}
