//! `manifest.json`: what a dataset is. A function of sweep and engine alone: no times, no hosts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use metasweep_sweep::cell::CellName;
use metasweep_sweep::identity::Identity;
use metasweep_sweep::sweep::{Observe, Output, Sweep};
use serde::{Deserialize, Serialize};

use crate::error::{Context, Result, StoreError};
use crate::failpoint::{Phase, phase};
use crate::files::{create_folder, replace};
use crate::layout;
use crate::receipt::SealRecord;

/// The version of what stands around the tables: manifest, journal, frames, Parquet settings.
pub const FORMAT: u32 = 1;
/// The version of the tables' columns; columns are only ever appended.
pub const SCHEMA: u32 = 1;

/// Whether every row is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Rows are missing: run again.
    Incomplete,
    /// Every row is there.
    Complete,
}

/// The manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// [`SCHEMA`].
    pub schema: u32,
    /// The engine that computed the rows.
    pub engine: u32,
    /// The sweep's name.
    pub name: String,
    /// The sweep's identity.
    pub identity: String,
    /// Whether every row is there.
    pub state: State,
    /// Replicas of each cell.
    pub replicas: u32,
    /// Replicas that failed.
    pub replicas_failed: u64,
    /// The cells, in row order.
    pub cells: Vec<CellName>,
    /// What was recorded.
    pub observe: Observe,
    /// How it was written.
    pub output: Output,
    /// Parameters that are columns of the tables.
    pub grid_keys: Vec<String>,
    /// Files the sweep reads: name → BLAKE3; they are in `inputs/` by that hash.
    pub inputs: BTreeMap<String, String>,
    /// The sweep in canonical TOML.
    pub sweep: String,
    /// The sealed parts; empty until complete.
    pub parts: Vec<SealRecord>,
}

/// The hash that names a sweep's dataset.
pub(crate) fn identity(sweep: &Sweep) -> String {
    sweep.identity().hash
}

impl Manifest {
    /// The manifest of a sweep of which nothing is there yet.
    #[must_use]
    pub fn new(sweep: &Sweep) -> Self {
        Manifest {
            format: FORMAT,
            schema: SCHEMA,
            engine: metasweep_dynamics::ENGINE,
            name: sweep.name.clone(),
            identity: identity(sweep),
            state: State::Incomplete,
            replicas: sweep.replicas,
            replicas_failed: 0,
            cells: sweep.cells.iter().map(|cell| cell.name.clone()).collect(),
            observe: sweep.observe.clone(),
            output: sweep.output.clone(),
            grid_keys: sweep.grid_keys.clone(),
            inputs: sweep.inputs.iter().map(|(name, input)| (name.clone(), input.hash.clone())).collect(),
            sweep: sweep.canonical.clone(),
            parts: Vec::new(),
        }
    }

    /// The identity of the sweep it describes.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            name: self.name.clone(),
            replicas: self.replicas,
            cells: self.cells.clone(),
            observe: self.observe.clone(),
            output: self.output.clone(),
            grid_keys: self.grid_keys.clone(),
            hash: self.identity.clone(),
        }
    }

    /// Reads `manifest.json`; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read or understood, or comes from a newer metasweep.
    pub fn read(dir: &Path) -> Result<Option<Manifest>> {
        read_json(&layout::manifest(dir)).and_then(|manifest: Option<Manifest>| match manifest {
            Some(manifest) if manifest.format > FORMAT => Err(StoreError::Other {
                path: dir.to_owned(),
                what: format!(
                    "its format is {}, this metasweep knows formats up to {FORMAT}; use the metasweep that wrote it",
                    manifest.format
                ),
            }),
            other => Ok(other),
        })
    }

    /// Writes `manifest.json`, atomically and durably.
    ///
    /// # Errors
    /// If the disk refuses; the manifest before stays.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let _phase = phase(Phase::Manifest);
        write_json(&layout::manifest(dir), self, "manifest")
    }
}

/// Reads a JSON file; `None` if there is none.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        other => other.context("read", path)?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError::damaged(path, error.to_string()))
}

/// Writes a JSON file, atomically and durably; `name` is its failpoint.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T, name: &str) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| StoreError::damaged(path, format!("it cannot be written as JSON: {error}")))?;
    text.push('\n');
    replace(path, text.as_bytes(), name)
}

/// Copies the files that the sweep reads to `inputs/<hash>`; those that are there stay.
///
/// # Errors
/// If the disk refuses.
pub fn copy_inputs(dir: &Path, sweep: &Sweep) -> Result<()> {
    let folder = layout::inputs(dir);
    for input in sweep.inputs.values() {
        create_folder(&folder)?;
        let path = folder.join(&input.hash);
        if fs::read(&path).ok().is_none_or(|bytes| bytes != input.bytes) {
            replace(&path, &input.bytes, "input")?;
        }
    }
    Ok(())
}

impl Manifest {
    /// An error if other bits would come out of this program; `help` says what to do then.
    pub(crate) fn same_engine(&self, dir: &Path, help: &str) -> Result<()> {
        let (theirs, ours) = (self.engine, metasweep_dynamics::ENGINE);
        if theirs == ours {
            return Ok(());
        }
        let what = format!(
            "its rows were computed by engine {theirs}, this metasweep has engine {ours}, whose rows have other bits. {help}"
        );
        Err(StoreError::Other { path: dir.to_owned(), what })
    }
}

/// [`sweep_of`] a dataset of whose rows some are to be computed again.
///
/// # Errors
/// As [`sweep_of`], and [`StoreError::Other`] if another engine has computed them.
pub fn sweep_to_repeat(dir: &Path) -> Result<Sweep> {
    if let Some(manifest) = Manifest::read(dir)? {
        manifest.same_engine(dir, "The metasweep that wrote it can compute them again")?;
    }
    sweep_of(dir)
}

/// The sweep whose rows a dataset holds, from its manifest and inputs alone.
///
/// # Errors
/// [`StoreError::Missing`] if there is no manifest; [`StoreError::Damaged`] if an input is not what the manifest says, or
/// the sweep in it cannot be read.
pub fn sweep_of(dir: &Path) -> Result<Sweep> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| StoreError::Missing { path: dir.to_owned() })?;
    let path = layout::manifest(dir);
    let mut load = |name: &str| {
        let hash = manifest.inputs.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let bytes = fs::read(layout::inputs(dir).join(hash))?;
        let found = blake3::hash(&bytes).to_hex();
        let same = found.as_str() == hash;
        same.then_some(bytes)
            .ok_or_else(|| io::Error::other(format!("inputs/{hash} has another hash: {found}")))
    };
    let sweep = Sweep::parse(&manifest.sweep, "manifest.json", &[], &mut load)
        .map_err(|error| StoreError::damaged(&path, format!("its sweep cannot be read:\n{error}")))?;
    if identity(&sweep) != manifest.identity {
        return Err(StoreError::damaged(&path, "its sweep is not the one that its identity names"));
    }
    Ok(sweep)
}
