//! What a process reports once something is on disk: small values that travel to rank 0 and stand in the journal.

use std::ops::Range;

use metasweep_sweep::cell::CellName;
use serde::{Deserialize, Serialize};

use crate::layout::{FrameFile, Table};

/// Where a frame is, and what it must be: `hash` is over its header, which holds the hashes of its sections.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FrameRef {
    /// The staging file.
    pub file: FrameFile,
    /// First byte.
    pub offset: u64,
    /// Bytes of the header.
    pub header: u32,
    /// Bytes of the sections.
    pub payload: u64,
    /// BLAKE3 of the header.
    pub hash: [u8; 32],
}

/// What a frame knows of its segment's series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeriesForm {
    /// Values of every replica.
    Replicas,
    /// The whole cell, aggregated.
    Aggregated,
}

/// The rows of one segment, in one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The cell, by name: a receipt outlives the sweep that numbered its cells.
    pub cell: CellName,
    /// Which replicas.
    pub replicas: Range<u32>,
    /// Where.
    pub frame: FrameRef,
    /// Rows of `plateaus`.
    pub plateaus: u64,
    /// Rows of `merges`.
    pub merges: u64,
    /// What it knows of the series.
    pub series: SeriesForm,
    /// Replicas that failed, and why.
    pub failed: Vec<(u32, String)>,
}

/// A sealed part, as the manifest keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SealRecord {
    /// The table.
    pub table: Table,
    /// `key=value/key=value`, or empty.
    pub partition: String,
    /// Number of the part in its partition.
    pub part: u32,
    /// Its rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// BLAKE3 of the file, hex.
    pub file_hash: String,
    /// BLAKE3 of the rows in canonical form ([`crate::row_hash`]), hex.
    pub row_hash: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// A chunk was computed.
    Rows(Vec<Entry>),
    /// Rows were taken over from the parts of the dataset that is being extended.
    Import(Vec<Entry>),
    /// A cell of this many replicas was aggregated.
    Aggregate {
        /// The cell.
        cell: CellName,
        /// Over replicas 0 … replicas − 1.
        replicas: u32,
        /// Where the aggregated rows are.
        frame: FrameRef,
    },
    /// A part was sealed.
    Seal(SealRecord),
    /// Replicas were stopped in the middle.
    Checkpoint {
        /// The cell.
        cell: CellName,
        /// Which replicas.
        replicas: Range<u32>,
        /// Steps they have taken; of two checkpoints the one with more counts.
        steps: u64,
        /// Where the state is.
        frame: FrameRef,
    },
}

/// What a process reports of one piece of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who did it.
    pub process: u32,
    /// Seconds of one core it took.
    pub cost: f64,
    /// Staging files this process has filled since its last receipt, each with its number of frames.
    pub closed: Vec<(FrameFile, u32)>,
    /// What was done.
    pub kind: Kind,
}

/// Replicas stopped in the middle, to be gone on with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointRef {
    /// The replicas.
    pub segment: metasweep_sweep::chunk::Segment,
    /// Steps they have taken.
    pub steps: u64,
    /// Where the state is.
    pub frame: FrameRef,
}

/// Rows of one frame that go into a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Index into `Sweep::cells`.
    pub cell: u32,
    /// The frame.
    pub frame: FrameRef,
    /// Which of the frame's rows of this table.
    pub rows: Range<u64>,
}

/// Replica-level series of one frame that go into a cell's aggregates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggregateSource {
    /// The frame.
    pub frame: FrameRef,
    /// Which replicas to take.
    pub replicas: Range<u32>,
}

/// Work that is not simulation: a pure function of rows, which any process may perform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Job {
    /// Aggregate the series of a cell whose replicas are all there.
    Aggregate {
        /// Index into `Sweep::cells`.
        cell: u32,
        /// Disjoint, in replica order, covering every replica.
        sources: Vec<AggregateSource>,
    },
    /// Write one part.
    Seal {
        /// The table.
        table: Table,
        /// Its partition.
        partition: String,
        /// The part's number.
        part: u32,
        /// The tables of an extension are sealed under `staging/next`.
        extending: bool,
        /// How many rows it must have.
        rows: u64,
        /// Its rows, in order.
        sources: Vec<Source>,
    },
}
