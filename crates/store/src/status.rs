//! How far a dataset is, read from outside: works while a run writes, and never writes itself.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use metasweep_sweep::cell::CellName;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::extend::Extension;
use crate::journal::replay_all;
use crate::layout;
use crate::manifest::{Manifest, State};
use crate::owner;
use crate::parquet_file::part_path;
use crate::receipt::Kind;

/// In what state a dataset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Every row is there.
    Complete,
    /// Rows are missing, and nobody is computing them.
    Incomplete,
    /// A run lives here.
    Running,
    /// Complete by its manifest, but a part is missing or has another size.
    Damaged,
}

/// A replica that failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failed {
    /// The cell.
    pub cell: String,
    /// The replica.
    pub replica: u32,
    /// Why.
    pub status: String,
}

/// A cell, for `--cells`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellProgress {
    /// The cell.
    pub cell: String,
    /// Replicas there.
    pub replicas_done: u32,
    /// Of them failed.
    pub replicas_failed: u32,
}

/// How far a dataset is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The sweep's name.
    pub name: String,
    /// The sweep's identity.
    pub identity: String,
    /// The engine.
    pub engine: u32,
    /// In what state it is.
    pub state: Condition,
    /// An extension is under way; the numbers are those of the larger sweep.
    pub extending: bool,
    /// Chunks committed.
    pub chunks_done: u64,
    /// Chunks committed and, for what is missing, as many as it would be at the mean number of replicas a chunk so far.
    /// The number of cells as long as nothing is committed.
    pub chunks_total: u64,
    /// Replicas there.
    pub replicas_done: u64,
    /// Replicas of the sweep.
    pub replicas_total: u64,
    /// Replicas that failed, among those there.
    pub replicas_failed: u64,
    /// Steps (adaptive: evaluations) that replicas had taken when they were last stopped in the middle: what a run goes on from.
    pub steps_stopped: u64,
    /// Cells there with all replicas.
    pub cells_done: u64,
    /// Cells of the sweep.
    pub cells_total: u64,
    /// Replicas a second of wall time, of the run that lives here.
    pub rate: Option<f64>,
    /// Seconds that remain at that rate.
    pub eta: Option<f64>,
    /// Who runs here.
    pub owner: Option<String>,
    /// Failed replicas, in order of cells' names.
    pub failed: Vec<Failed>,
    /// Every cell, in row order.
    pub cells: Vec<CellProgress>,
}

/// Reads how far the dataset in `dir` is.
///
/// # Errors
/// [`StoreError::Missing`] if there is none.
pub fn status(dir: &Path) -> Result<Status> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| StoreError::Missing { path: dir.to_owned() })?;
    let extension = Extension::read(dir)?;
    let seen = Seen::read(dir)?;
    let living = owner::living(dir);
    let extending = extension.is_some();
    let complete = manifest.state == State::Complete && !extending;
    // While it is extended, progress is that of the larger sweep.
    let manifest = extension.map_or(manifest, |extension| extension.next);
    let state = if living.is_some() {
        Condition::Running
    } else if !complete {
        Condition::Incomplete
    } else if manifest.parts.iter().all(|seal| {
        std::fs::metadata(part_path(dir, seal)).is_ok_and(|metadata| metadata.len() == seal.bytes)
    }) {
        Condition::Complete
    } else {
        Condition::Damaged
    };
    let cells: Vec<CellProgress> =
        manifest.cells.iter().map(|name| seen.cell(name, manifest.replicas, complete)).collect();
    let replicas_total = cells.len() as u64 * u64::from(manifest.replicas);
    let replicas_done: u64 = cells.iter().map(|cell| u64::from(cell.replicas_done)).sum();
    let left = replicas_total - replicas_done;
    let chunks_left = (left * seen.chunks).div_ceil(replicas_done.max(1));
    let rate = living.as_ref().and_then(|owner| seen.rate(owner.nonce));
    let known: std::collections::HashSet<&CellName> = manifest.cells.iter().collect();
    let failed = seen.failed.iter().filter(|((cell, _), _)| known.contains(cell));
    let failed: Vec<Failed> = failed
        .map(|((cell, replica), status)| Failed {
            cell: cell.0.clone(),
            replica: *replica,
            status: status.clone(),
        })
        .collect();
    Ok(Status {
        name: manifest.name.clone(),
        identity: manifest.identity.clone(),
        engine: manifest.engine,
        state,
        extending,
        chunks_done: seen.chunks,
        chunks_total: if seen.chunks == 0 { cells.len() as u64 } else { seen.chunks + chunks_left },
        replicas_done,
        replicas_total,
        replicas_failed: failed.len() as u64,
        steps_stopped: seen.stopped.values().sum(),
        cells_done: cells.iter().filter(|cell| cell.replicas_done == manifest.replicas).count() as u64,
        cells_total: cells.len() as u64,
        rate,
        eta: rate.filter(|rate| *rate > 0.0).map(|rate| left as f64 / rate),
        owner: living.map(|owner| format!("process {} on host {}", owner.pid, owner.host)),
        failed,
        cells,
    })
}

/// What the journals say.
#[derive(Default)]
struct Seen {
    covered: HashMap<CellName, BTreeMap<u32, u32>>,
    failed: BTreeMap<(CellName, u32), String>,
    chunks: u64,
    stopped: HashMap<(CellName, u32), u64>,
    runs: HashMap<u64, (u64, u64)>,
}

impl Seen {
    fn read(dir: &Path) -> Result<Seen> {
        let mut seen = Seen::default();
        if !layout::journal(dir).exists() {
            return Ok(seen);
        }
        for replay in replay_all(dir)?.0 {
            let run = replay.provenance.as_ref().map(|provenance| (provenance.nonce, provenance.started));
            for receipt in replay.receipts {
                if let Kind::Checkpoint { cell, replicas, steps, .. } = &receipt.kind {
                    let most = seen.stopped.entry((cell.clone(), replicas.start)).or_default();
                    *most = (*steps).max(*most);
                }
                let (Kind::Rows(entries) | Kind::Import(entries)) = &receipt.kind else { continue };
                seen.chunks += u64::from(matches!(receipt.kind, Kind::Rows(_)));
                for entry in entries {
                    let range = &entry.replicas;
                    let end =
                        seen.covered.entry(entry.cell.clone()).or_default().entry(range.start).or_default();
                    *end = range.end.max(*end);
                    for (replica, status) in &entry.failed {
                        seen.failed.insert((entry.cell.clone(), *replica), status.clone());
                    }
                    if let Some((nonce, started)) = run {
                        let (first, replicas) = seen.runs.entry(nonce).or_insert((started, 0));
                        *first = started.min(*first);
                        *replicas += range.len() as u64;
                    }
                }
            }
        }
        Ok(seen)
    }

    fn cell(&self, name: &CellName, replicas: u32, complete: bool) -> CellProgress {
        let (mut done, mut at) = (0, 0);
        for (start, end) in self.covered.get(name).into_iter().flatten() {
            let (start, end) = ((*start).max(at), (*end).min(replicas));
            done += end.saturating_sub(start);
            at = at.max(end);
        }
        let failed = self.failed.range((name.clone(), 0)..(name.clone(), replicas)).count() as u32;
        let replicas_done = if complete { replicas } else { done };
        CellProgress { cell: name.0.clone(), replicas_done, replicas_failed: failed }
    }

    fn rate(&self, nonce: u64) -> Option<f64> {
        let (started, replicas) = self.runs.get(&nonce)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
        Some(*replicas as f64 / now.saturating_sub(*started).max(1) as f64)
    }
}
