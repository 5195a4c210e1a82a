//! Components of a graph on at most 64 tokens, whose rows are words: an operation a row and component, however many edges there are.
//!
//! What [`Partition::components`](crate::partition::Partition::components) says edge by edge; tokens within a threshold make many edges.

/// Tokens that a row holds.
pub const MOST: usize = 64;

/// Words for all pairs of so many tokens, and one after the last.
const WORDS: usize = MOST * (MOST - 1) / 2 / 64 + 2;

/// A graph: a bit a pair i < j, in packed order.
pub struct BitRows {
    n: usize,
    bits: [u64; WORDS],
}

/// The components of a graph: sets of tokens as bits, in no order.
pub struct Parts {
    parts: [u64; MOST],
    count: usize,
}

impl BitRows {
    /// The graph on n ≤ [`MOST`] tokens whose pairs' bits come in eights, the first pair lowest.
    #[must_use]
    pub fn new(n: usize, eights: impl Iterator<Item = u8>) -> Self {
        debug_assert!(n <= MOST, "{n} tokens do not fit into a row of {MOST}");
        let mut bits = [0; WORDS];
        for (place, eight) in eights.enumerate() {
            bits[place / 8] |= u64::from(eight) << (8 * (place % 8));
        }
        Self { n, bits }
    }

    /// The components, found row by row: those that a row meets become one.
    #[must_use]
    pub fn components(&self) -> Parts {
        let (mut parts, mut count, mut seen) = ([0_u64; MOST], 0, 0_u64);
        let mut start = 0;
        for i in 0..self.n {
            let length = self.n - 1 - i;
            let one = 1_u64 << i;
            let mut joined = self.row(start, length) << i << 1 | one;
            start += length;
            if joined == one && seen & one != 0 {
                continue;
            }
            if joined & seen != 0 {
                let mut kept = 0;
                for place in 0..count {
                    let part = parts[place];
                    if part & joined == 0 {
                        parts[kept] = part;
                        kept += 1;
                    } else {
                        joined |= part;
                    }
                }
                count = kept;
            }
            parts[count] = joined;
            count += 1;
            seen |= joined;
        }
        Parts { parts, count }
    }

    /// `length` < 64 bits from `start` on.
    fn row(&self, start: usize, length: usize) -> u64 {
        let (word, shift) = (start / 64, start % 64);
        let low = self.bits[word] >> shift;
        // In two steps: by 64 in one there is no shift.
        let high = self.bits[word + 1] << 1 << (63 - shift);
        (low | high) & ((1 << length) - 1)
    }
}

impl Parts {
    /// The sets.
    #[must_use]
    pub fn sets(&self) -> &[u64] {
        &self.parts[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::partition::Partition;

    fn eights(n: usize, edges: &[(usize, usize)]) -> Vec<u8> {
        let pairs: Vec<_> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
        let close =
            |pair: &(usize, usize)| u8::from(edges.contains(pair) || edges.contains(&(pair.1, pair.0)));
        let eight = |pairs: &[(usize, usize)]| (0..).zip(pairs).map(|(bit, pair)| close(pair) << bit).sum();
        pairs.chunks(8).map(eight).collect()
    }

    fn agree(n: usize, edges: &[(usize, usize)]) {
        let found = BitRows::new(n, eights(n, edges).into_iter()).components();
        let expected = Partition::components(n, edges.iter().copied().filter(|(i, j)| i != j));
        assert_eq!(Partition::of_parts(n, found.sets()), expected, "n = {n}, {edges:?}");
    }

    #[test]
    fn the_extremes() {
        for n in [1, 2, 3, 63, 64] {
            let all: Vec<_> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
            agree(n, &[]);
            agree(n, &all);
            agree(n, &[(0, n - 1)]);
            // Chains, and a star around the last token, whose rows meet late.
            agree(n, &(1..n).map(|i| (i - 1, i)).collect::<Vec<_>>());
            agree(n, &(0..n - 1).map(|i| (i, n - 1)).collect::<Vec<_>>());
        }
    }

    proptest! {
        #[test]
        fn as_edge_by_edge(n in 1_usize..=64, raw in prop::collection::vec((0_usize..64, 0_usize..64), 0..90)) {
            agree(n, &raw.into_iter().map(|(i, j)| (i % n, j % n)).collect::<Vec<_>>());
        }
    }
}
