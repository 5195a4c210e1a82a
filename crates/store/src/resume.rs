//! From journals and what is on disk back to the books: what is committed, sealed, missing.
//!
//! A frame counts if its bytes are what the receipt says, or if nobody needs it any more because its rows are sealed; a
//! seal counts if its part has the right size (`verify` compares hashes). Whatever does not count is computed again.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::Sweep;

use crate::books::Books;
use crate::error::Result;
use crate::frame::{Frame, Patience};
use crate::frames::FrameId;
use crate::journal::{Replay, replay_all};
use crate::layout;
use crate::manifest::identity;
use crate::parquet_file::part_path;
use crate::receipt::{CheckpointRef, Entry, FrameRef, Kind, SealRecord};

/// Checkpoints by cell and first replica, with the frame that holds each.
pub type Checkpoints = BTreeMap<(u32, u32), (CheckpointRef, FrameId)>;

/// What a replay found.
pub struct Resumed {
    /// The books.
    pub books: Books,
    /// Replicas stopped in the middle.
    pub checkpoints: Checkpoints,
    /// What people should know.
    pub warnings: Vec<String>,
    /// Chunks committed, and the seconds of one core they took.
    pub chunks: (u64, f64),
}

struct Said<'a> {
    entries: Vec<&'a Entry>,
    aggregates: Vec<(&'a metasweep_sweep::cell::CellName, u32, &'a FrameRef)>,
    seals: BTreeMap<(layout::Table, String, u32), SealRecord>,
    checkpoints: Vec<&'a Kind>,
    chunks: (u64, f64),
}

fn gather<'a>(replays: &'a [Replay], identity: &str) -> Said<'a> {
    let mut said = Said {
        entries: vec![],
        aggregates: vec![],
        seals: BTreeMap::new(),
        checkpoints: vec![],
        chunks: (0, 0.0),
    };
    for replay in replays {
        // A journal without its first record may be of another sweep: its parts are sealed again.
        let same_sweep = replay.provenance.as_ref().is_some_and(|provenance| provenance.identity == identity);
        let same_engine = replay.provenance.as_ref().is_none_or(|p| p.engine == metasweep_dynamics::ENGINE);
        for receipt in replay.receipts.iter().filter(|_| same_engine) {
            match &receipt.kind {
                Kind::Rows(entries) => {
                    said.entries.extend(entries);
                    said.chunks = (said.chunks.0 + 1, said.chunks.1 + receipt.cost);
                }
                Kind::Import(entries) => said.entries.extend(entries),
                Kind::Aggregate { cell, replicas, frame } => said.aggregates.push((cell, *replicas, frame)),
                Kind::Seal(seal) if same_sweep => {
                    said.seals.insert((seal.table, seal.partition.clone(), seal.part), seal.clone());
                }
                Kind::Seal(_) => {}
                checkpoint @ Kind::Checkpoint { .. } => said.checkpoints.push(checkpoint),
            }
        }
    }
    said
}

/// Rebuilds the books for the run `nonce`.
///
/// # Errors
/// If journals cannot be read.
pub fn resume(dir: &Path, sweep: &Sweep, nonce: u64, extending: bool) -> Result<Resumed> {
    let (replays, mut warnings) = replay_all(dir)?;
    let mut said = gather(&replays, &identity(sweep));
    let tables = layout::tables(dir, extending);
    said.seals.retain(|_, seal| is_there(&tables, seal, &mut warnings));
    let (mut good, mut bad) = (HashSet::new(), HashSet::new());
    loop {
        let mut books = rebuild(dir, sweep, nonce, extending, &said, &bad);
        let checkpoints = checkpoints(&mut books, &said, &bad);
        let mut found = Vec::new();
        let unchecked: Vec<&FrameRef> =
            books.ledger.frames.alive().filter(|frame| !good.contains(*frame)).collect();
        for frame in unchecked {
            match Frame::open(dir, frame, Patience::NONE).and_then(|frame| frame.check_all()) {
                Ok(()) => {
                    good.insert(frame.clone());
                }
                Err(error) => {
                    // The staging of a complete dataset is gone for good: an extension reads its parts instead.
                    if !extending || frame.file.path(dir).exists() {
                        warnings.push(error.to_string());
                    }
                    found.push(frame.clone());
                }
            }
        }
        if found.is_empty() {
            warnings.sort();
            return Ok(Resumed { books, checkpoints, warnings, chunks: said.chunks });
        }
        bad.extend(found);
    }
}

/// What the journals say is not there, as far as they can be seen from here: for processes that share a dataset without a
/// lead. Nothing is taken, written or removed; frames are believed.
///
/// # Errors
/// If journals cannot be read.
pub fn survey(dir: &Path, sweep: &Sweep) -> Result<(Vec<Segment>, Vec<CheckpointRef>)> {
    let (replays, _) = replay_all(dir)?;
    let said = gather(&replays, &identity(sweep));
    let bad = HashSet::new();
    let mut books = rebuild(dir, sweep, 0, false, &said, &bad);
    let checkpoints = checkpoints(&mut books, &said, &bad);
    let stopped = checkpoints.into_values().map(|(reference, _)| reference).collect();
    Ok((books.ledger.missing(), stopped))
}

fn is_there(tables: &Path, seal: &SealRecord, warnings: &mut Vec<String>) -> bool {
    let path = part_path(tables, seal);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.len() == seal.bytes => true,
        Ok(metadata) => {
            warnings.push(format!(
                "{} has {} bytes, its seal record says {}: it is made again",
                path.display(),
                metadata.len(),
                seal.bytes
            ));
            false
        }
        Err(error) => {
            warnings.push(format!("{} cannot be found ({error}): it is made again", path.display()));
            false
        }
    }
}

fn rebuild(
    dir: &Path,
    sweep: &Sweep,
    nonce: u64,
    extending: bool,
    said: &Said,
    bad: &HashSet<FrameRef>,
) -> Books {
    let mut books = Books::new(sweep, nonce, extending);
    let counts = |frame: &FrameRef| row_counts(dir, frame);
    for entry in said.entries.iter().filter(|entry| !bad.contains(&entry.frame)) {
        // An entry that is covered in part, and whose frame is gone, is not needed or is computed again.
        let _ = books.enter(entry, &counts);
    }
    for (cell, replicas, frame) in said.aggregates.iter().filter(|(_, _, frame)| !bad.contains(*frame)) {
        if let Some(cell) = books.ledger.insert_aggregate(cell, *replicas, frame) {
            books.enter_aggregate(cell);
        }
    }
    for seal in said.seals.values() {
        books.sealed(seal);
    }
    books.release_all();
    books.reopen();
    books
}

/// The plateaus and merges of a frame by replica.
pub fn row_counts(dir: &Path, frame: &FrameRef) -> Result<(Vec<u32>, Vec<u32>)> {
    let header = Frame::open(dir, frame, Patience::NONE)?.header;
    Ok((header.plateaus, header.merges))
}

fn checkpoints(books: &mut Books, said: &Said, bad: &HashSet<FrameRef>) -> Checkpoints {
    let mut checkpoints = Checkpoints::new();
    for kind in &said.checkpoints {
        let Kind::Checkpoint { cell, replicas, steps, frame } = kind else { continue };
        if !bad.contains(frame) {
            enter_checkpoint(books, &mut checkpoints, cell, replicas, *steps, frame);
        }
    }
    checkpoints
}

/// Takes in a checkpoint, unless its replicas are done or a later one is there.
pub fn enter_checkpoint(
    books: &mut Books,
    checkpoints: &mut Checkpoints,
    cell: &metasweep_sweep::cell::CellName,
    replicas: &std::ops::Range<u32>,
    steps: u64,
    frame: &FrameRef,
) {
    let ledger = &mut books.ledger;
    let Some(index) = ledger.index(cell).filter(|_| replicas.end <= ledger.replicas()) else { return };
    let wanted = ledger.uncovered(index, replicas.clone()) == [replicas.clone()];
    let newest = checkpoints.get(&(index, replicas.start)).is_none_or(|(before, _)| before.steps < steps);
    if !wanted || !newest {
        ledger.frames.add(frame.clone(), 0);
        return;
    }
    let segment = Segment { cell: index, replicas: replicas.clone() };
    let id = ledger.frames.add(frame.clone(), 1);
    let reference = CheckpointRef { segment, steps, frame: frame.clone() };
    if let Some((_, before)) = checkpoints.insert((index, replicas.start), (reference, id)) {
        ledger.frames.release(before);
    }
}
