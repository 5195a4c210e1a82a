//! What the machinery of this crate needs to know of the work it hands around: two small traits.
//!
//! [`crate::dataset`] implements them over the store; the tests implement them over memory, so that the
//! lead, the members and the messages between them run without a disk.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What travels between processes.
pub trait Cargo: Clone + Serialize + DeserializeOwned + Send + 'static {}
impl<T: Clone + Serialize + DeserializeOwned + Send + 'static> Cargo for T {}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Done.
    Complete,
    /// Halted in the middle or never begun; what was reported of it counts.
    Interrupted,
}

/// Why a run cannot go on: a full sentence, and the exit code it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What went wrong, where.
    pub message: String,
    /// Exit code (docs/commands.md): 1 failed, 3 damaged, 4 in use.
    pub exit_code: u8,
}

impl Failure {
    /// A failure with exit code 1.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 1 }
    }
}

/// What the compute threads of a process do. Shared by all of them.
pub trait Work: Send + Sync + 'static {
    /// What is to be done.
    type Task: Cargo;
    /// What is reported of it.
    type Receipt: Cargo;

    /// Does `task`, reporting as it goes; asks `halt` every few steps, and once it says yes writes what there is
    /// and returns.
    ///
    /// # Errors
    /// If rows cannot be written. The run ends.
    fn perform(
        &self,
        task: &Self::Task,
        halt: &dyn Fn() -> bool,
        report: &mut dyn FnMut(Self::Receipt),
    ) -> Result<Ending, Failure>;

    /// How long what was reported may wait for [`Self::sync`].
    fn patience(&self) -> Duration {
        SYNC_AFTER
    }

    /// Makes all that was reported durable. Called by the main thread, before receipts go to the ledger.
    ///
    /// # Errors
    /// If the disk says no. The run ends.
    fn sync(&self) -> Result<(), Failure>;
}

/// What was reported is made durable after this long …
pub const SYNC_AFTER: Duration = Duration::from_secs(1);
/// … or longer, if there are so many processes that the file system would be asked more often than this.
const SYNCS_A_SECOND: f64 = 500.0;

/// How long each of `processes` waits before it makes durable what it wrote: a ceiling for the whole job. Who has nothing else to do
/// does not wait.
#[must_use]
pub fn sync_patience(processes: u32) -> Duration {
    SYNC_AFTER.max(Duration::from_secs_f64(f64::from(processes) / SYNCS_A_SECOND))
}

/// What has been done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cells all of whose replicas are done.
    pub cells_done: u64,
    /// Cells of the sweep.
    pub cells_total: u64,
    /// Replicas done, failed ones included.
    pub replicas_done: u64,
    /// Replicas of the sweep.
    pub replicas_total: u64,
    /// Replicas that failed numerically.
    pub replicas_failed: u64,
}

/// A task that has become possible.
#[derive(Clone, Debug, PartialEq)]
pub enum Todo<T> {
    /// Computing: predicted seconds of one thread, and the class that is mispredicted alike.
    Compute {
        /// What to do.
        task: T,
        /// Predicted seconds of one thread.
        cost: f64,
        /// See [`crate::scheduler::Scheduler::add_compute`].
        class: u32,
    },
    /// Aggregating and sealing.
    Upkeep {
        /// What to do.
        task: T,
    },
}

/// What the lead keeps: which tasks there are, and what has come of them.
pub trait Ledger {
    /// As of the [`Work`].
    type Task: Cargo;
    /// As of the [`Work`].
    type Receipt: Cargo;

    /// All that can be done at the start of the run.
    ///
    /// # Errors
    /// If the dataset cannot be read.
    fn todo(&mut self) -> Result<Vec<Todo<Self::Task>>, Failure>;

    /// Takes down a receipt whose rows are durable; says what has become possible.
    ///
    /// # Errors
    /// If it cannot be written, or cannot be.
    fn accept(&mut self, receipt: Self::Receipt) -> Result<Vec<Todo<Self::Task>>, Failure>;

    /// Makes what was taken down durable. Called at least once a second, also when there is nothing new: a heartbeat.
    ///
    /// # Errors
    /// If the disk says no.
    fn sync(&mut self) -> Result<(), Failure>;

    /// What has been done so far.
    fn tally(&self) -> Tally;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_not_asked_more_often_than_it_can_bear() {
        assert_eq!(sync_patience(1), Duration::from_secs(1));
        assert_eq!(sync_patience(500), Duration::from_secs(1));
        assert_eq!(sync_patience(10_000), Duration::from_secs(20));
    }
}
