//! Close pairs and clusters at the thresholds of the series: what several observables share.

use metasweep_dynamics::simd::{Isa, LANES, Pack};
use serde::{Deserialize, Serialize};

use crate::adjacency::Adjacency;
use crate::observables::{Observable, threshold_rank};
use crate::pairs::{Pairs, Tokens};
use crate::partition::Joining;
use crate::scene::{LaneMask, lanes_of};
use crate::watch::Watch;

/// The thresholds 1 − δ of a watch, and that of `threshold_rank` if it is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    deltas: Vec<Level>,
    rank: Option<Adjacency>,
}

/// One threshold, and the clusters of each lane, counted again only where a pair crossed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Level {
    adjacency: Adjacency,
    clusters: [u32; LANES],
    /// Close pairs of each lane, where pairs are formed: then no bit of them is kept.
    close: Option<[u64; LANES]>,
}

/// What is asked of the levels: where pairs are formed, nothing else is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Clusters.
    pub clusters: bool,
    /// Close pairs.
    pub close: bool,
}

impl Levels {
    /// No state seen yet: every token is alone.
    #[must_use]
    pub fn new(watch: &Watch, n: usize) -> Self {
        let level = |delta: &f64| Level {
            adjacency: Adjacency::new(n, 1.0 - delta),
            clusters: [n as u32; LANES],
            close: None,
        };
        let rank = watch.series.contains(&Observable::ThresholdRank);
        Self {
            deltas: watch.deltas.iter().map(level).collect(),
            rank: rank.then(|| Adjacency::new(n, threshold_rank::CLOSE)),
        }
    }

    /// Takes in a state; clusters are counted in these lanes only, which may become fewer but never more.
    pub fn update(&mut self, n: usize, pairs: &Pairs<'_>, lanes: LaneMask, isa: Isa, wanted: Wanted) {
        if let Some(adjacency) = &mut self.rank {
            Adjacency::take_in([adjacency], pairs, lanes, isa);
        }
        match pairs {
            Pairs::Kept(gram) => self.update_kept(n, gram, lanes, isa),
            Pairs::Formed(tokens) if wanted.clusters || wanted.close => {
                lanes_of(lanes).for_each(|lane| self.count(n, tokens, lane, wanted));
            }
            Pairs::Formed(_) => {}
        }
    }

    fn update_kept(&mut self, n: usize, gram: &[Pack], lanes: LaneMask, isa: Isa) {
        for level in &mut self.deltas {
            let changed = level.adjacency.update(gram, isa);
            for lane in lanes_of(changed & lanes) {
                level.clusters[lane] = level.adjacency.clusters(n, lane);
            }
        }
    }

    /// Clusters and close pairs of one lane at all levels, in one pass over its pairs.
    fn count(&mut self, n: usize, tokens: &Tokens<'_>, lane: usize, wanted: Wanted) {
        let thresholds: Vec<f64> = self.deltas.iter().map(|level| level.adjacency.threshold()).collect();
        let mut joining: Vec<Joining> = thresholds.iter().map(|_| Joining::new(n)).collect();
        let mut close = vec![0_u64; thresholds.len()];
        tokens.lane(lane).rows(|i, first, cosines| {
            for (k, threshold) in thresholds.iter().enumerate() {
                let near = cosines.iter().filter(|cosine| **cosine >= *threshold).count();
                close[k] += near as u64;
                if near > 0 && joining[k].clusters() > 1 {
                    let near = (first..).zip(&*cosines).filter(|(_, cosine)| **cosine >= *threshold);
                    near.for_each(|(j, _)| joining[k].join(i, j));
                }
            }
            wanted.close || joining.iter().any(|joining| joining.clusters() > 1)
        });
        for ((level, joining), close) in self.deltas.iter_mut().zip(joining).zip(close) {
            level.clusters[lane] = joining.clusters();
            level.close.get_or_insert([0; LANES])[lane] = close;
        }
    }

    /// Number of clusters at δ number `delta`, in each lane.
    #[must_use]
    pub fn clusters(&self, delta: usize) -> [u32; LANES] {
        self.deltas[delta].clusters
    }

    /// Number of pairs within δ number `delta`, in each lane.
    #[must_use]
    pub fn close_pairs(&self, delta: usize) -> [u64; LANES] {
        let level = &self.deltas[delta];
        level.close.unwrap_or_else(|| std::array::from_fn(|lane| level.adjacency.count(lane)))
    }

    /// The pairs that `threshold_rank` counts, in one lane.
    pub fn rank_pairs(&self, n: usize, lane: usize) -> impl Iterator<Item = (usize, usize)> {
        self.rank.iter().flat_map(move |adjacency| adjacency.pairs(n, lane))
    }
}
