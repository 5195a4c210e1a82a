//! A segment's replicas, computed: the one place where seeds, models and observers meet.

use std::ops::Range;

use metasweep_dynamics::ensemble::{Ensemble, EnsembleError, EnsembleState, Start};
use metasweep_dynamics::simd::{Isa, LANES};
use metasweep_dynamics::trajectory::{Trajectory, TrajectoryState};
use metasweep_metastability::lookout::Lookout;
use metasweep_metastability::record::{End, ReplicaRecord};
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::watch::Watch;
use serde::{Deserialize, Serialize};

use crate::chunk::Segment;
use crate::start::Prepared;
use crate::sweep::Sweep;

/// Steps between two looks at `interrupted`, at most.
const STEPS_BETWEEN: u64 = 64;
/// Pairs of tokens that go by between two looks, at least: fewer steps where there are many tokens.
const PAIRS_BETWEEN: u64 = 1 << 20;

/// Steps between two looks: a fraction of a second, however many tokens.
fn steps_between(n: usize) -> u64 {
    (PAIRS_BETWEEN / (n as u64 * n as u64).max(1)).clamp(1, STEPS_BETWEEN)
}

/// Replicas stopped in the middle; goes on bit-equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The replicas in the lanes (at most LANES of one cell).
    pub segment: Segment,
    /// Integrator state.
    pub motion: Motion,
    /// Observer state.
    pub recorder: Recorder,
}

/// Where the integrator was stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Motion {
    /// Fixed steps of several replicas.
    Ensemble(EnsembleState),
    /// Adaptive steps of one.
    Trajectory(Box<TrajectoryState>),
}

impl Motion {
    /// Steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        match self {
            Motion::Ensemble(state) => state.steps(),
            Motion::Trajectory(state) => state.steps(),
        }
    }
}

/// What came of a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Records of the segment's first replicas, in order; all of them unless interrupted.
    pub records: Vec<ReplicaRecord>,
    /// The ensemble that was interrupted, if any.
    pub checkpoint: Option<Checkpoint>,
}

/// Computes `segment`, from `resume` where its first replicas were stopped before (same segment start).
///
/// `interrupted` is asked before every ensemble and every 64 steps (more often where tokens are many), with the number of ensemble steps that this call has
/// taken; once it says yes, the running ensemble is checkpointed and returned (no checkpoint if it had not begun).
/// The records do not depend on how replicas are cut into segments, on interruptions, nor on `isa`.
///
/// A replica whose tokens or matrices cannot be drawn has a record that says so; nothing here panics.
pub fn simulate(
    sweep: &Sweep,
    segment: &Segment,
    resume: Option<&Checkpoint>,
    isa: Isa,
    interrupted: &dyn Fn(u64) -> bool,
) -> Outcome {
    let mut records = Vec::with_capacity(segment.replicas.len());
    let Some(cell) = sweep.cells.get(segment.cell as usize) else {
        return Outcome { records, checkpoint: None };
    };
    let prepared = match Prepared::new(sweep, cell) {
        Ok(prepared) => prepared,
        Err(reason) => {
            let watch = crate::start::watch(cell, &sweep.observe);
            records.extend(segment.replicas.clone().map(|_| failed(&watch, &reason)));
            return Outcome { records, checkpoint: None };
        }
    };
    let mut resume = resume.filter(|checkpoint| continues(checkpoint, segment));
    let mut taken = 0;
    let mut next = segment.replicas.start;
    while next < segment.replicas.end {
        if interrupted(taken) {
            // A checkpoint that was not gone on with stays what it is.
            return Outcome { records, checkpoint: resume.cloned() };
        }
        let end = match resume {
            Some(checkpoint) => checkpoint.segment.replicas.end,
            None => segment.replicas.end.min(next.saturating_add(prepared.abreast())),
        };
        let batch = Batch::new(&prepared, segment.cell, next..end);
        match batch.run(resume.take(), isa, &mut taken, interrupted) {
            Ok(finished) => records.extend(finished),
            Err(checkpoint) => return Outcome { records, checkpoint: Some(*checkpoint) },
        }
        next = end;
    }
    Outcome { records, checkpoint: None }
}

/// Whether a checkpoint is of the segment's first replicas.
fn continues(checkpoint: &Checkpoint, segment: &Segment) -> bool {
    let (of, replicas) = (&checkpoint.segment.replicas, &segment.replicas);
    checkpoint.segment.cell == segment.cell
        && of.start == replicas.start
        && of.end <= replicas.end
        && (1..=LANES).contains(&of.len())
}

/// The replicas of one ensemble.
struct Batch<'a> {
    prepared: &'a Prepared<'a>,
    segment: Segment,
    /// Of the replicas that could be drawn, in order, and their numbers.
    starts: Vec<Start>,
    numbers: Vec<u32>,
    /// Why the others could not, by position.
    failures: Vec<(usize, String)>,
}

impl<'a> Batch<'a> {
    fn new(prepared: &'a Prepared<'a>, cell: u32, replicas: Range<u32>) -> Self {
        let (mut starts, mut numbers, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for (position, replica) in replicas.clone().enumerate() {
            match prepared.start(replica) {
                Ok(start) => {
                    starts.push(start);
                    numbers.push(replica);
                }
                Err(reason) => failures.push((position, reason)),
            }
        }
        Batch { prepared, segment: Segment { cell, replicas }, starts, numbers, failures }
    }

    /// The ensemble and its recorder, at the start or as the checkpoint left them.
    fn begin(&self, resume: Option<&Checkpoint>, isa: Isa) -> Result<(Ensemble, Recorder), EnsembleError> {
        let (model, watch) = (&self.prepared.model, &self.prepared.watch);
        if let Some(Checkpoint { motion: Motion::Ensemble(state), recorder, .. }) = resume {
            let ensemble = Ensemble::restore(model, &self.starts, state, isa)?;
            return Ok((ensemble, recorder.clone()));
        }
        let mut ensemble = Ensemble::new(model, &self.starts, isa)?;
        let (tokens, attention) = self.prepared.portraits(&self.numbers);
        let mut recorder =
            Recorder::new(watch, model.shown().0, self.starts.len()).with_portraits(tokens, attention);
        recorder.observe(watch, &mut ensemble);
        Ok((ensemble, recorder))
    }

    /// All records, or the checkpoint if interrupted.
    fn run(
        self,
        resume: Option<&Checkpoint>,
        isa: Isa,
        taken: &mut u64,
        interrupted: &dyn Fn(u64) -> bool,
    ) -> Result<Vec<ReplicaRecord>, Box<Checkpoint>> {
        let watch = &self.prepared.watch;
        if self.prepared.model.integrator.is_adaptive() {
            return self.run_adaptive(resume, isa, taken, interrupted);
        }
        let mut records = Vec::new();
        // A checkpoint of something else is of no use: the replicas start anew.
        let begun = self.begin(resume, isa).or_else(|_| self.begin(None, isa));
        match begun {
            _ if self.starts.is_empty() => {}
            Err(error) => {
                records.extend(self.starts.iter().map(|_| failed(watch, &error.to_string())));
            }
            Ok((mut ensemble, mut recorder)) => {
                let between = steps_between(ensemble.model().shown().0);
                while ensemble.steps() < watch.steps && !recorder.settled() {
                    ensemble.step();
                    recorder.observe(watch, &mut ensemble);
                    *taken += 1;
                    if taken.is_multiple_of(between) && interrupted(*taken) {
                        let motion = Motion::Ensemble(ensemble.save());
                        return Err(Box::new(Checkpoint { segment: self.segment, motion, recorder }));
                    }
                }
                records = recorder.finish(watch, &mut ensemble);
            }
        }
        for (position, reason) in self.failures {
            records.insert(position, failed(watch, &reason));
        }
        Ok(records)
    }

    /// The same for adaptive steps: a batch of one replica.
    fn run_adaptive(
        self,
        resume: Option<&Checkpoint>,
        isa: Isa,
        taken: &mut u64,
        interrupted: &dyn Fn(u64) -> bool,
    ) -> Result<Vec<ReplicaRecord>, Box<Checkpoint>> {
        let Prepared { model, watch, .. } = self.prepared;
        let failure = |reason: &str| vec![failed(watch, reason)];
        let Some(start) = self.starts.first() else {
            return Ok(self.failures.iter().map(|(_, reason)| failed(watch, reason)).collect());
        };
        let tolerance = self.prepared.tolerance();
        let resumed = resume.and_then(|checkpoint| match &checkpoint.motion {
            Motion::Trajectory(state) => Trajectory::restore(model, start, tolerance, state, isa)
                .ok()
                .map(|trajectory| (trajectory, checkpoint.recorder.clone())),
            Motion::Ensemble(_) => None,
        });
        let (mut trajectory, mut lookout) = if let Some((trajectory, recorder)) = resumed {
            let lookout = Lookout::resume(watch, recorder, &trajectory, isa);
            (trajectory, lookout)
        } else {
            let trajectory = match Trajectory::new(model, start, tolerance, isa) {
                Ok(trajectory) => trajectory,
                Err(error) => return Ok(failure(&error.to_string())),
            };
            let (tokens, attention) = self.prepared.portraits(&self.numbers);
            let recorder = Recorder::new(watch, model.shown().0, 1).with_portraits(tokens, attention);
            let lookout = Lookout::new(watch, recorder, &trajectory, isa);
            (trajectory, lookout)
        };
        let between = steps_between(model.shown().0);
        while !lookout.is_done() {
            lookout.step(&mut trajectory);
            *taken += 1;
            if taken.is_multiple_of(between) && !lookout.is_done() && interrupted(*taken) {
                let motion = Motion::Trajectory(Box::new(trajectory.save()));
                let recorder = lookout.recorder().clone();
                return Err(Box::new(Checkpoint { segment: self.segment, motion, recorder }));
            }
        }
        Ok(lookout.finish(&trajectory).map_or_else(|| failure("no record was left"), |record| vec![record]))
    }
}

/// The record of a replica that could not start.
fn failed(watch: &Watch, reason: &str) -> ReplicaRecord {
    ReplicaRecord {
        collapse_time: vec![None; watch.deltas.len()],
        end: End::Failed,
        status: reason.to_owned(),
        clusters_final: vec![None; watch.deltas.len()],
        min_cosine_final: None,
        energy_final: None,
        hemisphere_initial: None,
        first_plateau: None,
        steps: 0,
        evaluations: 0,
        plateaus: Vec::new(),
        merges: Vec::new(),
        series: vec![f64::NAN; watch.columns().len() * watch.samples.len()],
        tokens: Vec::new(),
        attention: Vec::new(),
        histograms: Vec::new(),
    }
}
