//! A sweep, resolved: nothing left to look up.

use std::collections::BTreeMap;

use metasweep_metastability::histogram::Histogram;
use metasweep_metastability::observables::Observable;
use metasweep_metastability::watch::Space;
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::fitting::is_flat;
use crate::moments::{Moments, SEPARATION};

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
    pub series: Vec<Observable>,
    /// Cell or replica.
    pub level: Level,
    /// Quantiles of cell-level series.
    pub quantiles: Vec<f64>,
    /// Thresholds of 1 − cosine; the first is unsuffixed.
    pub deltas: Vec<f64>,
    /// Suffixes of the columns that depend on a threshold: "", the further `_delta_…`, the further `_epsilon_…`.
    pub suffixes: Vec<String>,
    /// Table merges is written.
    pub merges: bool,
    /// Plateaus are tracked.
    pub plateaus: bool,
    /// Overrides the default of `Watch::min_lifetime`.
    pub min_lifetime: Option<f64>,
    /// Thresholds of distances in R^d, where they stand in place of `deltas`; the first is unsuffixed. Empty: the δ hold there too, as
    /// the distances √(2δ). What is at its default is left out when this is written, here and below: a new key changes no sweep's
    /// identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epsilons: Vec<f64>,
    /// δ_R, an expression in a cell's numeric keys.
    #[serde(default = "expression", skip_serializing_if = "is_default")]
    pub separation: String,
    /// What `leading_eigenspace_distance` is about, a column each.
    #[serde(default = "spaces", skip_serializing_if = "is_of_value")]
    pub spaces: Vec<Space>,
    /// Whether smallest cosine and energy of the last state are asked for.
    #[serde(default = "asked", skip_serializing_if = "is_asked")]
    pub final_state: bool,
    /// What table tokens has rows of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<Moments>,
    /// What table attention has rows of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<Moments>,
    /// What table histogram has rows of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histograms: Vec<Histogram>,
}

fn expression() -> String {
    SEPARATION.to_owned()
}
fn is_default(separation: &str) -> bool {
    separation == SEPARATION
}
fn asked() -> bool {
    true
}
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_asked(asked: &bool) -> bool {
    *asked
}
fn spaces() -> Vec<Space> {
    vec![Space::Value]
}
fn is_of_value(spaces: &[Space]) -> bool {
    spaces == [Space::Value]
}

/// That of a file without `[observe]`.
impl Default for Observe {
    fn default() -> Self {
        Self {
            series: vec![
                Observable::Clusters,
                Observable::PairFraction,
                Observable::MeanCosine,
                Observable::Energy,
            ],
            level: Level::Cell,
            quantiles: vec![0.1, 0.5, 0.9],
            deltas: vec![1e-3],
            suffixes: vec![String::new()],
            merges: false,
            plateaus: true,
            min_lifetime: None,
            epsilons: Vec::new(),
            separation: expression(),
            spaces: spaces(),
            final_state: asked(),
            snapshots: None,
            attention: None,
            histograms: Vec::new(),
        }
    }
}

impl Observe {
    /// Thresholds of 1 − cosine for the columns of a cell, one for each of `suffixes`. On the sphere those of `delta`; in R^d those of
    /// `epsilon`, if given: ε stands for δ = ε²/2 of the closeness 1 − ‖x_i − x_j‖²/2. NaN: a column of cells with the other
    /// geometry.
    #[must_use]
    pub fn thresholds(&self, cell: &Cell) -> Vec<f64> {
        let flat = is_flat(cell) && !self.epsilons.is_empty();
        let first = if flat { 0.5 * self.epsilons[0] * self.epsilons[0] } else { self.deltas[0] };
        let deltas = self.deltas[1..].iter().map(|delta| if flat { f64::NAN } else { *delta });
        let epsilons = self.epsilons.iter().skip(1).map(|e| if flat { 0.5 * e * e } else { f64::NAN });
        std::iter::once(first).chain(deltas).chain(epsilons).collect()
    }

    /// The first threshold of distances.
    #[must_use]
    pub fn epsilon(&self) -> f64 {
        self.epsilons.first().copied().unwrap_or_else(|| (2.0 * self.deltas[0]).sqrt())
    }

    /// The columns of the series before aggregation, each with whether it counts.
    #[must_use]
    pub fn columns(&self) -> Vec<(String, bool)> {
        let columns = |observable: &Observable| -> Vec<(String, bool)> {
            let suffixes = observable.suffixes(&self.suffixes, &self.spaces);
            let name = |suffix| (format!("{}{suffix}", observable.name()), observable.is_count());
            suffixes.into_iter().map(name).collect()
        };
        self.series.iter().flat_map(columns).collect()
    }

    /// Whether some table has rows that are formed over all replicas of a cell.
    #[must_use]
    pub fn aggregates(&self) -> bool {
        self.level == Level::Cell && !self.series.is_empty() || !self.histograms.is_empty()
    }

    /// Rows that a cell has in table histogram.
    #[must_use]
    pub fn histogram_rows(&self, cell: &Cell) -> u64 {
        cell.sample.len() as u64 * self.bins()
    }

    /// Bins of all histograms.
    #[must_use]
    pub fn bins(&self) -> u64 {
        self.histograms.iter().map(|histogram| u64::from(histogram.bins)).sum()
    }

    /// Rows that one of the first replicas of a cell has in table tokens.
    #[must_use]
    pub fn token_rows(&self, cell: &Cell) -> u64 {
        self.snapshots.as_ref().map_or(0, |moments| moments.times.len() as u64 * cell.n() as u64)
    }

    /// Rows that one of the first replicas of a cell has in table attention.
    #[must_use]
    pub fn attention_rows(&self, cell: &Cell) -> u64 {
        let (heads, n) = (cell.heads() as u64, cell.n() as u64);
        self.attention.as_ref().map_or(0, |moments| moments.times.len() as u64 * heads * n * n)
    }
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
