//! Journals: one a process and run, only ever appended to; their receipts say which frames and parts count.
//!
//! ```text
//! record = "msj1" | length u32 | first 16 bytes of BLAKE3(payload) | payload (bincode of a Record)
//! ```
//! A record cut short by a kill ends the journal. A damaged record in the middle is reported and left out; the
//! records after it are found again by their magic and hash. Nothing is lost with a record: what it
//! reported is computed or sealed again.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::encoding::{decode, encode};
use crate::error::{Context, Result};
use crate::files::files_of_processes;
use crate::layout;
use crate::receipt::Receipt;

const MAGIC: &[u8; 4] = b"msj1";
const FIXED: usize = 4 + 4 + 16;

/// Where and when a journal was written: provenance, outside the hashed data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The sweep's identity: seal records count for this one alone.
    pub identity: String,
    /// The engine.
    pub engine: u32,
    /// The run.
    pub nonce: u64,
    /// The process of the run.
    pub process: u32,
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Seconds since 1970.
    pub started: u64,
    /// Version of metasweep.
    pub version: String,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The first one of each journal.
    Provenance(Provenance),
    /// Something was done.
    Receipt(Receipt),
}

/// A record's bytes.
pub fn encode_record(record: &Record) -> Vec<u8> {
    let payload = encode(record);
    let mut bytes = Vec::with_capacity(FIXED + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&blake3::hash(&payload).as_bytes()[..16]);
    bytes.extend_from_slice(&payload);
    bytes
}

/// What a journal says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// Its first record, if it is whole.
    pub provenance: Option<Provenance>,
    /// The receipts, in order.
    pub receipts: Vec<Receipt>,
    /// Byte positions where something was left out although more follows.
    pub damaged: Vec<usize>,
}

/// Reads a journal's bytes; never fails.
pub fn replay(bytes: &[u8]) -> Replay {
    let mut replay = Replay::default();
    let (mut position, mut bad) = (0, None);
    while position < bytes.len() {
        let Some((record, used)) = record_at(&bytes[position..]) else {
            bad.get_or_insert(position);
            let rest = &bytes[position + 1..];
            let Some(next) = rest.windows(MAGIC.len()).position(|window| window == MAGIC) else { break };
            position += 1 + next;
            continue;
        };
        replay.damaged.extend(bad.take());
        match record {
            Record::Provenance(provenance) => replay.provenance = Some(provenance),
            Record::Receipt(receipt) => replay.receipts.push(receipt),
        }
        position += used;
    }
    replay
}

fn record_at(bytes: &[u8]) -> Option<(Record, usize)> {
    let fixed = bytes.get(..FIXED)?;
    let length = u32::from_le_bytes(fixed[4..8].try_into().ok()?) as usize;
    let payload = bytes.get(FIXED..FIXED.checked_add(length)?)?;
    // Only what is whole is decoded: a damaged length inside would be believed, and memory asked for it.
    let whole = &fixed[..4] == MAGIC && blake3::hash(payload).as_bytes()[..16] == fixed[8..];
    if !whole {
        return None;
    }
    Some((decode(payload)?, FIXED + length))
}

/// Reads every journal of a dataset, in the order of their paths; with warnings for people.
///
/// # Errors
/// If the folder or a file cannot be read.
pub fn replay_all(dir: &Path) -> Result<(Vec<Replay>, Vec<String>)> {
    let (mut replays, mut warnings) = (Vec::new(), Vec::new());
    for path in files_of_processes(&layout::journal(dir), "journal")? {
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.context("read", &path)?,
        };
        let replay = replay(&bytes);
        for position in &replay.damaged {
            warnings.push(format!(
                "{} is damaged at byte {position}: what it reported there is done again",
                path.display()
            ));
        }
        replays.push(replay);
    }
    Ok((replays, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::{Kind, SealRecord};

    fn receipt(part: u32) -> Receipt {
        let seal = SealRecord {
            table: layout::Table::Series,
            partition: String::new(),
            part,
            rows: 7,
            bytes: 9,
            file_hash: "ab".into(),
            row_hash: "cd".into(),
        };
        Receipt { process: 1, cost: 0.5, closed: vec![], kind: Kind::Seal(seal) }
    }

    fn provenance() -> Provenance {
        Provenance {
            identity: "0123456789abcdef".into(),
            engine: 1,
            nonce: 0xFEDC_BA98_7654_3210,
            process: 3,
            host: "node17".into(),
            pid: 4711,
            started: 1_700_000_000,
            version: "0.1.0".into(),
        }
    }

    /// A provenance and four receipts; where the receipts end.
    fn journal() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (encode_record(&Record::Provenance(provenance())), Vec::new());
        for part in 0..4 {
            bytes.extend(encode_record(&Record::Receipt(receipt(part))));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn truncated_at_every_byte_only_the_tail_is_lost() {
        let (bytes, ends) = journal();
        for length in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= length).count();
            let replay = replay(&bytes[..length]);
            assert_eq!(
                replay.receipts,
                (0..whole as u32).map(receipt).collect::<Vec<_>>(),
                "cut at {length}"
            );
            assert!(replay.damaged.is_empty(), "cut at {length}");
        }
    }

    /// Every bit, those of the lengths inside the records too.
    #[test]
    fn a_flipped_bit_costs_its_record_and_no_other() {
        let (bytes, ends) = journal();
        let first = encode_record(&Record::Provenance(provenance())).len();
        for bit in 0..8 * bytes.len() {
            let position = bit / 8;
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << (bit % 8);
            let hit = ends.iter().filter(|end| **end <= position).count() as u32;
            let in_provenance = position < first;
            let replay = replay(&flipped);
            assert_eq!(replay.provenance, (!in_provenance).then(provenance), "flipped bit {bit}");
            let expected: Vec<_> = (0..4).filter(|part| in_provenance || *part != hit).map(receipt).collect();
            assert_eq!(replay.receipts, expected, "flipped bit {bit}");
            assert_eq!(replay.damaged.len(), usize::from(hit < 3), "flipped bit {bit}");
        }
    }
}
