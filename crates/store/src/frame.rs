//! Frames: the rows of one segment, appended to a staging file by the process that computed them.
//!
//! ```text
//! magic "msframe1" | header length u32 | payload length u64 | header (bincode) | sections…
//! ```
//! The receipt holds the header's BLAKE3 and the header those of its sections, so whatever is read can be
//! checked section by section, and nothing is used that was not checked. A frame cut short by a kill is never
//! referred to by a receipt, or is found short and computed again.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metasweep_sweep::cell::CellName;
use serde::{Deserialize, Serialize};

use crate::encoding::{decode, encode};
use crate::error::{Result, StoreError};
use crate::layout::FrameFile;
use crate::receipt::FrameRef;

const MAGIC: &[u8; 8] = b"msframe1";
const FIXED: usize = 8 + 4 + 8;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SectionKind {
    /// `Vec<ReplicaRecord>` without their lists.
    Replicas,
    /// `Vec<PlateauRow>`.
    Plateaus,
    /// `Vec<MergeRow>`.
    Merges,
    /// f64 `[column][replica][sample]`: level replica.
    SeriesByReplica,
    /// f64 `[sample][column][replica]`: level cell, part of a cell.
    SeriesBySample,
    /// f64 `[sample][statistic]`: level cell, the whole cell.
    SeriesAggregated,
    /// A `Checkpoint`.
    Checkpoint,
    /// f64 `[replica][time][token][coordinate]` of the first replicas.
    Tokens,
    /// f64 `[replica][time][head][i][j]` of the first replicas.
    Attention,
    /// `Vec<Vec<u64>>`, `[replica][sample, histogram, bin]`: part of a cell.
    Histogram,
    /// `Vec<u64>`, `[sample, histogram, bin]`: the whole cell.
    HistogramAggregated,
}

/// One section of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// First byte, from the first section's.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// BLAKE3.
    pub hash: [u8; 32],
}

/// What stands before the sections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The cell.
    pub cell: CellName,
    /// Which replicas.
    pub replicas: Range<u32>,
    /// Rows of `plateaus` of each replica (empty if not tracked).
    pub plateaus: Vec<u32>,
    /// Rows of `merges` of each replica (empty if not tracked).
    pub merges: Vec<u32>,
    /// The sections.
    pub sections: Vec<Section>,
}

/// A frame that is being put together.
pub struct FrameBuilder {
    header: Header,
    payload: Vec<u8>,
}

impl FrameBuilder {
    /// An empty frame.
    pub fn new(cell: CellName, replicas: Range<u32>) -> Self {
        let header = Header { cell, replicas, plateaus: vec![], merges: vec![], sections: vec![] };
        FrameBuilder { header, payload: Vec::new() }
    }
    /// Sets the row counts of each replica.
    pub fn counts(&mut self, plateaus: Vec<u32>, merges: Vec<u32>) {
        self.header.plateaus = plateaus;
        self.header.merges = merges;
    }
    /// Adds a section.
    pub fn section(&mut self, kind: SectionKind, bytes: &[u8]) {
        self.header.sections.push(Section {
            kind,
            offset: self.payload.len() as u64,
            length: bytes.len() as u64,
            hash: *blake3::hash(bytes).as_bytes(),
        });
        self.payload.extend_from_slice(bytes);
    }
    /// The frame's bytes, and its reference once it is known where it goes.
    pub fn finish(self) -> (Vec<u8>, impl FnOnce(FrameFile, u64) -> FrameRef) {
        let header = encode(&self.header);
        let hash = *blake3::hash(&header).as_bytes();
        let (header_length, payload_length) = (header.len() as u32, self.payload.len() as u64);
        let mut bytes = Vec::with_capacity(FIXED + header.len() + self.payload.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&header_length.to_le_bytes());
        bytes.extend_from_slice(&payload_length.to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&self.payload);
        let reference = move |file, offset| FrameRef {
            file,
            offset,
            header: header_length,
            payload: payload_length,
            hash,
        };
        (bytes, reference)
    }
}

/// How long to wait for what another process wrote.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    /// At most.
    pub most: Duration,
    /// Asked meanwhile: nobody needs it any more.
    pub given_up: &'a dyn Fn() -> bool,
}

impl Patience<'_> {
    /// What is not there now is not there.
    pub const NONE: Patience<'static> = Patience { most: Duration::ZERO, given_up: &|| true };
}

/// A frame on disk, its header read and checked.
pub struct Frame {
    file: File,
    path: PathBuf,
    offset: u64,
    payload: u64,
    /// Its header.
    pub header: Header,
}

impl Frame {
    /// Opens a frame, waiting for it to become visible as `patience` says.
    ///
    /// # Errors
    /// [`StoreError::Frame`] if it is missing, short, or not what the receipt says.
    pub fn open(dir: &Path, reference: &FrameRef, patience: Patience) -> Result<Frame> {
        let started = Instant::now();
        loop {
            match Self::try_open(dir, reference) {
                Err(_) if started.elapsed() < patience.most && !(patience.given_up)() => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                outcome => return outcome,
            }
        }
    }

    fn try_open(dir: &Path, reference: &FrameRef) -> Result<Frame> {
        let path = reference.file.path(dir);
        let damaged = |what: String| StoreError::Frame { path: path.clone(), offset: reference.offset, what };
        let file = File::open(&path).map_err(|error| damaged(format!("it cannot be opened: {error}")))?;
        let short = |error: io::Error| damaged(format!("it cannot be read: {error}"));
        let length = file.metadata().map_err(short)?.len();
        let end = reference.offset + FIXED as u64 + u64::from(reference.header) + reference.payload;
        if length < end {
            return Err(damaged(format!("the file ends at byte {length}, the frame at {end}")));
        }
        let mut fixed = [0; FIXED];
        file.read_exact_at(&mut fixed, reference.offset).map_err(short)?;
        let mut header = vec![0; reference.header as usize];
        file.read_exact_at(&mut header, reference.offset + FIXED as u64).map_err(short)?;
        let lengths_agree = fixed[8..12] == reference.header.to_le_bytes()
            && fixed[12..20] == reference.payload.to_le_bytes();
        if &fixed[..8] != MAGIC || !lengths_agree || *blake3::hash(&header).as_bytes() != reference.hash {
            return Err(damaged("its header is not the one in the journal".to_owned()));
        }
        let header = decode(&header).ok_or_else(|| damaged("its header cannot be decoded".to_owned()))?;
        let offset = reference.offset + FIXED as u64 + u64::from(reference.header);
        Ok(Frame { file, path, offset, payload: reference.payload, header })
    }

    /// The section of this kind, if the frame has one.
    pub fn find(&self, kind: SectionKind) -> Option<&Section> {
        self.header.sections.iter().find(|section| section.kind == kind)
    }

    fn damaged(&self, what: String) -> StoreError {
        StoreError::Frame { path: self.path.clone(), offset: self.offset, what }
    }

    fn expect(&self, kind: SectionKind) -> Result<&Section> {
        self.find(kind).ok_or_else(|| self.damaged(format!("it has no section {kind:?}")))
    }

    /// A whole section, checked.
    pub fn read(&self, kind: SectionKind) -> Result<Vec<u8>> {
        let section = self.expect(kind)?;
        let mut bytes = vec![0; section.length as usize];
        self.read_at(section, 0, &mut bytes)?;
        if *blake3::hash(&bytes).as_bytes() != section.hash {
            return Err(self.damaged(format!("section {kind:?} has another hash")));
        }
        Ok(bytes)
    }

    /// A whole section, checked and decoded.
    pub fn decode<T: serde::de::DeserializeOwned>(&self, kind: SectionKind) -> Result<T> {
        decode(&self.read(kind)?).ok_or_else(|| self.damaged(format!("section {kind:?} cannot be decoded")))
    }

    /// A whole section of numbers, checked.
    pub fn numbers(&self, kind: SectionKind) -> Result<Vec<f64>> {
        Ok(to_numbers(&self.read(kind)?))
    }

    /// Numbers from the middle of a section, **not** checked: call [`Frame::check`] before.
    pub fn numbers_at(&self, kind: SectionKind, first: usize, count: usize) -> Result<Vec<f64>> {
        let section = self.expect(kind)?;
        let mut bytes = vec![0; count * 8];
        self.read_at(section, first as u64 * 8, &mut bytes)?;
        Ok(to_numbers(&bytes))
    }

    fn read_at(&self, section: &Section, from: u64, bytes: &mut [u8]) -> Result<()> {
        let inside =
            from + bytes.len() as u64 <= section.length && section.offset + section.length <= self.payload;
        if !inside {
            return Err(self.damaged(format!("section {:?} is shorter than its rows", section.kind)));
        }
        self.file
            .read_exact_at(bytes, self.offset + section.offset + from)
            .map_err(|error| self.damaged(format!("it cannot be read: {error}")))
    }

    /// Checks a section in bounded memory.
    pub fn check(&self, kind: SectionKind) -> Result<()> {
        let section = self.expect(kind)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; section.length.min(1 << 20) as usize];
        let mut from = 0;
        while from < section.length {
            let bytes = &mut buffer[..(section.length - from).min(1 << 20) as usize];
            self.read_at(section, from, bytes)?;
            hasher.update(bytes);
            from += bytes.len() as u64;
        }
        if *hasher.finalize().as_bytes() != section.hash {
            return Err(self.damaged(format!("section {kind:?} has another hash")));
        }
        Ok(())
    }

    /// Checks every section in bounded memory.
    pub fn check_all(&self) -> Result<()> {
        self.header.sections.iter().try_for_each(|section| self.check(section.kind))
    }
}

/// Numbers as little-endian bytes.
pub fn to_bytes(numbers: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() * 8);
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn to_numbers(bytes: &[u8]) -> Vec<f64> {
    let (whole, _) = bytes.as_chunks::<8>();
    whole.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect()
}
