//! Files that are there whole or not at all: temporary name → fsync → rename → fsync of the folder.
//!
//! Network file systems may interrupt any call (EINTR), and show what other nodes did to a folder only after a while:
//! the calls here go on after an interruption, and a folder is emptied until it is empty.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Context, Result, StoreError};
use crate::failpoint::reach;
use crate::layout::is_place;

/// How long what another process has just written may take to become visible here. NFS clients believe that a name
/// is not there, or that a folder is as it was, for up to a minute (`acdirmax`).
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Does it again as long as a signal interrupts it.
pub fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Renames; `from` is a name of this process alone, so that one that is gone after an interruption was renamed.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let mut interrupted = false;
    loop {
        match fs::rename(from, to) {
            Err(error) if error.kind() == ErrorKind::Interrupted => interrupted = true,
            Err(error) if interrupted && error.kind() == ErrorKind::NotFound && to.exists() => return Ok(()),
            outcome => return outcome.context("rename", from),
        }
    }
}

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
///
/// # Errors
/// If the disk refuses.
pub fn create_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder(parent)?;
    }
    match uninterrupted(|| fs::create_dir(path)) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
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

/// Replaces `path` by `bytes`, atomically and durably; its folder is there. `name` is the failpoint's first half.
///
/// # Errors
/// If the disk refuses; the file is as it was then.
pub fn replace(path: &Path, bytes: &[u8], name: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // One writer a name: the process is part of the temporary name, so that two never mix their bytes.
    let temporary = folder.join(format!(
        ".{}.{}-{}.tmp",
        path.file_name().unwrap_or_default().to_string_lossy(),
        crate::owner::host(),
        std::process::id()
    ));
    reach(&format!("{name}.write")).context("write", &temporary)?;
    let mut file = File::create(&temporary).context("create", &temporary)?;
    file.write_all(bytes).context("write", &temporary)?;
    sync_file(&file, &temporary, &format!("{name}.sync"))?;
    drop(file);
    reach(&format!("{name}.rename")).context("rename", &temporary)?;
    self::rename(&temporary, path)?;
    sync_folder(folder)
}

/// Removes a file; one that is not there is fine.
pub fn remove(path: &Path) -> Result<()> {
    match uninterrupted(|| fs::remove_file(path)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other.context("remove", path),
    }
}

/// Removes a folder with all it holds; one that is not there is fine.
pub fn remove_folder(path: &Path) -> Result<()> {
    let started = Instant::now();
    loop {
        match uninterrupted(|| fs::remove_dir_all(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            // It holds what other processes wrote and the listing does not show yet.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(50));
            }
            outcome => return outcome.context("remove", path),
        }
    }
}

/// The names in a folder, sorted; an absent folder is empty.
pub fn names(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match uninterrupted(|| fs::read_dir(path)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(names),
        other => other.context("list", path)?,
    };
    for entry in entries {
        names.push(entry.context("list", path)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The files below `folder` with this extension, sorted: those of a few processes lie in it, those of many in folders of their own.
///
/// # Errors
/// If a folder cannot be read.
pub fn files_of_processes(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for name in names(&folder)? {
            let path = folder.join(&name);
            if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            } else if is_place(&name) {
                folders.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
