//! [`Symmetric`](super::symmetric) attention of few tokens, without a mask: the weights of all pairs are kept.
//!
//! The exponentials are taken pair after pair, whatever row a pair is in. Then each sum is a loop over all tokens, in registers from
//! its first term to the division by Z, and Z itself is one more coordinate of it: a row's weights stand in the columns of the rows
//! before it and in its own. What is computed is the same, term by term and bit by bit; but the n²/2 weights stay in the near
//! caches for few tokens only.
//!
//! Where few tokens have many coordinates, the loops over rows and columns are short and many: there (`TWICE`) each weight is kept
//! at both its places, and a sum is one loop.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::apart::{set_apart, stride};
use super::exponentials::{TOGETHER, exponentials, in_range};
use super::gram::{ROWS, pair_index, row_start};
use super::symmetric::rows_together;
use super::{Scratch, Weighting};
use crate::geometry::landing::{ABREAST, Landed};
use crate::integrators::Landing;
use crate::simd::{Kernel, Lanes, Pack, groups};

/// Coordinates taken together: ROWS × TILE sums, as many as 16 registers hold beside their operands.
const TILE: usize = 3;

/// Whether n tokens of d coordinates are few: their weights, read once for every [`TILE`] coordinates, stay in the caches.
pub(super) fn are_few(n: usize, d: usize) -> bool {
    n <= 128 || (n <= 256 && d <= 4)
}

/// Whether their weights are kept twice.
pub(super) fn are_kept_twice(n: usize, d: usize) -> bool {
    n <= 48 && d > 4
}

/// Registers that the weights of n tokens take.
pub(super) fn weights(n: usize, twice: bool) -> usize {
    if twice { n.next_multiple_of(ROWS) * n } else { n * (n - 1) / 2 }
}

/// Where the weight of each pair i < j goes if it is kept twice: as row i's of token j, and as row j's of token i.
pub(super) fn places(n: usize) -> Vec<[u32; 2]> {
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    pairs.map(|(i, j)| [place(n, i, j) as u32, place(n, j, i) as u32]).collect()
}

/// Row i's weight of token j: `[block of rows][token][row in the block]`.
fn place(n: usize, i: usize, j: usize) -> usize {
    (i / ROWS * n + j) * ROWS + i % ROWS
}

/// Tokens that take their step as soon as their rows of A are there.
pub(crate) struct Onto<'a> {
    /// Where they land, as [`Gram`](super::gram::Gram) leaves them.
    pub apart: &'a mut [Pack],
    /// h of each lane.
    pub step: &'a Pack,
    pub landing: &'a mut Landing,
}

// Rows that land together are rows that are computed together.
const _: () = assert!(ROWS == ABREAST);

/// One head. All slices are of packs.
pub(crate) struct Few<'a, W, const TWICE: bool> {
    /// n(n−1)/2 inner products.
    pub products: &'a [Pack],
    /// The longest token's square, if it is known.
    pub longest: Option<&'a Pack>,
    /// What [`places`] says, if weights are kept twice.
    pub places: &'a [[u32; 2]],
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

/// Runs `$body` for every tile of d coordinates: `$k` is its first coordinate, `C` its width. The first one has a register to spare
/// for Z, and tiles of one coordinate, whose few sums do not hide their latency, are avoided.
macro_rules! for_each_tile {
    ($d:expr, |$k:ident, $width:ident| $body:expr) => {{
        let d = $d;
        let narrow = match d {
            1 => 0,
            3 => 0,
            _ => [3, 2, 1][d % TILE],
        };
        let mut $k = 0;
        while $k < 2 * narrow {
            const $width: usize = 2;
            $body;
            $k += 2;
        }
        while $k + TILE <= d {
            const $width: usize = TILE;
            $body;
            $k += TILE;
        }
        if $k < d {
            const $width: usize = 1;
            $body;
        }
    }};
}

impl<W: Weighting, const TWICE: bool> Kernel for Few<'_, W, TWICE> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        if self.apart.is_none() {
            set_apart::<L>(self.values, self.n, self.d, self.lanes, &mut self.scratch.apart);
        }
        for group in groups::<L>(self.lanes) {
            let longest = self.longest.map(|longest| L::load(longest, group));
            if in_range(longest, L::load(self.kappa, group), -L::load(self.shift, group)) {
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

impl<W: Weighting, const TWICE: bool> Few<'_, W, TWICE> {
    /// The weights of all pairs.
    #[inline(always)]
    fn weigh<L: Lanes<Scalar = f64>, const IN_RANGE: bool>(&mut self, group: usize) {
        let n = self.n;
        let kappa = L::load(self.kappa, group);
        let minus_shift = -L::load(self.shift, group);
        let weights = &mut L::registers_mut(&mut self.scratch.weights)[..weights(n, TWICE)];
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
        if TWICE {
            let [own] = exponentials::<L, 1, IN_RANGE>(kappa, [L::splat(1.0)], minus_shift);
            for i in 0..n {
                weights[place(n, i, i)] = own;
            }
            let (places, places_left) = self.places.as_chunks::<TOGETHER>();
            for (products, places) in products.iter().zip(places) {
                let values = of!(products, TOGETHER);
                for pair in 0..TOGETHER {
                    weights[places[pair][0] as usize] = values[pair];
                    weights[places[pair][1] as usize] = values[pair];
                }
            }
            for (product, [first, second]) in products_left.iter().zip(places_left) {
                let [value] = of!([product], 1);
                weights[*first as usize] = value;
                weights[*second as usize] = value;
            }
        } else {
            let (weights, weights_left) = weights.as_chunks_mut::<TOGETHER>();
            for (products, weights) in products.iter().zip(weights) {
                *weights = of!(products, TOGETHER);
            }
            for (product, weight) in products_left.iter().zip(weights_left) {
                [*weight] = of!([product], 1);
            }
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
        let weights = &L::registers(weights)[..self::weights(n, TWICE)];
        let coefficients = &mut L::registers_mut(sums)[..n];
        let stride = stride(d);
        let values = &L::registers(self.apart.unwrap_or(apart))[group * n * stride..][..n * stride];
        let out = if ONTO { &mut [] } else { &mut self.out[..n * d] };
        if !W::SUMS {
            coefficients.fill(factor / L::splat(n as f64));
        }
        // Rows whose weights stay in the nearest cache while the coordinates go by in tiles.
        let together = if TWICE { if ONTO { ROWS } else { rows_together(n) } } else { n };
        for start in (0..n).step_by(together) {
            let end = n.min(start + together);
            let blocks = if ONTO { (end - start).div_ceil(ABREAST) } else { 0 };
            let rates = &mut L::registers_mut(moments).as_chunks_mut::<ABREAST>().0[..blocks * d];
            for_each_tile!(d, |k, C| {
                let mut first = start;
                while first < end {
                    let place = Place { n, d, k, first, own, add, group, factor };
                    let coefficients = &mut coefficients[first..];
                    let out = if ONTO { &mut [] } else { &mut out[first * d..] };
                    macro_rules! sum {
                        ($rows:expr, $z:literal) => {{
                            let out =
                                &mut Out::<L> { packs: &mut *out, rates: &mut *rates, row: first - start };
                            sum::<L, { $rows }, C, $z, TWICE, ONTO>(weights, values, coefficients, out, place)
                        }};
                    }
                    let left = end - first;
                    first += if W::SUMS && k == 0 {
                        // With Z in registers too, three coordinates leave room for three rows.
                        match left {
                            ROWS.. if TWICE || C < TILE => sum!(ROWS, true),
                            3.. if !TWICE => sum!(3, true),
                            2 if !TWICE => sum!(2, true),
                            _ => sum!(1, true),
                        }
                    } else if left >= ROWS {
                        sum!(ROWS, false)
                    } else {
                        sum!(1, false)
                    };
                }
            });
            if let (true, Some(Onto { apart, step, landing })) = (ONTO, &mut self.onto) {
                let to =
                    &mut L::registers_mut(apart)[(group * n + start) * stride..][..(end - start) * stride];
                // Not kept in registers while sums fill them.
                let mut landed = Landed::after(**landing, L::load(step, group), d, group);
                landed.land_across(&values[start * stride..], stride, rates, to);
                landed.report(landing);
            }
        }
    }
}

/// Where rows of A go: to one of them.
struct Out<'a, L> {
    /// From a block's first one on.
    packs: &'a mut [Pack],
    /// As [`Landed::land_across`] wants them.
    rates: &'a mut [[L; ABREAST]],
    /// The block's first row there.
    row: usize,
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
}

/// C coordinates of A of R rows. With `Z`, their coefficients c/Z as well, else these are known. Coefficients and `out` begin with
/// the first row; it is registers if `ONTO`.
#[inline(always)]
fn sum<
    L: Lanes<Scalar = f64>,
    const R: usize,
    const C: usize,
    const Z: bool,
    const TWICE: bool,
    const ONTO: bool,
>(
    weights: &[L],
    values: &[L],
    coefficients: &mut [L],
    out: &mut Out<'_, L>,
    Place { n, d, k, first, own, add, group, factor }: Place<L>,
) -> usize {
    let coefficients = &mut coefficients[..R];
    let stride = stride(d);
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
    if TWICE {
        let panel = &weights[place(n, first, 0)..];
        for (value, weights) in values.chunks_exact(stride).zip(panel.chunks(ROWS)) {
            let (value, weights) = (&value[k..k + C], &weights[..R]);
            take!(r, weights[r], value);
        }
    } else {
        let (before, values) = values.split_at(first * stride);
        let (inside, after) = values.split_at(R * stride);
        // Rows above: the block's columns, one pair less to the next row each time.
        let (mut pair, mut to_next) = (first.wrapping_sub(1), n.wrapping_sub(2));
        for value in before.chunks_exact(stride) {
            let (value, column) = (&value[k..k + C], &weights[pair..pair + R]);
            take!(r, column[r], value);
            pair += to_next;
            to_next = to_next.wrapping_sub(1);
        }
        for s in 0..R {
            let value = &inside[s * stride + k..][..C];
            take!(
                r,
                if r == s { own } else { weights[pair_index(n, first + r.min(s), first + r.max(s))] },
                value
            );
        }
        let mut rows = [&weights[..0]; R];
        let left = n - first - R;
        for r in 0..R {
            rows[r] = &weights[row_start(n, first + r) + R - 1 - r..][..left];
        }
        for (j, value) in after.chunks_exact(stride).take(left).enumerate() {
            let value = &value[k..k + C];
            take!(r, rows[r][j], value);
        }
    }
    for r in 0..R {
        if Z {
            coefficients[r] = factor / totals[r];
        }
        let coefficient = coefficients[r];
        if ONTO {
            // A block is alone there, where weights are kept twice.
            let row = if TWICE && R == ABREAST { r } else { out.row + r };
            let rates = &mut out.rates[row / ABREAST * d + k..][..C];
            for c in 0..C {
                rates[c][row % ABREAST] = coefficient * sums[r][c];
            }
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
