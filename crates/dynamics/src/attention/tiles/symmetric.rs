//! A tile of [`Symmetric`](super::super::symmetric): some tokens of one replica in the lanes, all others one by one.
//!
//! Every sum has the operations of the kernel of pairs in the same order, j = 1, …, n, so the bits are the same; the products are
//! formed again for every tile and kept nowhere.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::super::Weighting;
use super::super::exponentials::exponentials;
use super::{Rows, Tile};
use crate::simd::{Kernel, LANES, Lanes, Pack, groups};

/// Columns taken together.
const TOGETHER: usize = 4;

/// The rows of one tile.
pub(super) struct SymmetricTile<'a, W> {
    pub tile: &'a Tile,
    /// n of each coordinate: the tokens, and what is summed.
    pub tokens: &'a [f64],
    pub values: &'a [f64],
    pub rows: &'a mut Rows,
    pub weighting: PhantomData<W>,
}

impl<W: Weighting> Kernel for SymmetricTile<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        let Tile { n, causal, .. } = *self.tile;
        let first = self.rows.first;
        let end = n.min(first + LANES);
        for group in groups::<L>(end - first) {
            let mut sum = L::splat(0.0);
            for moment in &mut self.rows.moments {
                L::splat(0.0).store(moment, group);
            }
            let mut j = 0;
            while j + TOGETHER <= first {
                sum = self.columns::<L, TOGETHER>(j, sum, group);
                j += TOGETHER;
            }
            while j < first {
                sum = self.columns::<L, 1>(j, sum, group);
                j += 1;
            }
            while j < end {
                sum = self.own_column::<L>(j, sum, group);
                j += 1;
            }
            if !causal {
                while j + TOGETHER <= n {
                    sum = self.columns::<L, TOGETHER>(j, sum, group);
                    j += TOGETHER;
                }
                while j < n {
                    sum = self.columns::<L, 1>(j, sum, group);
                    j += 1;
                }
            }
            if !W::SUMS {
                let own = L::load(&self.rows.index, group) + L::splat(1.0);
                sum = if causal { own } else { L::splat(n as f64) };
            }
            sum.store(&mut self.rows.sum, group);
        }
    }
}

impl<W: Weighting> SymmetricTile<'_, W> {
    /// ⟨x_i, x_j⟩ with `N` columns, each sum over the coordinates in order.
    #[inline(always)]
    fn products<L: Lanes<Scalar = f64>, const N: usize>(&self, j: usize, group: usize) -> [L; N] {
        let n = self.tile.n;
        let mut products = [L::splat(0.0); N];
        for (query, tokens) in self.rows.queries.iter().zip(self.tokens.chunks_exact(n)) {
            let (x, columns) = (L::load(query, group), &tokens[j..j + N]);
            for c in 0..N {
                products[c] = x.mul_add(L::splat(columns[c]), products[c]);
            }
        }
        products
    }

    /// Adds `N` columns, none of which is a token of the tile; returns the sum of weights with them added in order.
    #[inline(always)]
    fn columns<L: Lanes<Scalar = f64>, const N: usize>(&mut self, j: usize, mut sum: L, group: usize) -> L {
        let Tile { n, kappa, shift, .. } = *self.tile;
        let weights =
            exponentials::<L, N, false>(L::splat(kappa), self.products::<L, N>(j, group), L::splat(-shift));
        if W::SUMS {
            for c in 0..N {
                sum = sum + weights[c];
            }
        }
        for (moment, values) in self.rows.moments.iter_mut().zip(self.values.chunks_exact(n)) {
            let columns = &values[j..j + N];
            let mut total = L::load(moment, group);
            for c in 0..N {
                total = weights[c].mul_add(L::splat(columns[c]), total);
            }
            total.store(moment, group);
        }
        sum
    }

    /// Adds a column that is one of the tile's own tokens: its product with itself is 1, and the mask runs through here.
    #[inline(always)]
    fn own_column<L: Lanes<Scalar = f64>>(&mut self, j: usize, sum: L, group: usize) -> L {
        let Tile { n, kappa, shift, causal, self_term, .. } = *self.tile;
        let index = L::load(&self.rows.index, group);
        let own = index.same_bits(L::splat(j as f64));
        let seen = index.at_least(L::splat(if causal { j as f64 } else { 0.0 }));
        let [product] = self.products::<L, 1>(j, group);
        let product = L::select(own, L::splat(1.0), product);
        let [weight] = exponentials::<L, 1, false>(L::splat(kappa), [product], L::splat(-shift));
        for (moment, values) in self.rows.moments.iter_mut().zip(self.values.chunks_exact(n)) {
            let old = L::load(moment, group);
            let mut new = L::select(seen, weight.mul_add(L::splat(values[j]), old), old);
            if !self_term {
                new = L::select(own, old, new);
            }
            new.store(moment, group);
        }
        if W::SUMS { L::select(seen, sum + weight, sum) } else { sum }
    }
}

/// The lanes' tokens by number, for comparisons.
pub(super) fn indices(first: usize) -> Pack {
    Pack(std::array::from_fn(|lane| (first + lane) as f64))
}
