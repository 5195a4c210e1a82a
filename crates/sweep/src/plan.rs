//! What a sweep will be before it is run: cells, chunks, rows, bytes, files, memory, core-hours, makespan.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use metasweep_dynamics::ensemble::MOST_IN_PAIRS;
use metasweep_dynamics::model::Normalization;
use metasweep_dynamics::simd::LANES;
use metasweep_metastability::observables::Observable;
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::chunk::{Chunk, Cut, Segment, TARGET_SECONDS, cut, record_bytes};
use crate::cost::Costs;
use crate::moments::Moments;
use crate::start::model;
use crate::sweep::{Level, Observe, Sweep};

/// Plateaus of a replica, for want of better knowledge.
const PLATEAUS: f64 = 2.0;
/// Merges of a replica, likewise (never more than n − 1).
const MERGES: f64 = 4.0;
/// How much smaller a column of numbers becomes in Parquet.
const COMPRESSION: f64 = 0.6;

/// The machine that a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Processes.
    pub ranks: usize,
    /// Threads of each.
    pub threads: usize,
    /// `--chunk-replicas`.
    pub chunk_replicas: Option<u32>,
}

/// One table of the dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Rows.
    pub rows: u64,
    /// Whether the rows are a guess: how many plateaus and merges there are is what a sweep finds out.
    pub estimated: bool,
    /// Bytes on disk, always a guess.
    pub bytes: u64,
    /// Parquet files.
    pub files: u64,
    /// Those of the partition that has most.
    #[serde(skip)]
    pub files_in_a_folder: u64,
}

/// What to expect of a sweep on a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The sweep's name.
    pub name: String,
    /// Cells.
    pub cells: u64,
    /// Replicas of all cells.
    pub replicas: u64,
    /// Chunks that the work is cut into.
    pub chunks: u64,
    /// Steps of all replicas, if none ends before its horizon.
    pub steps: u64,
    /// The tables, by name.
    pub tables: BTreeMap<String, Table>,
    /// Bytes of all tables.
    pub bytes: u64,
    /// Files of all tables.
    pub files: u64,
    /// Bytes of memory that a rank needs at most.
    pub memory_per_rank: u64,
    /// Hours of one core.
    pub core_hours: f64,
    /// Seconds until the last chunk is done, handed out longest first.
    pub makespan: f64,
    /// The machine.
    pub machine: Machine,
}

/// The chunks of a whole sweep on a machine.
#[must_use]
pub fn chunks(sweep: &Sweep, costs: &Costs, machine: Machine) -> Vec<Chunk> {
    let everything: Vec<Segment> =
        (0..sweep.cells.len() as u32).map(|cell| Segment { cell, replicas: 0..sweep.replicas }).collect();
    let workers = (machine.ranks * machine.threads).max(1);
    let how = Cut { target: TARGET_SECONDS, workers, chunk_replicas: machine.chunk_replicas };
    cut(&everything, sweep, costs, &how)
}

/// The plan of a sweep that is cut into `chunks`; its makespan is without any overhead.
#[must_use]
pub fn plan(sweep: &Sweep, costs: &Costs, machine: Machine, chunks: &[Chunk]) -> Plan {
    let workers = (machine.ranks * machine.threads).max(1);
    let tables = tables(sweep);
    Plan {
        name: sweep.name.clone(),
        cells: sweep.cells.len() as u64,
        replicas: sweep.cells.len() as u64 * u64::from(sweep.replicas),
        chunks: chunks.len() as u64,
        steps: sweep
            .cells
            .iter()
            .fold(0, |sum: u64, cell| sum.saturating_add(cell.steps().saturating_mul(sweep.replicas.into()))),
        bytes: tables.values().map(|table| table.bytes).sum(),
        files: tables.values().map(|table| table.files).sum(),
        memory_per_rank: memory(sweep, chunks, machine.threads),
        core_hours: costs.sweep(sweep) / 3600.0,
        makespan: makespan(chunks, workers),
        tables,
        machine,
    }
}

/// Seconds until all chunks are done if each goes to the worker that is free first, longest first.
#[must_use]
pub fn makespan(chunks: &[Chunk], workers: usize) -> f64 {
    // Times as bits: non-negative floats are ordered as their bits are.
    let mut free: BinaryHeap<Reverse<u64>> = (0..workers.max(1)).map(|_| Reverse(0)).collect();
    let mut costs: Vec<f64> = chunks.iter().map(|chunk| chunk.cost.max(0.0)).collect();
    costs.sort_by(|a, b| b.total_cmp(a));
    let mut last = 0.0_f64;
    for cost in costs {
        let Reverse(start) = free.pop().unwrap_or(Reverse(0));
        let end = f64::from_bits(start) + cost;
        last = last.max(end);
        free.push(Reverse(end.to_bits()));
    }
    last
}

pub(crate) fn tables(sweep: &Sweep) -> BTreeMap<String, Table> {
    let replicas = f64::from(sweep.replicas);
    let observe = &sweep.observe;
    let keys = sweep.grid_keys.len() as f64 + 1.0;
    let (deltas, observables) = (observe.suffixes.len() as f64, observe.columns().len() as f64);
    let (series_rows, series_width) = match observe.level {
        Level::Cell => (1.0, observables * (2.0 + observe.quantiles.len() as f64) + 2.0),
        Level::Replica => (replicas, observables + 2.0),
    };
    let merges = |cell: &Cell| replicas * MERGES.min(cell.n() as f64 - 1.0);
    let mut tables = BTreeMap::new();
    let mut add = |name: &str, rows: &dyn Fn(&Cell) -> f64, columns: f64, estimated: bool| {
        // A table of cells is never partitioned.
        let parts = if name == "cells" { &[][..] } else { &sweep.output.partition_by };
        let (rows, files, files_in_a_folder) = rows_and_files(sweep, parts, rows);
        // Keys repeat from row to row and cost next to nothing.
        let bytes = rows * (columns * 8.0 * COMPRESSION + keys * 0.1);
        tables.insert(
            name.to_owned(),
            Table {
                rows: rows as u64,
                estimated,
                bytes: bytes as u64 + 4000 * files,
                files,
                files_in_a_folder,
            },
        );
    };
    add("cells", &|_| 1.0, 36.0, false);
    add("replicas", &|_| replicas, 10.0 + 2.0 * deltas, false);
    if observables > 0.0 {
        add("series", &|cell| series_rows * cell.sample.len() as f64, series_width, false);
    }
    if observe.plateaus {
        add("plateaus", &|_| replicas * PLATEAUS, 9.0, true);
    }
    if observe.merges {
        add("merges", &|cell| merges(cell), 9.0, true);
    }
    let first = |moments: &Moments| f64::from(moments.replicas.min(sweep.replicas));
    if let Some(moments) = &observe.snapshots {
        let width = sweep.cells.iter().map(Cell::carried).max().unwrap_or(0) as f64;
        add("tokens", &|cell| first(moments) * observe.token_rows(cell) as f64, 2.0 + width, false);
    }
    if let Some(moments) = &observe.attention {
        add("attention", &|cell| first(moments) * observe.attention_rows(cell) as f64, 2.0, false);
    }
    if !observe.histograms.is_empty() {
        add("histogram", &|cell| observe.histogram_rows(cell) as f64, 2.0, false);
    }
    tables
}

/// Rows of a table, its parts (each partition is cut by itself), and those of the largest partition.
fn rows_and_files(sweep: &Sweep, partition_by: &[String], rows: &dyn Fn(&Cell) -> f64) -> (f64, u64, u64) {
    let mut partitions: BTreeMap<Vec<&str>, f64> = BTreeMap::new();
    for cell in &sweep.cells {
        let key = partition_by.iter().map(|key| cell.text(key)).collect();
        *partitions.entry(key).or_default() += rows(cell);
    }
    let files = |rows: &f64| (rows / sweep.output.rows_per_part as f64).ceil() as u64;
    let most = partitions.values().map(files).max().unwrap_or(0);
    (partitions.values().sum(), partitions.values().map(files).sum(), most)
}

/// Bytes of one ensemble of a cell: what a thread needs to compute it and to watch it.
#[must_use]
pub fn ensemble_bytes(cell: &Cell, observe: &Observe) -> u64 {
    const NUMBER: f64 = 8.0;
    const NUMBERS: f64 = NUMBER * LANES as f64;
    let model = model(cell);
    let (tokens, d) = model.shown();
    let (n, d) = (tokens as f64, d as f64);
    let (pairs, square) = (n * n / 2.0, n * n);
    // Of each pair cosine, weight and adjacency; of many tokens a byte where pairs are watched after every step.
    let watched = f64::from(u8::from(observe.plateaus || observe.merges) * 2 + u8::from(observe.merges));
    let of_pairs =
        if tokens <= MOST_IN_PAIRS || cell.is_adaptive() { 3.0 * NUMBERS * pairs } else { watched * pairs };
    let of_weights = if model.normalization == Normalization::Sinkhorn { NUMBERS * square } else { 0.0 };
    // Matrices that observables are read from, one lane after the other.
    let matrices = |observable: &Observable| match observable {
        Observable::SpanDimension => NUMBER * square,
        Observable::AttentionRank => (cell.heads() as f64 + 2.0) * NUMBER * square,
        Observable::ThresholdRank => (NUMBER + 1.0) * square,
        _ => 0.0,
    };
    let observed = observe.series.iter().map(matrices).fold(0.0, f64::max);
    // Tokens, attention vectors, stages.
    let of_tokens = NUMBERS * (8.0 * n * d + 2.0 * d * d);
    // Beyond the largest u64 the conversion gives that.
    (of_tokens + of_pairs + of_weights + observed) as u64
}

/// Bytes that a rank needs at most: the cells, on each thread the dearest ensemble and the records of a chunk, and one
/// part being sealed.
fn memory(sweep: &Sweep, chunks: &[Chunk], threads: usize) -> u64 {
    const NUMBER: u64 = 8;
    let cells: u64 = sweep.cells.iter().map(|cell| 5000 + NUMBER * cell.sample.len() as u64).sum();
    let ensemble = sweep.cells.iter().map(|cell| ensemble_bytes(cell, &sweep.observe));
    let records = chunks.iter().map(|chunk| {
        let of = |segment: &Segment| {
            let Some(cell) = sweep.cells.get(segment.cell as usize) else { return 0 };
            // Once as records, once as the frame's bytes.
            2 * segment.replicas.len() as u64 * record_bytes(cell, &sweep.observe)
        };
        chunk.segments.iter().map(of).sum::<u64>()
    });
    let part = sweep.output.rows_per_part * NUMBER * (12 + 8 * sweep.observe.series.len() as u64);
    let thread = ensemble.max().unwrap_or(0).saturating_add(records.max().unwrap_or(0));
    cells.saturating_add((threads as u64).saturating_mul(thread)).saturating_add(part)
}
