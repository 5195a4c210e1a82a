//! Attention when B = b·I: the scores are a multiple of the Gram matrix, so every exponential serves two tokens.
//!
//! `S_i = Σ_j e^{κ⟨x_i,x_j⟩ − shift} v_j`, κ = βb. For SA, b ≥ 0, the shift is κ, the largest score on the sphere:
//! `e^{β(⟨x,y⟩−1)}`, the self weight is 1, and Z ≥ 1. Every sum runs over j = 1, …, n in order, the self term
//! in its place: rows above a block of [`ROWS`] are added as the blocks before it scatter to them.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::gram::{ROWS, row_start};
use super::{Scratch, Weighting};
use crate::simd::{EXP_OVERFLOW, Kernel, Lanes, Pack, exps_below_overflow, groups};

/// Exponentials taken together.
const TOGETHER: usize = 4;

/// One head. All slices are of packs. `CAUSAL`: the mask.
pub(crate) struct Symmetric<'a, W, const CAUSAL: bool> {
    /// n(n−1)/2 inner products.
    pub products: &'a [Pack],
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
            for pack in self.scratch.sums.iter_mut().chain(&mut self.scratch.moments) {
                L::splat(0.0).store(pack, group);
            }
            for first in (0..self.n).step_by(ROWS) {
                let end = self.n.min(first + ROWS);
                for i in first..end {
                    self.weigh_row::<L>(i, i - first, group);
                }
                match end - first {
                    1 => self.gather_rows::<L, 1>(first, group),
                    2 => self.gather_rows::<L, 2>(first, group),
                    3 => self.gather_rows::<L, 3>(first, group),
                    _ => self.gather_rows::<L, ROWS>(first, group),
                }
            }
            self.divide::<L>(group);
        }
    }
}

impl<W: Weighting, const CAUSAL: bool> Symmetric<'_, W, CAUSAL> {
    /// The weights w_ij, j ≥ i, into column `row` of the scratch; both ends' shares into the sums.
    #[inline(always)]
    fn weigh_row<L: Lanes<Scalar = f64>>(&mut self, i: usize, row: usize, group: usize) {
        let n = self.n;
        let kappa = L::load(self.kappa, group);
        let minus_shift = -L::load(self.shift, group);
        let start = row_start(n, i);
        let products = &self.products[start..start + n - i - 1];
        let (own, weights) = self.scratch.weights[i * ROWS..n * ROWS].split_at_mut(ROWS);
        let (own_sum, sums) = self.scratch.sums[i..n].split_at_mut(1);

        let [self_weight] = exponentials(kappa, [L::splat(1.0)], minus_shift);
        self_weight.store(&mut own[row], group);
        let mut sum = L::load(&own_sum[0], group) + self_weight;
        let mut products = products.chunks_exact(TOGETHER);
        let mut weights = weights.chunks_exact_mut(TOGETHER * ROWS);
        let mut sums = sums.chunks_exact_mut(TOGETHER);
        for ((products, weights), sums) in products.by_ref().zip(weights.by_ref()).zip(sums.by_ref()) {
            sum = Self::weigh::<L, TOGETHER>(kappa, minus_shift, products, weights, sums, sum, row, group);
        }
        let rest =
            weights.into_remainder().chunks_exact_mut(ROWS).zip(sums.into_remainder().chunks_exact_mut(1));
        for (products, (weights, sums)) in products.remainder().chunks_exact(1).zip(rest) {
            sum = Self::weigh::<L, 1>(kappa, minus_shift, products, weights, sums, sum, row, group);
        }
        if W::SUMS {
            sum.store(&mut own_sum[0], group);
        }
    }

    /// The weights of `N` pairs of one token; returns its sum with them added in order.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "the innermost loop: everything is in registers already")]
    fn weigh<L: Lanes<Scalar = f64>, const N: usize>(
        kappa: L,
        minus_shift: L,
        products: &[Pack],
        weights: &mut [Pack],
        sums: &mut [Pack],
        mut sum: L,
        row: usize,
        group: usize,
    ) -> L {
        let (products, weights, sums) = (&products[..N], &mut weights[..N * ROWS], &mut sums[..N]);
        let mut cosines = [kappa; N];
        for j in 0..N {
            cosines[j] = L::load(&products[j], group);
        }
        let values = exponentials(kappa, cosines, minus_shift);
        for j in 0..N {
            values[j].store(&mut weights[j * ROWS + row % ROWS], group);
            if W::SUMS {
                (L::load(&sums[j], group) + values[j]).store(&mut sums[j], group);
                if !CAUSAL {
                    sum = sum + values[j];
                }
            }
        }
        sum
    }

    /// The sums of the rows `first .. first + R`, and their share in all later rows'.
    #[inline(always)]
    fn gather_rows<L: Lanes<Scalar = f64>, const R: usize>(&mut self, first: usize, group: usize) {
        let mut k = 0;
        while k + 2 <= self.d {
            self.gather::<L, R, 2>(first, k, group);
            k += 2;
        }
        if k < self.d {
            self.gather::<L, R, 1>(first, k, group);
        }
    }

    /// The same for the coordinates `k .. k + C`.
    #[inline(always)]
    fn gather<L: Lanes<Scalar = f64>, const R: usize, const C: usize>(
        &mut self,
        first: usize,
        k: usize,
        group: usize,
    ) {
        let (n, d) = (self.n, self.d);
        let Scratch { weights, moments, .. } = &mut *self.scratch;
        let mut sums = [[L::splat(0.0); C]; R];
        let mut rows = [[L::splat(0.0); C]; R];
        for r in 0..R {
            for c in 0..C {
                let at = (first + r) * d + k + c;
                sums[r][c] = L::load(&moments[at], group);
                rows[r][c] = L::load(&self.values[at], group);
            }
        }
        // Inside the block, so that every row adds in the order of the tokens.
        for r in 0..R {
            for s in 0..R {
                if (s == r && !self.self_term) || (s > r && CAUSAL) {
                    continue;
                }
                let weight = L::load(&weights[(first + r.max(s)) * ROWS + r.min(s)], group);
                for c in 0..C {
                    sums[r][c] = weight.mul_add(rows[s][c], sums[r][c]);
                }
            }
        }
        let later = first + R;
        let values = self.values[later * d..n * d].chunks_exact(d);
        let later_moments = moments[later * d..n * d].chunks_exact_mut(d);
        let weights = weights[later * ROWS..n * ROWS].chunks_exact(ROWS);
        for ((value, moment), weights) in values.zip(later_moments).zip(weights) {
            let value = &value[k..k + C];
            let moment = &mut moment[k..k + C];
            let mut own = [L::splat(0.0); C];
            let mut scattered = [L::splat(0.0); C];
            for c in 0..C {
                own[c] = L::load(&value[c], group);
                scattered[c] = L::load(&moment[c], group);
            }
            for r in 0..R {
                let weight = L::load(&weights[r], group);
                for c in 0..C {
                    scattered[c] = weight.mul_add(rows[r][c], scattered[c]);
                    if !CAUSAL {
                        sums[r][c] = weight.mul_add(own[c], sums[r][c]);
                    }
                }
            }
            for c in 0..C {
                scattered[c].store(&mut moment[c], group);
            }
        }
        for r in 0..R {
            for c in 0..C {
                sums[r][c].store(&mut moments[(first + r) * d + k + c], group);
            }
        }
    }

    /// A_i = (c / Z_i) S_i.
    #[inline(always)]
    fn divide<L: Lanes<Scalar = f64>>(&mut self, group: usize) {
        let factor = L::load(self.factor, group);
        let Scratch { sums, moments, .. } = &*self.scratch;
        for (i, (moments, out)) in
            moments.chunks_exact(self.d).zip(self.out.chunks_exact_mut(self.d)).enumerate()
        {
            let seen = if CAUSAL { i + 1 } else { self.n };
            let sum = if W::SUMS { L::load(&sums[i], group) } else { L::splat(seen as f64) };
            super::deliver(moments, factor / sum, self.add, out, group);
        }
    }
}

/// `e^{κc − shift}`, the exponent rounded once. Off the sphere (stages of rk4) it could exceed the largest f64's logarithm.
#[inline(always)]
pub(super) fn exponentials<L: Lanes<Scalar = f64>, const N: usize>(
    kappa: L,
    cosines: [L; N],
    minus_shift: L,
) -> [L; N] {
    let mut exponents = cosines;
    for exponent in &mut exponents {
        *exponent = kappa.mul_add(*exponent, minus_shift).min(L::splat(EXP_OVERFLOW));
    }
    exps_below_overflow(exponents)
}
