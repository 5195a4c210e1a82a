//! What makes two sweeps one: their cells and what is recorded of them. Datasets keep it to recognize their sweep.

use serde::{Deserialize, Serialize};

use crate::cell::CellName;
use crate::sweep::{Observe, Output, Sweep};

/// A sweep's identity: small enough to keep, enough to compare and to extend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The sweep's name; two sweeps that differ only in it compute the same rows.
    pub name: String,
    /// Replicas of every cell.
    pub replicas: u32,
    /// Names of the cells, in row order.
    pub cells: Vec<CellName>,
    /// What is recorded.
    pub observe: Observe,
    /// Where rows go.
    pub output: Output,
    /// Columns of the tables.
    pub grid_keys: Vec<String>,
    /// BLAKE3, hex, of all this but the name.
    pub hash: String,
}

/// Why a sweep cannot extend what a dataset holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// So many old cells are not in the new sweep; the first of them.
    CellsMissing(usize, CellName),
    /// The new sweep has fewer replicas: (old, new).
    FewerReplicas(u32, u32),
    /// Something else is recorded.
    Observe,
    /// Rows go elsewhere, or parts are cut elsewhere.
    Output,
    /// The tables have other columns: (old, new).
    GridKeys(Vec<String>, Vec<String>),
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Difference::CellsMissing(1, cell) => {
                write!(formatter, "the cell {cell} of the dataset is not in the sweep")
            }
            Difference::CellsMissing(count, cell) => {
                write!(
                    formatter,
                    "{count} cells of the dataset are not in the sweep, the first of them {cell}"
                )
            }
            Difference::FewerReplicas(old, new) => {
                write!(formatter, "the dataset has {old} replicas a cell, the sweep only {new}")
            }
            Difference::Observe => formatter.write_str("[observe] differs from the dataset's"),
            Difference::Output => formatter.write_str("[output] differs from the dataset's"),
            Difference::GridKeys(old, new) => write!(
                formatter,
                "the grids name other keys: the dataset's tables have the columns {}, the sweep's {}",
                old.join(", "),
                new.join(", ")
            ),
        }
    }
}

impl Sweep {
    /// The sweep's identity.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let cells: Vec<CellName> = self.cells.iter().map(|cell| cell.name.clone()).collect();
        let mut identity = Identity {
            name: String::new(),
            replicas: self.replicas,
            cells,
            observe: self.observe.clone(),
            output: self.output.clone(),
            grid_keys: self.grid_keys.clone(),
            hash: String::new(),
        };
        // Plain structs of numbers and strings: this cannot fail.
        let text = serde_json::to_vec(&identity).unwrap_or_default();
        identity.hash = blake3::hash(&text).to_hex().to_string();
        identity.name.clone_from(&self.name);
        identity
    }

    /// Why this sweep is no superset of what a dataset with this identity holds; nothing if it is one: all its cells,
    /// at least as many replicas, the same columns, [observe] and [output].
    #[must_use]
    pub fn differences(&self, old: &Identity) -> Vec<Difference> {
        let new = self.identity();
        let mut differences = Vec::new();
        let cells: std::collections::BTreeSet<&CellName> = new.cells.iter().collect();
        let missing: Vec<&CellName> = old.cells.iter().filter(|cell| !cells.contains(cell)).collect();
        if let Some(first) = missing.first() {
            differences.push(Difference::CellsMissing(missing.len(), (*first).clone()));
        }
        if new.replicas < old.replicas {
            differences.push(Difference::FewerReplicas(old.replicas, new.replicas));
        }
        if new.observe != old.observe {
            differences.push(Difference::Observe);
        }
        if new.output != old.output {
            differences.push(Difference::Output);
        }
        if new.grid_keys != old.grid_keys {
            differences.push(Difference::GridKeys(old.grid_keys.clone(), new.grid_keys));
        }
        differences
    }

    /// Whether it holds everything that a dataset of this identity holds, in the same columns.
    #[must_use]
    pub fn is_superset_of(&self, old: &Identity) -> bool {
        self.differences(old).is_empty()
    }
}
