//! What a checkpoint keeps of a [`Trajectory`], and how it goes on from there.

use serde::{Deserialize, Serialize};

use super::controller::Controller;
use super::{Ending, Trajectory};
use crate::clock::Instant;
use crate::ensemble::Start;
use crate::ensemble_error::EnsembleError;
use crate::model::Model;
use crate::simd::{Isa, LANES, Pack};

/// What a checkpoint keeps: with the same model, start and tolerance the trajectory goes on bit-equal, on any machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryState {
    /// The state's numbers, as bits.
    state: Vec<[u64; LANES]>,
    members: Vec<u32>,
    masses: Vec<f64>,
    next: f64,
    time: Instant,
    merged: Instant,
    controller: Controller,
    /// Steps in a row in which nothing moved above the tolerance, and which did not grow.
    quiet: u32,
    steps: u64,
    evaluations: u64,
    ending: Option<Ending>,
}

impl TrajectoryState {
    /// Steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

impl Trajectory {
    /// What a checkpoint needs.
    #[must_use]
    pub fn save(&self) -> TrajectoryState {
        TrajectoryState {
            state: self.stepper.after.iter().map(|pack| pack.0.map(f64::to_bits)).collect(),
            members: self.members().to_vec(),
            masses: self.flow.masses(),
            next: self.next,
            time: self.time,
            merged: self.merged,
            controller: self.controller,
            quiet: self.quiet,
            steps: self.steps,
            evaluations: self.evaluations,
            ending: self.ending,
        }
    }

    /// Goes on from `state`, bit-equal; the rest as given to [`Trajectory::new`].
    ///
    /// # Errors
    /// As [`Trajectory::new`], or if the state is that of another replica.
    pub fn restore(
        model: &Model,
        start: &Start,
        tolerance: f64,
        state: &TrajectoryState,
        isa: Isa,
    ) -> Result<Self, EnsembleError> {
        let mut trajectory = Self::new(model, start, tolerance, isa)?;
        let count = state.masses.len();
        let n = model.shown().0;
        let fits = state.members.len() == n
            && (1..=n).contains(&count)
            && state.members.iter().all(|member| (*member as usize) < count);
        let (found, expected) = (state.members.len(), n);
        if !fits {
            return Err(EnsembleError::State { lane: 0, found, expected });
        }
        trajectory.flow.restore(&state.members, &state.masses);
        trajectory.stepper.after = state.state.iter().map(|bits| Pack(bits.map(f64::from_bits))).collect();
        let numbers = trajectory.stepper.after.len();
        if numbers != trajectory.flow.packs() {
            return Err(EnsembleError::State { lane: 0, found: numbers, expected: trajectory.flow.packs() });
        }
        trajectory.time = state.time;
        trajectory.merged = state.merged;
        trajectory.ending = state.ending;
        trajectory.begin();
        trajectory.ending = state.ending;
        trajectory.controller = state.controller;
        trajectory.next = state.next;
        trajectory.quiet = state.quiet;
        trajectory.steps = state.steps;
        trajectory.evaluations = state.evaluations;
        Ok(trajectory)
    }
}
