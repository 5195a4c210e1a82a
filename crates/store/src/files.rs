//! Files that are there whole or not at all: temporary name → fsync → rename → fsync of the folder.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::{Context, Result, StoreError};
use crate::failpoint::reach;

/// Makes a folder's entries durable.
pub fn sync_folder(path: &Path) -> Result<()> {
    let folder = File::open(path).context("open", path)?;
    match folder.sync_all() {
        // Some network file systems have no fsync of folders; their renames are synchronous.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        Err(source) => Err(StoreError::Sync { path: path.to_owned(), source }),
        Ok(()) => Ok(()),
    }
}

/// Creates a folder and those above it, durably.
pub fn create_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        other => other.context("create the folder", path)?,
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// fsync; an error is never retried on the same descriptor (the kernel forgets what it could not write).
pub fn sync_file(file: &File, path: &Path, failpoint: &str) -> Result<()> {
    reach(failpoint)
        .and_then(|()| file.sync_all())
        .map_err(|source| StoreError::Sync { path: path.to_owned(), source })
}

/// Replaces `path` by `bytes`, atomically and durably. `name` is the failpoint's first half.
pub fn replace(path: &Path, bytes: &[u8], name: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // One writer a name: the process is part of the temporary name, so that two never mix their bytes.
    let temporary = folder.join(format!(
        ".{}.{}.tmp",
        path.file_name().unwrap_or_default().to_string_lossy(),
        std::process::id()
    ));
    reach(&format!("{name}.write")).context("write", &temporary)?;
    let mut file = File::create(&temporary).context("create", &temporary)?;
    file.write_all(bytes).context("write", &temporary)?;
    sync_file(&file, &temporary, &format!("{name}.sync"))?;
    drop(file);
    reach(&format!("{name}.rename")).context("rename", &temporary)?;
    fs::rename(&temporary, path).context("rename", &temporary)?;
    sync_folder(folder)
}

/// Removes a file; one that is not there is fine.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.context("remove", path),
    }
}

/// Removes a folder with all it holds; one that is not there is fine.
pub fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.context("remove", path),
    }
}

/// The names in a folder, sorted; an absent folder is empty.
pub fn names(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        other => other.context("list", path)?,
    };
    for entry in entries {
        names.push(entry.context("list", path)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
