//! `--scratch`: what the processes of a node write goes to the node's own disk first, and one of them, the courier
//! ([`crate::courier`]), takes it to the dataset: one writer a node towards the shared file system, in few large pieces.
//!
//! ```text
//! DIR/metasweep-<nonce>-<host>/
//!   lock                    locked while one process appends: local file systems can
//!   state                   how much has been appended
//!   <number>.frames         frames, as in the staging file of the courier's process
//!   journal                 records, as in its journal
//!   wanted, carried         bytes of the journal that somebody waits for; that are durable in the dataset
//!   parts/                  parts that have been put together, and where they go
//!   owner, failed           who the courier is; why it gave up
//! ```
//! The bytes of both logs are those that end up in the dataset, so where a frame will be is known when it is appended.
//! Nothing is lost that a run without scratch would keep, except what the courier had not carried yet when the
//! job was killed: rows are reported only once they are durable in the dataset.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::encoding::encode;
use crate::error::{Context, Result, StoreError};
use crate::failpoint::{Phase, phase, reach};
use crate::files::{create_folder, uninterrupted};
use crate::journal::{Record, encode_record};
use crate::layout::FrameFile;
use crate::log::{Closed, Places, ROTATE};
use crate::manifest::read_json;
use crate::owner;
use crate::receipt::Receipt;

/// How often somebody who waits for the courier looks.
const LOOK: Duration = Duration::from_millis(2);
/// How often whether it lives.
const LOOK_AFTER_IT: Duration = Duration::from_secs(1);
/// The processes of a node start together, give or take this.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// The scratch folder of one run on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scratch {
    pub(crate) folder: PathBuf,
    /// The process whose files the node's rows end up in.
    pub(crate) courier: u32,
}

/// How much has been appended on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The staging file that frames go to now.
    pub number: u32,
    /// Its bytes.
    pub length: u64,
    /// Its frames.
    pub frames: u32,
    /// Bytes of the journal.
    pub journal: u64,
}

impl State {
    /// Always as many bytes: the file is overwritten.
    fn to_bytes(&self) -> Vec<u8> {
        let numbers = [u64::from(self.number), self.length, u64::from(self.frames), self.journal];
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Nothing has been appended if there are no bytes.
    fn from_bytes(bytes: &[u8]) -> Option<State> {
        if bytes.is_empty() {
            return Some(State::default());
        }
        let (numbers, rest) = bytes.as_chunks::<8>();
        let [number, length, frames, journal] =
            <[[u8; 8]; 4]>::try_from(numbers).ok()?.map(u64::from_le_bytes);
        let state =
            State { number: number.try_into().ok()?, length, frames: frames.try_into().ok()?, journal };
        rest.is_empty().then_some(state)
    }
}

/// Where a part goes that has been put together in scratch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// Its temporary name in the dataset.
    pub temporary: PathBuf,
    /// Its name.
    pub path: PathBuf,
}

impl Scratch {
    /// The folder of the run `nonce` below `root`, whose courier is the process `courier`.
    #[must_use]
    pub fn new(root: &Path, nonce: u64, courier: u32) -> Self {
        // Should the root be no disk of this node, other nodes have other folders there.
        let folder = root.join(format!("metasweep-{nonce:016x}-{}", owner::host()));
        Scratch { folder, courier }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn frames(&self, number: u32) -> PathBuf {
        self.at(&format!("{number}.frames"))
    }

    pub(crate) fn parts(&self) -> PathBuf {
        self.at("parts")
    }

    /// Does something with what has been appended, while nobody appends.
    pub(crate) fn locked<T>(&self, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        create_folder(&self.parts())?;
        let path = self.at("lock");
        let lock = open(&path)?;
        uninterrupted(|| lock.lock()).context("lock", &path)?;
        let path = self.at("state");
        let file = open(&path)?;
        let bytes = fs::read(&path).context("read", &path)?;
        let state = State::from_bytes(&bytes);
        let mut state = state.ok_or_else(|| StoreError::damaged(&path, "it cannot be decoded"))?;
        let before = state.clone();
        let outcome = work(&mut state)?;
        if state != before {
            write_at(&file, &state.to_bytes(), 0, &path)?;
        }
        Ok(outcome)
    }

    /// A number that one process writes and others read.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let mut bytes = [0; 8];
        let read = File::open(self.at(name)).and_then(|file| file.read_exact_at(&mut bytes, 0));
        if read.is_ok() { u64::from_le_bytes(bytes) } else { 0 }
    }

    pub(crate) fn set_number(&self, name: &str, number: u64) -> Result<()> {
        let path = self.at(name);
        write_at(&open(&path)?, &number.to_le_bytes(), 0, &path)
    }

    /// A part that has been put together here goes to its place; waits until it is durable there.
    pub(crate) fn deliver(&self, part: &Path, delivery: &Delivery) -> Result<()> {
        let label = part.with_extension("to");
        let written = part.with_extension("label");
        fs::write(&written, encode(delivery)).context("write", &written)?;
        // The label is there whole, or not at all.
        fs::rename(&written, &label).context("rename", &written)?;
        self.wait(|| !label.exists())
    }

    /// Waits until the courier has done something.
    fn wait(&self, done: impl Fn() -> bool) -> Result<()> {
        let since = Instant::now();
        let mut looked = since;
        while !done() {
            if let Ok(Some(cause)) = read_json::<String>(&self.at("failed")) {
                return Err(StoreError::Poisoned { cause });
            }
            if looked.elapsed() >= LOOK_AFTER_IT {
                looked = Instant::now();
                let alive = match read_json::<owner::Record>(&self.at("owner")) {
                    Ok(Some(courier)) => owner::lives_here(&courier),
                    // Not begun yet; or gone, with nowhere left to say why.
                    _ => since.elapsed() < STARTS_WITHIN,
                };
                if !alive && !done() {
                    let cause = format!(
                        "process {}, which takes what this node computes from {} to the dataset, has ended",
                        self.courier,
                        self.folder.display()
                    );
                    return Err(StoreError::Poisoned { cause });
                }
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// The two logs of a node, as one of its writers appends to them.
pub struct NodeLog {
    scratch: Scratch,
    nonce: u64,
    /// Bytes of the journal up to this writer's last record.
    mine: u64,
}

impl NodeLog {
    /// Nothing of this writer is there yet.
    pub fn new(scratch: &Scratch, nonce: u64) -> Self {
        NodeLog { scratch: scratch.clone(), nonce, mine: 0 }
    }

    /// As [`crate::log::Log::append`].
    pub fn append(
        &mut self,
        frames: &[Vec<u8>],
        first: &dyn Fn() -> Vec<u8>,
        make: impl FnOnce(&Places, Closed) -> Receipt,
    ) -> Result<Receipt> {
        let NodeLog { scratch, nonce, mine } = self;
        scratch.locked(|state| {
            let (mut places, mut closed) = (Places::new(), Closed::new());
            for bytes in frames {
                let name = |number| FrameFile { nonce: *nonce, process: scratch.courier, number };
                if state.length >= ROTATE {
                    closed.push((name(state.number), state.frames));
                    *state = State { number: state.number + 1, length: 0, frames: 0, ..*state };
                }
                let path = scratch.frames(state.number);
                reach("frame.write").context("write", &path)?;
                write_at(&open(&path)?, bytes, state.length, &path)?;
                places.push((name(state.number), state.length));
                state.length += bytes.len() as u64;
                state.frames += 1;
            }
            let _phase = phase(Phase::Journal);
            let receipt = make(&places, closed);
            let mut records = if state.journal == 0 { first() } else { Vec::new() };
            records.extend(encode_record(&Record::Receipt(receipt.clone())));
            let path = scratch.at("journal");
            reach("journal.write").context("write", &path)?;
            write_at(&open(&path)?, &records, state.journal, &path)?;
            state.journal += records.len() as u64;
            *mine = state.journal;
            Ok(receipt)
        })
    }

    /// What this writer has appended.
    pub fn awaited(&self) -> Awaited {
        Awaited { scratch: self.scratch.clone(), journal: self.mine }
    }
}

/// So much of the node's journal, to be taken to the dataset.
pub struct Awaited {
    scratch: Scratch,
    journal: u64,
}

impl Awaited {
    /// Waits until it is durable there.
    pub fn wait(self) -> Result<()> {
        let Awaited { scratch, journal } = self;
        if scratch.number("carried") >= journal {
            return Ok(());
        }
        // Whoever else wants less is served with it; whoever wants more says so again.
        scratch.set_number("wanted", journal)?;
        scratch.wait(|| scratch.number("carried") >= journal)
    }
}

/// A local file, made if it is not there.
fn open(path: &Path) -> Result<File> {
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    options.context("open", path)
}

fn write_at(file: &File, bytes: &[u8], offset: u64, path: &Path) -> Result<()> {
    file.write_all_at(bytes, offset).context("write", path)
}
