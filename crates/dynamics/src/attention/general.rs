//! Attention for any B and V: rows of scores, rows of weights, sums of values.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::gram::{COLUMNS, ROWS, products};
use super::{Scratch, Weighting};
use crate::simd::{Kernel, Lanes, Pack, groups};

/// One head. All slices are of packs.
pub(crate) struct General<'a, W> {
    /// Q x_i (or x_i), n × r.
    pub queries: &'a [Pack],
    /// K x_j (or B x_j), n × r.
    pub keys: &'a [Pack],
    /// r.
    pub rank: usize,
    /// V x_j (or x_j, if V = c·I), n × d.
    pub values: &'a [Pack],
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    pub causal: bool,
    /// Whether w_ii v_i is part of the sum. Z always has its share.
    pub self_term: bool,
    /// What multiplies ⟨query, key⟩: β (or βb).
    pub kappa: &'a Pack,
    /// What `unnormalized` subtracts from every score.
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

impl<W: Weighting> Kernel for General<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        for group in groups::<L>(self.lanes) {
            let mut first = 0;
            while first + ROWS <= self.n {
                self.rows::<L, ROWS>(first, group);
                first += ROWS;
            }
            while first < self.n {
                self.rows::<L, 1>(first, group);
                first += 1;
            }
            let factor = L::load(self.factor, group);
            let rows = self.scratch.moments.chunks_exact(self.d).zip(self.out.chunks_exact_mut(self.d));
            for ((moments, out), sum) in rows.zip(&self.scratch.sums) {
                super::deliver(moments, factor / L::load(sum, group), self.add, out, group);
            }
        }
    }
}

impl<W: Weighting> General<'_, W> {
    /// Rows `first .. first + R` from scores to sums.
    #[inline(always)]
    fn rows<L: Lanes<Scalar = f64>, const R: usize>(&mut self, first: usize, group: usize) {
        let n = self.n;
        // The rows of a causal block see different numbers of tokens: what the longest sees is scored for all.
        let scored = if self.causal { first + R } else { n };
        let mut j = 0;
        while j + COLUMNS <= scored {
            self.score::<L, R, COLUMNS>(first, j, group);
            j += COLUMNS;
        }
        match scored - j {
            2 => self.score::<L, R, 2>(first, j, group),
            1 => self.score::<L, R, 1>(first, j, group),
            _ => {}
        }
        for r in 0..R {
            let seen = if self.causal { first + r + 1 } else { n };
            let row = &mut self.scratch.weights[r * n..(r + 1) * n];
            W::weigh(&mut row[..seen], L::load(self.shift, group), group)
                .store(&mut self.scratch.sums[first + r], group);
            for masked in &mut row[seen..scored] {
                L::splat(0.0).store(masked, group);
            }
            if !self.self_term {
                L::splat(0.0).store(&mut row[first + r], group);
            }
        }
        let mut k = 0;
        while k + COLUMNS <= self.d {
            self.gather::<L, R, COLUMNS>(first, scored, k, group);
            k += COLUMNS;
        }
        match self.d - k {
            2 => self.gather::<L, R, 2>(first, scored, k, group),
            1 => self.gather::<L, R, 1>(first, scored, k, group),
            _ => {}
        }
    }

    /// Scores of the rows with tokens `j .. j + C`.
    #[inline(always)]
    fn score<L: Lanes<Scalar = f64>, const R: usize, const C: usize>(
        &mut self,
        first: usize,
        j: usize,
        group: usize,
    ) {
        let rank = self.rank;
        let kappa = L::load(self.kappa, group);
        let scores = products::<L, R, C>(&self.queries[first * rank..], &self.keys[j * rank..], rank, group);
        for r in 0..R {
            for c in 0..C {
                (kappa * scores[r][c]).store(&mut self.scratch.weights[r * self.n + j + c], group);
            }
        }
    }

    /// Coordinates `k .. k + C` of Σ_j w_ij v_j, j in order. Masked tokens have weight 0 and leave no trace.
    #[inline(always)]
    fn gather<L: Lanes<Scalar = f64>, const R: usize, const C: usize>(
        &mut self,
        first: usize,
        scored: usize,
        k: usize,
        group: usize,
    ) {
        let (n, d) = (self.n, self.d);
        let mut sums = [[L::splat(0.0); C]; R];
        let weights = &self.scratch.weights[..R * n];
        for (j, value) in (0..scored).zip(self.values.chunks_exact(d)) {
            let value = &value[k..k + C];
            let mut columns = [L::splat(0.0); C];
            for c in 0..C {
                columns[c] = L::load(&value[c], group);
            }
            for r in 0..R {
                let weight = L::load(&weights[r * n + j], group);
                for c in 0..C {
                    sums[r][c] = weight.mul_add(columns[c], sums[r][c]);
                }
            }
        }
        for r in 0..R {
            for c in 0..C {
                sums[r][c].store(&mut self.scratch.moments[(first + r) * d + k + c], group);
            }
        }
    }
}
