//! One replica by adaptive steps: the integrators `adaptive` and `multiscale`.
//!
//! A [`Trajectory`] takes steps as long as the tolerance allows ([`dormand_prince`], [`controller`]) through an equation that it knows as a
//! [`flow`], and shows the state anywhere within its last step. The observers step it, look for what crossed a threshold, and let points
//! that have met [merge](Trajectory::merge). Nothing is shared between replicas, so bits depend on the replica alone; tokens, not
//! replicas, fill the lanes.
//!
//! `tolerance` bounds the local error of a step: the geodesic distance by which any token is off, times β where that is above 1. That is
//! what a displacement is worth in the logarithm of the time of a merge, as rates there go like e^{βg}. Early errors of a stage count most:
//! what later ones add to time falls geometrically. So the logarithm of a collapse time is good to about the
//! tolerance, at any β.
//!
//! Steps end where they end: sample times and the horizon are interpolated, and change no bit of what follows.

mod controller;
mod dormand_prince;
mod flow;
mod general;
mod multiscale;
mod saved;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::attention::weights;
use crate::clock::Instant;
use crate::ensemble::Start;
use crate::ensemble_error::EnsembleError;
use crate::geometry::rescaled::scored;
use crate::model::{Geometry, Integrator, Model};
use crate::parameters::{Head, Parameters};
use crate::simd::{Isa, Pack};
use controller::Controller;
use dormand_prince::{DormandPrince, EVALUATIONS};
use flow::Flow;
use general::General;
pub use saved::TrajectoryState;

/// Longest step, in t and in τ: a horizon of 1e300 is still reached without overflow.
const LONGEST: f64 = 1e301;
/// Quiet steps after which a replica is at rest.
const QUIET: u32 = 20;
/// Attempts at one step before the replica is given up.
const ATTEMPTS: u32 = 500;

/// Why a trajectory takes no more steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// No token moves any more: each velocity is zero, or the rounding error of the terms that make it up.
    Stationary,
    /// β(1 − min cos) is above 700: weights are about to be no numbers any more.
    Underflow,
    /// No step is short enough.
    Failed,
}

/// One replica on its way.
pub struct Trajectory {
    flow: Box<dyn Flow>,
    stepper: DormandPrince,
    controller: Controller,
    tolerance: f64,
    /// Length of the next attempt, in the flow's unit.
    next: f64,
    time: Instant,
    time_before: Instant,
    /// When points last became one.
    merged: Instant,
    /// The points of the current state, `[point][coordinate]`, and 1 − ⟨x_i, x_j⟩, i < j.
    points: Vec<f64>,
    gaps: Vec<f64>,
    /// Room for a state between.
    between: Vec<Pack>,
    model: Model,
    beta: f64,
    parameters: Arc<Parameters>,
    /// Steps in a row in which nothing moved above the tolerance, and which did not grow.
    quiet: u32,
    steps: u64,
    evaluations: u64,
    ending: Option<Ending>,
}

/// 1 − ⟨x_i, x_j⟩ of two rows, exact to rounding where they are close: ‖x_i − x_j‖²/2.
#[must_use]
pub fn gap(points: &[f64], d: usize, i: usize, j: usize) -> f64 {
    let (a, b) = (&points[i * d..(i + 1) * d], &points[j * d..(j + 1) * d]);
    0.5 * a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + (a - b) * (a - b))
}

impl Trajectory {
    /// A replica at its start. The start's step is not looked at.
    ///
    /// # Errors
    /// If the start does not fit the model, or the model is not one that `multiscale` is for.
    pub fn new(model: &Model, start: &Start, tolerance: f64, isa: Isa) -> Result<Self, EnsembleError> {
        let mut checked = start.clone();
        checked.step = 0.0;
        crate::ensemble_error::check(model, std::slice::from_ref(&checked), isa)?;
        let mut stepper = DormandPrince::new(isa);
        let flow: Box<dyn Flow> = match model.integrator {
            Integrator::Multiscale => {
                let flow = multiscale::of(model, start, isa)?;
                stepper.after = flow.state(&start.tokens);
                Box::new(flow)
            }
            Integrator::Adaptive => {
                let flow = General::new(model, start, isa)?;
                stepper.after = flow.state(start);
                Box::new(flow)
            }
            _ => return Err(EnsembleError::Adaptive),
        };
        let mut trajectory = Self {
            flow,
            stepper,
            controller: Controller::new(),
            tolerance,
            next: 0.0,
            time: Instant::default(),
            time_before: Instant::default(),
            merged: Instant::default(),
            points: Vec::new(),
            gaps: Vec::new(),
            between: Vec::new(),
            model: model.clone(),
            beta: start.beta,
            parameters: Arc::clone(&start.parameters),
            quiet: 0,
            steps: 0,
            evaluations: 0,
            ending: None,
        };
        if !trajectory.flow.settle(&mut trajectory.stepper.after) {
            trajectory.ending = Some(Ending::Failed);
        }
        trajectory.begin();
        trajectory.next = trajectory.guess();
        Ok(trajectory)
    }

    /// Computes what belongs to the current state but its slope is not there yet.
    fn begin(&mut self) {
        self.stepper.begin(&mut *self.flow, self.time.time());
        self.between.resize(self.stepper.after.len(), Pack::ZERO);
        self.evaluations += 1;
        self.time_before = self.time;
        self.look();
    }

    /// Brings points, gaps and ending up to date.
    fn look(&mut self) {
        self.flow.points(&self.stepper.after, &mut self.points);
        let (count, d, points) = (self.flow.count(), self.model.shown().1, &self.points);
        self.gaps.clear();
        for i in 0..count {
            self.gaps.extend((i + 1..count).map(|j| gap(points, d, i, j)));
        }
        let ending = self.flow.ending(self.stepper.slope(), self.stepper.rate(), &self.gaps);
        self.ending = self.ending.or(ending);
    }

    /// A first length: what changes rates by about as much as the tolerance allows.
    fn guess(&self) -> f64 {
        let speed = self.flow.speed(self.stepper.slope());
        let length = 2.0 * libm::pow(self.tolerance, controller::ORDER) / speed;
        self.capped(if length.is_finite() { length } else { LONGEST })
    }

    fn capped(&self, length: f64) -> f64 {
        length.min(self.flow.longest()).min(LONGEST / self.stepper.rate()).min(LONGEST)
    }

    /// One step. Does nothing once there is an [`ending`](Self::ending).
    pub fn advance(&mut self) {
        if self.ending.is_some() {
            return;
        }
        self.stepper.turn();
        let (t, since) = (self.time.time(), self.time.since(self.merged));
        for _ in 0..ATTEMPTS {
            let length = self.next;
            let error = self.stepper.attempt(&mut *self.flow, t, since, length) / self.tolerance;
            self.evaluations += EVALUATIONS;
            let (factor, good) = self.controller.judge(length, error);
            self.next = length * factor;
            if good {
                self.next = self.capped(self.next);
                self.time_before = self.time;
                self.time = self.time.later(self.stepper.duration());
                self.steps += 1;
                self.look();
                if self.flow.rests() {
                    self.listen(length);
                }
                return;
            }
        }
        self.stepper.turn_back();
        self.time_before = self.time;
        self.ending = Some(Ending::Failed);
    }

    /// Explicit steps towards a state of rest do not grow, as the system's fast rates bound them, and jitter below the tolerance: after
    /// enough of them nothing moves any more that this tolerance could see.
    fn listen(&mut self, length: f64) {
        let (before, after) = (&self.stepper.before, &self.stepper.after);
        let moved = self.between.iter_mut().zip(before.iter().zip(after));
        moved.for_each(|(moved, (a, b))| *moved = Pack(std::array::from_fn(|lane| b.0[lane] - a.0[lane])));
        let is_quiet = self.flow.worth(before, &self.between) <= self.tolerance && self.next < 2.0 * length;
        self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
        if self.quiet >= QUIET {
            self.ending = Some(Ending::Stationary);
        }
    }

    /// Whether [`merge`](Self::merge) would make points one.
    #[must_use]
    pub fn is_due_to_merge(&self) -> bool {
        self.ending.is_none() && self.flow.is_due_to_merge(&self.gaps)
    }

    /// Makes points that no observer can tell apart one. Says whether there were any; the last step cannot be looked into then.
    pub fn merge(&mut self) -> bool {
        if self.ending.is_some() || !self.flow.merge(&mut self.stepper.after, &self.gaps) {
            return false;
        }
        self.merged = self.time;
        self.begin();
        self.controller = Controller::new();
        self.next = self.guess();
        true
    }

    /// The time.
    #[must_use]
    pub fn time(&self) -> Instant {
        self.time
    }

    /// The time at which the last step began.
    #[must_use]
    pub fn time_before(&self) -> Instant {
        self.time_before
    }

    /// Steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Evaluations of the right side so far, those of rejected steps included, those of a look into a step not.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// Why no more steps are taken, if none are.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Number of points that move: of tokens, less those that have merged.
    #[must_use]
    pub fn count(&self) -> usize {
        self.flow.count()
    }

    /// The point that each token is part of.
    #[must_use]
    pub fn members(&self) -> &[u32] {
        self.flow.members()
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The matrices.
    #[must_use]
    pub fn parameters(&self) -> Arc<Parameters> {
        Arc::clone(&self.parameters)
    }

    /// `w_ij` at n tokens, row-major, and time t, for each head n × n numbers: as [`Ensemble`](crate::ensemble::Ensemble) has them.
    #[must_use]
    pub fn attention_weights(&self, tokens: &[f64], t: f64) -> Vec<Vec<f64>> {
        let of = |head: &Head| {
            if self.model.geometry != Geometry::Rescaled {
                return weights(&self.model, self.beta, head, tokens);
            }
            let clock = General::clock(t);
            let (points, scale) = scored(&head.value, false, &clock, 0, tokens, self.model.d);
            weights(&self.model, self.beta * scale, head, &points)
        };
        self.parameters.heads.iter().map(of).collect()
    }

    /// The points of the current state, `[point][coordinate]`.
    #[must_use]
    pub fn points(&self) -> &[f64] {
        &self.points
    }

    /// 1 − ⟨x_i, x_j⟩ of the current points, i < j, row by row.
    #[must_use]
    pub fn gaps(&self) -> &[f64] {
        &self.gaps
    }

    /// The instant at `share` ∈ [0, 1] of the last step.
    pub fn instant_at(&mut self, share: f64) -> Instant {
        if share >= 1.0 {
            return self.time;
        }
        if share <= 0.0 {
            return self.time_before;
        }
        let elapsed = self.stepper.elapsed(&mut *self.flow, self.time_before.time(), share);
        self.time_before.later(elapsed.clamp(0.0, self.stepper.duration()))
    }

    /// The share of the last step that has gone by at an instant; what lies before or after it counts as its end.
    pub fn share_at(&mut self, instant: Instant) -> f64 {
        let (elapsed, duration) = (instant.since(self.time_before), self.stepper.duration());
        if elapsed <= 0.0 {
            return 0.0;
        }
        if elapsed >= duration {
            return 1.0;
        }
        // Time grows along the step, so halving finds it; 60 times reach the last bit of any share above 10⁻².
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.stepper.elapsed(&mut *self.flow, self.time_before.time(), middle) <= elapsed {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The points at `share` ∈ [0, 1] of the last step, `[point][coordinate]`, into `out`.
    pub fn points_at(&mut self, share: f64, out: &mut Vec<f64>) {
        if share >= 1.0 {
            out.clone_from(&self.points);
        } else if share <= 0.0 {
            self.flow.points(&self.stepper.before, out);
        } else {
            let t = self.time_before.time();
            self.stepper.between(&mut *self.flow, t, share, &mut self.between);
            self.flow.settle(&mut self.between);
            self.flow.points(&self.between, out);
        }
    }
}

impl std::fmt::Debug for Trajectory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { time, steps, ending, .. } = self;
        let mut shown = formatter.debug_struct("Trajectory");
        shown.field("time", time).field("steps", steps).field("ending", ending).finish_non_exhaustive()
    }
}
