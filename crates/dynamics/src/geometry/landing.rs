//! How tokens of the unit sphere land: `x_i ← normalize(x_i + h v_i)`.
//!
//! A vector that is zero or not finite has no direction: its lane becomes NaN, and not finite for good. Lengths whose
//! square would overflow or underflow are scaled by a power of two first, so that only the direction counts.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use crate::attention::apart::{for_each_tile, place};
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
    /// Of x + hv. Not to be asked for then either.
    fn ahead(&self, k: usize) -> L;
    /// Of where it lands.
    fn put(&mut self, k: usize, coordinate: L);
    /// What was put.
    fn landed(&self, k: usize) -> L;
}

/// Where it stands.
struct InPlace<'a, L> {
    token: &'a mut [Pack],
    velocity: &'a [Pack],
    step: L,
    group: usize,
}

impl<L: Lanes<Scalar = f64>> Lander<L> for InPlace<'_, L> {
    #[inline(always)]
    fn place(&self, k: usize) -> L {
        L::load(&self.token[k], self.group)
    }
    #[inline(always)]
    fn ahead(&self, k: usize) -> L {
        self.step.mul_add(L::load(&self.velocity[k], self.group), self.place(k))
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

/// Elsewhere, [apart](crate::attention::apart): x + hv stands there already.
struct Across<'a, L> {
    tokens: &'a [L],
    to: &'a mut [L],
    n: usize,
    d: usize,
    i: usize,
}

impl<L: Lanes<Scalar = f64>> Lander<L> for Across<'_, L> {
    #[inline(always)]
    fn place(&self, k: usize) -> L {
        self.tokens[place(self.n, self.d, self.i, k)]
    }
    #[inline(always)]
    fn ahead(&self, k: usize) -> L {
        self.to[place(self.n, self.d, self.i, k)]
    }
    #[inline(always)]
    fn put(&mut self, k: usize, coordinate: L) {
        self.to[place(self.n, self.d, self.i, k)] = coordinate;
    }
    #[inline(always)]
    fn landed(&self, k: usize) -> L {
        self.ahead(k)
    }
}

/// Whether no length, whose square this is, is far from 1.
#[inline(always)]
fn are_near<L: Lanes<Scalar = f64>, const N: usize>(squares: [L; N]) -> bool {
    let mut near = u8::MAX;
    for square in squares {
        near &= L::bits(L::at_least(square, L::splat(SMALL))) & L::bits(L::at_least(L::splat(LARGE), square));
    }
    near == u8::MAX >> (LANES - L::WIDTH)
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

    /// As many of the n tokens as there are `squares` land, from `first` on, all of them [apart](crate::attention::apart): x + hv stands
    /// in `to`, and `squares` has its squares, coordinate by coordinate, by fused multiply-adds from zero.
    #[inline(always)]
    pub(crate) fn land_across(&mut self, tokens: &[L], to: &mut [L], n: usize, first: usize, squares: &[L]) {
        let (whole, rest) = squares.as_chunks::<ABREAST>();
        for (index, squares) in whole.iter().enumerate() {
            self.across(tokens, to, n, first + index * ABREAST, *squares);
        }
        for (index, square) in rest.iter().enumerate() {
            self.across(tokens, to, n, first + squares.len() - rest.len() + index, [*square]);
        }
    }

    /// `N` of them.
    #[inline(always)]
    fn across<const N: usize>(
        &mut self,
        tokens: &[L],
        to: &mut [L],
        n: usize,
        first: usize,
        squares: [L; N],
    ) {
        if !are_near(squares) {
            for (row, square) in squares.into_iter().enumerate() {
                self.settle(Across { tokens, to, n, d: self.d, i: first + row }, square);
            }
            return;
        }
        let mut inverses = squares;
        for inverse in &mut inverses {
            *inverse = L::splat(1.0) / inverse.sqrt();
        }
        if self.have_moved() {
            self.normalize::<N, false>(tokens, to, n, first, inverses);
        } else {
            self.normalize::<N, true>(tokens, to, n, first, inverses);
        }
    }

    /// Divides `N` tokens by their lengths; `WATCH`: and looks whether they have moved.
    #[inline(always)]
    fn normalize<const N: usize, const WATCH: bool>(
        &mut self,
        tokens: &[L],
        to: &mut [L],
        n: usize,
        first: usize,
        inverses: [L; N],
    ) {
        macro_rules! strip {
            ($k:expr, $width:expr) => {{
                let at = $k * n + first * $width;
                let (tokens, to) = (&tokens[at..][..N * $width], &mut to[at..][..N * $width]);
                for i in 0..N {
                    for c in 0..$width {
                        let new = to[i * $width + c] * inverses[i];
                        if WATCH {
                            let same = L::same_bits(new, tokens[i * $width + c]);
                            self.still = L::select(same, self.still, L::splat(0.0));
                        }
                        to[i * $width + c] = new;
                    }
                }
            }};
        }
        let d = self.d;
        for_each_tile!(d, |k, C| strip!(k, C));
    }

    /// Whether each lane has moved before.
    #[inline(always)]
    fn have_moved(&self) -> bool {
        L::bits(L::less(self.still, L::splat(0.5))) == u8::MAX >> (LANES - L::WIDTH)
    }

    /// Whether tokens, whose new lengths before the normalization have these squares, have nothing more to tell: each lane has moved
    /// before, and none of them is far from 1.
    #[inline(always)]
    fn may_hurry<const N: usize>(&self, squares: [L; N]) -> bool {
        self.have_moved() && are_near(squares)
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
            self.settle(InPlace { token, velocity, step, group }, square);
        }
    }

    /// One token, whose new length before the normalization has this square.
    #[inline(always)]
    fn settle(&mut self, mut token: impl Lander<L>, mut square: L) {
        let d = self.d;
        let used = u8::MAX >> (LANES - L::WIDTH);
        let far = L::bits(L::less(square, L::splat(SMALL))) | L::bits(L::less(L::splat(LARGE), square));
        if far == 0 {
            let inverse = L::splat(1.0) / square.sqrt();
            for k in 0..d {
                let old = token.place(k);
                let new = token.ahead(k) * inverse;
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
                let y = token.ahead(k) * scale;
                square = y.mul_add(y, square);
            }
            let inverse = L::splat(1.0) / square.sqrt();
            for k in 0..d {
                let old = token.place(k);
                let new = token.ahead(k) * scale * inverse;
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
