//! What a computing process writes: frames into its own staging files, receipts into its own journal.
//!
//! One `Writer` a process; its threads share it. A commit appends and returns at once; `fdatasync` follows at the latest
//! after [`SYNC_COMMITS`] commits or [`SYNC_EVERY`], frames first, so that no durable receipt refers to
//! a frame that is not. After a failed write or sync the writer refuses everything: what the disk did not confirm
//! counts as lost, and is computed again by the next run.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use metasweep_metastability::record::ReplicaRecord;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::simulate::Checkpoint;
use metasweep_sweep::sweep::Sweep;

use crate::encoding::encode;
use crate::error::{Context, Result, StoreError};
use crate::failpoint::{Phase, phase, reach};
use crate::files::{create_folder, sync_folder};
use crate::frame::{FrameBuilder, SectionKind};
use crate::journal::{Provenance, Record, encode_record};
use crate::layout::{self, FrameFile};
use crate::receipt::{Entry, FrameRef, Kind, Receipt, SealRecord};
use crate::rows::{PendingEntry, pack};

/// Commits after which a sync follows.
pub const SYNC_COMMITS: u32 = 64;
/// Time after which a sync follows.
pub const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Bytes after which a new staging file is begun, so that space can be freed file by file.
pub const ROTATE: u64 = 64 << 20;
/// The process number under which rank 0 imports old rows.
pub const IMPORTER: u32 = u32::MAX;

struct Inner {
    frames: Option<OpenFrames>,
    next: u32,
    journal: Option<Arc<File>>,
    closed: Vec<(FrameFile, u32)>,
    unsynced: u32,
    last_sync: Instant,
}

struct OpenFrames {
    name: FrameFile,
    path: PathBuf,
    file: Arc<File>,
    length: u64,
    frames: u32,
}

/// A computing process's way into a dataset. Files are created with the first commit.
pub struct Writer {
    dir: PathBuf,
    identity: String,
    nonce: u64,
    process: u32,
    sync_every: Duration,
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
        let inner = Inner {
            frames: None,
            next: 0,
            journal: None,
            closed: vec![],
            unsynced: 0,
            last_sync: Instant::now(),
        };
        Writer {
            dir: dir.to_owned(),
            identity: crate::manifest::identity(sweep),
            nonce,
            process,
            sync_every: SYNC_EVERY,
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
        frames: Vec<PendingEntry>,
        cost: f64,
        kind: fn(Vec<Entry>) -> Kind,
    ) -> Result<Receipt> {
        let mut inner = self.lock()?;
        let outcome = self
            .append_entries(&mut inner, frames)
            .and_then(|entries| self.append_record(&mut inner, cost, kind(entries)));
        drop(inner);
        let receipt = self.poison_on_error(outcome)?;
        self.maintain()?;
        Ok(receipt)
    }

    fn append_entries(&self, inner: &mut Inner, frames: Vec<PendingEntry>) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for frame in frames {
            let (file, offset) = self.append_frame(inner, &frame.bytes, "frame.write")?;
            entries.push(frame.at(file, offset));
        }
        Ok(entries)
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
        let mut inner = self.lock()?;
        let outcome = self.append_frame(&mut inner, &bytes, "frame.write").and_then(|(file, offset)| {
            self.append_record(&mut inner, started.elapsed().as_secs_f64(), kind(reference(file, offset)))
        });
        drop(inner);
        self.poison_on_error(outcome)
    }

    pub(crate) fn commit_seal(&self, seal: SealRecord, started: Instant) -> Result<Receipt> {
        reach("seal.record").context("write", &layout::journal(&self.dir))?;
        let mut inner = self.lock()?;
        let outcome = self.append_record(&mut inner, started.elapsed().as_secs_f64(), Kind::Seal(seal));
        drop(inner);
        // Durable with the next sync: until then the receipt may not be passed on.
        self.poison_on_error(outcome)
    }

    /// Syncs if it is time: call it every few hundred milliseconds while the process computes.
    ///
    /// # Errors
    /// If the disk does not confirm.
    pub fn maintain(&self) -> Result<()> {
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
        let frames = inner.frames.as_ref().map(|frames| (Arc::clone(&frames.file), frames.path.clone()));
        let journal = inner.journal.clone();
        inner.unsynced = 0;
        inner.last_sync = Instant::now();
        // Other threads go on committing meanwhile.
        drop(inner);
        let outcome = (|| {
            if let Some((file, path)) = frames {
                fdatasync(&file, &path, "frame.sync")?;
            }
            match journal {
                Some(file) => fdatasync(&file, &self.journal_path(), "journal.sync"),
                None => Ok(()),
            }
        })();
        self.poison_on_error(outcome)
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

    fn journal_path(&self) -> PathBuf {
        layout::journal_file(&self.dir, self.nonce, self.process)
    }

    fn append_frame(&self, inner: &mut Inner, bytes: &[u8], failpoint: &str) -> Result<(FrameFile, u64)> {
        if inner.frames.as_ref().is_some_and(|frames| frames.length >= ROTATE) {
            rotate(inner)?;
        }
        if inner.frames.is_none() {
            inner.frames = Some(self.begin_frames(inner.next)?);
            inner.next += 1;
        }
        let Some(frames) = &mut inner.frames else { unreachable!("a staging file was just opened") };
        reach(failpoint).context("write", &frames.path)?;
        (&*frames.file).write_all(bytes).context("write", &frames.path)?;
        let offset = frames.length;
        frames.length += bytes.len() as u64;
        frames.frames += 1;
        Ok((frames.name, offset))
    }

    fn begin_frames(&self, number: u32) -> Result<OpenFrames> {
        let name = FrameFile { nonce: self.nonce, process: self.process, number };
        let path = name.path(&self.dir);
        let file = create_new(&path)?;
        Ok(OpenFrames { name, path, file: Arc::new(file), length: 0, frames: 0 })
    }

    fn append_record(&self, inner: &mut Inner, cost: f64, kind: Kind) -> Result<Receipt> {
        let _phase = phase(Phase::Journal);
        let path = self.journal_path();
        let journal = if let Some(journal) = &inner.journal {
            Arc::clone(journal)
        } else {
            let file = Arc::new(create_new(&path)?);
            let first = encode_record(&Record::Provenance(self.provenance()));
            (&*file).write_all(&first).context("write", &path)?;
            inner.journal.insert(file).clone()
        };
        let closed = std::mem::take(&mut inner.closed);
        let receipt = Receipt { process: self.process, cost, closed, kind };
        let record = encode_record(&Record::Receipt(receipt.clone()));
        reach("journal.write").context("write", &path)?;
        (&*journal).write_all(&record).context("write", &path)?;
        inner.unsynced += 1;
        Ok(receipt)
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

/// The file that is left must be durable before receipts that come after it are.
fn rotate(inner: &mut Inner) -> Result<()> {
    if let Some(full) = inner.frames.take() {
        fdatasync(&full.file, &full.path, "frame.sync")?;
        inner.closed.push((full.name, full.frames));
    }
    Ok(())
}

fn create_new(path: &Path) -> Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_folder(folder)?;
    let file = OpenOptions::new().append(true).create_new(true).open(path).context("create", path)?;
    sync_folder(folder)?;
    Ok(file)
}

fn fdatasync(file: &File, path: &Path, failpoint: &str) -> Result<()> {
    reach(failpoint)
        .and_then(|()| file.sync_data())
        .map_err(|source| StoreError::Sync { path: path.to_owned(), source })
}
