//! Watches an ensemble state by state and leaves one record a lane.
//!
//! Called by the simulation loop after every step. A recorder is one serializable value: saved in the middle
//! with the ensemble's state, it goes on to equal records.

use std::sync::Arc;

use metasweep_dynamics::ensemble::Ensemble;
use metasweep_dynamics::simd::LANES;
use serde::{Deserialize, Serialize};

use crate::adjacency::smallest;
use crate::apart::Apart;
use crate::collapse::Collapse;
use crate::determined;
use crate::equiangular;
use crate::fixed::Fixed;
use crate::hemisphere;
use crate::levels::{Levels, Wanted};
use crate::observables::{Observable, State, energy, min_cosine};
use crate::pairs::Pairs;
use crate::plateaus::first_metastable;
use crate::portraits::Portraits;
use crate::record::{End, ReplicaRecord};
use crate::scene::{LaneMask, Place, Scene, lane_bit, lanes_of};
use crate::shown::with_scene;
use crate::tracker::Tracker;
use crate::watch::Watch;

/// The observer state of up to LANES replicas; one serializable value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorder {
    n: usize,
    lanes: Vec<Lane>,
    /// Lanes that go on; lanes whose state exists (all but the failed ones).
    running: LaneMask,
    alive: LaneMask,
    /// Whether state 0 was seen.
    started: bool,
    next_sample: usize,
    collapse: Collapse,
    apart: Apart,
    levels: Levels,
    /// None if neither plateaus nor merges are asked for.
    tracker: Option<Tracker>,
    portraits: Portraits,
}

/// What is kept of one lane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Lane {
    hemisphere: Option<bool>,
    fate: Option<Fate>,
    /// What observables need of the state at t = 0.
    fixed: Option<Fixed>,
    /// The rows of the series so far, `[sample][column]`.
    rows: Vec<f64>,
    /// The histograms so far, `[sample][histogram][bin]`.
    histograms: Vec<u64>,
}

/// How and when a lane ended before the horizon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Fate {
    end: End,
    time: f64,
    steps: u64,
    evaluations: u64,
}

impl Recorder {
    /// A recorder of `lanes` replicas with n tokens.
    ///
    /// # Panics
    /// Without tokens, without lanes, or with more than LANES of them.
    #[must_use]
    pub fn new(watch: &Watch, n: usize, lanes: usize) -> Self {
        assert!(
            n >= 1 && (1..=LANES).contains(&lanes),
            "{n} tokens in {lanes} lanes: 1 or more in 1 to {LANES}"
        );
        let all = LaneMask::MAX >> (LANES - lanes);
        Self {
            n,
            lanes: vec![Lane::default(); lanes],
            running: all,
            alive: all,
            started: false,
            next_sample: 0,
            collapse: Collapse::new(watch, lanes),
            apart: Apart::default(),
            levels: Levels::new(watch, n),
            tracker: (watch.plateaus || watch.merges).then(|| Tracker::new(watch, n, lanes)),
            portraits: Portraits::new(0, 0, lanes),
        }
    }

    /// Lanes whose tokens, and whose attention weights, are kept at the watch's moments. Call it before the first state.
    #[must_use]
    pub fn with_portraits(mut self, tokens: LaneMask, attention: LaneMask) -> Self {
        self.portraits = Portraits::new(tokens, attention, self.lanes.len());
        self
    }

    /// Takes in the ensemble's current state (call at state 0, 1, 2, …).
    pub fn observe(&mut self, watch: &Watch, ensemble: &mut Ensemble) {
        if !self.settled() {
            with_scene(watch, self.n, self.lanes.len(), ensemble, |scene| self.record(watch, scene));
        }
    }

    /// Takes in a state, whoever computed it (call with state 0, 1, 2, …).
    pub fn record(&mut self, watch: &Watch, scene: &Scene<'_>) {
        if self.running == 0 {
            return;
        }
        let first = !self.started;
        for lane in lanes_of(self.running & !scene.finite) {
            self.fail(scene, lane);
        }
        if first {
            self.started = true;
            for lane in lanes_of(self.running) {
                let tokens = scene.lane_tokens(lane);
                let contained = hemisphere::contains_all(&tokens, self.n, tokens.len() / self.n);
                self.lanes[lane].hemisphere = Some(contained);
            }
            self.fix(watch, scene);
        }
        self.portraits.observe(watch, scene, self.alive, |state| state == scene.step);
        let determined = determined::from_cosine(watch, scene);
        let least = match &mut self.tracker {
            Some(tracker) => tracker.observe(watch, scene, self.running, first),
            None if determined.is_none() && self.collapse.complete(self.running) => [f64::INFINITY; LANES],
            None => match Pairs::of(scene) {
                pairs @ Pairs::Kept(_) => smallest(&pairs, self.running, scene.isa),
                Pairs::Formed(_) => {
                    self.apart.smallest(watch, scene, &mut self.collapse, self.running, determined)
                }
            },
        };
        self.collapse.observe(watch, scene, least, self.running, first);
        if watch.samples.get(self.next_sample) == Some(&scene.step) {
            self.sample(watch, scene, |sample| sample == scene.step);
        }
        for lane in lanes_of(self.running & scene.stationary) {
            self.rest(watch, scene, lane, End::Stationary);
        }
        for lane in lanes_of(self.running) {
            if determined.is_some_and(|cosine| least[lane] >= cosine) {
                self.rest(watch, scene, lane, End::Collapsed);
            }
        }
    }

    /// True once nothing that later states could show would change any record: all lanes stationary, failed, or
    /// [`determined`].
    #[must_use]
    pub fn settled(&self) -> bool {
        self.running == 0
    }

    /// The records, one a lane; rows of samples not reached (stationary, failed) are filled in here.
    #[must_use]
    pub fn finish(self, watch: &Watch, ensemble: &mut Ensemble) -> Vec<ReplicaRecord> {
        let (n, lanes) = (self.n, self.lanes.len());
        with_scene(watch, n, lanes, ensemble, |scene| self.conclude(watch, scene))
    }

    /// The records, given the last state (which [`Recorder::record`] has seen, unless the recorder had settled).
    #[must_use]
    pub fn conclude(mut self, watch: &Watch, scene: &Scene<'_>) -> Vec<ReplicaRecord> {
        if self.next_sample < watch.samples.len() {
            self.sample(watch, scene, |_| true);
        }
        let wanted = Wanted { clusters: true, close: false };
        self.levels.update(self.n, &Pairs::of(scene), self.alive, scene.isa, wanted);
        self.portraits.observe(watch, scene, self.alive, |_| true);
        let state = self.state(watch, scene);
        let (least, energy) = (min_cosine::sample(&state, 0), energy::sample(&state, 0));
        let clusters: Vec<[u32; LANES]> = (0..watch.deltas.len()).map(|k| self.levels.clusters(k)).collect();
        let tracked = self.tracker.map(|mut tracker| {
            lanes_of(self.running).for_each(|lane| tracker.stop(lane));
            tracker.into_records()
        });
        let mut tracked = tracked.unwrap_or_default().into_iter();
        let mut records = Vec::with_capacity(self.lanes.len());
        for (lane, seen) in self.lanes.into_iter().enumerate() {
            let alive = self.alive & lane_bit(lane) != 0;
            let (plateaus, merges) = tracked.next().unwrap_or_default();
            let forever = seen.fate.is_some_and(|fate| fate.end == End::Stationary);
            let collapse_time = self.collapse.times(lane).to_vec();
            let (tokens, attention) = self.portraits.take(lane);
            let fate = seen.fate;
            records.push(ReplicaRecord {
                end: end(&collapse_time, fate.as_ref()),
                collapse_time,
                status: status(fate.as_ref()),
                clusters_final: clusters
                    .iter()
                    .zip(&watch.deltas)
                    .map(|(clusters, delta)| (alive && !delta.is_nan()).then_some(clusters[lane]))
                    .collect(),
                min_cosine_final: (watch.final_state && alive && self.n > 1).then_some(least[lane]),
                energy_final: (watch.final_state && alive).then_some(energy[lane]),
                hemisphere_initial: seen.hemisphere,
                first_plateau: first_metastable(&plateaus, self.n, watch.min_lifetime, forever)
                    .filter(|_| watch.plateaus),
                steps: fate.map_or(scene.step, |fate| fate.steps),
                evaluations: fate.map_or(scene.evaluations, |fate| fate.evaluations),
                plateaus: if watch.plateaus { plateaus } else { Vec::new() },
                merges,
                series: by_column(&seen.rows, watch.columns().len(), watch.samples.len()),
                tokens,
                attention,
                histograms: seen.histograms,
            });
        }
        if let Place::Pair(n) = scene.place {
            for record in &mut records {
                equiangular::expand(record, n);
            }
        }
        records
    }

    /// Writes the rows of all samples from the next one on that are `due` at this state.
    fn sample(&mut self, watch: &Watch, scene: &Scene<'_>, due: impl Fn(u64) -> bool) {
        let wanted = Wanted {
            clusters: watch.series.contains(&Observable::Clusters),
            close: watch.series.contains(&Observable::PairFraction),
        };
        self.levels.update(self.n, &Pairs::of(scene), self.alive, scene.isa, wanted);
        let state = self.state(watch, scene);
        let mut columns: Vec<[f64; LANES]> = Vec::new();
        for observable in &watch.series {
            for variant in 0..watch.columns_of(*observable) {
                let mut values = observable.sample(&state, variant);
                if let Place::Pair(n) = scene.place {
                    equiangular::expand_values(*observable, &mut values, &scene.gram[0], n);
                }
                columns.push(values);
            }
        }
        let mut counts: Vec<Vec<u64>> = vec![Vec::new(); LANES];
        if !watch.histograms.is_empty() {
            for lane in lanes_of(self.alive) {
                counts[lane] = watch.histograms.iter().flat_map(|one| one.count(scene, lane)).collect();
            }
        }
        while watch.samples.get(self.next_sample).is_some_and(|&sample| due(sample)) {
            for lane in lanes_of(self.alive) {
                self.lanes[lane].rows.extend(columns.iter().map(|column| column[lane]));
                self.lanes[lane].histograms.extend_from_slice(&counts[lane]);
            }
            self.next_sample += 1;
        }
    }

    /// What the observables see of a state.
    fn state<'a>(&'a self, watch: &'a Watch, scene: &'a Scene<'a>) -> State<'a> {
        State {
            n: self.n,
            pairs: Pairs::of(scene),
            beta: watch.beta,
            masses: &watch.masses,
            levels: &self.levels,
            lanes: self.alive,
            isa: scene.isa,
            watch,
            scene,
            fixed: std::array::from_fn(|lane| self.lanes.get(lane)?.fixed.as_ref()),
        }
    }

    /// Fixes what observables need of the state at t = 0.
    fn fix(&mut self, watch: &Watch, scene: &Scene<'_>) {
        let needed = |observable: &Observable| observable.needs_centres() || observable.needs_spectrum();
        if !watch.series.iter().any(needed) {
            return;
        }
        for lane in lanes_of(self.running) {
            // Lanes that share their matrices share what follows from them.
            let same = |other: &usize| {
                scene
                    .system
                    .is_some_and(|system| Arc::ptr_eq(&system.parameters(*other), &system.parameters(lane)))
            };
            let before = (0..lane).find(same).and_then(|other| self.lanes[other].fixed.as_ref());
            let fixed = Fixed::of(watch, scene, lane, before);
            self.lanes[lane].fixed = Some(fixed);
        }
    }

    /// A lane's numbers are no longer finite: all that was known of it is what the states before showed.
    fn fail(&mut self, scene: &Scene<'_>, lane: usize) {
        self.leave(scene, lane, End::Failed);
        self.alive &= !lane_bit(lane);
        if let Some(tracker) = &mut self.tracker {
            tracker.stop(lane);
        }
    }

    /// Weights are about to be no numbers any more: nothing is known of what comes after this state, which was recorded.
    pub fn underflow(&mut self, scene: &Scene<'_>) {
        for lane in lanes_of(self.running) {
            self.leave(scene, lane, End::Underflow);
            self.alive &= !lane_bit(lane);
            if let Some(tracker) = &mut self.tracker {
                tracker.stop(lane);
            }
        }
    }

    /// A lane's last step changed nothing, nor will any other; or all that will change is not asked for.
    fn rest(&mut self, watch: &Watch, scene: &Scene<'_>, lane: usize, end: End) {
        self.leave(scene, lane, end);
        if let Some(tracker) = &mut self.tracker {
            tracker.rest(watch, lane);
        }
    }

    fn leave(&mut self, scene: &Scene<'_>, lane: usize, end: End) {
        self.running &= !lane_bit(lane);
        self.lanes[lane].fate = Some(Fate {
            end,
            time: scene.time[lane].time(),
            steps: scene.step,
            evaluations: scene.evaluations,
        });
    }
}

/// Collapse outlasts everything: whatever came after it, the time is known.
fn end(collapse_time: &[Option<f64>], fate: Option<&Fate>) -> End {
    match fate {
        _ if collapse_time.first().is_some_and(Option::is_some) => End::Collapsed,
        Some(fate) => fate.end,
        None => End::Horizon,
    }
}

fn status(fate: Option<&Fate>) -> String {
    match fate {
        Some(Fate { end: End::Failed, time, .. }) => format!("not finite at t = {time}"),
        Some(Fate { end: End::Underflow, time, .. }) => format!("weights below e^-700 at t = {time}"),
        _ => "ok".to_owned(),
    }
}

/// `[sample][column]` to `[column][sample]`; rows that are missing are null.
fn by_column(rows: &[f64], columns: usize, samples: usize) -> Vec<f64> {
    let at = |column: usize, sample: usize| rows.get(sample * columns + column).copied().unwrap_or(f64::NAN);
    (0..columns).flat_map(|column| (0..samples).map(move |sample| at(column, sample))).collect()
}
