//! Where a process appends: frames to a staging file, then to a journal the record that tells of them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Context, Result, StoreError};
use crate::failpoint::{Phase, phase, reach};
use crate::files::{create_folder, sync_folder};
use crate::journal::{Record, encode_record};
use crate::layout::{self, FrameFile};
use crate::receipt::Receipt;
use crate::scratch::{Awaited, NodeLog};

/// Bytes after which a new staging file is begun, so that space can be freed file by file.
pub const ROTATE: u64 = 64 << 20;

/// Where frames went: the file and the first byte of each.
pub type Places = Vec<(FrameFile, u64)>;
/// Staging files that are full, each with its number of frames.
pub type Closed = Vec<(FrameFile, u32)>;

/// The files of a writer.
pub enum Log {
    /// In the dataset, of this process alone.
    Own(OwnLog),
    /// On the node's own disk, shared by its processes.
    Node(NodeLog),
}

/// What was written by then; [`Written::sync`] makes it durable, without the writer.
pub enum Written {
    /// Files of the dataset, in the order in which they must reach the disk.
    Files(Vec<(Arc<File>, PathBuf, &'static str)>),
    /// What the node's courier has to take there.
    Node(Awaited),
}

impl Log {
    /// Frames, then the record of the receipt that `make` gives; `first` is the record that a journal begins with.
    pub fn append(
        &mut self,
        frames: &[Vec<u8>],
        first: &dyn Fn() -> Vec<u8>,
        make: impl FnOnce(&Places, Closed) -> Receipt,
    ) -> Result<Receipt> {
        match self {
            Log::Own(log) => {
                let places = frames.iter().map(|bytes| log.frame(bytes)).collect::<Result<Places>>()?;
                let receipt = make(&places, std::mem::take(&mut log.closed));
                log.record(first, &encode_record(&Record::Receipt(receipt.clone())))?;
                Ok(receipt)
            }
            Log::Node(log) => log.append(frames, first, make),
        }
    }

    /// What has been appended.
    pub fn written(&self) -> Written {
        match self {
            Log::Own(log) => Written::Files(log.files()),
            Log::Node(log) => Written::Node(log.awaited()),
        }
    }
}

impl Written {
    /// Waits until it is durable in the dataset.
    pub fn sync(self) -> Result<()> {
        match self {
            Written::Files(files) => {
                files.iter().try_for_each(|(file, path, failpoint)| fdatasync(file, path, failpoint))
            }
            Written::Node(awaited) => awaited.wait(),
        }
    }
}

/// Files that one process writes and nobody else.
pub struct OwnLog {
    dir: PathBuf,
    nonce: u64,
    process: u32,
    frames: Option<OpenFrames>,
    next: u32,
    journal: Option<Arc<File>>,
    closed: Closed,
}

struct OpenFrames {
    name: FrameFile,
    path: PathBuf,
    file: Arc<File>,
    length: u64,
    frames: u32,
}

impl OwnLog {
    /// Files are created with the first append.
    pub fn new(dir: &Path, nonce: u64, process: u32) -> Self {
        OwnLog { dir: dir.to_owned(), nonce, process, frames: None, next: 0, journal: None, closed: vec![] }
    }

    fn frame(&mut self, bytes: &[u8]) -> Result<(FrameFile, u64)> {
        if let Some(full) = self.frames.take_if(|frames| frames.length >= ROTATE) {
            // The file that is left must be durable before receipts that come after it are.
            fdatasync(&full.file, &full.path, "frame.sync")?;
            self.closed.push((full.name, full.frames));
        }
        let frames = match &mut self.frames {
            Some(frames) => frames,
            none => {
                let name = FrameFile { nonce: self.nonce, process: self.process, number: self.next };
                let path = name.path(&self.dir);
                let file = Arc::new(create_new(&path)?);
                self.next += 1;
                none.insert(OpenFrames { name, path, file, length: 0, frames: 0 })
            }
        };
        reach("frame.write").context("write", &frames.path)?;
        (&*frames.file).write_all(bytes).context("write", &frames.path)?;
        let offset = frames.length;
        frames.length += bytes.len() as u64;
        frames.frames += 1;
        Ok((frames.name, offset))
    }

    fn record(&mut self, first: &dyn Fn() -> Vec<u8>, record: &[u8]) -> Result<()> {
        let _phase = phase(Phase::Journal);
        let path = self.journal_path();
        let journal = match &mut self.journal {
            Some(journal) => journal,
            none => {
                let file = Arc::new(create_new(&path)?);
                (&*file).write_all(&first()).context("write", &path)?;
                none.insert(file)
            }
        };
        reach("journal.write").context("write", &path)?;
        (&**journal).write_all(record).context("write", &path)
    }

    fn journal_path(&self) -> PathBuf {
        layout::journal_file(&self.dir, self.nonce, self.process)
    }

    /// Frames first, so that no durable record refers to a frame that is not.
    fn files(&self) -> Vec<(Arc<File>, PathBuf, &'static str)> {
        let frames =
            self.frames.iter().map(|frames| (frames.file.clone(), frames.path.clone(), "frame.sync"));
        let journal = self.journal.iter().map(|file| (file.clone(), self.journal_path(), "journal.sync"));
        frames.chain(journal).collect()
    }
}

/// A file that was not there, to be appended to; its folder is made if need be.
pub fn create_new(path: &Path) -> Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_folder(folder)?;
    let file = OpenOptions::new().append(true).create_new(true).open(path).context("create", path)?;
    sync_folder(folder)?;
    Ok(file)
}

/// The data of a file, made durable.
pub fn fdatasync(file: &File, path: &Path, failpoint: &str) -> Result<()> {
    reach(failpoint)
        .and_then(|()| file.sync_data())
        .map_err(|source| StoreError::Sync { path: path.to_owned(), source })
}
