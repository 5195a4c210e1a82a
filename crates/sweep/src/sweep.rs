//! A sweep, resolved: nothing left to look up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;

/// What a series row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Aggregates over the replicas of a cell.
    Cell,
    /// One row a replica and time.
    Replica,
}

/// `[observe]`, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observe {
    /// Observables, in the order of the file.
    pub series: Vec<metasweep_metastability::observables::Observable>,
    /// Cell or replica.
    pub level: Level,
    /// Quantiles of cell-level series.
    pub quantiles: Vec<f64>,
    /// Thresholds; the first is unsuffixed.
    pub deltas: Vec<f64>,
    /// `_delta_…` suffixes ("" first).
    pub suffixes: Vec<String>,
    /// Table merges is written.
    pub merges: bool,
    /// Plateaus are tracked.
    pub plateaus: bool,
    /// Overrides the default of `Watch::min_lifetime`.
    pub min_lifetime: Option<f64>,
}

/// `[output]`, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// String-valued parameters that become folders.
    pub partition_by: Vec<String>,
    /// Rows of a part.
    pub rows_per_part: u64,
}

/// A file the sweep reads: its bytes count, not its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// BLAKE3 of the bytes, hex.
    pub hash: String,
}

/// One TOML file, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// `name`.
    pub name: String,
    /// Replicas of every cell.
    pub replicas: u32,
    /// The cells, in row order: n, d, beta, the other parameters by name, cell name.
    pub cells: Vec<Cell>,
    /// Parameters that some grid names: the columns of every table but `cells`, in row order.
    pub grid_keys: Vec<String>,
    /// What to record.
    pub observe: Observe,
    /// Where rows go.
    pub output: Output,
    /// The sweep in canonical TOML: equal sweeps have equal text.
    pub canonical: String,
    /// Files the sweep reads, by the name that canonical text gives them: 32 hex digits of their hash and the ending.
    pub inputs: BTreeMap<String, Input>,
}
