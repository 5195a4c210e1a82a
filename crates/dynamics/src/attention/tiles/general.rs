//! A tile of [`General`](super::super::general): some tokens of one replica in the lanes; rows of scores, rows of weights, sums of
//! values, each with the operations of that kernel in the same order.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::super::Weighting;
use super::super::gram::ROWS;
use super::{Rows, Tile};
use crate::simd::{Kernel, LANES, Lanes, Pack, groups};

/// Columns taken together.
const TOGETHER: usize = 4;

/// The rows of one tile.
pub(super) struct GeneralTile<'a, W> {
    pub tile: &'a Tile,
    /// n of each coordinate: the keys, and what is summed.
    pub keys: &'a [f64],
    pub values: &'a [f64],
    pub rows: &'a mut Rows,
    /// n: scores, then weights, of the tile's rows.
    pub weights: &'a mut [Pack],
    pub weighting: PhantomData<W>,
}

impl<W: Weighting> Kernel for GeneralTile<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        let Tile { n, causal, self_term, shift, .. } = *self.tile;
        let first = self.rows.first;
        let end = n.min(first + LANES);
        let scored = if causal { end } else { n };
        for group in groups::<L>(end - first) {
            let mut j = 0;
            while j + TOGETHER <= scored {
                self.score::<L, TOGETHER>(j, group);
                j += TOGETHER;
            }
            while j < scored {
                self.score::<L, 1>(j, group);
                j += 1;
            }
            let index = L::load(&self.rows.index, group);
            if causal {
                // A score of −∞ is a weight of 0, which leaves no trace in maxima and sums.
                for j in first..end {
                    let seen = index.at_least(L::splat(j as f64));
                    let score = L::load(&self.weights[j], group);
                    L::select(seen, score, L::splat(f64::NEG_INFINITY)).store(&mut self.weights[j], group);
                }
            }
            let mut sum = W::weigh(&mut self.weights[..scored], L::splat(shift), group);
            if causal && !W::SUMS {
                sum = index + L::splat(1.0);
            }
            sum.store(&mut self.rows.sum, group);
            if !self_term {
                for j in first..end {
                    let own = index.same_bits(L::splat(j as f64));
                    let weight = L::load(&self.weights[j], group);
                    L::select(own, L::splat(0.0), weight).store(&mut self.weights[j], group);
                }
            }
            self.gather::<L>(if causal { first } else { n }, scored, group);
        }
    }
}

impl<W: Weighting> GeneralTile<'_, W> {
    /// Scores of the rows with `N` columns.
    #[inline(always)]
    fn score<L: Lanes<Scalar = f64>, const N: usize>(&mut self, j: usize, group: usize) {
        let Tile { n, kappa, .. } = *self.tile;
        let mut products = [L::splat(0.0); N];
        for (query, keys) in self.rows.queries.iter().zip(self.keys.chunks_exact(n)) {
            let (x, columns) = (L::load(query, group), &keys[j..j + N]);
            for c in 0..N {
                products[c] = x.mul_add(L::splat(columns[c]), products[c]);
            }
        }
        for (product, weight) in products.into_iter().zip(&mut self.weights[j..j + N]) {
            (L::splat(kappa) * product).store(weight, group);
        }
    }

    /// Σ_j w_ij v_j over all columns up to `scored`, j in order; from `masked` on rows end at the end of their block in the
    /// kernel of pairs.
    #[inline(always)]
    fn gather<L: Lanes<Scalar = f64>>(&mut self, masked: usize, scored: usize, group: usize) {
        let n = self.tile.n;
        let limits = limits(self.rows.first, n);
        let limit = L::load(&limits, group);
        for (moment, values) in self.rows.moments.iter_mut().zip(self.values.chunks_exact(n)) {
            let mut total = L::splat(0.0);
            for (weight, value) in self.weights[..masked].iter().zip(values) {
                total = L::load(weight, group).mul_add(L::splat(*value), total);
            }
            for j in masked..scored {
                let new = L::load(&self.weights[j], group).mul_add(L::splat(values[j]), total);
                total = L::select(L::splat(j as f64).less(limit), new, total);
            }
            total.store(moment, group);
        }
    }
}

/// Where the rows of a tile end under the causal mask: [`General`](super::super::general) adds the masked columns of a block of [`ROWS`] rows with
/// weight 0, which can change the sign of a zero.
fn limits(first: usize, n: usize) -> Pack {
    Pack(std::array::from_fn(|lane| {
        let i = first + lane;
        let block = i / ROWS * ROWS;
        (if block + ROWS <= n { block + ROWS } else { i + 1 }) as f64
    }))
}
