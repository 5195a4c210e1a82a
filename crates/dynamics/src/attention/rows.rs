//! Attention row by row in full generality: masses, frozen tokens, rows without the token itself.
//!
//! Used where the plain kernels ([`symmetric`](super::symmetric), [`general`](super::general)) do not know what is asked
//! for. The columns of a row are the m frozen tokens, then the n tokens: what a causal row sees is a prefix. Every weight
//! carries the mass of its column; masses of 1 change no bit of it.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::Scratch;
use super::gram::{ROWS, products};
use crate::simd::{Kernel, Lanes, Pack, groups};

/// How a row of scores becomes a row of weights, masses included.
pub(crate) trait RowRule: Copy {
    /// Turns the scores of what one row sees into weights, and returns what they are to be divided by. Column `excluded`
    /// (if there is one) gets the weight 0 and has no part in the sum. `shift` is subtracted where the rule does not
    /// choose its own.
    fn weigh<L: Lanes<Scalar = f64>>(
        scores: &mut [Pack],
        masses: &[Pack],
        excluded: Option<usize>,
        shift: L,
        group: usize,
    ) -> L;
}

/// One head. All slices are of packs; N = m + n.
pub(crate) struct Rows<'a, W> {
    /// Q x_i (or x_i), n × r.
    pub queries: &'a [Pack],
    /// K of frozen and other tokens (or B of them), N × r.
    pub keys: &'a [Pack],
    /// r.
    pub rank: usize,
    /// V of frozen and other tokens (or they themselves, if V = c·I), N × d.
    pub values: &'a [Pack],
    /// Of each column, N.
    pub masses: &'a [Pack],
    pub n: usize,
    pub frozen: usize,
    pub d: usize,
    pub lanes: usize,
    pub causal: bool,
    /// Whether w_ii v_i is part of the sum. Z has its share.
    pub self_term: bool,
    /// Whether j = i is left out of the sum and of Z.
    pub exclude_self: bool,
    /// What multiplies ⟨query, key⟩: β (or βb).
    pub kappa: &'a Pack,
    /// What `unnormalized` subtracts from every score.
    pub shift: &'a Pack,
    /// c of V = c·I, else 1.
    pub factor: &'a Pack,
    /// Whether to add to `out` (a further head) or to overwrite it.
    pub add: bool,
    /// `weights`: ROWS × N.
    pub scratch: &'a mut Scratch,
    /// n × d: A without the common factor.
    pub out: &'a mut [Pack],
    pub rule: PhantomData<W>,
}

impl<W: RowRule> Kernel for Rows<'_, W> {
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

impl<W: RowRule> Rows<'_, W> {
    /// Rows `first .. first + R` from scores to sums.
    #[inline(always)]
    fn rows<L: Lanes<Scalar = f64>, const R: usize>(&mut self, first: usize, group: usize) {
        let columns = self.frozen + self.n;
        // The rows of a causal block see different numbers of tokens: what the longest sees is scored for all.
        let scored = if self.causal { self.frozen + first + R } else { columns };
        let mut j = 0;
        while j + 2 <= scored {
            self.score::<L, R, 2>(first, j, group);
            j += 2;
        }
        if j < scored {
            self.score::<L, R, 1>(first, j, group);
        }
        for r in 0..R {
            let own = self.frozen + first + r;
            let seen = if self.causal { own + 1 } else { columns };
            let row = &mut self.scratch.weights[r * columns..(r + 1) * columns];
            let excluded = self.exclude_self.then_some(own);
            W::weigh(&mut row[..seen], &self.masses[..seen], excluded, L::load(self.shift, group), group)
                .store(&mut self.scratch.sums[first + r], group);
            for masked in &mut row[seen..scored] {
                L::splat(0.0).store(masked, group);
            }
            if !self.self_term {
                L::splat(0.0).store(&mut row[own], group);
            }
        }
        let weights = &self.scratch.weights[..R * columns];
        let moments = &mut self.scratch.moments[first * self.d..(first + R) * self.d];
        gather::<L, R>(weights, columns, self.values, self.d, scored, moments, group);
    }

    /// Scores of the rows with columns `j .. j + C`.
    #[inline(always)]
    fn score<L: Lanes<Scalar = f64>, const R: usize, const C: usize>(
        &mut self,
        first: usize,
        j: usize,
        group: usize,
    ) {
        let (rank, columns) = (self.rank, self.frozen + self.n);
        let kappa = L::load(self.kappa, group);
        let scores = products::<L, R, C>(&self.queries[first * rank..], &self.keys[j * rank..], rank, group);
        for r in 0..R {
            for c in 0..C {
                (kappa * scores[r][c]).store(&mut self.scratch.weights[r * columns + j + c], group);
            }
        }
    }
}

/// `Σ_j w_ij v_j` of R rows over the first `scored` columns, j in order. Columns of weight 0 leave no trace.
#[inline(always)]
pub(crate) fn gather<L: Lanes<Scalar = f64>, const R: usize>(
    weights: &[Pack],
    columns: usize,
    values: &[Pack],
    d: usize,
    scored: usize,
    moments: &mut [Pack],
    group: usize,
) {
    let mut k = 0;
    while k + 2 <= d {
        gather_coordinates::<L, R, 2>(weights, columns, values, d, scored, k, moments, group);
        k += 2;
    }
    if k < d {
        gather_coordinates::<L, R, 1>(weights, columns, values, d, scored, k, moments, group);
    }
}

/// The same for the coordinates `k .. k + C`.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "the innermost loop: everything is in registers already")]
fn gather_coordinates<L: Lanes<Scalar = f64>, const R: usize, const C: usize>(
    weights: &[Pack],
    columns: usize,
    values: &[Pack],
    d: usize,
    scored: usize,
    k: usize,
    moments: &mut [Pack],
    group: usize,
) {
    let mut sums = [[L::splat(0.0); C]; R];
    for (j, value) in (0..scored).zip(values.chunks_exact(d)) {
        let value = &value[k..k + C];
        let mut coordinates = [L::splat(0.0); C];
        for c in 0..C {
            coordinates[c] = L::load(&value[c], group);
        }
        for r in 0..R {
            let weight = L::load(&weights[r * columns + j], group);
            for c in 0..C {
                sums[r][c] = weight.mul_add(coordinates[c], sums[r][c]);
            }
        }
    }
    for r in 0..R {
        for c in 0..C {
            sums[r][c].store(&mut moments[r * d + k + c], group);
        }
    }
}
