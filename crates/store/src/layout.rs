//! Where things are inside a dataset's folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// `manifest.json`: what this dataset is.
#[must_use]
pub fn manifest(dir: &Path) -> PathBuf {
    dir.join("manifest.json")
}
/// `journal/`: receipts and provenance.
#[must_use]
pub fn journal(dir: &Path) -> PathBuf {
    dir.join("journal")
}
/// `staging/`: frames that are not sealed yet. Gone once the dataset is complete.
#[must_use]
pub fn staging(dir: &Path) -> PathBuf {
    dir.join("staging")
}
/// `inputs/`: files that the sweep reads, by content.
#[must_use]
pub fn inputs(dir: &Path) -> PathBuf {
    dir.join("inputs")
}
/// `journal/owner`: who runs here.
#[must_use]
pub fn owner(dir: &Path) -> PathBuf {
    journal(dir).join("owner")
}
/// `journal/extension.json`: present while an extension is under way.
#[must_use]
pub fn extension(dir: &Path) -> PathBuf {
    journal(dir).join("extension.json")
}
/// `staging/next/`: the tables of an extension until they are swapped in.
#[must_use]
pub fn next(dir: &Path) -> PathBuf {
    staging(dir).join("next")
}
/// `staging/old/`: the tables that an extension swapped out.
#[must_use]
pub fn old(dir: &Path) -> PathBuf {
    staging(dir).join("old")
}

/// The tables that this engine writes (docs/dataset.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// One row a cell; never partitioned.
    Cells,
    /// One row a replica.
    Replicas,
    /// One row a cell (or replica) and sample time.
    Series,
    /// One row a plateau.
    Plateaus,
    /// One row a merge.
    Merges,
    /// One row a token, at the times asked for.
    Tokens,
    /// One row a pair of tokens and head, at the times asked for.
    Attention,
    /// One row a bin, sample time and cell.
    Histogram,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 8] = [
        Table::Cells,
        Table::Replicas,
        Table::Series,
        Table::Plateaus,
        Table::Merges,
        Table::Tokens,
        Table::Attention,
        Table::Histogram,
    ];

    /// Its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Cells => "cells",
            Table::Replicas => "replicas",
            Table::Series => "series",
            Table::Plateaus => "plateaus",
            Table::Merges => "merges",
            Table::Tokens => "tokens",
            Table::Attention => "attention",
            Table::Histogram => "histogram",
        }
    }
}

/// Path of a part below the folder that holds the tables: `replicas/normalization=softmax/part-00003.parquet`.
#[must_use]
pub fn part(table: Table, partition: &str, part: u32) -> PathBuf {
    Path::new(table.name()).join(partition).join(format!("part-{part:05}.parquet"))
}

/// Where new parts go: beside the manifest, or (while an extension is under way) under `staging/next`.
#[must_use]
pub fn tables(dir: &Path, extending: bool) -> PathBuf {
    if extending { next(dir) } else { dir.to_owned() }
}

/// A staging file: written by one process of one run, and by nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameFile {
    /// The run.
    pub nonce: u64,
    /// The process of that run (its MPI rank).
    pub process: u32,
    /// Counts up as files fill.
    pub number: u32,
}

impl FrameFile {
    /// Its path.
    #[must_use]
    pub fn path(self, dir: &Path) -> PathBuf {
        let FrameFile { nonce, process, number } = self;
        staging(dir).join(format!("{nonce:016x}-{process}-{number}.frames"))
    }
}

/// The journal of one process of one run.
#[must_use]
pub fn journal_file(dir: &Path, nonce: u64, process: u32) -> PathBuf {
    journal(dir).join(format!("{nonce:016x}-{process}.journal"))
}
