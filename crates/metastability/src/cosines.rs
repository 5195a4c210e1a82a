//! The cosines of one lane, now or in the state before, without a copy of the Gram matrix.

use metasweep_dynamics::ensemble::pair_index;
use metasweep_dynamics::simd::{LANES, Pack};
use serde::{Deserialize, Serialize};

use crate::pairs::Pairs;
use crate::partition::Partition;
use crate::scene::{Place, Scene};

/// ⟨x_i, x_j⟩ of one lane.
#[derive(Clone, Copy, Debug)]
pub struct Cosines<'a> {
    n: usize,
    lane: usize,
    source: Source<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Gram(&'a [Pack]),
    Tokens {
        tokens: &'a [Pack],
        d: usize,
    },
    /// With the bits of the Gram matrix.
    Formed {
        tokens: &'a [Pack],
        d: usize,
        is_euclidean: bool,
    },
}

impl<'a> Cosines<'a> {
    /// Of a packed Gram matrix.
    #[must_use]
    pub fn of_gram(n: usize, gram: &'a [Pack], lane: usize) -> Self {
        Self { n, lane, source: Source::Gram(gram) }
    }

    /// Of a scene: from its Gram matrix, or from its tokens with the same bits.
    #[must_use]
    pub fn of_scene(scene: &Scene<'a>, lane: usize) -> Self {
        match Pairs::of(scene) {
            Pairs::Kept(gram) => Self::of_gram(scene.n, gram, lane),
            Pairs::Formed(_) => Self::formed(scene, scene.tokens.packs(), lane),
        }
    }

    /// Of these tokens, as a scene of such tokens would show them in a Gram matrix.
    fn formed(scene: &Scene<'_>, tokens: &'a [Pack], lane: usize) -> Self {
        let (n, is_euclidean) = (scene.n, scene.place == Place::Euclidean);
        Self { n, lane, source: Source::Formed { tokens, d: tokens.len() / n, is_euclidean } }
    }

    /// Of n tokens: computed when asked for.
    #[must_use]
    pub fn of_tokens(n: usize, tokens: &'a [Pack], lane: usize) -> Self {
        Self { n, lane, source: Source::Tokens { tokens, d: tokens.len() / n } }
    }

    /// ⟨x_i, x_j⟩ for i ≠ j.
    #[must_use]
    pub fn at(&self, i: usize, j: usize) -> f64 {
        match self.source {
            Source::Gram(gram) => gram[pair_index(self.n, i.min(j), i.max(j))].0[self.lane],
            Source::Tokens { tokens, d } => {
                product(&tokens[i.min(j) * d..][..d], &tokens[i.max(j) * d..][..d], self.lane)
            }
            Source::Formed { tokens, d, is_euclidean } => {
                fused(&tokens[i * d..][..d], &tokens[j * d..][..d], self.lane, is_euclidean)
            }
        }
    }

    /// Visits all pairs i < j with their cosine, in packed order.
    pub fn for_each(&self, mut visit: impl FnMut(usize, usize, f64)) {
        match self.source {
            Source::Gram(gram) => {
                let mut rest = gram;
                for i in 0..self.n {
                    let (row, below) = rest.split_at(self.n - 1 - i);
                    row.iter().zip(i + 1..).for_each(|(pack, j)| visit(i, j, pack.0[self.lane]));
                    rest = below;
                }
            }
            Source::Tokens { tokens, d } => {
                for (i, one) in tokens.chunks_exact(d).enumerate() {
                    for (j, other) in tokens.chunks_exact(d).enumerate().skip(i + 1) {
                        visit(i, j, product(one, other, self.lane));
                    }
                }
            }
            Source::Formed { tokens, d, is_euclidean } => {
                for (i, one) in tokens.chunks_exact(d).enumerate() {
                    for (j, other) in tokens.chunks_exact(d).enumerate().skip(i + 1) {
                        visit(i, j, fused(one, other, self.lane, is_euclidean));
                    }
                }
            }
        }
    }

    /// The largest cosine between tokens of different clusters; −∞ with one cluster.
    #[must_use]
    pub fn separation(&self, partition: &Partition) -> f64 {
        let mut most = f64::NEG_INFINITY;
        self.for_each(|i, j, cosine| {
            if cosine > most && !partition.together(i, j) {
                most = cosine;
            }
        });
        most
    }

    /// The largest threshold at which each cluster is still connected in itself: the smallest cosine on the
    /// clusters' maximum spanning trees. +∞ if every token is alone.
    #[must_use]
    pub fn cohesion(&self, partition: &Partition) -> f64 {
        let clusters = partition.members().into_iter().filter(|cluster| cluster.len() > 1);
        clusters.map(|cluster| self.weakest_link(&cluster)).fold(f64::INFINITY, f64::min)
    }

    /// Prim's algorithm: the smallest cosine on the maximum spanning tree of these tokens.
    fn weakest_link(&self, tokens: &[usize]) -> f64 {
        let mut outside: Vec<(usize, f64)> = tokens[1..].iter().map(|&j| (j, f64::NEG_INFINITY)).collect();
        let mut weakest = f64::INFINITY;
        let mut newest = tokens[0];
        while !outside.is_empty() {
            let mut next = (0, f64::NEG_INFINITY);
            for (place, (token, link)) in outside.iter_mut().enumerate() {
                *link = link.max(self.at(newest, *token));
                if *link > next.1 {
                    next = (place, *link);
                }
            }
            weakest = weakest.min(next.1);
            newest = outside.swap_remove(next.0).0;
        }
        weakest
    }
}

/// Summed in the order of the coordinates.
fn product(one: &[Pack], other: &[Pack], lane: usize) -> f64 {
    one.iter().zip(other).fold(0.0, |sum, (a, b)| sum + a.0[lane] * b.0[lane])
}

/// The same by fused multiply-adds, as the Gram matrix has it; in R^d 1 − ‖x − y‖²/2.
fn fused(one: &[Pack], other: &[Pack], lane: usize, is_euclidean: bool) -> f64 {
    let pairs = one.iter().zip(other).map(|(a, b)| (a.0[lane], b.0[lane]));
    if is_euclidean {
        1.0 - 0.5 * pairs.fold(0.0, |sum, (a, b)| (a - b).mul_add(a - b, sum))
    } else {
        pairs.fold(0.0, |sum, (a, b)| a.mul_add(b, sum))
    }
}

/// The state before, kept for the cosines that deciding instants are interpolated from: its tokens or its
/// Gram matrix, whichever is smaller (their bits differ by rounding, so the choice is part of the engine).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    packs: Vec<Pack>,
}

/// Whether the tokens are the smaller thing to remember, and their products what the Gram matrix holds.
fn remembers_tokens(scene: &Scene<'_>) -> bool {
    scene.place != Place::Euclidean && scene.n * scene.d() < Pairs::of(scene).count()
}

impl Memory {
    /// Remembers a state.
    pub fn keep(&mut self, scene: &Scene<'_>) {
        let packs = match Pairs::of(scene) {
            Pairs::Kept(gram) if !remembers_tokens(scene) => gram,
            _ => scene.tokens.packs(),
        };
        if self.packs.len() == packs.len() {
            self.packs.copy_from_slice(packs);
        } else {
            self.packs = packs.to_vec();
        }
    }

    /// The cosines of the remembered state of one lane. `scene` is the state after it.
    #[must_use]
    pub fn cosines(&self, scene: &Scene<'_>, lane: usize) -> Cosines<'_> {
        if remembers_tokens(scene) {
            Cosines::of_tokens(scene.n, &self.packs, lane)
        } else {
            match Pairs::of(scene) {
                Pairs::Kept(_) => Cosines::of_gram(scene.n, &self.packs, lane),
                Pairs::Formed(_) => Cosines::formed(scene, &self.packs, lane),
            }
        }
    }
}

/// The packed Gram matrix of n tokens: for tests and examples, which have no integrator at hand.
#[must_use]
pub fn packed_gram(n: usize, tokens: &[Pack]) -> Vec<Pack> {
    let lanes: [Cosines<'_>; LANES] = std::array::from_fn(|lane| Cosines::of_tokens(n, tokens, lane));
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    pairs.map(|(i, j)| Pack(std::array::from_fn(|lane| lanes[lane].at(i, j)))).collect()
}
