//! Which pairs of tokens are close: one bit a pair, a lane and a threshold.
//!
//! The pass over the Gram matrix that every state pays for: bits are gathered for all lanes at once and
//! compared with those of the state before, so that only lanes in which a pair crossed the threshold are
//! partitioned again. It takes 1/64 of the Gram matrix's memory.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use metasweep_dynamics::simd::{Isa, Kernel, LANES, Lanes, Pack, dispatch};
use serde::{Deserialize, Serialize};

use crate::bit_rows::{self, BitRows};
use crate::pairs::{Pairs, Tokens};
use crate::partition::Partition;
use crate::scene::{LaneMask, lanes_of};

/// Pairs a word holds: a byte each, a bit a lane.
const PAIRS: usize = 8;

/// The pairs i < j with ⟨x_i, x_j⟩ ≥ threshold, in packed order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjacency {
    threshold: f64,
    /// Pairs of the tokens: what `words` is long enough for, once a state has been seen.
    pairs: usize,
    words: Vec<u64>,
}

impl Adjacency {
    /// No pair close yet.
    #[must_use]
    pub fn new(n: usize, threshold: f64) -> Self {
        Self { threshold, pairs: n * (n - 1) / 2, words: Vec::new() }
    }

    fn words(&mut self) -> &mut [u64] {
        self.words.resize(self.pairs.div_ceil(PAIRS), 0);
        &mut self.words
    }

    /// Takes in all pairs of a state, of these lanes at least, at several thresholds in one pass; otherwise as [`update_all`](Self::update_all).
    pub fn take_in<const K: usize>(
        adjacencies: [&mut Self; K],
        pairs: &Pairs<'_>,
        lanes: LaneMask,
        isa: Isa,
    ) -> ([LaneMask; K], [f64; LANES]) {
        match pairs {
            Pairs::Kept(gram) => Self::update_all(adjacencies, gram, isa),
            Pairs::Formed(tokens) => Self::update_formed(adjacencies, tokens, lanes),
        }
    }

    /// The same with pairs that are formed, lane after lane.
    fn update_formed<const K: usize>(
        mut adjacencies: [&mut Self; K],
        tokens: &Tokens<'_>,
        lanes: LaneMask,
    ) -> ([LaneMask; K], [f64; LANES]) {
        let thresholds = adjacencies.each_ref().map(|adjacency| adjacency.threshold);
        let mut words = adjacencies.each_mut().map(|adjacency| adjacency.words());
        let (mut changed, mut least) = ([0; K], [f64::INFINITY; LANES]);
        for lane in lanes_of(lanes) {
            let mut place = 0;
            tokens.lane(lane).blocks(|block| {
                for eight in block.chunks(PAIRS) {
                    for cosine in eight {
                        least[lane] = if *cosine < least[lane] { *cosine } else { least[lane] };
                    }
                    for k in 0..K {
                        let mut bits = 0;
                        for (position, cosine) in eight.iter().enumerate() {
                            bits |= u64::from(*cosine >= thresholds[k]) << (LANES * position + lane);
                        }
                        let word = &mut words[k][place];
                        let new = *word & !(FIRST_LANE << lane) | bits;
                        changed[k] |= std::mem::replace(word, new) ^ new;
                    }
                    place += 1;
                }
            });
        }
        (changed.map(lanes_in), least)
    }

    /// Takes in a packed Gram matrix; says in which lanes a bit changed.
    pub fn update(&mut self, gram: &[Pack], isa: Isa) -> LaneMask {
        Self::update_all([self], gram, isa).0[0]
    }

    /// Takes in a packed Gram matrix at several thresholds in one pass, which finds the smallest cosine of
    /// each lane as well (+∞ for one token).
    pub fn update_all<const K: usize>(
        adjacencies: [&mut Self; K],
        gram: &[Pack],
        isa: Isa,
    ) -> ([LaneMask; K], [f64; LANES]) {
        let thresholds = adjacencies.each_ref().map(|adjacency| adjacency.threshold);
        let words = adjacencies.map(Adjacency::words);
        let (changed, least) = dispatch(Update { gram, thresholds, words }, isa);
        (changed.map(lanes_in), least.0)
    }

    /// From which cosine on a pair is close.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Number of close pairs in one lane.
    #[must_use]
    pub fn count(&self, lane: usize) -> u64 {
        self.words.iter().map(|word| u64::from((word >> lane & FIRST_LANE).count_ones())).sum()
    }

    /// The clusters of one lane: what close pairs connect.
    #[must_use]
    pub fn partition(&self, n: usize, lane: usize) -> Partition {
        if n <= bit_rows::MOST {
            Partition::of_parts(n, self.bit_rows(n, lane).components().sets())
        } else {
            Partition::components(n, self.pairs(n, lane))
        }
    }

    /// How many clusters there are in one lane.
    #[must_use]
    pub fn clusters(&self, n: usize, lane: usize) -> u32 {
        if n <= bit_rows::MOST {
            self.bit_rows(n, lane).components().sets().len() as u32
        } else {
            Partition::components(n, self.pairs(n, lane)).clusters()
        }
    }

    /// The graph of close pairs of one lane; n ≤ [`bit_rows::MOST`].
    fn bit_rows(&self, n: usize, lane: usize) -> BitRows {
        // The product moves the lowest bit of byte k to bit 56 + k.
        let eight =
            |word: &u64| ((word >> lane & FIRST_LANE).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8;
        BitRows::new(n, self.words.iter().map(eight))
    }

    /// The close pairs (i, j), i < j, of one lane, in packed order.
    pub fn pairs(&self, n: usize, lane: usize) -> impl Iterator<Item = (usize, usize)> {
        // The row that the current pair is in, its first pair's position and the position after its last.
        let (mut i, mut first, mut end) = (0, 0, n - 1);
        let positions = self.words.iter().enumerate().flat_map(move |(place, word)| {
            SetBits(word >> lane & FIRST_LANE).map(move |bit| place * PAIRS + bit / LANES)
        });
        positions.map(move |position| {
            while position >= end {
                i += 1;
                first = end;
                end += n - 1 - i;
            }
            (i, i + 1 + position - first)
        })
    }
}

/// Lane 0 of all pairs of a word.
const FIRST_LANE: u64 = 0x0101_0101_0101_0101;

/// The lanes that occur anywhere in a word.
fn lanes_in(word: u64) -> LaneMask {
    word.to_le_bytes().into_iter().fold(0, |mask, byte| mask | byte)
}

/// Writes the bits at each threshold; returns, or-ed together, those that changed, and the smallest cosines.
struct Update<'a, const K: usize> {
    gram: &'a [Pack],
    thresholds: [f64; K],
    words: [&'a mut [u64]; K],
}

impl<const K: usize> Kernel for Update<'_, K> {
    type Output = ([u64; K], Pack);

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> ([u64; K], Pack) {
        let mut changed = [0; K];
        let mut least = Pack::splat(f64::INFINITY);
        let (blocks, rest) = self.gram.as_chunks::<PAIRS>();
        for (place, block) in blocks.iter().enumerate() {
            let bits = close::<L, K>(block, &self.thresholds, &mut least);
            for k in 0..K {
                changed[k] |= std::mem::replace(&mut self.words[k][place], bits[k]) ^ bits[k];
            }
        }
        if !rest.is_empty() {
            let bits = close::<L, K>(rest, &self.thresholds, &mut least);
            for k in 0..K {
                changed[k] |= std::mem::replace(&mut self.words[k][blocks.len()], bits[k]) ^ bits[k];
            }
        }
        (changed, least)
    }
}

/// Up to eight pairs against each threshold.
#[inline(always)]
fn close<L: Lanes<Scalar = f64>, const K: usize>(
    pairs: &[Pack],
    thresholds: &[f64; K],
    least: &mut Pack,
) -> [u64; K] {
    let mut words = [0; K];
    for group in 0..LANES / L::WIDTH {
        // Minima in turn, not one after another; a minimum is the same in any order.
        let mut smallest = [L::splat(f64::INFINITY); 4];
        for (position, pack) in pairs.iter().enumerate() {
            let cosine = L::load(pack, group);
            smallest[position % 4] = cosine.min(smallest[position % 4]);
            for k in 0..K {
                let bits = u64::from(L::bits(cosine.at_least(L::splat(thresholds[k]))));
                words[k] |= bits << (LANES * position + L::WIDTH * group);
            }
        }
        let [a, b, c, d] = smallest;
        a.min(b).min(c.min(d)).min(L::load(least, group)).store(least, group);
    }
    words
}

/// Positions of the ones of a word, ascending.
struct SetBits(u64);

impl Iterator for SetBits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let position = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(position)
    }
}

/// The smallest cosine of each of these lanes; +∞ for one token.
#[must_use]
pub fn smallest(pairs: &Pairs<'_>, lanes: LaneMask, isa: Isa) -> [f64; LANES] {
    match pairs {
        Pairs::Kept(gram) => Adjacency::update_all([], gram, isa).1,
        Pairs::Formed(tokens) => {
            let mut least = [f64::INFINITY; LANES];
            lanes_of(lanes).for_each(|lane| least[lane] = tokens.lane(lane).smallest());
            least
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gram(n: usize, close: &[(usize, usize)]) -> Vec<Pack> {
        let mut gram = vec![Pack([0.0; LANES]); n * (n - 1) / 2];
        for &(i, j) in close {
            gram[metasweep_dynamics::ensemble::pair_index(n, i, j)].0[3] = 1.0;
        }
        gram
    }

    #[test]
    fn pairs_come_back_as_they_went_in() {
        for n in [1, 2, 3, 12, 13, 40, 64, 65] {
            let all: Vec<_> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
            let some: Vec<_> = all.iter().copied().filter(|(i, j)| (i * 7 + j * 3) % 5 == 0).collect();
            for wanted in [all, some] {
                let mut adjacency = Adjacency::new(n, 0.5);
                adjacency.update(&gram(n, &wanted), Isa::Portable);
                assert_eq!(adjacency.pairs(n, 3).collect::<Vec<_>>(), wanted);
                assert_eq!(adjacency.count(3), wanted.len() as u64);
                assert_eq!(adjacency.count(2), 0);
                let edge_by_edge = Partition::components(n, wanted.iter().copied());
                assert_eq!(adjacency.partition(n, 3), edge_by_edge);
                assert_eq!(adjacency.clusters(n, 3), edge_by_edge.clusters());
                assert_eq!(adjacency.clusters(n, 2), n as u32);
            }
        }
    }

    #[test]
    fn only_lanes_with_a_crossing_are_reported() {
        let mut adjacency = Adjacency::new(20, 0.5);
        assert_eq!(adjacency.update(&gram(20, &[]), Isa::widest()), 0);
        assert_eq!(adjacency.update(&gram(20, &[(3, 17)]), Isa::widest()), 1 << 3);
        assert_eq!(adjacency.update(&gram(20, &[(3, 17)]), Isa::widest()), 0);
        assert_eq!(adjacency.update(&gram(20, &[(3, 18)]), Isa::widest()), 1 << 3);
    }
}
