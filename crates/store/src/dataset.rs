//! The dataset as the process that schedules (rank 0) holds it: opened, fed with receipts, finished.

use std::path::{Path, PathBuf};

use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::Sweep;
use serde::{Deserialize, Serialize};

use crate::books::Books;
use crate::error::{Context, Result, StoreError};
use crate::extend::Extension;
use crate::failpoint::{Phase, phase, reach};
use crate::files::{remove, remove_folder};
use crate::layout::{self, Table};
use crate::manifest::{Manifest, State};
use crate::owner::Owner;
use crate::parquet_file::{PartWriter, ROW_GROUP};
use crate::receipt::{CheckpointRef, Job, Kind, Receipt, SealRecord};
use crate::resume::{Checkpoints, enter_checkpoint, row_counts};
use crate::schema::schema;
use crate::tables::cells_batches;

/// What to do with a folder that holds a smaller sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Refuse it.
    Run,
    /// Extend it.
    Extend,
}

/// What opening found.
pub enum Opened {
    /// Every row of this sweep is there.
    Complete(Box<Manifest>),
    /// There is work.
    Ready(Box<Dataset>),
}

/// How far a dataset is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Replicas committed.
    pub replicas_done: u64,
    /// Replicas of the sweep.
    pub replicas_total: u64,
    /// Replicas that failed, among those committed.
    pub replicas_failed: u64,
    /// Cells whose replicas are all committed.
    pub cells_done: u64,
    /// Cells of the sweep.
    pub cells_total: u64,
    /// Chunks committed, by this run and those before.
    pub chunks_done: u64,
    /// Seconds of one core they took.
    pub seconds: f64,
    /// Parts sealed, without `cells`.
    pub parts_sealed: u64,
}

/// An open dataset. Dropping it gives the owner record back.
pub struct Dataset {
    pub(crate) dir: PathBuf,
    pub(crate) nonce: u64,
    pub(crate) owner: Owner,
    pub(crate) books: Books,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) warnings: Vec<String>,
    pub(crate) chunks: (u64, f64),
    pub(crate) extension: Option<Extension>,
}

impl Dataset {
    /// Replicas of a range that are not there.
    pub(crate) fn uncovered(&self, cell: u32, range: std::ops::Range<u32>) -> Vec<std::ops::Range<u32>> {
        self.books.ledger.uncovered(cell, range)
    }

    /// The index of a cell.
    pub(crate) fn index(&self, name: &metasweep_sweep::cell::CellName) -> Option<u32> {
        self.books.ledger.index(name)
    }

    /// The dataset's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The run's number: every process of the run creates its [`crate::writer::Writer`] with it.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// What people should know: damage that was found and is being mended.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Replicas to be computed, by cell in row order.
    #[must_use]
    pub fn missing(&self) -> Vec<Segment> {
        self.books.ledger.missing()
    }

    /// Replicas stopped in the middle: give [`crate::read_checkpoint`]'s value to `simulate`.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<CheckpointRef> {
        self.checkpoints.values().map(|(checkpoint, _)| checkpoint.clone()).collect()
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let ledger = &self.books.ledger;
        Progress {
            replicas_done: ledger.replicas_done,
            replicas_total: ledger.cells.len() as u64 * u64::from(ledger.replicas()),
            replicas_failed: ledger.failed.len() as u64,
            cells_done: u64::from(ledger.cells_done),
            cells_total: ledger.cells.len() as u64,
            chunks_done: self.chunks.0,
            seconds: self.chunks.1,
            parts_sealed: self.books.parts_sealed(),
        }
    }

    /// Takes in what a process reports. Returns jobs that became possible by it.
    ///
    /// # Errors
    /// If rows cover replicas in part that were there, and their frame is damaged; or if another run took over.
    pub fn accept(&mut self, receipt: &Receipt) -> Result<Vec<Job>> {
        // After a long stop another run may have taken over: nothing of its may be removed.
        self.owner.heartbeat()?;
        let dir = self.dir.clone();
        let jobs = match &receipt.kind {
            Kind::Rows(entries) | Kind::Import(entries) => {
                if matches!(receipt.kind, Kind::Rows(_)) {
                    self.chunks = (self.chunks.0 + 1, self.chunks.1 + receipt.cost);
                }
                let mut jobs = Vec::new();
                for entry in entries {
                    jobs.extend(self.books.enter(entry, &|frame| row_counts(&dir, frame))?);
                    self.drop_checkpoints(entry);
                }
                jobs
            }
            Kind::Aggregate { cell, replicas, frame } => {
                let cell = self.books.ledger.insert_aggregate(cell, *replicas, frame);
                cell.map(|cell| self.books.enter_aggregate(cell)).unwrap_or_default()
            }
            Kind::Seal(seal) => {
                if let Some((stream, part)) = self.books.sealed(seal) {
                    self.books.release(stream, part);
                }
                Vec::new()
            }
            Kind::Checkpoint { cell, replicas, steps, frame } => {
                enter_checkpoint(&mut self.books, &mut self.checkpoints, cell, replicas, *steps, frame);
                Vec::new()
            }
        };
        for (file, frames) in &receipt.closed {
            self.books.ledger.frames.closed(*file, *frames);
        }
        self.remove_consumed();
        Ok(jobs)
    }

    fn drop_checkpoints(&mut self, entry: &crate::receipt::Entry) {
        let Some(cell) = self.books.ledger.index(&entry.cell) else { return };
        let done: Vec<(u32, u32)> = self
            .checkpoints
            .range((cell, entry.replicas.start)..(cell, entry.replicas.end))
            .map(|(key, _)| *key)
            .collect();
        for key in done {
            if let Some((_, frame)) = self.checkpoints.remove(&key) {
                self.books.ledger.frames.release(frame);
            }
        }
    }

    fn remove_consumed(&mut self) {
        for file in self.books.ledger.frames.take_consumed() {
            let path = file.path(&self.dir);
            // What cannot be removed now goes with the staging folder at the end.
            let _ = reach("frames.remove").context("remove", &path).and_then(|()| remove(&path));
        }
    }

    /// Every job that is possible and was not handed out yet by this run: ask once, after opening. Others come from [`Dataset::accept`].
    #[must_use]
    pub fn pending_jobs(&mut self) -> Vec<Job> {
        self.books.pending()
    }

    /// Shows other hosts that this run lives; call it every few seconds.
    ///
    /// # Errors
    /// [`StoreError::TakenOver`] if another run took the dataset over.
    pub fn heartbeat(&mut self) -> Result<()> {
        self.owner.heartbeat()
    }

    /// Whether [`Dataset::finish`] can be called: every row is sealed.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.books.complete()
    }

    /// After everything is sealed: the table `cells`, the swap of an extension, the manifest; staging goes.
    ///
    /// # Errors
    /// If something is not sealed, another run took over, or the disk refuses; opening the dataset again goes on from there.
    pub fn finish(mut self, sweep: &Sweep) -> Result<Manifest> {
        self.owner.heartbeat()?;
        if !self.books.complete() {
            let what = format!("{} segments are missing, or parts are not sealed", self.missing().len());
            return Err(StoreError::Unfinished { path: self.dir, what });
        }
        reach("finish.cells").context("write", &self.dir)?;
        let mut manifest = Manifest::new(sweep);
        manifest.state = State::Complete;
        manifest.replicas_failed = self.books.ledger.failed.len() as u64;
        manifest.parts = self.seal_cells(sweep)?;
        manifest.parts.extend(self.books.seals());
        manifest.parts.sort();
        if self.extension.is_some() {
            Extension::begin_swap(&self.dir, &manifest)?;
            return Extension::swap(&self.dir);
        }
        reach("finish.manifest").context("write", &self.dir)?;
        manifest.write(&self.dir)?;
        reach("finish.staging").context("remove", &layout::staging(&self.dir))?;
        remove_folder(&layout::staging(&self.dir))?;
        Ok(manifest)
    }

    fn seal_cells(&self, sweep: &Sweep) -> Result<Vec<SealRecord>> {
        let _phase = phase(Phase::Seal);
        let tables = layout::tables(&self.dir, self.extension.is_some());
        let failed = |cell| self.books.ledger.failed_in(cell);
        let (count, step) = (sweep.cells.len(), sweep.output.rows_per_part.max(1) as usize);
        let mut seals = Vec::new();
        for (part, from) in (0..).zip((0..count).step_by(step)) {
            let mut file = PartWriter::create(
                &tables,
                (Table::Cells, "", part),
                schema(sweep, Table::Cells),
                ROW_GROUP,
                None,
            )?;
            for batch in cells_batches(sweep, from..count.min(from + step), &failed) {
                file.write(&batch)?;
            }
            seals.push(file.finish()?);
        }
        Ok(seals)
    }
}
