//! Extension: the dataset of a sweep becomes that of a larger one, and only what is new is computed.
//!
//! `journal/extension.json` says that an extension is under way, and holds the old manifest. Old rows are taken over from the
//! old parts as frames, new parts are sealed under `staging/next`, cut as if everything had been run at once. At the
//! end `staging/next/manifest.json` marks the swap: table by table the old folder goes to `staging/old` and the new
//! one takes its place, then the manifest. Each step can be done again after a kill; until the swap the old tables are as they were.

use std::path::Path;

use metasweep_sweep::identity::Difference;
use metasweep_sweep::sweep::Sweep;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Result, StoreError};
use crate::failpoint::{Phase, phase, reach};
use crate::files::{create_folder, remove, remove_folder, rename, sync_folder};
use crate::layout::{self, Table};
use crate::manifest::{Manifest, copy_inputs, identity, read_json, write_json};

/// An extension under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extension {
    /// The manifest before.
    pub old: Manifest,
    /// What the manifest of the larger sweep is at the beginning.
    pub next: Manifest,
}

impl Extension {
    /// The extension under way, if any.
    ///
    /// # Errors
    /// If its record cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Extension>> {
        read_json(&layout::extension(dir))
    }

    /// Records the beginning.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn begin(dir: &Path, old: Manifest, sweep: &Sweep) -> Result<Extension> {
        reach("extend.begin").context("write", dir)?;
        // What an extension before this one may have left when it was killed while it cleaned up.
        remove_folder(&layout::next(dir))?;
        remove_folder(&layout::old(dir))?;
        copy_inputs(dir, sweep)?;
        let extension = Extension { old, next: Manifest::new(sweep) };
        write_json(&layout::extension(dir), &extension, "extend")?;
        Ok(extension)
    }

    /// Only the sweep that began the extension may go on with it.
    ///
    /// # Errors
    /// [`StoreError::Other`] for any other sweep.
    pub fn check_identity(&self, dir: &Path, sweep: &Sweep) -> Result<()> {
        if self.next.identity == identity(sweep) {
            return Ok(());
        }
        let what = if self.old.identity == identity(sweep) {
            "it held this sweep, but is being extended to a larger one. Run the larger sweep again to finish the extension; \
             until then its tables hold this sweep's rows as before"
        } else {
            "an extension to another sweep is under way. Run that sweep again to finish it, then extend further"
        };
        Err(StoreError::Other { path: dir.to_owned(), what: what.to_owned() })
    }

    /// Whether every new part is sealed and the swap has begun.
    ///
    /// # Errors
    /// If the manifests cannot be read.
    pub fn is_swapping(&self, dir: &Path) -> Result<bool> {
        let marked = read_json::<Manifest>(&layout::next(dir).join("manifest.json"))?;
        let written = Manifest::read(dir)?;
        let ours = |manifest: &Manifest| manifest.identity == self.next.identity;
        Ok(marked.as_ref().is_some_and(ours) || written.as_ref().is_some_and(ours))
    }

    /// Marks the beginning of the swap.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn begin_swap(dir: &Path, manifest: &Manifest) -> Result<()> {
        reach("swap.begin").context("write", dir)?;
        write_json(&layout::next(dir).join("manifest.json"), manifest, "swap")
    }

    /// Swaps, or goes on swapping; returns the manifest of the larger dataset.
    ///
    /// # Errors
    /// If the disk refuses; opening the dataset again goes on from there.
    pub fn swap(dir: &Path) -> Result<Manifest> {
        let _phase = phase(Phase::Rename);
        let (next, old) = (layout::next(dir), layout::old(dir));
        let mark = next.join("manifest.json");
        create_folder(&old)?;
        for table in Table::ALL.map(Table::name) {
            let (new_table, table_now, old_table) = (next.join(table), dir.join(table), old.join(table));
            // Without a new folder this table has been swapped already.
            if !new_table.exists() {
                continue;
            }
            if table_now.exists() {
                // Only a swap that was killed leaves one here; it is the same table.
                remove_folder(&old_table)?;
                reach("swap.old").context("rename", &table_now)?;
                rename(&table_now, &old_table)?;
            }
            reach("swap.new").context("rename", &new_table)?;
            rename(&new_table, &table_now)?;
            sync_folder(dir)?;
            sync_folder(&next)?;
            sync_folder(&old)?;
        }
        if let Some(manifest) = read_json::<Manifest>(&mark)? {
            reach("finish.manifest").context("write", dir)?;
            manifest.write(dir)?;
        }
        let manifest = Manifest::read(dir)?.ok_or_else(|| StoreError::Missing { path: dir.to_owned() })?;
        remove(&layout::extension(dir))?;
        sync_folder(&layout::journal(dir))?;
        reach("finish.staging").context("remove", &layout::staging(dir))?;
        remove_folder(&layout::staging(dir))?;
        Ok(manifest)
    }
}

/// Whether `sweep` is an extension of what `old` describes.
///
/// # Errors
/// [`StoreError::Other`] with the reason why not.
pub fn check(dir: &Path, old: &Manifest, sweep: &Sweep) -> Result<()> {
    obstacle(old, sweep).map_or(Ok(()), |what| Err(StoreError::Other { path: dir.to_owned(), what }))
}

/// Why `sweep` is no extension. Other columns are no obstacle: every part is written anew.
fn obstacle(old: &Manifest, sweep: &Sweep) -> Option<String> {
    let differences = sweep.differences(&old.identity());
    let differences = differences.iter().filter(|one| !matches!(one, Difference::GridKeys(..)));
    let reasons: Vec<String> = differences.map(ToString::to_string).collect();
    (!reasons.is_empty()).then(|| format!("this sweep is not a superset of it: {}", reasons.join("; ")))
}

/// The error for a folder that holds another sweep, with the way out.
pub fn other_sweep(dir: &Path, old: &Manifest, sweep: &Sweep) -> StoreError {
    let way_out = match obstacle(old, sweep) {
        None => {
            "This sweep is an extension of it: add --extend to keep its rows and compute only what is new"
                .to_owned()
        }
        Some(reason) => {
            format!("Choose another folder with --out. (It cannot be extended either: {reason}.)")
        }
    };
    let what = format!(
        "the sweep \"{}\" ({} cells × {} replicas). {way_out}",
        old.name,
        old.cells.len(),
        old.replicas
    );
    StoreError::Other { path: dir.to_owned(), what }
}
