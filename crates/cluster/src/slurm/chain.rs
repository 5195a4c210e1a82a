//! When a job has ended, what follows: the rules of a chain, without I/O.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Most links of a chain.
pub const LINKS: usize = 20;
/// Between the start of a link and that of the next, at least.
pub const APART: Duration = Duration::from_secs(60);

/// How a job that ended unfinished is followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Chain {
    /// The job asks SLURM to queue itself again.
    Requeue,
    /// It submits its script again.
    Resubmit,
    /// So many links are submitted ahead, each waiting for the end of the one before.
    Dependency(u32),
    /// Nothing follows.
    None,
}

impl fmt::Display for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Chain::Requeue => formatter.write_str("requeue"),
            Chain::Resubmit => formatter.write_str("resubmit"),
            Chain::Dependency(links) => write!(formatter, "dependency:{links}"),
            Chain::None => formatter.write_str("none"),
        }
    }
}

impl From<Chain> for String {
    fn from(chain: Chain) -> Self {
        chain.to_string()
    }
}

impl FromStr for Chain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let links = text.strip_prefix("dependency:").and_then(|links| links.parse().ok());
        match (text, links) {
            ("requeue", _) => Ok(Chain::Requeue),
            ("resubmit", _) => Ok(Chain::Resubmit),
            ("none", _) => Ok(Chain::None),
            (_, Some(links)) if (1..=LINKS as u32).contains(&links) => Ok(Chain::Dependency(links)),
            _ => Err(format!(
                "a chain is requeue, resubmit, dependency:N with N from 1 to {LINKS}, or none; not {text:?}"
            )),
        }
    }
}

impl TryFrom<String> for Chain {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// How a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Ending {
    /// The sweep is complete.
    Complete,
    /// The run stopped in time, or was asked to: exit code 75.
    Incomplete,
    /// A rank was killed.
    Killed,
    /// SLURM ended it at its time limit.
    Timeout,
    /// For a job of higher priority.
    Preempted,
    /// A node went away.
    NodeFail,
    /// It took more memory than it had asked for.
    OutOfMemory,
    /// Somebody cancelled it.
    Cancelled,
    /// The program says that running again does not help.
    Failed,
    /// It is not known: the link was killed, and SLURM has forgotten it.
    Unknown,
}

/// A link as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// How it ended.
    pub ending: Ending,
    /// Whether anything was committed by it.
    pub progress: bool,
    /// Seconds from its start to its end.
    pub seconds: f64,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The sweep is complete.
    Nothing,
    /// Another link, after at least this long.
    Link(Duration),
    /// The chain ends, and why.
    End(String),
}

/// After the last of `links` (the first one first).
#[must_use]
pub fn next(chain: Chain, links: &[Link]) -> Next {
    let Some(last) = links.last() else { return Next::Link(Duration::ZERO) };
    let end = |why: &str| Next::End(why.to_owned());
    match last.ending {
        Ending::Complete => return Next::Nothing,
        Ending::Cancelled => {
            return end("the job was cancelled; `metasweep submit` again goes on from what is there");
        }
        Ending::OutOfMemory => {
            return end(
                "the job ran out of memory and would again: ask for more (directives = [\"--mem=…\"]), or for fewer ranks a node",
            );
        }
        Ending::Failed => {
            return end("the run failed in a way that running again does not mend: see the log");
        }
        Ending::Incomplete
        | Ending::Killed
        | Ending::Timeout
        | Ending::Preempted
        | Ending::NodeFail
        | Ending::Unknown => {}
    }
    if chain == Chain::None {
        return end("the job is not done and was submitted with --chain none; submit it again to go on");
    }
    // Of a link that lost its node or its place, progress is not to be expected.
    let excused = matches!(last.ending, Ending::Preempted | Ending::NodeFail | Ending::Unknown);
    if !last.progress && !excused {
        return end(
            "a whole link went by without progress: its time is too short for a checkpoint, or nothing can be written",
        );
    }
    let most = if let Chain::Dependency(links) = chain { links as usize } else { LINKS };
    if links.len() >= most {
        return Next::End(format!(
            "it has had its {most} links; `metasweep submit` again begins another chain"
        ));
    }
    Next::Link(APART.saturating_sub(Duration::try_from_secs_f64(last.seconds).unwrap_or(APART)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(ending: Ending, progress: bool) -> Link {
        Link { ending, progress, seconds: 10.0 }
    }

    #[test]
    fn every_form_is_read_and_written() {
        for text in ["requeue", "resubmit", "none", "dependency:1", "dependency:20"] {
            assert_eq!(text.parse::<Chain>().unwrap().to_string(), text);
        }
        for text in ["", "dependency", "dependency:0", "dependency:21", "dependency:x", "Requeue"] {
            assert!(text.parse::<Chain>().unwrap_err().contains("dependency:N"), "{text}");
        }
    }

    #[test]
    fn an_unfinished_link_is_followed_a_minute_after_it_began() {
        for chain in [Chain::Requeue, Chain::Resubmit, Chain::Dependency(3)] {
            for ending in
                [Ending::Incomplete, Ending::Timeout, Ending::Killed, Ending::NodeFail, Ending::Preempted]
            {
                assert_eq!(next(chain, &[link(ending, true)]), Next::Link(Duration::from_secs(50)));
            }
        }
        assert_eq!(
            next(Chain::Requeue, &[Link { seconds: 3600.0, ..link(Ending::Incomplete, true) }]),
            Next::Link(Duration::ZERO)
        );
        assert_eq!(next(Chain::Requeue, &[link(Ending::Complete, true)]), Next::Nothing);
    }

    #[test]
    fn what_ends_a_chain() {
        let ends = |chain, links: &[Link], word: &str| {
            let Next::End(why) = next(chain, links) else { panic!("{links:?} is followed") };
            assert!(why.contains(word), "{why}");
        };
        ends(Chain::Requeue, &[link(Ending::Cancelled, true)], "cancelled");
        ends(Chain::Requeue, &[link(Ending::OutOfMemory, true)], "memory");
        ends(Chain::Requeue, &[link(Ending::Failed, true)], "failed");
        ends(
            Chain::Requeue,
            &[link(Ending::Incomplete, true), link(Ending::Incomplete, false)],
            "without progress",
        );
        ends(Chain::None, &[link(Ending::Incomplete, true)], "--chain none");
        ends(Chain::Requeue, &[link(Ending::Incomplete, true); LINKS], "20 links");
        ends(Chain::Dependency(2), &[link(Ending::Incomplete, true); 2], "2 links");
        // A node that fails at once is not the sweep's fault; twenty are enough all the same.
        assert_eq!(
            next(Chain::Requeue, &[link(Ending::NodeFail, false)]),
            Next::Link(Duration::from_secs(50))
        );
        ends(Chain::Requeue, &[link(Ending::NodeFail, false); LINKS], "20 links");
    }
}
