//! [`Symmetric`](super::symmetric) attention of few tokens, without a mask: the weights of all pairs are kept.
//!
//! The exponentials are taken pair after pair, whatever row a pair is in. Then each sum is a loop over all tokens, in registers from
//! its first term to the division by Z, and Z itself is one more coordinate of it: a row's weights stand in the columns of the rows
//! before it and in its own. What is computed is the same, term by term and bit by bit; but the n²/2 weights stay in the near
//! caches for few tokens only.
//!
//! Where few tokens have many coordinates, the loops over rows and columns are short and many: there each weight is kept at both its
//! places, [in panels](super::panels).
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::apart::{TILE, for_each_tile, set_apart};
use super::exponentials::{TOGETHER, exponentials, in_range};
use super::gram::{ROWS, pair_index, row_start};
use super::{Scratch, Weighting, panels};
use crate::geometry::landing::{ABREAST, Landed};
use crate::integrators::Landing;
use crate::simd::{Kernel, Lanes, Pack, groups};

/// Whether n tokens of d coordinates are few: their weights, read once for every [`TILE`] coordinates, stay in the caches.
pub(super) fn are_few(n: usize, d: usize) -> bool {
    n <= 128 || (n <= 256 && d <= 4)
}

/// Whether their weights are kept twice: of tokens that stand in several strips.
pub(super) fn are_kept_twice(n: usize, d: usize) -> bool {
    n <= 48 && d > TILE
}

/// Registers that the weights of n tokens take.
pub(super) fn weights(n: usize, twice: bool) -> usize {
    if twice { panels::room(n) } else { n * (n - 1) / 2 }
}

/// Tokens that take their step as soon as their rows of A are there.
pub(crate) struct Onto<'a> {
    /// Where they land, as [`Gram`](super::gram::Gram) leaves them.
    pub apart: &'a mut [Pack],
    /// h of each lane.
    pub step: &'a Pack,
    pub landing: &'a mut Landing,
}

impl Onto<'_> {
    /// h of a group of lanes, where its `length` coordinates land, and what becomes of them.
    #[inline(always)]
    pub(super) fn of_group<L: Lanes<Scalar = f64>>(
        &mut self,
        length: usize,
        group: usize,
    ) -> (L, &mut [L], &mut Landing) {
        let to = &mut L::registers_mut(self.apart)[group * length..][..length];
        (L::load(self.step, group), to, &mut *self.landing)
    }
}

// Rows that land together are rows that are computed together.
const _: () = assert!(ROWS == ABREAST);

/// One head. All slices are of packs.
pub(crate) struct Few<'a, W> {
    /// n(n−1)/2 inner products.
    pub products: &'a [Pack],
    /// The longest token's square, if it is known.
    pub longest: Option<&'a Pack>,
    /// V x_j (or x_j, if V = c·I), n × d.
    pub values: &'a [Pack],
    /// The same as [`Gram`](super::gram::Gram) leaves them, if it is at hand.
    pub apart: Option<&'a [Pack]>,
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    /// βb.
    pub kappa: &'a Pack,
    /// What is subtracted from every score.
    pub shift: &'a Pack,
    /// c of V = c·I, else 1.
    pub factor: &'a Pack,
    /// Whether to add to `out` (a further head) or to overwrite it.
    pub add: bool,
    pub scratch: &'a mut Scratch,
    /// n × d: A without the common factor. Not written where tokens land at once.
    pub out: &'a mut [Pack],
    /// Where tokens land at once, if they do: then `apart` is there, and nothing is added to `out`.
    pub onto: Option<Onto<'a>>,
    pub weighting: PhantomData<W>,
}

impl<W: Weighting> Kernel for Few<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        self.set_apart::<L>();
        for group in groups::<L>(self.lanes) {
            if self.in_range::<L>(group) {
                self.weigh::<L, true>(group);
            } else {
                self.weigh::<L, false>(group);
            }
            if self.onto.is_some() {
                self.gather::<L, true>(group);
            } else {
                self.gather::<L, false>(group);
            }
        }
    }
}

impl<W: Weighting> Few<'_, W> {
    /// Sees to it that the values stand apart.
    #[inline(always)]
    pub(super) fn set_apart<L: Lanes<Scalar = f64>>(&mut self) {
        if self.apart.is_none() {
            set_apart::<L>(self.values, self.n, self.d, self.lanes, &mut self.scratch.apart);
        }
    }

    /// Whether [no exponential](in_range) is out of range.
    #[inline(always)]
    pub(super) fn in_range<L: Lanes<Scalar = f64>>(&self, group: usize) -> bool {
        let longest = self.longest.map(|longest| L::load(longest, group));
        in_range(longest, L::load(self.kappa, group), -L::load(self.shift, group))
    }

    /// The weights of all pairs.
    #[inline(always)]
    fn weigh<L: Lanes<Scalar = f64>, const IN_RANGE: bool>(&mut self, group: usize) {
        let n = self.n;
        let kappa = L::load(self.kappa, group);
        let minus_shift = -L::load(self.shift, group);
        let weights = &mut L::registers_mut(&mut self.scratch.weights)[..weights(n, false)];
        let (products, products_left) = self.products.as_chunks::<TOGETHER>();
        macro_rules! of {
            ($products:expr, $count:expr) => {{
                let mut cosines = [kappa; $count];
                for pair in 0..$count {
                    cosines[pair] = L::load(&$products[pair], group);
                }
                exponentials::<L, { $count }, IN_RANGE>(kappa, cosines, minus_shift)
            }};
        }
        let (weights, weights_left) = weights.as_chunks_mut::<TOGETHER>();
        for (products, weights) in products.iter().zip(weights) {
            *weights = of!(products, TOGETHER);
        }
        for (product, weight) in products_left.iter().zip(weights_left) {
            [*weight] = of!([product], 1);
        }
    }

    /// `A_i = (c / Z_i) Σ_j w_ij v_j`, and the step along it if `ONTO`.
    #[inline(always)]
    fn gather<L: Lanes<Scalar = f64>, const ONTO: bool>(&mut self, group: usize) {
        let (n, d, add) = (self.n, self.d, self.add);
        let factor = L::load(self.factor, group);
        let [own] = exponentials::<L, 1, false>(
            L::load(self.kappa, group),
            [L::splat(1.0)],
            -L::load(self.shift, group),
        );
        let Scratch { weights, sums, apart, moments, .. } = &mut *self.scratch;
        let weights = &L::registers(weights)[..self::weights(n, false)];
        let coefficients = &mut L::registers_mut(sums)[..n];
        let values = &L::registers(self.apart.unwrap_or(apart))[group * n * d..][..n * d];
        let squares = &mut L::registers_mut(moments)[..n];
        let mut nowhere = Landing::NONE;
        let (step, to, landing) = match &mut self.onto {
            Some(onto) if ONTO => onto.of_group(n * d, group),
            _ => (own, &mut [][..], &mut nowhere),
        };
        if !W::SUMS {
            coefficients.fill(factor / L::splat(n as f64));
        }
        for_each_tile!(d, |k, C| {
            let strip = values[k * n..][..n * C].as_chunks::<C>().0;
            let mut first = 0;
            while first < n {
                let place = Place { n, d, k, first, own, add, group, factor, step };
                let coefficients = &mut coefficients[first..];
                macro_rules! sum {
                    ($rows:expr, $z:literal) => {{
                        let to = if ONTO { &mut to[k * n + first * C..][..$rows * C] } else { &mut [] };
                        let squares = &mut squares[first..];
                        let packs = if ONTO { &mut [] } else { &mut self.out[first * d..n * d] };
                        let out = &mut Out { packs, to, squares };
                        sum::<L, { $rows }, C, $z, ONTO>(weights, strip, coefficients, out, place)
                    }};
                }
                let left = n - first;
                first += if W::SUMS && k == 0 {
                    // With Z in registers too, three coordinates leave room for three rows.
                    match left {
                        ROWS.. if C < TILE => sum!(ROWS, true),
                        3.. => sum!(3, true),
                        2 => sum!(2, true),
                        _ => sum!(1, true),
                    }
                } else if left >= ROWS {
                    sum!(ROWS, false)
                } else {
                    sum!(1, false)
                };
            }
        });
        if ONTO {
            let mut landed = Landed::after(*landing, step, d, group);
            for (few, squares) in squares.chunks(ABREAST).enumerate() {
                landed.land_across(values, to, n, few * ABREAST, squares);
            }
            landed.report(landing);
        }
    }
}

/// Where rows of A go: to one of them. All begin with a block's first row.
struct Out<'a, L> {
    packs: &'a mut [Pack],
    /// Where steps along them land, a strip; and their squares.
    to: &'a mut [L],
    squares: &'a mut [L],
}

/// What a block of sums needs to become part of A.
#[derive(Clone, Copy)]
struct Place<L> {
    n: usize,
    d: usize,
    /// The first coordinate.
    k: usize,
    /// The first row.
    first: usize,
    /// What each token weighs for itself.
    own: L,
    add: bool,
    group: usize,
    factor: L,
    /// h, for tokens that land at once.
    step: L,
}

/// C coordinates of A of R rows, whose values are a strip. With `Z`, their coefficients c/Z as well, else these are known. Coefficients and `out`
/// begin with the first row.
#[inline(always)]
fn sum<L: Lanes<Scalar = f64>, const R: usize, const C: usize, const Z: bool, const ONTO: bool>(
    weights: &[L],
    strip: &[[L; C]],
    coefficients: &mut [L],
    out: &mut Out<'_, L>,
    Place { n, d, k, first, own, add, group, factor, step }: Place<L>,
) -> usize {
    let coefficients = &mut coefficients[..R];
    let mut sums = [[L::splat(0.0); C]; R];
    let mut totals = [L::splat(0.0); R];
    macro_rules! take {
        ($r:ident, $weight:expr, $value:ident) => {
            for $r in 0..R {
                let weight = $weight;
                for c in 0..C {
                    sums[$r][c] = weight.mul_add($value[c], sums[$r][c]);
                }
                if Z {
                    totals[$r] = totals[$r] + weight;
                }
            }
        };
    }
    let (before, values) = strip.split_at(first);
    let (inside, after) = values.split_at(R);
    // Rows above: the block's columns, one pair less to the next row each time.
    let (mut columns, mut pairs_between) = (weights.windows(R), first.wrapping_sub(1));
    for (s, value) in before.iter().enumerate() {
        let column = columns.nth(pairs_between).unwrap_or_default();
        take!(r, column[r], value);
        pairs_between = n.wrapping_sub(3 + s);
    }
    for s in 0..R {
        let value = &inside[s];
        take!(
            r,
            if r == s { own } else { weights[pair_index(n, first + r.min(s), first + r.max(s))] },
            value
        );
    }
    let mut rows = [&weights[..0]; R];
    for r in 0..R {
        rows[r] = &weights[row_start(n, first + r) + R - 1 - r..][..after.len()];
    }
    for j in 0..after.len() {
        let value = &after[j];
        take!(r, rows[r][j], value);
    }
    for r in 0..R {
        if Z {
            coefficients[r] = factor / totals[r];
        }
        let coefficient = coefficients[r];
        if ONTO {
            let token = &inside[r];
            let to = &mut out.to[r * C..][..C];
            let mut square = if k == 0 { L::splat(0.0) } else { out.squares[r] };
            for c in 0..C {
                let ahead = step.mul_add(coefficient * sums[r][c], token[c]);
                square = ahead.mul_add(ahead, square);
                to[c] = ahead;
            }
            out.squares[r] = square;
            continue;
        }
        let out = &mut out.packs[r * d + k..][..C];
        for c in 0..C {
            let result = if add {
                coefficient.mul_add(sums[r][c], L::load(&out[c], group))
            } else {
                coefficient * sums[r][c]
            };
            result.store(&mut out[c], group);
        }
    }
    R
}
