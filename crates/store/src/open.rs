//! Opening a dataset: what is in the folder decides whether it is created, resumed, extended, or refused.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metasweep_sweep::sweep::Sweep;

use crate::dataset::{Dataset, OpenMode, Opened};
use crate::error::{Context, Result, StoreError};
use crate::extend::{self, Extension};
use crate::files::{PATIENCE, create_folder, files_of_processes, names, remove, remove_folder};
use crate::import::import;
use crate::journal::replay_all;
use crate::layout::{self, Table};
use crate::manifest::{Manifest, State, copy_inputs, identity};
use crate::owner::Owner;
use crate::parquet_file::part_path;
use crate::resume::{Resumed, resume};

/// How often what may be late is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What to do about rows of another engine.
const ELSEWHERE: &str = "Choose another folder with --out, or use the metasweep that wrote it";

impl Dataset {
    /// Opens `dir` for `sweep`: creates it, resumes it, or (with [`OpenMode::Extend`]) begins an extension.
    ///
    /// # Errors
    /// If the folder holds something else, is in use, damaged beyond repair, or cannot be written.
    pub fn open(dir: &Path, sweep: &Sweep, mode: OpenMode) -> Result<Opened> {
        if let Some(extension) = Extension::read(dir)? {
            return Self::open_extending(dir, sweep, extension);
        }
        match manifest_of(dir, sweep)? {
            None => Self::create(dir, sweep),
            Some(manifest) => {
                manifest.same_engine(dir, ELSEWHERE)?;
                if manifest.identity == identity(sweep) {
                    Self::reopen(dir, sweep, manifest)
                } else if mode == OpenMode::Extend {
                    extend::check(dir, &manifest, sweep)?;
                    let (owner, nonce) = take(dir)?;
                    let extension = Extension::begin(dir, manifest, sweep)?;
                    Self::resume(dir, sweep, owner, nonce, Some(extension))
                } else {
                    Err(extend::other_sweep(dir, &manifest, sweep))
                }
            }
        }
    }

    /// A new dataset; or one whose manifest is gone and whose journals are of this sweep: they know what is there.
    fn create(dir: &Path, sweep: &Sweep) -> Result<Opened> {
        create_folder(dir)?;
        let (owner, nonce) = take(dir)?;
        copy_inputs(dir, sweep)?;
        Manifest::new(sweep).write(dir)?;
        Self::resume(dir, sweep, owner, nonce, None)
    }

    fn reopen(dir: &Path, sweep: &Sweep, manifest: Manifest) -> Result<Opened> {
        if manifest.state == State::Complete {
            check_parts(dir, &manifest)?;
            if layout::staging(dir).exists() {
                // The run before was killed while it cleaned up.
                let (_owner, _) = take(dir)?;
                remove_folder(&layout::staging(dir))?;
            }
            return Ok(Opened::Complete(Box::new(manifest)));
        }
        let (owner, nonce) = take(dir)?;
        copy_inputs(dir, sweep)?;
        Self::resume(dir, sweep, owner, nonce, None)
    }

    fn open_extending(dir: &Path, sweep: &Sweep, extension: Extension) -> Result<Opened> {
        extension.check_identity(dir, sweep)?;
        let (owner, nonce) = take(dir)?;
        if extension.is_swapping(dir)? {
            let manifest = Extension::swap(dir)?;
            drop(owner);
            return Ok(Opened::Complete(Box::new(manifest)));
        }
        Self::resume(dir, sweep, owner, nonce, Some(extension))
    }

    fn resume(
        dir: &Path,
        sweep: &Sweep,
        owner: Owner,
        nonce: u64,
        extension: Option<Extension>,
    ) -> Result<Opened> {
        let extending = extension.is_some();
        create_folder(&layout::staging(dir))?;
        let Resumed { books, checkpoints, warnings, chunks } = resume(dir, sweep, nonce, extending)?;
        let mut dataset =
            Dataset { dir: dir.to_owned(), nonce, owner, books, checkpoints, warnings, chunks, extension };
        dataset.remove_leftovers()?;
        if let Some(extension) = dataset.extension.take() {
            import(&mut dataset, &extension.old, sweep)?;
            dataset.extension = Some(extension);
        }
        Ok(Opened::Ready(Box::new(dataset)))
    }

    /// Staging files of earlier runs that nobody needs, and parts under temporary names.
    fn remove_leftovers(&mut self) -> Result<()> {
        let used = self.books.ledger.frames.files_in_use();
        let used: HashSet<PathBuf> = used.into_iter().map(|file| file.path(&self.dir)).collect();
        for path in files_of_processes(&layout::staging(&self.dir), "frames")? {
            if !used.contains(&path) {
                remove(&path)?;
            }
        }
        remove_temporary(&self.dir)?;
        let tables = layout::tables(&self.dir, self.extension.is_some());
        let partitions =
            self.books.plan.streams.iter().map(|stream| (stream.table, stream.partition.as_str()));
        for (table, partition) in partitions.chain([(Table::Cells, "")]) {
            let folder = tables.join(table.name()).join(partition);
            for name in names(&folder)? {
                if Path::new(&name).extension().is_some_and(|extension| extension == "tmp") {
                    remove(&folder.join(name))?;
                }
            }
        }
        Ok(())
    }
}

/// The manifest; `None` where a dataset may begin: nothing is there but what a run leaves that was killed before its manifest, or tables of
/// which a journal says that they are of this sweep. If neither manifest nor journal is seen beside tables, they are waited for: a network
/// file system may show the files of others late.
fn manifest_of(dir: &Path, sweep: &Sweep) -> Result<Option<Manifest>> {
    let is_table = |name: &String| Table::ALL.iter().any(|table| table.name() == name);
    let ours = |name: &String| {
        ["journal", "staging", "inputs", "slurm"].contains(&name.as_str())
            || name.starts_with(".manifest.json.")
            || is_table(name)
    };
    let started = Instant::now();
    loop {
        if let Some(manifest) = Manifest::read(dir)? {
            return Ok(Some(manifest));
        }
        let names = if dir.exists() { names(dir)? } else { Vec::new() };
        let are_ours = names.iter().all(ours);
        if are_ours && !names.iter().any(is_table) {
            return Ok(None);
        }
        let (replays, _) = replay_all(dir)?;
        let identity = identity(sweep);
        let mut provenances = replays.iter().filter_map(|replay| replay.provenance.as_ref());
        if are_ours && provenances.any(|provenance| provenance.identity == identity) {
            return Ok(None);
        }
        let may_be_late = are_ours && replays.is_empty() && names.iter().any(|name| name == "journal");
        if !may_be_late || started.elapsed() >= PATIENCE {
            return Err(StoreError::NotADataset { path: dir.to_owned() });
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// What earlier runs left under temporary names beside the tables, when they were killed.
pub(crate) fn remove_temporary(dir: &Path) -> Result<()> {
    for folder in [dir.to_owned(), layout::journal(dir), layout::inputs(dir)] {
        for name in names(&folder)? {
            let temporary = name.starts_with('.')
                && (Path::new(&name).extension().is_some_and(|extension| extension == "tmp")
                    || name.starts_with(".owner.")
                    || name.starts_with(".clock."));
            if temporary {
                remove(&folder.join(&name))?;
            }
        }
    }
    Ok(())
}

/// Existence and size of every part of a complete dataset; hashes are `verify`'s.
fn check_parts(dir: &Path, manifest: &Manifest) -> Result<()> {
    for seal in &manifest.parts {
        let path = part_path(dir, seal);
        let what = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() == seal.bytes => continue,
            Ok(metadata) => format!("it has {} bytes, its seal record says {}", metadata.len(), seal.bytes),
            Err(error) => format!("it cannot be found ({error})"),
        };
        let manifest = layout::manifest(dir);
        let what = format!(
            "{what}. `metasweep verify` checks the others. To have damaged parts made again, remove them and {}, then run the \
             same command again",
            manifest.display()
        );
        return Err(StoreError::Damaged { path, what });
    }
    Ok(())
}

fn take(dir: &Path) -> Result<(Owner, u64)> {
    let nonce = fresh_nonce()?;
    Ok((Owner::take(dir, nonce)?, nonce))
}

/// For a process that shares a dataset without a lead: makes the folder and its manifest if they are not there. True if the
/// sweep is complete. Several may do it at once: they write the same bytes.
///
/// # Errors
/// If the folder holds something else, or an extension is under way.
pub fn prepare(dir: &Path, sweep: &Sweep) -> Result<bool> {
    if Extension::read(dir)?.is_some() {
        let what =
            "it is being extended, which one process at a time does: run it without --share".to_owned();
        return Err(StoreError::Other { path: dir.to_owned(), what });
    }
    if let Some(manifest) = manifest_of(dir, sweep)? {
        manifest.same_engine(dir, ELSEWHERE)?;
        if manifest.identity != identity(sweep) {
            return Err(extend::other_sweep(dir, &manifest, sweep));
        }
        return Ok(manifest.state == State::Complete);
    }
    for folder in [dir.to_owned(), layout::journal(dir), layout::staging(dir)] {
        create_folder(&folder)?;
    }
    copy_inputs(dir, sweep)?;
    Manifest::new(sweep).write(dir)?;
    Ok(false)
}

/// A number that no other run has; it names files, and never enters a row.
///
/// # Errors
/// If the system has no random numbers.
pub fn fresh_nonce() -> Result<u64> {
    use std::io::Read;
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; 8];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).context("read", path)?;
    Ok(u64::from_le_bytes(bytes))
}
