//! `threshold_rank`: the rank of the 0/1 matrix [⟨x_i, x_j⟩ > 0.9999], the diagonal being 1.
//!
//! The authors' code calls this the number of clusters. It is offered beside `clusters`, never under its name:
//! closeness is not transitive, and a chain of three tokens has rank 3 in one component.
//!
//! The rank is that of integers: equal rows are dropped, then Gaussian elimination runs modulo two Mersenne
//! primes, 2^61 − 1 and 2^31 − 1. A rank modulo a prime never exceeds the true one, so the larger of the two is
//! taken. It falls short only if every largest nonzero minor is a multiple of both primes. By Hadamard's
//! bound, k × k minors of a 0/1 matrix are at most (k+1)^{(k+1)/2}/2^k < 2^61 − 1 for k ≤ 36: up to 36
//! different rows the answer is proven.

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};
use crate::scene::lanes_of;

/// Pairs count as close from here on: the smallest number above 0.9999.
pub const CLOSE: f64 = 0.9999_f64.next_up();

/// Exponents of the Mersenne primes.
const EXPONENTS: [u32; 2] = [61, 31];

/// What it is.
pub const NATURE: Nature = Nature {
    is_count: true,
    columns: Columns::One,
    needs: Needs::Nothing,
    lasting: Lasting::Within(1.0 - CLOSE),
};

/// The rank in each lane.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    let mut ranks = [f64::NAN; LANES];
    for lane in lanes_of(state.lanes) {
        ranks[lane] = rank(state.n, state.levels.rank_pairs(state.n, lane)) as f64;
    }
    ranks
}

/// The rank of the symmetric 0/1 matrix with a diagonal of ones and ones at these pairs.
#[must_use]
pub fn rank(n: usize, pairs: impl Iterator<Item = (usize, usize)>) -> usize {
    let words = n.div_ceil(64);
    let mut rows = vec![vec![0_u64; words]; n];
    let mut set = |i: usize, j: usize| rows[i][j / 64] |= 1 << (j % 64);
    (0..n).for_each(|i| set(i, i));
    pairs.for_each(|(i, j)| {
        set(i, j);
        set(j, i);
    });
    rows.sort_unstable();
    rows.dedup();
    EXPONENTS.iter().map(|&exponent| rank_modulo(exponent, n, &rows)).max().unwrap_or(0)
}

/// Gaussian elimination modulo 2^exponent − 1.
fn rank_modulo(exponent: u32, n: usize, rows: &[Vec<u64>]) -> usize {
    let prime = (1_u64 << exponent) - 1;
    let bit = |row: &Vec<u64>, j: usize| row[j / 64] >> (j % 64) & 1;
    let mut rest: Vec<Vec<u64>> = rows.iter().map(|row| (0..n).map(|j| bit(row, j)).collect()).collect();
    let mut rank = 0;
    for column in 0..n {
        let Some(place) = rest.iter().position(|row| row[column] != 0) else { continue };
        let pivot = rest.swap_remove(place);
        let inverse = power(exponent, pivot[column], prime - 2);
        for row in rest.iter_mut().filter(|row| row[column] != 0) {
            let factor = times(exponent, row[column], inverse);
            for (a, &b) in row[column..].iter_mut().zip(&pivot[column..]) {
                let product = times(exponent, factor, b);
                *a = if *a >= product { *a - product } else { *a + prime - product };
            }
        }
        rank += 1;
    }
    rank
}

/// a·b modulo 2^exponent − 1, folding the high bits onto the low ones.
fn times(exponent: u32, a: u64, b: u64) -> u64 {
    let prime = (1_u64 << exponent) - 1;
    let product = u128::from(a) * u128::from(b);
    let sum = (product as u64 & prime) + (product >> exponent) as u64;
    if sum >= prime { sum - prime } else { sum }
}

/// base^power modulo 2^exponent − 1.
fn power(exponent: u32, mut base: u64, mut power: u64) -> u64 {
    let mut result = 1;
    while power > 0 {
        if power & 1 == 1 {
            result = times(exponent, result, base);
        }
        base = times(exponent, base, base);
        power >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(n: usize) -> Vec<(usize, usize)> {
        (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect()
    }

    #[test]
    fn apart_together_and_in_a_chain() {
        assert_eq!(rank(1, std::iter::empty()), 1);
        assert_eq!(rank(5, std::iter::empty()), 5);
        assert_eq!(rank(5, complete(5).into_iter()), 1);
        // Chain of three: det [[1,1,0],[1,1,1],[0,1,1]] = −1.
        assert_eq!(rank(3, [(0, 1), (1, 2)].into_iter()), 3);
        // Chain of five: I + path has eigenvalues 1 + 2cos(πk/6), one of them 0 (k = 4).
        assert_eq!(rank(5, (0..4).map(|i| (i, i + 1))), 4);
    }

    #[test]
    fn circulants_have_the_rank_of_their_symbol() {
        // The cycle of n tokens: eigenvalues 1 + 2cos(2πk/n), zero where k/n = 1/3 or 2/3.
        for n in 4..80 {
            let cycle = (0..n).map(|i| (i.min((i + 1) % n), i.max((i + 1) % n)));
            assert_eq!(rank(n, cycle), if n % 3 == 0 { n - 2 } else { n }, "n = {n}");
        }
    }

    #[test]
    fn hadamards_bound_proves_36_rows() {
        let bits = |k: f64| 0.5 * (k + 1.0) * libm::log2(k + 1.0) - k;
        assert!(bits(36.0) < 60.9 && bits(37.0) > 61.0);
    }

    #[test]
    fn arithmetic_modulo_a_mersenne_prime() {
        for exponent in EXPONENTS {
            let prime = (1_u64 << exponent) - 1;
            for a in [1, 2, 12345, prime - 1, prime / 3] {
                assert_eq!(times(exponent, a, power(exponent, a, prime - 2)), 1);
            }
            assert_eq!(times(exponent, prime - 1, prime - 1), 1);
        }
    }
}
