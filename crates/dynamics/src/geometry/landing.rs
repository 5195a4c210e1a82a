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
pub(crate) const ABREAST: usize = 4;

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

/// Elsewhere, all of it in registers side by side; `row` of the velocities of a few tokens is its own.
struct Across<'a, L> {
    token: &'a [L],
    velocities: &'a [[L; ABREAST]],
    row: usize,
    to: &'a mut [L],
}

impl<L: Lanes<Scalar = f64>> Lander<L> for Across<'_, L> {
    #[inline(always)]
    fn place(&self, k: usize) -> L {
        self.token[k]
    }
    #[inline(always)]
    fn rate(&self, k: usize) -> L {
        self.velocities[k][self.row]
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

    /// Further tokens of the group, of whose others this is known.
    #[inline(always)]
    pub(crate) fn after(landing: Landing, step: L, d: usize, group: usize) -> Self {
        let used = u8::MAX >> (LANES - L::WIDTH);
        let moved = landing.moved >> (group * L::WIDTH) & used == used;
        Self { still: L::splat(if moved { 0.0 } else { 1.0 }), ..Self::new(step, d, group) }
    }

    /// Tells what has become of these tokens: a step in which no token has been lost before is finite in all lanes.
    #[inline(always)]
    pub(crate) fn report(self, landing: &mut Landing) {
        let used = u8::MAX >> (LANES - L::WIDTH);
        let moved = L::bits(L::less(self.still, L::splat(0.5)));
        landing.moved |= (moved & used) << (self.group * L::WIDTH);
        landing.finite &= !((!self.finite & used) << (self.group * L::WIDTH));
    }

    /// Tokens that stand `stride` apart land as far apart. Their velocities: `[few tokens][coordinate][token]`.
    #[inline(always)]
    pub(crate) fn land_across(
        &mut self,
        tokens: &[L],
        stride: usize,
        velocities: &[[L; ABREAST]],
        to: &mut [L],
    ) {
        let tokens = tokens.chunks(ABREAST * stride);
        for ((tokens, velocities), to) in
            tokens.zip(velocities.chunks_exact(self.d)).zip(to.chunks_mut(ABREAST * stride))
        {
            if to.len() == ABREAST * stride {
                self.across::<ABREAST>(tokens, stride, velocities, 0, to);
            } else {
                let rows = tokens.chunks_exact(stride).zip(to.chunks_exact_mut(stride));
                for (row, (token, to)) in rows.enumerate() {
                    self.across::<1>(token, stride, velocities, row, to);
                }
            }
        }
    }

    /// `N` of them, whose velocities begin with those of `row`.
    #[inline(always)]
    fn across<const N: usize>(
        &mut self,
        tokens: &[L],
        stride: usize,
        velocities: &[[L; ABREAST]],
        row: usize,
        to: &mut [L],
    ) {
        let Self { step, d, .. } = *self;
        let velocities = &velocities[..d];
        let mut places = [&tokens[..d]; N];
        for i in 1..N {
            places[i] = &tokens[i * stride..][..d];
        }
        let mut squares = [L::splat(0.0); N];
        for k in 0..d {
            for i in 0..N {
                let y = step.mul_add(velocities[k][row + i], places[i][k]);
                squares[i] = y.mul_add(y, squares[i]);
            }
        }
        if self.may_hurry(squares) {
            let mut inverses = squares;
            for inverse in &mut inverses {
                *inverse = L::splat(1.0) / inverse.sqrt();
            }
            let mut rows = to.chunks_exact_mut(stride);
            let to: [&mut [L]; N] = std::array::from_fn(|_| &mut rows.next().unwrap_or_default()[..d]);
            for k in 0..d {
                for i in 0..N {
                    to[i][k] = step.mul_add(velocities[k][row + i], places[i][k]) * inverses[i];
                }
            }
            return;
        }
        for i in 0..N {
            let to = &mut to[i * stride..][..d];
            self.settle(Across { token: places[i], velocities, row: row + i, to }, squares[i]);
        }
    }

    /// Whether tokens, whose new lengths before the normalization have these squares, have nothing more to tell: each lane has moved
    /// before, and none of them is far from 1.
    #[inline(always)]
    fn may_hurry<const N: usize>(&self, squares: [L; N]) -> bool {
        let mut near = u8::MAX;
        for square in squares {
            near &=
                L::bits(L::at_least(square, L::splat(SMALL))) & L::bits(L::at_least(L::splat(LARGE), square));
        }
        let moved = L::bits(L::less(self.still, L::splat(0.5)));
        moved & near == u8::MAX >> (LANES - L::WIDTH)
    }

    /// `N` tokens land where they stand.
    #[inline(always)]
    fn in_place<const N: usize>(&mut self, velocity: &[Pack], tokens: &mut [Pack]) {
        let Self { step, d, group, .. } = *self;
        let (mut places, mut rates) = ([&tokens[..d]; N], [&velocity[..d]; N]);
        for i in 1..N {
            places[i] = &tokens[i * d..][..d];
            rates[i] = &velocity[i * d..][..d];
        }
        let mut squares = [L::splat(0.0); N];
        for k in 0..d {
            for i in 0..N {
                let y = step.mul_add(L::load(&rates[i][k], group), L::load(&places[i][k], group));
                squares[i] = y.mul_add(y, squares[i]);
            }
        }
        if self.may_hurry(squares) {
            for (token, (velocity, square)) in
                tokens.chunks_exact_mut(d).zip(velocity.chunks_exact(d).zip(squares))
            {
                let inverse = L::splat(1.0) / square.sqrt();
                for (x, velocity) in token.iter_mut().zip(velocity) {
                    (step.mul_add(L::load(velocity, group), L::load(x, group)) * inverse).store(x, group);
                }
            }
            return;
        }
        for (token, (velocity, square)) in
            tokens.chunks_exact_mut(d).zip(velocity.chunks_exact(d).zip(squares))
        {
            self.settle(InPlace { token, velocity, group }, square);
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
