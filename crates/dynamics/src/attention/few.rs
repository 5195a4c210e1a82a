//! [`Symmetric`](super::symmetric) attention of few tokens, without a mask: every weight is kept at both its places.
//!
//! Then each sum is one loop over all tokens, in registers from its first term to the division by Z, and Z itself is one more
//! coordinate of it. The exponentials are taken pair after pair, whatever row a pair is in. What is computed is the same, term by
//! term and bit by bit; but the weights take n² registers, which stay in the nearest caches for few tokens only.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::gram::{ROWS, set_apart, stride};
use super::symmetric::{TOGETHER, exponentials, rows_together};
use super::{Scratch, Weighting};
use crate::simd::{Kernel, Lanes, Pack, groups};

/// Up to so many tokens: 2304 weights.
const MOST: usize = 48;

/// Coordinates taken together: ROWS × TILE sums, as many as 16 registers hold beside their operands.
const TILE: usize = 3;

/// Where the weight of each pair i < j goes: as row i's of token j, and as row j's of token i.
pub(super) fn places(n: usize) -> Vec<[u32; 2]> {
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    pairs.map(|(i, j)| [place(n, i, j) as u32, place(n, j, i) as u32]).collect()
}

/// Whether n tokens are few.
pub(super) fn are_few(n: usize) -> bool {
    n <= MOST
}

/// Registers that the weights of n tokens take.
pub(super) fn weights(n: usize) -> usize {
    n.next_multiple_of(ROWS) * n
}

/// Row i's weight of token j: `[block of rows][token][row in the block]`.
fn place(n: usize, i: usize, j: usize) -> usize {
    (i / ROWS * n + j) * ROWS + i % ROWS
}

/// One head. All slices are of packs.
pub(crate) struct Few<'a, W> {
    /// n(n−1)/2 inner products.
    pub products: &'a [Pack],
    /// Of as many pairs, what [`places`] says.
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
    /// n × d: A without the common factor.
    pub out: &'a mut [Pack],
    pub weighting: PhantomData<W>,
}

/// Runs `$body` for every tile of d coordinates: `$k` is its first coordinate, `C` its width. The first one has a register to spare
/// for Z, and tiles of one coordinate, whose few sums do not hide their latency, are avoided.
macro_rules! for_each_tile {
    ($d:expr, |$k:ident, $width:ident| $body:expr) => {{
        let d = $d;
        let narrow = match d {
            1 => 0,
            3 => 1,
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

impl<W: Weighting> Kernel for Few<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        if self.apart.is_none() {
            set_apart::<L>(self.values, self.n, self.d, self.lanes, &mut self.scratch.apart);
        }
        for group in groups::<L>(self.lanes) {
            self.weigh::<L>(group);
            self.gather::<L>(group);
        }
    }
}

impl<W: Weighting> Few<'_, W> {
    /// All weights, to both their places.
    #[inline(always)]
    fn weigh<L: Lanes<Scalar = f64>>(&mut self, group: usize) {
        let n = self.n;
        let kappa = L::load(self.kappa, group);
        let minus_shift = -L::load(self.shift, group);
        let weights = &mut L::registers_mut(&mut self.scratch.weights)[..weights(n)];
        let [own] = exponentials(kappa, [L::splat(1.0)], minus_shift);
        for i in 0..n {
            weights[place(n, i, i)] = own;
        }
        let (products, products_left) = self.products.as_chunks::<TOGETHER>();
        let (places, places_left) = self.places.as_chunks::<TOGETHER>();
        for (products, places) in products.iter().zip(places) {
            weigh::<L, TOGETHER>(kappa, minus_shift, products, places, weights, group);
        }
        for (product, place) in products_left.iter().zip(places_left) {
            weigh::<L, 1>(kappa, minus_shift, &[*product], &[*place], weights, group);
        }
    }

    /// `A_i = (c / Z_i) Σ_j w_ij v_j`.
    #[inline(always)]
    fn gather<L: Lanes<Scalar = f64>>(&mut self, group: usize) {
        let (n, d, add) = (self.n, self.d, self.add);
        let factor = L::load(self.factor, group);
        let Scratch { weights, sums, apart, .. } = &mut *self.scratch;
        let weights = &L::registers(weights)[..self::weights(n)];
        let coefficients = &mut L::registers_mut(sums)[..n];
        let stride = stride(d);
        let values = &L::registers(self.apart.unwrap_or(apart))[group * n * stride..][..n * stride];
        let out = &mut self.out[..n * d];
        if !W::SUMS {
            coefficients.fill(factor / L::splat(n as f64));
        }
        let rows = rows_together(n);
        for first in (0..n).step_by(rows) {
            let end = n.min(first + rows);
            for_each_tile!(d, |k, C| {
                for block in (first..end).step_by(ROWS) {
                    let weights = &weights[block * n..(block + ROWS) * n];
                    let place = Place { d, k, row: 0, add, group, factor };
                    let whole = end - block >= ROWS;
                    let rows = if whole { ROWS } else { end - block };
                    let coefficients = &mut coefficients[block..block + rows];
                    let out = &mut out[block * d..(block + rows) * d];
                    match (whole, W::SUMS && k == 0) {
                        (true, true) => sum::<L, ROWS, C, true>(weights, values, coefficients, out, place),
                        (true, false) => sum::<L, ROWS, C, false>(weights, values, coefficients, out, place),
                        (false, is_first) => {
                            for row in 0..rows {
                                let coefficients = &mut coefficients[row..=row];
                                let out = &mut out[row * d..(row + 1) * d];
                                let place = Place { row, ..place };
                                if is_first {
                                    sum::<L, 1, C, true>(weights, values, coefficients, out, place);
                                } else {
                                    sum::<L, 1, C, false>(weights, values, coefficients, out, place);
                                }
                            }
                        }
                    }
                }
            });
        }
    }
}

/// The weights of `N` pairs.
#[inline(always)]
fn weigh<L: Lanes<Scalar = f64>, const N: usize>(
    kappa: L,
    minus_shift: L,
    products: &[Pack; N],
    places: &[[u32; 2]; N],
    weights: &mut [L],
    group: usize,
) {
    let mut cosines = [kappa; N];
    for pair in 0..N {
        cosines[pair] = L::load(&products[pair], group);
    }
    let values = exponentials(kappa, cosines, minus_shift);
    for pair in 0..N {
        weights[places[pair][0] as usize] = values[pair];
        weights[places[pair][1] as usize] = values[pair];
    }
}

/// What a block of sums needs to become part of A.
#[derive(Clone, Copy)]
struct Place<L> {
    d: usize,
    /// The first coordinate.
    k: usize,
    /// The first row, within its block.
    row: usize,
    add: bool,
    group: usize,
    factor: L,
}

/// C coordinates of A of R rows. With `Z`, their coefficients c/Z as well, else these are known.
#[inline(always)]
fn sum<L: Lanes<Scalar = f64>, const R: usize, const C: usize, const Z: bool>(
    weights: &[L],
    values: &[L],
    coefficients: &mut [L],
    out: &mut [Pack],
    Place { d, k, row, add, group, factor }: Place<L>,
) {
    let coefficients = &mut coefficients[..R];
    let mut sums = [[L::splat(0.0); C]; R];
    let mut totals = [L::splat(0.0); R];
    for (value, weights) in values.chunks_exact(stride(d)).zip(weights.chunks_exact(ROWS)) {
        let (value, weights) = (&value[k..k + C], &weights[row..row + R]);
        for r in 0..R {
            for c in 0..C {
                sums[r][c] = weights[r].mul_add(value[c], sums[r][c]);
            }
            if Z {
                totals[r] = totals[r] + weights[r];
            }
        }
    }
    for r in 0..R {
        if Z {
            coefficients[r] = factor / totals[r];
        }
        let coefficient = coefficients[r];
        let out = &mut out[r * d + k..][..C];
        for c in 0..C {
            let result = if add {
                coefficient.mul_add(sums[r][c], L::load(&out[c], group))
            } else {
                coefficient * sums[r][c]
            };
            result.store(&mut out[c], group);
        }
    }
}
