//! Attention when B = b·I: the scores are a multiple of the Gram matrix, so every exponential serves two tokens.
//!
//! `S_i = Σ_j e^{κ⟨x_i,x_j⟩ − shift} v_j`, κ = βb. For SA, b ≥ 0, the shift is κ, the largest score on the sphere:
//! `e^{β(⟨x,y⟩−1)}`, the self weight is 1, and Z ≥ 1. Every sum runs over j = 1, …, n in order, the self term
//! in its place: rows above a block of [`ROWS`] are added as the blocks before it scatter to them. Scratch is kept as registers
//! side by side, values and sums in tiles of a few coordinates, so that what the inner loops touch stays in the nearest cache.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::apart::TILE;
use super::exponentials::{TOGETHER, exponentials, in_range};
use super::gram::{ROWS, row_start};
use super::{Scratch, Weighting};
use crate::simd::{Kernel, Lanes, Pack, groups};

/// One head. All slices are of packs. `CAUSAL`: the mask.
pub(crate) struct Symmetric<'a, W, const CAUSAL: bool> {
    /// n(n−1)/2 inner products.
    pub products: &'a [Pack],
    /// The longest token's square, if it is known.
    pub longest: Option<&'a Pack>,
    /// V x_j (or x_j, if V = c·I), n × d.
    pub values: &'a [Pack],
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    /// Whether w_ii v_i is part of the sum. Z always has its share.
    pub self_term: bool,
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

impl<W: Weighting, const CAUSAL: bool> Kernel for Symmetric<'_, W, CAUSAL> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        for group in groups::<L>(self.lanes) {
            self.take_in::<L>(group);
            let (kappa, shift) = (L::load(self.kappa, group), L::load(self.shift, group));
            let in_range = in_range(self.longest.map(|longest| L::load(longest, group)), kappa, -shift);
            let rows = rows_together(self.n);
            for first in (0..self.n).step_by(rows) {
                let end = self.n.min(first + rows);
                for i in first..end {
                    if in_range {
                        self.weigh_row::<L, true>(first, i, group);
                    } else {
                        self.weigh_row::<L, false>(first, i, group);
                    }
                }
                self.gather_rows::<L>(first, end);
            }
            self.divide::<L>(group);
        }
    }
}

/// Rows whose weights are kept at a time: a few thousand numbers, that stay in the nearest cache while the coordinates of the
/// values go by in tiles.
pub(super) fn rows_together(n: usize) -> usize {
    (KEPT / n / ROWS * ROWS).max(ROWS)
}

/// Registers of weights kept at a time, where n allows it.
const KEPT: usize = 512;

/// Runs `$body` for every tile of d coordinates: `$at` is where the tile stands in the transposed values, `$k` its first
/// coordinate, `C` its width.
macro_rules! for_each_tile {
    ($n:expr, $d:expr, |$at:ident, $k:ident, $width:ident| $body:expr) => {{
        let (n, d) = ($n, $d);
        let mut $k = 0;
        while $k + TILE <= d {
            const $width: usize = TILE;
            let $at = n * $k;
            $body;
            $k += TILE;
        }
        let $at = n * $k;
        match d - $k {
            2 => {
                const $width: usize = 2;
                $body;
            }
            1 => {
                const $width: usize = 1;
                $body;
            }
            _ => {}
        }
    }};
}

impl<W: Weighting, const CAUSAL: bool> Symmetric<'_, W, CAUSAL> {
    /// The values tile by tile (`[tile][token][coordinate]`), and sums and moments of zero.
    #[inline(always)]
    fn take_in<L: Lanes<Scalar = f64>>(&mut self, group: usize) {
        let (n, d) = (self.n, self.d);
        let Scratch { sums, moments, tiles, .. } = &mut *self.scratch;
        for register in L::registers_mut(sums)[..n].iter_mut().chain(&mut L::registers_mut(moments)[..n * d])
        {
            *register = L::splat(0.0);
        }
        let (values, tiles) = (&self.values[..n * d], &mut L::registers_mut(tiles)[..n * d]);
        for_each_tile!(n, d, |at, k, C| {
            let tile = tiles[at..at + n * C].chunks_exact_mut(C);
            for (value, registers) in values.chunks_exact(d).zip(tile) {
                for (pack, register) in value[k..].iter().zip(registers) {
                    *register = L::load(pack, group);
                }
            }
        });
    }

    /// The weights w_ij, j ≥ i, into the panel of i's block (`[block][token − first][row]`, as `first` is the first row that is
    /// kept); both ends' shares into the sums.
    #[inline(always)]
    fn weigh_row<L: Lanes<Scalar = f64>, const IN_RANGE: bool>(
        &mut self,
        first: usize,
        i: usize,
        group: usize,
    ) {
        let n = self.n;
        let kappa = L::load(self.kappa, group);
        let minus_shift = -L::load(self.shift, group);
        let start = row_start(n, i);
        let products = &self.products[start..start + n - i - 1];
        let Scratch { weights, sums, .. } = &mut *self.scratch;
        let row = (i - first) % ROWS;
        let panel = panel(n, first, i - row);
        let weights = &mut L::registers_mut(weights)[panel + (i - first) * ROWS..panel + (n - first) * ROWS];
        let (own, weights) = weights.split_at_mut(ROWS);
        let (own_sum, sums) = L::registers_mut(sums)[i..n].split_at_mut(1);

        let [self_weight] = exponentials::<L, 1, IN_RANGE>(kappa, [L::splat(1.0)], minus_shift);
        own[row] = self_weight;
        let mut sum = own_sum[0] + self_weight;
        let mut products = products.chunks_exact(TOGETHER);
        let mut weights = weights.chunks_exact_mut(TOGETHER * ROWS);
        let mut sums = sums.chunks_exact_mut(TOGETHER);
        for ((products, weights), sums) in products.by_ref().zip(weights.by_ref()).zip(sums.by_ref()) {
            sum = Self::weigh::<L, TOGETHER, IN_RANGE>(
                kappa,
                minus_shift,
                products,
                weights,
                sums,
                sum,
                row,
                group,
            );
        }
        let rest =
            weights.into_remainder().chunks_exact_mut(ROWS).zip(sums.into_remainder().chunks_exact_mut(1));
        for (products, (weights, sums)) in products.remainder().chunks_exact(1).zip(rest) {
            sum = Self::weigh::<L, 1, IN_RANGE>(kappa, minus_shift, products, weights, sums, sum, row, group);
        }
        if W::SUMS {
            own_sum[0] = sum;
        }
    }

    /// The weights of `N` pairs of one token; returns its sum with them added in order.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "the innermost loop: everything is in registers already")]
    fn weigh<L: Lanes<Scalar = f64>, const N: usize, const IN_RANGE: bool>(
        kappa: L,
        minus_shift: L,
        products: &[Pack],
        weights: &mut [L],
        sums: &mut [L],
        mut sum: L,
        row: usize,
        group: usize,
    ) -> L {
        let (products, weights, sums) = (&products[..N], &mut weights[..N * ROWS], &mut sums[..N]);
        let mut cosines = [kappa; N];
        for j in 0..N {
            cosines[j] = L::load(&products[j], group);
        }
        let values = exponentials::<L, N, IN_RANGE>(kappa, cosines, minus_shift);
        for j in 0..N {
            weights[j * ROWS + row % ROWS] = values[j];
            if W::SUMS {
                sums[j] = sums[j] + values[j];
                if !CAUSAL {
                    sum = sum + values[j];
                }
            }
        }
        sum
    }

    /// The sums of the rows `first .. end`, whose weights are there, and their share in all later rows'.
    #[inline(always)]
    fn gather_rows<L: Lanes<Scalar = f64>>(&mut self, first: usize, end: usize) {
        let (n, d, self_term) = (self.n, self.d, self.self_term);
        let Scratch { weights, moments, tiles, .. } = &mut *self.scratch;
        let (weights, tiles, moments) =
            (L::registers(weights), L::registers(tiles), L::registers_mut(moments));
        for_each_tile!(n, d, |at, k, C| {
            let values = &tiles[at..at + n * C];
            let moments = &mut moments[at..at + n * C];
            for block in (first..end).step_by(ROWS) {
                // From the block's first row on.
                let panel = panel(n, first, block);
                let weights = &weights[panel + (block - first) * ROWS..panel + (n - first) * ROWS];
                let (values, moments) = (&values[block * C..], &mut moments[block * C..]);
                match end - block {
                    1 => gather::<L, 1, C, CAUSAL>(weights, values, moments, self_term),
                    2 => gather::<L, 2, C, CAUSAL>(weights, values, moments, self_term),
                    3 => gather::<L, 3, C, CAUSAL>(weights, values, moments, self_term),
                    _ => gather::<L, ROWS, C, CAUSAL>(weights, values, moments, self_term),
                }
            }
        });
    }

    /// A_i = (c / Z_i) S_i.
    #[inline(always)]
    fn divide<L: Lanes<Scalar = f64>>(&mut self, group: usize) {
        let (n, d, add) = (self.n, self.d, self.add);
        let factor = L::load(self.factor, group);
        let Scratch { sums, moments, .. } = &mut *self.scratch;
        for (i, sum) in L::registers_mut(sums)[..n].iter_mut().enumerate() {
            let seen = if CAUSAL { i + 1 } else { n };
            *sum = factor / if W::SUMS { *sum } else { L::splat(seen as f64) };
        }
        let (coefficients, moments) = (&L::registers(sums)[..n], L::registers(moments));
        let out = &mut self.out[..n * d];
        for_each_tile!(n, d, |at, k, C| {
            let tile = moments[at..at + n * C].chunks_exact(C);
            for ((coefficient, moment), out) in coefficients.iter().zip(tile).zip(out.chunks_exact_mut(d)) {
                for (moment, out) in moment.iter().zip(&mut out[k..]) {
                    let result = if add {
                        coefficient.mul_add(*moment, L::load(out, group))
                    } else {
                        *coefficient * *moment
                    };
                    result.store(out, group);
                }
            }
        });
    }
}

/// Where the panel of the block that starts with row `block` stands among the weights of the rows from `first` on.
#[inline(always)]
fn panel(n: usize, first: usize, block: usize) -> usize {
    (block - first) * (n - first)
}

/// C coordinates of the sums of a block of R rows, and its share in all later ones. Weights, values and moments begin with the
/// block's first row.
#[inline(always)]
fn gather<L: Lanes<Scalar = f64>, const R: usize, const C: usize, const CAUSAL: bool>(
    weights: &[L],
    values: &[L],
    moments: &mut [L],
    self_term: bool,
) {
    let (own_values, values) = values.split_at(R * C);
    let (own_moments, moments) = moments.split_at_mut(R * C);
    let (own_weights, weights) = weights.split_at(R * ROWS);
    let mut sums = [[L::splat(0.0); C]; R];
    for r in 0..R {
        for c in 0..C {
            sums[r][c] = own_moments[r * C + c];
        }
    }
    // Inside the block, so that every row adds in the order of the tokens.
    for r in 0..R {
        for s in 0..R {
            if (s == r && !self_term) || (s > r && CAUSAL) {
                continue;
            }
            let weight = own_weights[r.max(s) * ROWS + r.min(s)];
            for c in 0..C {
                sums[r][c] = weight.mul_add(own_values[s * C + c], sums[r][c]);
            }
        }
    }
    if !CAUSAL {
        for (value, weights) in values.chunks_exact(C).zip(weights.chunks_exact(ROWS)) {
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = weights[r].mul_add(value[c], sums[r][c]);
                }
            }
        }
    }
    for r in 0..R {
        for c in 0..C {
            own_moments[r * C + c] = sums[r][c];
        }
    }
    // Apart from the loop above: both at once need more registers than there are.
    let mut own = [[L::splat(0.0); C]; R];
    for r in 0..R {
        for c in 0..C {
            own[r][c] = own_values[r * C + c];
        }
    }
    for (moment, weights) in moments.chunks_exact_mut(C).zip(weights.chunks_exact(ROWS)) {
        let mut scattered = [L::splat(0.0); C];
        scattered.copy_from_slice(moment);
        for r in 0..R {
            let weight = weights[r];
            for c in 0..C {
                scattered[c] = weight.mul_add(own[r][c], scattered[c]);
            }
        }
        moment.copy_from_slice(&scattered);
    }
}
