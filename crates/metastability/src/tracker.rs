//! Follows the partitions at δ_hi and δ_lo of every lane, for plateaus and merges.
//!
//! Most states change nothing: then the pass over the Gram matrix is all that is done. Lanes in which a pair
//! crossed a threshold are partitioned again, and only a plateau's or a cluster's birth or end looks at the
//! cosines themselves.

use metasweep_dynamics::simd::LANES;
use serde::{Deserialize, Serialize};

use crate::adjacency::Adjacency;
use crate::clock::Instant;
use crate::cosines::{Cosines, Memory};
use crate::merges::Merges;
use crate::observables::energy;
use crate::pairs::Pairs;
use crate::partition::Partition;
use crate::plateaus::{Plateaus, Step};
use crate::record::{Merge, Plateau};
use crate::scene::{LaneMask, Scene, lane_bit, lanes_of};
use crate::watch::Watch;

/// The partitions of all lanes, and what has come of them so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracker {
    /// Pairs within δ_hi, δ_lo and, for merges, 10·δ_lo.
    high: Adjacency,
    low: Adjacency,
    held: Option<Adjacency>,
    lanes: Vec<Lane>,
    /// The state before.
    memory: Memory,
    time_before: [Instant; LANES],
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Lane {
    low: Partition,
    plateaus: Plateaus,
    merges: Merges,
}

impl Tracker {
    /// Nothing seen yet: every token is alone.
    #[must_use]
    pub fn new(watch: &Watch, n: usize, lanes: usize) -> Self {
        let lane = Lane {
            low: Partition::components(n, std::iter::empty()),
            plateaus: Plateaus::default(),
            merges: Merges::default(),
        };
        Self {
            high: Adjacency::new(n, watch.apart()),
            low: Adjacency::new(n, watch.joined()),
            held: watch.merges.then(|| Adjacency::new(n, watch.held())),
            lanes: vec![lane; lanes],
            memory: Memory::default(),
            time_before: [Instant::default(); LANES],
        }
    }

    /// Takes in a state; `first` says that there is none before it. Returns the smallest cosine of each lane,
    /// which the same pass finds.
    pub fn observe(
        &mut self,
        watch: &Watch,
        scene: &Scene<'_>,
        active: LaneMask,
        first: bool,
    ) -> [f64; LANES] {
        let all = if first { active } else { 0 };
        let pairs = Pairs::of(scene);
        let (crossed, least) = self.crossed(scene, &pairs, active);
        let [high, low, held] = crossed.map(|lanes| (lanes & active) | all);
        // Computed for all lanes at once, where any of them needs it.
        let mut energies = None;
        let mut energy = |lane: usize| {
            energies.get_or_insert_with(|| {
                energy::of_masses(scene.n, &pairs, &watch.masses, watch.beta, active, scene.isa)
            })[lane]
        };
        for lane in lanes_of(high | low | held) {
            let changed = Changed {
                high: high & lane_bit(lane) != 0,
                low: low & lane_bit(lane) != 0,
                held: held & lane_bit(lane) != 0,
            };
            self.look_again(watch, scene, lane, changed, first, &mut || energy(lane));
        }
        self.memory.keep(scene);
        self.time_before = scene.time;
        least
    }

    /// The lanes in which a pair crossed δ_hi, δ_lo, 10·δ_lo; the smallest cosines.
    fn crossed(
        &mut self,
        scene: &Scene<'_>,
        pairs: &Pairs<'_>,
        active: LaneMask,
    ) -> ([LaneMask; 3], [f64; LANES]) {
        let (high, low) = (&mut self.high, &mut self.low);
        if let Some(held) = &mut self.held {
            Adjacency::take_in([high, low, held], pairs, active, scene.isa)
        } else {
            let ([high, low], least) = Adjacency::take_in([high, low], pairs, active, scene.isa);
            ([high, low, 0], least)
        }
    }

    /// One lane in which a pair crossed a threshold.
    fn look_again(
        &mut self,
        watch: &Watch,
        scene: &Scene<'_>,
        lane: usize,
        changed: Changed,
        first: bool,
        energy: &mut dyn FnMut() -> f64,
    ) {
        let n = scene.n;
        let step = Step {
            before: (!first).then(|| (self.memory.cosines(scene, lane), self.time_before[lane])),
            now: Cosines::of_scene(scene, lane),
            time: scene.time[lane],
        };
        let state = &mut self.lanes[lane];
        if changed.low {
            state.low = self.low.partition(n, lane);
        }
        if let Some(held) = self.held.as_ref().filter(|_| changed.low || changed.held) {
            state.merges.observe(watch, &step, &|| self.low.pairs(n, lane), held.pairs(n, lane));
        }
        if changed.high || changed.low {
            // The partition at δ_lo refines that at δ_hi: they agree if they have as many clusters.
            let low = &state.low;
            let resolved = self.high.clusters(n, lane) == low.clusters();
            if let Some(from) = state.plateaus.observe(watch, &step, low, resolved, energy) {
                state.merges.begin(low, from);
            }
        }
    }

    /// The lane's last state stays for ever: an open plateau reaches the horizon.
    pub fn rest(&mut self, watch: &Watch, lane: usize) {
        self.lanes[lane].plateaus.close(watch.horizon(), true);
    }

    /// The lane ends with the state before this one, or with the last one.
    pub fn stop(&mut self, lane: usize) {
        self.lanes[lane].plateaus.close(self.time_before[lane], true);
    }

    /// What was seen in each lane.
    #[must_use]
    pub fn into_records(self) -> Vec<(Vec<Plateau>, Vec<Merge>)> {
        self.lanes
            .into_iter()
            .map(|lane| (lane.plateaus.into_records(), lane.merges.into_records()))
            .collect()
    }
}

/// At which thresholds a pair of this lane has crossed.
#[derive(Clone, Copy)]
struct Changed {
    high: bool,
    low: bool,
    held: bool,
}
