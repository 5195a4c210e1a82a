//! Close pairs and clusters at the thresholds of the series: what several observables share.

use metasweep_dynamics::simd::{Isa, LANES, Pack};
use serde::{Deserialize, Serialize};

use crate::adjacency::Adjacency;
use crate::observables::{Observable, threshold_rank};
use crate::partition::Partition;
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
}

impl Levels {
    /// No state seen yet: every token is alone.
    #[must_use]
    pub fn new(watch: &Watch, n: usize) -> Self {
        let level =
            |delta: &f64| Level { adjacency: Adjacency::new(n, 1.0 - delta), clusters: [n as u32; LANES] };
        let rank = watch.series.contains(&Observable::ThresholdRank);
        Self {
            deltas: watch.deltas.iter().map(level).collect(),
            rank: rank.then(|| Adjacency::new(n, threshold_rank::CLOSE)),
        }
    }

    /// Takes in a state; clusters are counted in these lanes only, which may become fewer but never more.
    pub fn update(&mut self, n: usize, gram: &[Pack], lanes: LaneMask, isa: Isa) {
        for level in &mut self.deltas {
            let changed = level.adjacency.update(gram, isa);
            for lane in lanes_of(changed & lanes) {
                level.clusters[lane] = Partition::components(n, level.adjacency.pairs(n, lane)).clusters();
            }
        }
        if let Some(adjacency) = &mut self.rank {
            adjacency.update(gram, isa);
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
        std::array::from_fn(|lane| self.deltas[delta].adjacency.count(lane))
    }

    /// The pairs that `threshold_rank` counts, in one lane.
    pub fn rank_pairs(&self, n: usize, lane: usize) -> impl Iterator<Item = (usize, usize)> {
        self.rank.iter().flat_map(move |adjacency| adjacency.pairs(n, lane))
    }
}
