//! What travels between the ranks, and its bytes: the one place in this crate that knows `bincode`.
//!
//! There is one tag for each direction. Messages of one tag between two ranks never overtake each other, so a
//! receipt always arrives before the end of the run is announced.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::scheduler::Ticket;
use crate::work::{Ending, Failure};

/// From a member to the lead.
pub const TAG_UP: i32 = 1;
/// From the lead to a member.
pub const TAG_DOWN: i32 = 2;

/// A member introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// Where it runs.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// The processors it may run on, as the kernel lists them ("0-3,8").
    pub processors: String,
    /// How many threads that allows.
    pub parallelism: u32,
    /// The processor's name.
    pub cpu: String,
    /// The vector instructions it will use.
    pub isa: String,
    /// Engine and version of the program: all ranks must run the same one.
    pub program: String,
}

/// The lead tells a member what the run is about. Members never read the sweep themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The sweep file.
    pub text: String,
    /// `--set`, in order.
    pub overrides: Vec<String>,
    /// The files that it reads, by name as written.
    pub inputs: BTreeMap<String, Vec<u8>>,
    /// The canonical text that the lead has; a member must arrive at the same.
    pub canonical: String,
    /// The dataset's folder.
    pub out: PathBuf,
    /// The run's nonce.
    pub nonce: u64,
    /// The member's number among the processes that write.
    pub process: u32,
    /// How many write.
    pub processes: u32,
    /// `--scratch`, and the process that is the courier of the member's node.
    pub scratch: Option<(String, u32)>,
    /// Compute threads of this member.
    pub threads: u32,
    /// Test hook: checkpoint each ensemble every so many steps.
    pub checkpoint_every: Option<u64>,
}

/// From the lead to a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Down<T> {
    /// What the run is about.
    Hello(Box<Hello>),
    /// A task.
    Assign {
        /// Its name.
        ticket: Ticket,
        /// What to do.
        task: T,
    },
    /// Write what there is, end all tasks.
    Drain,
    /// The run is over.
    Bye,
}

/// From a member to the lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Up<R> {
    /// Here I am.
    Present(Box<Present>),
    /// Receipts whose rows are durable.
    Receipts(Vec<R>),
    /// A task has ended; `receipts` of it were or will be sent.
    Ended {
        /// Its name.
        ticket: Ticket,
        /// How.
        ending: Ending,
        /// Seconds its thread spent on it.
        seconds: f64,
        /// How many receipts belong to it.
        receipts: u32,
    },
    /// This member cannot go on.
    Failed(Failure),
    /// This member was asked by a signal to end the run.
    Signalled,
    /// The answer to `Bye`: CPU seconds of the process.
    Bye {
        /// User and system time of all threads.
        cpu_seconds: f64,
    },
}

/// The bytes of a message or of anything else that travels.
///
/// # Errors
/// If a value cannot be encoded.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, Failure> {
    bincode::serde::encode_to_vec(message, bincode::config::standard())
        .map_err(|error| Failure::new(format!("A message could not be encoded: {error}.")))
}

/// The message in `bytes`, all of them.
///
/// # Errors
/// If the bytes are not exactly one message.
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, Failure> {
    let mismatch = |what: String| {
        Failure::new(format!("A message could not be decoded: {what}. Do all ranks run the same program?"))
    };
    match bincode::serde::decode_from_slice(bytes, bincode::config::standard()) {
        Ok((message, used)) if used == bytes.len() => Ok(message),
        Ok((_, used)) => Err(mismatch(format!("{used} of {} bytes were used", bytes.len()))),
        Err(error) => Err(mismatch(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_trip() {
        let up = [
            Up::Receipts(vec![1_u32, 2, 3]),
            Up::Ended { ticket: Ticket(9), ending: Ending::Interrupted, seconds: 0.25, receipts: 3 },
            Up::Failed(Failure { message: "The disk is full.".to_owned(), exit_code: 1 }),
            Up::Signalled,
        ];
        for message in up {
            assert_eq!(decode::<Up<u32>>(&encode(&message).unwrap()).unwrap(), message);
        }
        let down = Down::Assign { ticket: Ticket(1 << 40), task: "chunk".to_owned() };
        assert_eq!(decode::<Down<String>>(&encode(&down).unwrap()).unwrap(), down);
    }

    #[test]
    fn other_bytes_are_refused() {
        let mut bytes = encode(&Up::<u32>::Signalled).unwrap();
        bytes.push(0);
        assert!(decode::<Up<u32>>(&bytes).unwrap_err().message.contains("same program"));
        assert!(decode::<Up<u32>>(&[250]).is_err());
        assert!(decode::<Up<u32>>(&[]).is_err());
    }
}
