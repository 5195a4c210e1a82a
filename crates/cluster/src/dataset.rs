//! The work and the ledger of a real run: replicas are simulated, rows go to the store.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metasweep_dynamics::simd::{Isa, assert_ieee_mode};
use metasweep_metastability::record::ReplicaRecord;
use metasweep_store::failpoint::{Phase, phase, reach};
use metasweep_store::{
    CheckpointRef, Dataset, Job, Kind, Receipt, Scratch, StoreError, Writer, perform, read_checkpoint,
};
use metasweep_sweep::chunk::{self, Chunk, Cut, Segment};
use metasweep_sweep::cost::Costs;
use metasweep_sweep::simulate::{Checkpoint, simulate};
use metasweep_sweep::sweep::Sweep;
use serde::{Deserialize, Serialize};

use crate::host;
use crate::leftover::set_apart;
use crate::work::{Ending, Failure, Ledger, Tally, Todo, Work, sync_patience};

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure { message: error.to_string(), exit_code: error.exit_code() }
    }
}

/// What a compute thread is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// Simulate these replicas.
    Compute {
        /// Which; with `resume`, one segment.
        segments: Vec<Segment>,
        /// Go on from here.
        resume: Option<CheckpointRef>,
    },
    /// Aggregate or seal.
    Upkeep(Job),
}

/// What a compute thread reports: the store's receipt, and which thread of its process did it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The thread's number in its process.
    pub thread: u32,
    /// What was done.
    pub receipt: Receipt,
}

impl Report {
    fn of(receipt: Receipt) -> Self {
        let thread = rayon::current_thread_index().unwrap_or(0) as u32;
        Self { thread, receipt }
    }
}

/// How a run writes, the same on every rank.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// The sweep.
    pub sweep: Arc<Sweep>,
    /// The run's nonce.
    pub nonce: u64,
    /// This process's number.
    pub process: u32,
    /// Of so many that write to the dataset.
    pub processes: u32,
    /// Where it writes first, if not at once to the dataset.
    pub scratch: Option<Scratch>,
    /// Test hook: every ensemble is checkpointed every so many steps, and goes on from what was stored.
    pub checkpoint_every: Option<u64>,
}

/// What the compute threads of this process share.
pub struct Simulation {
    desk: Desk,
    writer: Writer,
    isa: Isa,
}

impl Simulation {
    /// Ready to work.
    ///
    /// # Errors
    /// If the vector instructions that `METASWEEP_SIMD` asks for are not to be had.
    pub fn new(desk: Desk) -> Result<Self, Failure> {
        let isa = Isa::detect().map_err(|error| Failure { message: error.to_string(), exit_code: 2 })?;
        let writer = Writer::create(&desk.dir, &desk.sweep, desk.nonce, desk.process)
            .patient(sync_patience(desk.processes));
        let writer = match &desk.scratch {
            Some(scratch) => writer.through(scratch),
            None => writer,
        };
        Ok(Self { desk, writer, isa })
    }

    /// Says where, if it is not where the message will be read.
    fn locate(&self, error: StoreError) -> Failure {
        let failure = Failure::from(error);
        match self.desk.process {
            0 => failure,
            rank => Failure {
                message: format!("rank {rank} on {}: {}", host::name(), failure.message),
                ..failure
            },
        }
    }

    fn compute(
        &self,
        segments: &[Segment],
        resume: Option<&CheckpointRef>,
        halt: &dyn Fn() -> bool,
        report: &mut dyn FnMut(Report),
    ) -> Result<Ending, Failure> {
        let mut resume = match resume.map(|reference| read_checkpoint(&self.desk.dir, reference, halt)) {
            // What was still waited for when the run was ended.
            Some(Err(StoreError::Frame { .. })) if halt() => return Ok(Ending::Interrupted),
            outcome => outcome.transpose().map_err(|error| self.locate(error))?,
        };
        let mut batch = Batch::new();
        for segment in segments {
            let mut left = segment.clone();
            while !left.replicas.is_empty() {
                let interrupted = |taken: u64| {
                    halt() || self.desk.checkpoint_every.is_some_and(|every| taken >= every.max(1))
                };
                let before = resume.take();
                let outcome = simulate(&self.desk.sweep, &left, before.as_ref(), self.isa, &interrupted);
                let done = left.replicas.start + outcome.records.len() as u32;
                batch.add(Segment { cell: left.cell, replicas: left.replicas.start..done }, outcome.records);
                left.replicas.start = done;
                if left.replicas.is_empty() {
                    continue;
                }
                self.commit(&mut batch, report)?;
                // Nothing new to store if the ensemble has not moved.
                let moved = outcome.checkpoint.filter(|checkpoint| before.as_ref() != Some(checkpoint));
                if let Some(checkpoint) = moved {
                    resume = Some(self.store(&checkpoint, report)?);
                }
                if halt() {
                    return Ok(Ending::Interrupted);
                }
            }
        }
        self.commit(&mut batch, report)?;
        Ok(Ending::Complete)
    }

    fn commit(&self, batch: &mut Batch, report: &mut dyn FnMut(Report)) -> Result<(), Failure> {
        let Batch { segments, records, begun } = std::mem::replace(batch, Batch::new());
        if segments.is_empty() {
            return Ok(());
        }
        let cost = begun.elapsed().as_secs_f64();
        let receipt = self.writer.commit(&self.desk.sweep, &segments, &records, cost);
        report(Report::of(receipt.map_err(|error| self.locate(error))?));
        Ok(())
    }

    /// Stores a checkpoint, durable when this returns, and reads it back: what a later run would go on from.
    fn store(&self, checkpoint: &Checkpoint, report: &mut dyn FnMut(Report)) -> Result<Checkpoint, Failure> {
        let steps = checkpoint.motion.steps();
        let receipt = self.writer.checkpoint(&self.desk.sweep, checkpoint, steps);
        let receipt = receipt.map_err(|error| self.locate(error))?;
        let Kind::Checkpoint { frame, .. } = &receipt.kind else {
            return Err(Failure::new("The store answered a checkpoint with another receipt."));
        };
        let reference = CheckpointRef { segment: checkpoint.segment.clone(), steps, frame: frame.clone() };
        report(Report::of(receipt));
        // Of this process, hence there at once, unless whoever took the dataset over has removed it.
        read_checkpoint(&self.desk.dir, &reference, &|| true).map_err(|error| self.locate(error))
    }
}

/// Segments computed and not written yet.
struct Batch {
    segments: Vec<Segment>,
    records: Vec<ReplicaRecord>,
    begun: Instant,
}

impl Batch {
    fn new() -> Self {
        Self { segments: Vec::new(), records: Vec::new(), begun: Instant::now() }
    }

    fn add(&mut self, segment: Segment, records: Vec<ReplicaRecord>) {
        if !records.is_empty() {
            self.segments.push(segment);
            self.records.extend(records);
        }
    }
}

impl Work for Simulation {
    type Task = Task;
    type Receipt = Report;

    fn perform(
        &self,
        task: &Task,
        halt: &dyn Fn() -> bool,
        report: &mut dyn FnMut(Report),
    ) -> Result<Ending, Failure> {
        match task {
            Task::Compute { segments, resume } => {
                let _phase = phase(Phase::Compute);
                reach("compute").map_err(|error| Failure::new(error.to_string()))?;
                self.compute(segments, resume.as_ref(), halt, report)
            }
            Task::Upkeep(job) => {
                match perform(&self.desk.dir, &self.desk.sweep, job, &self.writer, halt) {
                    // What was still waited for when the run was ended; if it is damaged the next run finds out.
                    Err(StoreError::Frame { .. }) if halt() => Ok(Ending::Interrupted),
                    receipt => {
                        report(Report::of(receipt.map_err(|error| self.locate(error))?));
                        Ok(Ending::Complete)
                    }
                }
            }
        }
    }

    fn patience(&self) -> Duration {
        sync_patience(self.desk.processes)
    }

    fn sync(&self) -> Result<(), Failure> {
        self.writer.sync().map_err(|error| self.locate(error))
    }
}

/// The dataset's books, as the lead asks them.
pub struct Books {
    dataset: Box<Dataset>,
    sweep: Arc<Sweep>,
    how: Cut,
    /// Chunks committed in this run by (process, thread).
    chunks: BTreeMap<(u32, u32), u64>,
}

impl Books {
    /// The books of an opened dataset; `how` to cut what is missing.
    #[must_use]
    pub fn new(dataset: Box<Dataset>, sweep: Arc<Sweep>, how: Cut) -> Self {
        Self { dataset, sweep, how, chunks: BTreeMap::new() }
    }

    /// Chunks committed in this run by each of the `threads` threads of a process.
    #[must_use]
    pub fn chunks_by_thread(&self, process: u32, threads: usize) -> Vec<u64> {
        (0..threads as u32).map(|thread| self.chunks.get(&(process, thread)).copied().unwrap_or(0)).collect()
    }

    /// Everything is sealed: makes the dataset complete.
    ///
    /// # Errors
    /// If the disk refuses; running again goes on from there.
    pub fn finish(self) -> Result<(), Failure> {
        self.dataset.finish(&self.sweep)?;
        Ok(())
    }
}

impl Ledger for Books {
    type Task = Task;
    type Receipt = Report;

    fn todo(&mut self) -> Result<Vec<Todo<Task>>, Failure> {
        let upkeep =
            self.dataset.pending_jobs().into_iter().map(|job| Todo::Upkeep { task: Task::Upkeep(job) });
        let mut todo: Vec<Todo<Task>> = upkeep.collect();
        let costs = Costs::default();
        let checkpoints = self.dataset.checkpoints();
        let stopped: Vec<Segment> = checkpoints.iter().map(|checkpoint| checkpoint.segment.clone()).collect();
        let (rest, useful) = set_apart(&self.dataset.missing(), &stopped);
        for index in useful {
            let reference = checkpoints[index].clone();
            let segment = reference.segment.clone();
            let replica = costs.replica(&self.sweep.cells[segment.cell as usize], &self.sweep.observe);
            let cost = replica * segment.replicas.len() as f64;
            let task = Task::Compute { segments: vec![segment.clone()], resume: Some(reference) };
            todo.push(Todo::Compute { task, cost, class: segment.cell });
        }
        for Chunk { segments, cost } in chunk::cut(&rest, &self.sweep, &costs, &self.how) {
            let class = segments.first().map_or(0, |segment| segment.cell);
            todo.push(Todo::Compute { task: Task::Compute { segments, resume: None }, cost, class });
        }
        Ok(todo)
    }

    fn accept(&mut self, report: Report) -> Result<Vec<Todo<Task>>, Failure> {
        let Report { thread, receipt } = report;
        if matches!(receipt.kind, Kind::Rows(_)) {
            *self.chunks.entry((receipt.process, thread)).or_default() += 1;
        }
        let jobs = self.dataset.accept(&receipt)?;
        Ok(jobs.into_iter().map(|job| Todo::Upkeep { task: Task::Upkeep(job) }).collect())
    }

    /// Receipts are in the journals of those who wrote them; what remains is to show that the run lives.
    fn sync(&mut self) -> Result<(), Failure> {
        Ok(self.dataset.heartbeat()?)
    }

    fn tally(&self) -> Tally {
        let progress = self.dataset.progress();
        Tally {
            cells_done: progress.cells_done,
            cells_total: progress.cells_total,
            replicas_done: progress.replicas_done,
            replicas_total: progress.replicas_total,
            replicas_failed: progress.replicas_failed,
        }
    }
}

/// Every compute thread calls it before its first task: flush-to-zero or another rounding would change results.
///
/// # Errors
/// What is wrong with the thread's floating-point unit, and what may have done that.
pub fn check_thread() -> Result<(), String> {
    assert_ieee_mode().map_err(|error| error.to_string())
}

/// The name of the vector instructions in use, for provenance.
#[must_use]
pub fn isa_name() -> String {
    Isa::detect().map_or_else(|error| error.to_string(), |isa| isa.name().to_owned())
}
