//! What a computing process writes: frames into staging files, receipts into a journal ([`crate::log`]).
//!
//! One `Writer` a process; its threads share it. A commit appends and returns at once; `fdatasync` follows at the latest
//! after [`SYNC_COMMITS`] commits or [`SYNC_EVERY`], frames first, so that no durable receipt refers to
//! a frame that is not. After a failed write or sync the writer refuses everything: what the disk did not confirm
//! counts as lost, and is computed again by the next run.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use metasweep_metastability::record::ReplicaRecord;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::simulate::Checkpoint;
use metasweep_sweep::sweep::Sweep;

use crate::encoding::encode;
use crate::error::{Context, Result, StoreError};
use crate::failpoint::{Phase, phase, reach};
use crate::frame::{FrameBuilder, SectionKind};
use crate::journal::{Provenance, Record, encode_record};
use crate::layout::{self, FrameFile};
use crate::log::{Log, OwnLog};
use crate::receipt::{Entry, FrameRef, Kind, Receipt, SealRecord};
use crate::rows::{PendingEntry, pack};
use crate::scratch::{NodeLog, Scratch};

/// Commits after which a sync follows.
pub const SYNC_COMMITS: u32 = 64;
/// Time after which a sync follows.
pub const SYNC_EVERY: Duration = Duration::from_secs(1);
/// The process number under which rank 0 imports old rows.
pub const IMPORTER: u32 = u32::MAX;

struct Inner {
    log: Log,
    unsynced: u32,
    last_sync: Instant,
}

/// A computing process's way into a dataset. Files are created with the first commit.
pub struct Writer {
    dir: PathBuf,
    identity: String,
    nonce: u64,
    process: u32,
    sync_every: Duration,
    scratch: Option<Scratch>,
    inner: Mutex<Inner>,
    /// Held while data are made durable.
    syncing: Mutex<()>,
    /// What the first failure said.
    failed: OnceLock<String>,
}

impl Writer {
    /// A writer for process `process` (its rank) of the run `nonce` of this sweep.
    #[must_use]
    pub fn create(dir: &Path, sweep: &Sweep, nonce: u64, process: u32) -> Self {
        let log = Log::Own(OwnLog::new(dir, nonce, process));
        let inner = Inner { log, unsynced: 0, last_sync: Instant::now() };
        Writer {
            dir: dir.to_owned(),
            identity: crate::manifest::identity(sweep),
            nonce,
            process,
            sync_every: SYNC_EVERY,
            scratch: None,
            inner: Mutex::new(inner),
            syncing: Mutex::new(()),
            failed: OnceLock::new(),
        }
    }

    /// Syncs as seldom as every so often, where very many processes share a file system.
    #[must_use]
    pub fn patient(self, sync_every: Duration) -> Writer {
        Writer { sync_every: sync_every.max(SYNC_EVERY), ..self }
    }

    /// Writes to the node's own disk; the node's [`crate::Courier`] takes it to the dataset.
    #[must_use]
    pub fn through(self, scratch: &Scratch) -> Writer {
        let log = Log::Node(NodeLog::new(scratch, self.nonce));
        let inner = Mutex::new(Inner { log, unsynced: 0, last_sync: Instant::now() });
        Writer { inner, scratch: Some(scratch.clone()), ..self }
    }

    /// Where parts are put together, if not in the dataset.
    pub(crate) fn scratch(&self) -> Option<&Scratch> {
        self.scratch.as_ref()
    }

    /// Commits a chunk: `records` of all its segments, one after the other; `cost` in seconds of one core.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn commit(
        &self,
        sweep: &Sweep,
        segments: &[Segment],
        records: &[ReplicaRecord],
        cost: f64,
    ) -> Result<Receipt> {
        let _phase = phase(Phase::Frame);
        let mut rest = records;
        let mut frames = Vec::new();
        for segment in segments {
            let (here, after) = rest.split_at(segment.replicas.len());
            frames.push(pack(sweep, segment, here));
            rest = after;
        }
        self.commit_entries(frames, cost, Kind::Rows)
    }

    pub(crate) fn commit_entries(
        &self,
        mut frames: Vec<PendingEntry>,
        cost: f64,
        kind: fn(Vec<Entry>) -> Kind,
    ) -> Result<Receipt> {
        let bytes: Vec<Vec<u8>> = frames.iter_mut().map(|frame| std::mem::take(&mut frame.bytes)).collect();
        let receipt = self.append(&bytes, cost, |places| {
            kind(
                frames
                    .into_iter()
                    .zip(places)
                    .map(|(frame, &(file, offset))| frame.at(file, offset))
                    .collect(),
            )
        })?;
        self.maintain()?;
        Ok(receipt)
    }

    /// Stores replicas that were stopped in the middle; durable when this returns.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn checkpoint(&self, sweep: &Sweep, checkpoint: &Checkpoint, steps: u64) -> Result<Receipt> {
        reach("checkpoint.write").context("write", &layout::staging(&self.dir))?;
        let segment = &checkpoint.segment;
        let name = sweep.cells[segment.cell as usize].name.clone();
        let mut frame = FrameBuilder::new(name.clone(), segment.replicas.clone());
        frame.section(SectionKind::Checkpoint, &encode(checkpoint));
        let replicas = segment.replicas.clone();
        let kind = |frame| Kind::Checkpoint { cell: name, replicas, steps, frame };
        let receipt = self.commit_frame(frame, Instant::now(), kind)?;
        self.sync()?;
        Ok(receipt)
    }

    pub(crate) fn commit_frame(
        &self,
        frame: FrameBuilder,
        started: Instant,
        kind: impl FnOnce(FrameRef) -> Kind,
    ) -> Result<Receipt> {
        let _phase = phase(Phase::Frame);
        let (bytes, reference) = frame.finish();
        self.append(&[bytes], started.elapsed().as_secs_f64(), |places| {
            let (file, offset) = places[0];
            kind(reference(file, offset))
        })
    }

    pub(crate) fn commit_seal(&self, seal: SealRecord, started: Instant) -> Result<Receipt> {
        reach("seal.record").context("write", &layout::journal(&self.dir))?;
        // Durable with the next sync: until then the receipt may not be passed on.
        self.append(&[], started.elapsed().as_secs_f64(), |_| Kind::Seal(seal))
    }

    /// Frames, then the record of what was done with them.
    fn append(
        &self,
        frames: &[Vec<u8>],
        cost: f64,
        kind: impl FnOnce(&[(FrameFile, u64)]) -> Kind,
    ) -> Result<Receipt> {
        let mut inner = self.lock()?;
        let process = self.process;
        let first = || encode_record(&Record::Provenance(self.provenance()));
        let outcome = inner.log.append(frames, &first, |places, closed| Receipt {
            process,
            cost,
            closed,
            kind: kind(places),
        });
        inner.unsynced += 1;
        drop(inner);
        self.poison_on_error(outcome)
    }

    /// Syncs if it is time: call it every few hundred milliseconds while the process computes.
    ///
    /// # Errors
    /// If the disk does not confirm.
    pub fn maintain(&self) -> Result<()> {
        if self.scratch.is_some() {
            // The courier sees to it.
            return Ok(());
        }
        let inner = self.lock()?;
        let due = inner.unsynced >= SYNC_COMMITS
            || (inner.unsynced > 0 && inner.last_sync.elapsed() >= self.sync_every);
        drop(inner);
        if due { self.sync() } else { Ok(()) }
    }

    /// Makes everything committed so far durable: frames, then the journal.
    ///
    /// # Errors
    /// [`StoreError::Sync`] if the disk does not confirm; the writer refuses everything from then on.
    pub fn sync(&self) -> Result<()> {
        let _phase = phase(Phase::Journal);
        // Whoever comes while another thread syncs waits for it: what is still on its way to the disk is not durable.
        let _turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inner = self.lock()?;
        if inner.unsynced == 0 {
            return Ok(());
        }
        let written = inner.log.written();
        inner.unsynced = 0;
        inner.last_sync = Instant::now();
        // Other threads go on committing meanwhile.
        drop(inner);
        self.poison_on_error(written.sync())
    }

    fn lock(&self) -> Result<MutexGuard<'_, Inner>> {
        if let Some(cause) = self.failed.get() {
            return Err(StoreError::Poisoned { cause: cause.clone() });
        }
        // A thread that panicked while it appended may have left half a record: the process ends anyway.
        Ok(self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn poison_on_error<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.failed.get_or_init(|| error.to_string());
        }
        outcome
    }

    fn provenance(&self) -> Provenance {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Provenance {
            identity: self.identity.clone(),
            engine: metasweep_dynamics::ENGINE,
            nonce: self.nonce,
            process: self.process,
            host: crate::owner::host(),
            pid: std::process::id(),
            started: since.map_or(0, |since| since.as_secs()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
