//! What can go wrong with a dataset: one sentence a variant, with the place, and the process's exit code.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An operation on a dataset that did not succeed. Nothing committed before it is lost.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operating system refused something (no space, no permission, read-only, …).
    #[error("cannot {action} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// What was being done, as a verb ("write", "rename").
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The disk did not confirm a write: whatever was written since the last confirmation may be gone.
    #[error(
        "the disk did not confirm what was written to {}: {source}. What was computed since the last confirmation counts as \
         lost; check the disk, then run the same command again to resume",
        path.display()
    )]
    Sync {
        /// The file or folder.
        path: PathBuf,
        /// What fsync said.
        source: io::Error,
    },
    /// This process has already failed to write; it must not go on.
    #[error("{cause} (This process commits nothing more after that.)")]
    Poisoned {
        /// What the first failure said.
        cause: String,
    },
    /// A frame in staging is not what its receipt says.
    #[error(
        "the frame at byte {offset} of {} is damaged ({what}); run the same command again: its rows will be recomputed",
        path.display()
    )]
    Frame {
        /// The staging file.
        path: PathBuf,
        /// Where the frame starts.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A file of the dataset cannot be understood.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The folder holds the rows of another sweep, or of another engine.
    #[error("{} belongs to another sweep or engine: {what}", path.display())]
    Other {
        /// The dataset's folder.
        path: PathBuf,
        /// How it differs, and what can be done.
        what: String,
    },
    /// The folder holds something that metasweep did not write.
    #[error(
        "{} is not empty and holds no metasweep dataset (no manifest.json, no journal); choose another folder with --out, or empty it",
        path.display()
    )]
    NotADataset {
        /// The folder.
        path: PathBuf,
    },
    /// No dataset there.
    #[error("{} holds no metasweep dataset: there is no manifest.json in it", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// Another run has the dataset.
    #[error(
        "{} is in use by another run: {owner}. Wait for it or stop it; if it is dead, it is taken over {when}",
        path.display()
    )]
    InUse {
        /// The dataset's folder.
        path: PathBuf,
        /// Host, process, SLURM job.
        owner: String,
        /// When a dead owner is noticed.
        when: &'static str,
    },
    /// Another run took the dataset over from this one.
    #[error("{} was taken over by another run ({owner}); this one stops", path.display())]
    TakenOver {
        /// The dataset's folder.
        path: PathBuf,
        /// Who has it now.
        owner: String,
    },
    /// `finish` was called although rows are missing.
    #[error("{} is not finished: {what}", path.display())]
    Unfinished {
        /// The dataset's folder.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". Nothing that was committed is lost: make room, then run the same command again to resume"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            ". metasweep needs to create and rename files there; choose another folder with --out, or mend its permissions"
        }
        _ => "",
    }
}

impl StoreError {
    /// The process's exit code (docs/commands.md, exit codes).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            StoreError::Frame { .. }
            | StoreError::Damaged { .. }
            | StoreError::Other { .. }
            | StoreError::NotADataset { .. }
            | StoreError::Missing { .. } => 3,
            StoreError::InUse { .. } | StoreError::TakenOver { .. } => 4,
            _ => 1,
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        StoreError::Damaged { path: path.to_owned(), what: what.into() }
    }
}

/// Short for `Result<T, StoreError>`.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Says what was being done to which path when an [`io::Error`] came.
pub(crate) trait Context<T> {
    /// Wraps the error.
    fn context(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| StoreError::Io { action, path: path.to_owned(), source })
    }
}

impl<T> Context<T> for parquet::errors::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|error| match error {
            parquet::errors::ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => StoreError::Io { action, path: path.to_owned(), source: *source },
                Err(other) => StoreError::damaged(path, other.to_string()),
            },
            other => StoreError::damaged(path, other.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_name_the_place_and_the_way_out() {
        let full =
            Err::<(), _>(io::Error::from_raw_os_error(libc::ENOSPC)).context("write", Path::new("/d/x"));
        let text = full.unwrap_err().to_string();
        assert!(text.starts_with("cannot write /d/x: No space left on device"), "{text}");
        assert!(text.contains("resume"), "{text}");
        let in_use = StoreError::InUse { path: "/d".into(), owner: "host a".into(), when: "at once" };
        assert_eq!(in_use.exit_code(), 4);
        assert_eq!(StoreError::damaged(Path::new("/d"), "x").exit_code(), 3);
    }
}
