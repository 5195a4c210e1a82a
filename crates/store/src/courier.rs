//! The one process of a node that writes to the dataset when the node's processes write to scratch ([`crate::scratch`]).
//!
//! A thread of its own: it takes over what has been appended, frames before the journal's records about them,
//! when somebody waits for it or a while after it was written; and the parts that have been put together.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, copy};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::encoding::decode;
use crate::error::{Context, Result};
use crate::failpoint::{Phase, phase, reach};
use crate::files::{names, remove, remove_folder, rename, replace, sync_file, sync_folder};
use crate::layout::{self, FrameFile};
use crate::log::{create_new, fdatasync};
use crate::manifest::read_json;
use crate::owner;
use crate::scratch::{Delivery, Scratch};
use crate::writer::SYNC_EVERY;

/// How often the thread looks.
const LOOK: Duration = Duration::from_millis(5);

/// The thread. Dropped once nobody on the node writes any more: the scratch folder goes with it.
pub struct Courier {
    scratch: Scratch,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Courier {
    /// Starts it for the run `nonce` on the dataset `dir`. Between two journeys it pauses, the longer the more nodes there are.
    ///
    /// # Errors
    /// If the scratch folder cannot be made.
    pub fn start(dir: &Path, scratch: &Scratch, nonce: u64, pause: Duration) -> Result<Courier> {
        if let Some(root) = scratch.folder.parent() {
            remove_leftovers(root);
        }
        crate::files::create_folder(&scratch.parts())?;
        let record = serde_json::to_vec(&owner::Record::ours(nonce)).unwrap_or_default();
        replace(&scratch.at("owner"), &record, "scratch")?;
        let over = Arc::new(AtomicBool::new(false));
        let mut load = Load {
            dir: dir.to_owned(),
            scratch: scratch.clone(),
            nonce,
            number: 0,
            offset: 0,
            journal: 0,
            files: Files::default(),
        };
        let stop = over.clone();
        let work = move || {
            let mut last = Instant::now();
            while !stop.load(Ordering::Acquire) {
                if let Err(error) = load.round(&mut last, pause) {
                    // Whoever waits learns why; nothing is tried again after a failed sync.
                    let cause = serde_json::to_vec(&error.to_string()).unwrap_or_default();
                    if replace(&load.scratch.at("failed"), &cause, "scratch").is_err() {
                        // Scratch itself is full: who waits finds no courier, and gives up.
                        let _ = remove(&load.scratch.at("owner"));
                    }
                    return;
                }
                std::thread::sleep(LOOK);
            }
        };
        let thread = std::thread::Builder::new().name("courier".to_owned()).spawn(work);
        let thread = thread.context("start a thread for", &scratch.folder)?;
        Ok(Courier { scratch: scratch.clone(), over, thread: Some(thread) })
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic has ended the process, or has been told.
            let _ = thread.join();
        }
        let _ = remove_folder(&self.scratch.folder);
    }
}

/// Folders of runs whose courier was killed on this node, as far as they may be removed: some may be other people's.
fn remove_leftovers(root: &Path) {
    for name in names(root).unwrap_or_default() {
        let folder = root.join(&name);
        if !name.starts_with("metasweep-") {
            continue;
        }
        if let Ok(Some(record)) = read_json::<owner::Record>(&folder.join("owner"))
            && owner::is_dead_here(&record)
        {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// The dataset's files that are open.
#[derive(Default)]
struct Files {
    frames: Option<(File, PathBuf)>,
    journal: Option<(File, PathBuf)>,
}

/// What has been carried.
struct Load {
    dir: PathBuf,
    scratch: Scratch,
    nonce: u64,
    /// The staging file that is being carried, and its bytes that are.
    number: u32,
    offset: u64,
    /// Bytes of the journal that are.
    journal: u64,
    files: Files,
}

impl Load {
    fn round(&mut self, last: &mut Instant, pause: Duration) -> Result<()> {
        self.deliver()?;
        let since = last.elapsed();
        let wanted = self.scratch.number("wanted") > self.journal && since >= pause;
        if wanted || since >= SYNC_EVERY.max(pause) {
            self.carry()?;
            *last = Instant::now();
        }
        Ok(())
    }

    /// Everything that has been appended: frames, their sync, records, theirs.
    fn carry(&mut self) -> Result<()> {
        let state = self.scratch.locked(|state| Ok(state.clone()))?;
        if state.journal == self.journal {
            return Ok(());
        }
        let _phase = phase(Phase::Frame);
        while self.number <= state.number {
            let local = self.scratch.frames(self.number);
            let whole = self.number < state.number;
            let end =
                if whole { fs::metadata(&local).context("examine", &local)?.len() } else { state.length };
            if end > self.offset {
                let name =
                    FrameFile { nonce: self.nonce, process: self.scratch.courier, number: self.number };
                let (file, path) = opened(&mut self.files.frames, || name.path(&self.dir))?;
                reach("scratch.frames").context("write", path)?;
                append(&local, self.offset, end, file, path)?;
                fdatasync(file, path, "frame.sync")?;
                self.offset = end;
            }
            if !whole {
                break;
            }
            remove(&local)?;
            self.files.frames = None;
            (self.number, self.offset) = (self.number + 1, 0);
        }
        let _phase = phase(Phase::Journal);
        let place = || layout::journal_file(&self.dir, self.nonce, self.scratch.courier);
        let (file, path) = opened(&mut self.files.journal, place)?;
        reach("scratch.journal").context("write", path)?;
        append(&self.scratch.at("journal"), self.journal, state.journal, file, path)?;
        fdatasync(file, path, "journal.sync")?;
        self.journal = state.journal;
        self.scratch.set_number("carried", self.journal)
    }

    /// Parts that have been put together.
    fn deliver(&self) -> Result<()> {
        let parts = self.scratch.parts();
        for name in names(&parts)? {
            let label = parts.join(&name);
            if label.extension().is_none_or(|extension| extension != "to") {
                continue;
            }
            let _phase = phase(Phase::Rename);
            let bytes = fs::read(&label).context("read", &label)?;
            let Some(Delivery { temporary, path }) = decode(&bytes) else {
                return Err(crate::error::StoreError::damaged(&label, "it cannot be decoded"));
            };
            let part = label.with_extension("part");
            reach("scratch.part").context("write", &temporary)?;
            let mut from = File::open(&part).context("open", &part)?;
            let mut to = File::create(&temporary).context("create", &temporary)?;
            copy(&mut from, &mut to).context("write", &temporary)?;
            sync_file(&to, &temporary, "seal.sync")?;
            drop(to);
            reach("seal.rename").context("rename", &temporary)?;
            rename(&temporary, &path)?;
            sync_folder(path.parent().unwrap_or(Path::new(".")))?;
            remove(&part)?;
            remove(&label)?;
        }
        Ok(())
    }
}

/// The file, made now if it is not open.
fn opened(slot: &mut Option<(File, PathBuf)>, path: impl FnOnce() -> PathBuf) -> Result<(&File, &Path)> {
    let (file, path) = match slot {
        Some(open) => open,
        none => {
            let path = path();
            none.insert((create_new(&path)?, path))
        }
    };
    Ok((file, path))
}

/// Bytes `from` … `to` of a local file go to the end of another.
fn append(local: &Path, from: u64, to: u64, mut file: &File, path: &Path) -> Result<()> {
    let mut source = File::open(local).context("open", local)?;
    source.seek(SeekFrom::Start(from)).context("read", local)?;
    let copied = copy(&mut source.take(to - from), &mut file).context("write", path)?;
    if copied < to - from {
        return Err(crate::error::StoreError::damaged(
            local,
            format!("it ends {} bytes too early", to - from - copied),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::ROTATE;
    use crate::receipt::{Kind, Receipt, SealRecord};
    use crate::scratch::NodeLog;

    fn receipt(closed: Vec<(FrameFile, u32)>) -> Receipt {
        let seal = SealRecord {
            table: layout::Table::Series,
            partition: String::new(),
            part: 0,
            rows: 1,
            bytes: 1,
            file_hash: String::new(),
            row_hash: String::new(),
        };
        Receipt { process: 1, cost: 0.0, closed, kind: Kind::Seal(seal) }
    }

    /// Two writers fill a staging file and begin the next: each frame is where its writer was told, what is full leaves scratch, and its number of
    /// frames, whoever wrote them, is reported once.
    #[test]
    fn full_files_are_carried_and_leave() {
        let (dir, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let scratch = Scratch::new(root.path(), 7, 3);
        let mut load = Load {
            dir: dir.path().to_owned(),
            scratch: scratch.clone(),
            nonce: 7,
            number: 0,
            offset: 0,
            journal: 0,
            files: Files::default(),
        };
        let mut writers = [NodeLog::new(&scratch, 7), NodeLog::new(&scratch, 7)];
        let size = ROTATE as usize / 2 + 1;
        let (mut places, mut closed) = (Vec::new(), Vec::new());
        for number in 0..5_u8 {
            let frame = vec![vec![number; size]];
            let made =
                writers[usize::from(number % 2)].append(&frame, &|| b"first".to_vec(), |where_to, full| {
                    places.extend(where_to.iter().copied());
                    receipt(full)
                });
            closed.extend(made.unwrap().closed);
            // Some are carried one by one, some together.
            if number != 1 && number != 3 {
                load.carry().unwrap();
            }
        }
        let file = |number| FrameFile { nonce: 7, process: 3, number };
        assert_eq!(closed, [(file(0), 2), (file(1), 2)]);
        for (number, (file, offset)) in (0..5_u8).zip(places) {
            let bytes = fs::read(file.path(dir.path())).unwrap();
            let from = offset as usize;
            assert!(bytes[from..from + size].iter().all(|byte| *byte == number), "frame {number}");
        }
        assert_eq!(fs::read(file(0).path(dir.path())).unwrap().len(), 2 * size);
        assert!(!scratch.frames(0).exists() && !scratch.frames(1).exists() && scratch.frames(2).exists());
        let journal = fs::read(layout::journal_file(dir.path(), 7, 3)).unwrap();
        assert_eq!(journal, fs::read(scratch.at("journal")).unwrap());
        assert_eq!(scratch.number("carried"), journal.len() as u64);
    }
}
