//! Does the dataset hold what its seal records say, and would its rows come out the same again?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use metasweep_metastability::record::ReplicaRecord;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::{Level, Sweep};
use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, check_hash};
use crate::error::{Context, Result, StoreError};
use crate::extend::Extension;
use crate::journal::replay_all;
use crate::layout::{self, Table};
use crate::manifest::{Manifest, State};
use crate::parquet_file::{part_path, read_part};
use crate::plan::Plan;
use crate::receipt::{Kind, SealRecord};
use crate::row_hash::RowHasher;
use crate::rows::expected_rows;
use crate::schema::{partition, tables};

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Parts checked.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Whether every row of the sweep is there.
    pub complete: bool,
    /// What is wrong, a sentence each, with the file; empty if nothing is.
    pub problems: Vec<String>,
}

/// Checks every sealed part (existence, size, hash of the file, hash of the rows), inputs, and stray files among the tables.
/// Of an incomplete dataset the parts that are sealed so far. `show` is told bytes checked and bytes to check.
///
/// # Errors
/// If there is no dataset, or something cannot be read for other reasons than damage.
pub fn verify(dir: &Path, show: &mut dyn FnMut(u64, u64)) -> Result<Report> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| StoreError::Missing { path: dir.to_owned() })?;
    if Extension::read(dir)?.map(|extension| extension.is_swapping(dir)).transpose()? == Some(true) {
        let what = "an extension is being swapped in; run the larger sweep again to finish it, then verify"
            .to_owned();
        return Err(StoreError::Other { path: dir.to_owned(), what });
    }
    let complete = manifest.state == State::Complete;
    let seals = if complete { manifest.parts.clone() } else { journalled(dir, &manifest.identity)? };
    let mut report = Report { complete: complete && Extension::read(dir)?.is_none(), ..Report::default() };
    let total = seals.iter().map(|seal| seal.bytes).sum();
    for seal in &seals {
        match check_part(dir, seal) {
            Ok(()) => {}
            Err(StoreError::Damaged { path, what }) => {
                report.problems.push(StoreError::Damaged { path, what }.to_string());
            }
            Err(other) => return Err(other),
        }
        report.parts += 1;
        report.rows += seal.rows;
        report.bytes += seal.bytes;
        show(report.bytes, total);
    }
    for (name, hash) in &manifest.inputs {
        let path = layout::inputs(dir).join(hash);
        let found = std::fs::read(&path).map(|bytes| blake3::hash(&bytes).to_hex().to_string());
        if found.ok().as_ref() != Some(hash) {
            report
                .problems
                .push(format!("{} (the input {name}) is missing or has another hash.", path.display()));
        }
    }
    if complete {
        report.problems.extend(strays(dir, &seals)?);
    }
    Ok(report)
}

fn journalled(dir: &Path, identity: &str) -> Result<Vec<SealRecord>> {
    let mut seals = BTreeSet::new();
    for replay in replay_all(dir)?.0 {
        if replay.provenance.is_some_and(|provenance| provenance.identity == identity) {
            seals.extend(replay.receipts.into_iter().filter_map(|receipt| match receipt.kind {
                Kind::Seal(seal) => Some(seal),
                _ => None,
            }));
        }
    }
    Ok(seals.into_iter().collect())
}

fn check_part(dir: &Path, seal: &SealRecord) -> Result<()> {
    let path = part_path(dir, seal);
    check_hash(&path, seal)?;
    let mut hasher = RowHasher::default();
    for batch in read_part(&path)? {
        if !hasher.update(&batch?) {
            return Err(StoreError::damaged(&path, "it has a column of a type that no table has"));
        }
    }
    if (hasher.rows(), hasher.finish()) != (seal.rows, seal.row_hash.clone()) {
        return Err(StoreError::damaged(
            &path,
            "its rows are not those of its seal record, though its bytes are",
        ));
    }
    Ok(())
}

/// Files among the tables that no seal record knows.
fn strays(dir: &Path, seals: &[SealRecord]) -> Result<Vec<String>> {
    let known: BTreeSet<PathBuf> = seals.iter().map(|seal| part_path(dir, seal)).collect();
    let mut problems = Vec::new();
    for table in Table::ALL {
        let mut folders = vec![dir.join(table.name())];
        while let Some(folder) = folders.pop() {
            for name in crate::files::names(&folder)? {
                let path = folder.join(name);
                if std::fs::metadata(&path).context("examine", &path)?.is_dir() {
                    folders.push(path);
                } else if !known.contains(&path) {
                    problems.push(format!(
                        "{} is not part of the dataset: no seal record knows it.",
                        path.display()
                    ));
                }
            }
        }
    }
    Ok(problems)
}

/// What to recompute for `verify --recompute`: `count` different segments (fewer if there are not so many) spread by `random` (any number); whole cells at level
/// cell, where only those can be compared, else up to `replicas` replicas.
#[must_use]
pub fn segments_to_recompute(sweep: &Sweep, count: usize, replicas: u32, random: u64) -> Vec<Segment> {
    let mut state = random;
    let mut below = |bound: u64| {
        // The finalizer of splitmix64 over a counter: spread, not secret.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    };
    let whole = sweep.observe.aggregates();
    let possible = sweep.cells.len().saturating_mul(if whole { 1 } else { sweep.replicas as usize });
    let mut segment = || {
        let cell = below(sweep.cells.len() as u64) as u32;
        if whole {
            return Segment { cell, replicas: 0..sweep.replicas };
        }
        let from = below(u64::from(sweep.replicas)) as u32;
        Segment { cell, replicas: from..sweep.replicas.min(from.saturating_add(replicas.max(1))) }
    };
    let mut chosen: Vec<Segment> = Vec::new();
    // Twice the same chunk tells nothing new; where few are left, enough draws find most of them.
    for _ in 0..count.saturating_mul(20) {
        if chosen.len() == count.min(possible) {
            break;
        }
        let next = segment();
        if !chosen.contains(&next) {
            chosen.push(next);
        }
    }
    chosen
}

/// Compares recomputed records with the rows of the dataset, table by table, bit by bit. A sentence for each table
/// that differs; nothing if all is equal. At level cell the series are compared if the segment is a whole cell.
///
/// # Errors
/// If a part cannot be read.
pub fn compare(
    dir: &Path,
    sweep: &Sweep,
    segment: &Segment,
    records: &[ReplicaRecord],
) -> Result<Vec<String>> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| StoreError::Missing { path: dir.to_owned() })?;
    let cell = &sweep.cells[segment.cell as usize];
    let mut differences = Vec::new();
    for table in tables(sweep).into_iter().filter(|table| *table != Table::Cells) {
        let whole = segment.replicas == (0..sweep.replicas);
        let by_cell =
            table == Table::Histogram || table == Table::Series && sweep.observe.level == Level::Cell;
        if by_cell && !whole {
            continue;
        }
        let expected = expected_rows(sweep, segment, records, table);
        let found = rows_of(dir, &manifest.parts, sweep, segment, table)?;
        if let Some(what) = difference(&expected, &found) {
            let Segment { replicas, .. } = segment;
            let (from, to) = (replicas.start, replicas.end.saturating_sub(1));
            differences.push(format!(
                "{} of cell {}, replicas {from} to {to}: {what}.",
                table.name(),
                cell.name
            ));
        }
    }
    Ok(differences)
}

/// The rows of a segment in a table.
fn rows_of(
    dir: &Path,
    seals: &[SealRecord],
    sweep: &Sweep,
    segment: &Segment,
    table: Table,
) -> Result<Vec<RecordBatch>> {
    let cell = &sweep.cells[segment.cell as usize];
    let mut cursor = Cursor::new(dir, seals, table, &partition(sweep, &cell.parameters));
    if let Some(parts) = Plan::new(sweep).parts_of(table, segment) {
        cursor.only(|part| parts.contains(&u64::from(part)));
    }
    let wanted = |name: &str, replica: i32| {
        name == cell.name.0 && (replica < 0 || segment.replicas.contains(&replica.cast_unsigned()))
    };
    let mut found = Vec::new();
    loop {
        let skipped = cursor.take_while(&|name, replica| !wanted(name, replica))?;
        let rows = cursor.take_while(&wanted)?;
        if skipped.is_empty() && rows.is_empty() {
            return Ok(found);
        }
        found.extend(rows);
    }
}

fn difference(expected: &[RecordBatch], found: &[RecordBatch]) -> Option<String> {
    let count = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    if count(expected) != count(found) {
        return Some(format!("{} rows come out, {} are there", count(expected), count(found)));
    }
    let hash = |batches: &[RecordBatch]| {
        let mut hasher = RowHasher::default();
        let known = batches.iter().all(|batch| hasher.update(batch));
        (known, hasher.finish())
    };
    (hash(expected) != hash(found)).then(|| "the rows that come out have other bits".to_owned())
}
