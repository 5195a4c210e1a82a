//! The Gram matrix ⟨x_i, x_j⟩, i < j: computed once a state, shared by the observers and the attention.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use crate::simd::{Kernel, Lanes, Pack, groups};

/// Position of the pair i < j in the packed Gram matrix of n tokens.
#[must_use]
pub fn pair_index(n: usize, i: usize, j: usize) -> usize {
    debug_assert!(i < j && j < n);
    i * (2 * n - i - 1) / 2 + (j - i - 1)
}

/// Where row i (the pairs (i, i+1), (i, i+2), …) starts in the packed Gram matrix.
#[inline(always)]
pub(crate) fn row_start(n: usize, i: usize) -> usize {
    i * (2 * n - i - 1) / 2
}

/// Rows taken together, so that what is loaded for one serves the others. Changes no bit: every sum has its own order.
pub(crate) const ROWS: usize = 4;

/// Fills `products` with the inner products of the `n` tokens of `d` coordinates.
pub(crate) struct Gram<'a> {
    /// n × d.
    pub tokens: &'a [Pack],
    pub n: usize,
    pub d: usize,
    /// Lanes in use.
    pub lanes: usize,
    /// n(n−1)/2 pairs.
    pub products: &'a mut [Pack],
}

impl Kernel for Gram<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { tokens, n, d, lanes, products: gram } = self;
        for group in groups::<L>(lanes) {
            for first in (0..n).step_by(ROWS) {
                let end = n.min(first + ROWS);
                for i in first..end {
                    for j in i + 1..end {
                        let [[product]] = products::<L, 1, 1>(&tokens[i * d..], &tokens[j * d..], d, group);
                        product.store(&mut gram[pair_index(n, i, j)], group);
                    }
                }
                let mut j = end;
                while j + 2 <= n {
                    block::<L, 2>(tokens, n, d, first, j, group, gram);
                    j += 2;
                }
                if j < n {
                    block::<L, 1>(tokens, n, d, first, j, group, gram);
                }
            }
        }
    }
}

/// The products of rows `first .. first + ROWS` with tokens `j .. j + COLUMNS`.
#[inline(always)]
fn block<L: Lanes<Scalar = f64>, const COLUMNS: usize>(
    tokens: &[Pack],
    n: usize,
    d: usize,
    first: usize,
    j: usize,
    group: usize,
    gram: &mut [Pack],
) {
    let result = products::<L, ROWS, COLUMNS>(&tokens[first * d..], &tokens[j * d..], d, group);
    for (row, result) in result.iter().enumerate() {
        let start = pair_index(n, first + row, j);
        for (product, pack) in result.iter().zip(&mut gram[start..start + COLUMNS]) {
            product.store(pack, group);
        }
    }
}

/// ⟨left_r, right_c⟩ for the first `R` vectors of `left` and the first `C` of `right`, all of `d` coordinates.
/// Each sum runs over the coordinates in order, by fused multiply-adds from zero.
#[inline(always)]
pub(crate) fn products<L: Lanes<Scalar = f64>, const R: usize, const C: usize>(
    left: &[Pack],
    right: &[Pack],
    d: usize,
    group: usize,
) -> [[L; C]; R] {
    let left = &left[..R * d];
    let right = &right[..C * d];
    let mut sums = [[L::splat(0.0); C]; R];
    for k in 0..d {
        let mut columns = [L::splat(0.0); C];
        for c in 0..C {
            columns[c] = L::load(&right[c * d + k], group);
        }
        for r in 0..R {
            let row = L::load(&left[r * d + k], group);
            for c in 0..C {
                sums[r][c] = row.mul_add(columns[c], sums[r][c]);
            }
        }
    }
    sums
}
