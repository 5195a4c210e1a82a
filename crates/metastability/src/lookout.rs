//! Shows a recorder what it needs of a replica that takes adaptive steps.
//!
//! The recorder looks at states one after another and takes cosines between two of them as linear. Of steps that may be 10^40 long it is
//! therefore shown: the state at every moment that was asked for, and, wherever the *picture* changes within a step, the states just
//! before and just after, a millionth of the step apart and interpolated by the integrator's own continuous extension. The picture is all that
//! plateaus, merges and collapse are made of: the partitions at δ_lo and 10·δ_lo, whether the state is resolved, the δ that have been
//! reached. States in which it does not change would change nothing in the recorder, and are not shown: most steps cost one comparison
//! a pair of points.
//!
//! Called by the simulation loop in place of [`Recorder::observe`]. Moments are times here: the state of moment k of
//! [`Watch::moments`] has the number 2k + 1, and every other state an even one between.

use std::sync::Arc;

use metasweep_dynamics::ensemble::pair_index;
use metasweep_dynamics::model::Geometry;
use metasweep_dynamics::parameters::Parameters;
use metasweep_dynamics::simd::{Isa, LANES, Pack};
use metasweep_dynamics::trajectory::{Ending, Trajectory, gap};

use crate::clock::Instant;
use crate::partition::Partition;
use crate::record::ReplicaRecord;
use crate::recorder::Recorder;
use crate::scene::{Place, Placed, Scene, System};
use crate::watch::Watch;

/// A change is located within this share of its step; the recorder interpolates within.
const SHARE: f64 = 1.0 / (1 << 20) as f64;

/// A recorder of one replica, and what it was shown last.
#[derive(Debug)]
pub struct Lookout<'a> {
    watch: &'a Watch,
    recorder: Recorder,
    /// Moments shown.
    next: usize,
    is_done: bool,
    isa: Isa,
    shown: Shown,
    /// Points of a state between, and 1 − ⟨x_i, x_j⟩ before the step and between.
    points: Vec<f64>,
    before: Vec<f64>,
    gaps: Vec<f64>,
}

/// A state as the recorder sees it.
#[derive(Debug, Default)]
struct Shown {
    tokens: Vec<Pack>,
    gram: Vec<Pack>,
    number: u64,
    time: Instant,
    /// The replica's n × d numbers.
    rows: Vec<f64>,
}

/// What the recorder makes everything of, at the points of one state.
#[derive(Debug, PartialEq)]
struct Picture {
    low: Partition,
    held: Partition,
    resolved: bool,
    reached: usize,
}

impl<'a> Lookout<'a> {
    /// Shows the start to a recorder that has seen nothing.
    #[must_use]
    pub fn new(watch: &'a Watch, recorder: Recorder, trajectory: &Trajectory, isa: Isa) -> Self {
        let mut lookout = Self::over(watch, recorder, isa);
        let is_moment = watch.moments.first() == Some(&0.0);
        lookout.next = usize::from(is_moment);
        lookout.show(trajectory, trajectory.points(), Instant::default(), u64::from(is_moment), 0);
        lookout.rest(trajectory);
        lookout
    }

    /// Goes on with a recorder that has seen all up to the trajectory's time.
    #[must_use]
    pub fn resume(watch: &'a Watch, recorder: Recorder, trajectory: &Trajectory, isa: Isa) -> Self {
        let mut lookout = Self::over(watch, recorder, isa);
        let now = trajectory.time();
        lookout.next = watch.moments.partition_point(|moment| Instant::at(*moment).since(now) <= 0.0);
        lookout
    }

    fn over(watch: &'a Watch, recorder: Recorder, isa: Isa) -> Self {
        Self {
            watch,
            recorder,
            next: 0,
            is_done: false,
            isa,
            shown: Shown::default(),
            points: Vec::new(),
            before: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// Whether the replica has come to its end or to the horizon.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// The recorder, for a checkpoint between two steps.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Lets the replica take one step, and the recorder see what there is to see in it.
    pub fn step(&mut self, trajectory: &mut Trajectory) {
        if trajectory.is_due_to_merge() {
            // Whatever crosses a threshold by merging does so at one time.
            let now = trajectory.time();
            self.show(trajectory, trajectory.points(), now, self.between_moments(), 0);
            trajectory.merge();
            self.show(trajectory, trajectory.points(), now, self.between_moments(), 0);
            self.rest(trajectory);
        }
        if self.is_done {
            return;
        }
        self.before.clear();
        self.before.extend_from_slice(trajectory.gaps());
        trajectory.advance();
        let to = trajectory.time();
        let horizon = self.watch.horizon();
        let is_last = to.since(horizon) >= 0.0;
        let end = if is_last { trajectory.share_at(horizon) } else { 1.0 };
        let mut changes = self.changes(trajectory, end).into_iter().peekable();
        let moments = &self.watch.moments[self.next..];
        let due = moments.iter().take_while(|moment| Instant::at(**moment).since(to) <= 0.0).count();
        for moment in &moments[..due] {
            let share = trajectory.share_at(Instant::at(*moment));
            while let Some(change) = changes.next_if(|change| *change < share) {
                let time = trajectory.instant_at(change);
                self.show_at(trajectory, change, time, false);
            }
            self.show_at(trajectory, share, Instant::at(*moment), true);
        }
        for change in changes {
            let time = trajectory.instant_at(change);
            self.show_at(trajectory, change, time, false);
        }
        if is_last {
            if self.shown.time != horizon || trajectory.steps() == 0 {
                self.show_at(trajectory, end, horizon, false);
            }
            self.is_done = true;
        } else {
            self.rest(trajectory);
        }
    }

    /// The record. Rows of moments not reached are filled in if the replica is stationary, and null if it has failed.
    #[must_use]
    pub fn finish(mut self, trajectory: &Trajectory) -> Option<ReplicaRecord> {
        if self.shown.tokens.is_empty() {
            // Gone on with at its end.
            self.shown.fill(trajectory, trajectory.points(), trajectory.time(), self.between_moments());
        }
        let mut records = {
            let system = Seen { trajectory, shown: &self.shown };
            let scene = self.shown.scene(trajectory, &system, self.isa, 0, true);
            self.recorder.conclude(self.watch, &scene)
        };
        let mut record = records.pop()?;
        record.steps = trajectory.steps();
        record.evaluations = trajectory.evaluations();
        Some(record)
    }

    /// The number of a state between two moments.
    fn between_moments(&self) -> u64 {
        2 * self.next as u64
    }

    /// If there is an ending, lets the recorder know.
    fn rest(&mut self, trajectory: &Trajectory) {
        let Some(ending) = trajectory.ending() else { return };
        self.is_done = true;
        let now = trajectory.time();
        let number = self.between_moments();
        match ending {
            Ending::Stationary => self.show(trajectory, trajectory.points(), now, number, 1),
            Ending::Underflow | Ending::Failed => {
                self.show(trajectory, trajectory.points(), now, number, 0);
                let system = Seen { trajectory, shown: &self.shown };
                let scene = self.shown.scene(trajectory, &system, self.isa, 0, ending == Ending::Underflow);
                if ending == Ending::Underflow {
                    self.recorder.underflow(&scene);
                } else {
                    self.recorder.record(self.watch, &scene);
                }
            }
        }
    }

    /// Shows the state at a share of the last step, as the next moment or as a state between.
    fn show_at(&mut self, trajectory: &mut Trajectory, share: f64, time: Instant, is_moment: bool) {
        let number = self.between_moments() + u64::from(is_moment);
        self.next += usize::from(is_moment);
        let mut points = std::mem::take(&mut self.points);
        trajectory.points_at(share, &mut points);
        self.show(trajectory, &points, time, number, 0);
        self.points = points;
    }

    fn show(&mut self, trajectory: &Trajectory, points: &[f64], time: Instant, number: u64, stationary: u8) {
        self.shown.fill(trajectory, points, time, number);
        let system = Seen { trajectory, shown: &self.shown };
        let scene = self.shown.scene(trajectory, &system, self.isa, stationary, true);
        self.recorder.record(self.watch, &scene);
    }

    /// Shares of the last step, ascending and up to `end`, just before and just after which the picture changes.
    fn changes(&mut self, trajectory: &mut Trajectory, end: f64) -> Vec<f64> {
        let mut changes = Vec::new();
        if !self.has_crossed(trajectory.gaps()) {
            return changes;
        }
        let count = trajectory.count();
        let first = self.picture(count, &self.before);
        let last =
            if end < 1.0 { self.picture_at(trajectory, end) } else { self.picture(count, trajectory.gaps()) };
        self.locate(trajectory, (0.0, &first), (end, &last), &mut changes);
        changes.dedup();
        changes
    }

    /// Halves the step wherever the picture at two ends differs.
    fn locate(
        &mut self,
        trajectory: &mut Trajectory,
        (from, before): (f64, &Picture),
        (to, after): (f64, &Picture),
        changes: &mut Vec<f64>,
    ) {
        if before == after {
            return;
        }
        if to - from <= SHARE {
            changes.extend([from, to]);
            return;
        }
        let middle = 0.5 * (from + to);
        let picture = self.picture_at(trajectory, middle);
        self.locate(trajectory, (from, before), (middle, &picture), changes);
        self.locate(trajectory, (middle, &picture), (to, after), changes);
    }

    /// Whether any pair of points crossed a threshold in the step.
    fn has_crossed(&self, after: &[f64]) -> bool {
        let watch = self.watch;
        let levels = [watch.apart(), watch.joined(), watch.held()];
        let tracked = if watch.plateaus || watch.merges { &levels[..] } else { &[] };
        let crossed = |(before, after): (&f64, &f64)| {
            let is_close = |gap: &f64, level: f64| 1.0 - gap >= level;
            tracked.iter().any(|level| is_close(before, *level) != is_close(after, *level))
        };
        self.before.iter().zip(after).any(crossed) || self.reached(&self.before) != self.reached(after)
    }

    /// How many δ all pairs are within.
    fn reached(&self, gaps: &[f64]) -> usize {
        let least = gaps.iter().fold(f64::INFINITY, |least, gap| least.min(1.0 - gap));
        self.watch.deltas.iter().filter(|delta| least >= 1.0 - **delta).count()
    }

    fn picture_at(&mut self, trajectory: &mut Trajectory, share: f64) -> Picture {
        let mut points = std::mem::take(&mut self.points);
        trajectory.points_at(share, &mut points);
        let count = trajectory.count();
        let d = points.len() / count;
        let mut gaps = std::mem::take(&mut self.gaps);
        gaps.clear();
        for i in 0..count {
            gaps.extend((i + 1..count).map(|j| gap(&points, d, i, j)));
        }
        let picture = self.picture(count, &gaps);
        (self.points, self.gaps) = (points, gaps);
        picture
    }

    fn picture(&self, count: usize, gaps: &[f64]) -> Picture {
        let watch = self.watch;
        let close = |level: f64| {
            let pairs = (0..count).flat_map(move |i| (i + 1..count).map(move |j| (i, j)));
            pairs.zip(gaps).filter(move |(_, gap)| 1.0 - **gap >= level).map(|(pair, _)| pair)
        };
        let nothing = || Partition::components(count, std::iter::empty());
        let reached = self.reached(gaps);
        if !(watch.plateaus || watch.merges) {
            return Picture { low: nothing(), held: nothing(), resolved: false, reached };
        }
        let low = Partition::components(count, close(watch.joined()));
        let held = if watch.merges { Partition::components(count, close(watch.held())) } else { nothing() };
        let resolved = close(watch.apart()).all(|(i, j)| low.together(i, j));
        Picture { low, held, resolved, reached }
    }
}

impl Shown {
    /// All n tokens of a state, each where its point is.
    fn fill(&mut self, trajectory: &Trajectory, points: &[f64], time: Instant, number: u64) {
        let members = trajectory.members();
        let (n, count) = (members.len(), trajectory.count());
        let d = points.len() / count;
        (self.time, self.number) = (time, number);
        self.rows.clear();
        for member in members {
            let member = *member as usize;
            self.rows.extend_from_slice(&points[member * d..(member + 1) * d]);
        }
        self.tokens.clear();
        self.tokens.extend(self.rows.iter().map(|x| Pack::splat(*x)));
        // Each cosine of points once.
        let mut cosines = vec![1.0; count * count];
        for i in 0..count {
            for j in i + 1..count {
                let cosine = 1.0 - gap(points, d, i, j);
                (cosines[i * count + j], cosines[j * count + i]) = (cosine, cosine);
            }
        }
        self.gram.resize(n * (n - 1) / 2, Pack::ZERO);
        for i in 0..n {
            for j in i + 1..n {
                let at = members[i] as usize * count + members[j] as usize;
                self.gram[pair_index(n, i, j)] = Pack::splat(cosines[at]);
            }
        }
    }

    fn scene<'s>(
        &'s self,
        trajectory: &Trajectory,
        system: &'s dyn System,
        isa: Isa,
        stationary: u8,
        is_finite: bool,
    ) -> Scene<'s> {
        let model = trajectory.model();
        let place = match model.geometry {
            Geometry::Euclidean | Geometry::Rescaled => Place::Euclidean,
            Geometry::Equiangular => Place::Pair(model.n),
            Geometry::Sphere | Geometry::Circle => Place::Sphere,
        };
        Scene {
            n: trajectory.members().len(),
            step: self.number,
            time: [self.time; LANES],
            place,
            gram: &self.gram,
            tokens: Placed::Here(&self.tokens),
            stationary,
            finite: u8::from(is_finite),
            stays_together: false,
            evaluations: trajectory.evaluations(),
            isa,
            system: Some(system),
        }
    }
}

/// The particle system at a state of its trajectory.
struct Seen<'a> {
    trajectory: &'a Trajectory,
    shown: &'a Shown,
}

impl System for Seen<'_> {
    fn parameters(&self, _: usize) -> Arc<Parameters> {
        self.trajectory.parameters()
    }
    fn attention_weights(&self, _: usize) -> Vec<Vec<f64>> {
        self.trajectory.attention_weights(&self.shown.rows, self.shown.time.time())
    }
}
