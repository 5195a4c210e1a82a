//! How far a run is, for whoever shows it.

use std::time::Duration;

use crate::work::Tally;

/// What the run is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Replicas are being computed.
    Computing,
    /// All replicas are computed; tables are being sealed.
    Sealing,
    /// Asked to end: running replicas are being checkpointed.
    Draining,
    /// Cells, manifest, and away with the staging.
    Finishing,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What it is busy with.
    pub phase: Phase,
    /// Done and to do, over all runs of this dataset.
    pub tally: Tally,
    /// Replicas a second, in this run.
    pub rate: f64,
    /// Until all replicas are computed, as far as is known.
    pub eta: Option<Duration>,
    /// Since this run began.
    pub elapsed: Duration,
    /// Processes at work.
    pub ranks: usize,
    /// Compute threads of all of them.
    pub threads: usize,
}
