//! `DIR/slurm/`: the job script, the logs, and what became of each job: files of JSON lines, each written by one process.
//!
//! A chain is what follows one `metasweep submit`. All that a link knows of those before it stands here.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::work::Failure;

use super::chain::{Chain, Ending, Link};

/// The script's name in the folder.
pub const SCRIPT: &str = "job.sh";

/// `DIR/slurm`.
#[must_use]
pub fn folder(dir: &Path) -> PathBuf {
    dir.join("slurm")
}

/// How far a dataset was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reached {
    /// Replicas committed.
    pub replicas: u64,
    /// Steps of replicas that were stopped in the middle.
    pub steps: u64,
}

/// One link: a job, one of its restarts, an element of an array.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name {
    /// The job's number; of an array the array's.
    pub job: String,
    /// How often it was requeued before.
    pub restart: u32,
    /// The element of an array.
    pub element: Option<u32>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happened {
    /// `metasweep submit` began a chain.
    Chain {
        /// Its kind.
        chain: Chain,
        /// Job numbers, in order.
        jobs: Vec<String>,
    },
    /// A link began.
    Started {
        /// Which.
        link: Name,
        /// The first node.
        host: String,
        /// How far the dataset was.
        reached: Reached,
    },
    /// A link ended; written by itself, or by the next one on its behalf.
    Ended {
        /// Which.
        link: Name,
        /// How.
        ending: Ending,
        /// Exit code of the work.
        code: Option<i32>,
        /// How far the dataset was.
        reached: Reached,
        /// The job submitted to go on, if any.
        follows: Option<String>,
    },
    /// The chain is over although the sweep is not complete.
    Over {
        /// The element it is over for.
        element: Option<u32>,
        /// Why.
        why: String,
    },
}

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since 1970.
    pub at: f64,
    /// What happened then.
    #[serde(flatten)]
    pub happened: Happened,
}

/// Appends a record to the file of this writer, named `writer`.
///
/// # Errors
/// If the disk says no.
pub fn append(dir: &Path, writer: &str, happened: Happened) -> Result<(), Failure> {
    let folder = folder(dir);
    let path = folder.join(format!("{writer}.jsonl"));
    let record = Record { at: super::queue::now(), happened };
    let line = serde_json::to_string(&record).map_err(|error| Failure::new(error.to_string()))? + "\n";
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| OpenOptions::new().append(true).create(true).open(&path))
        .and_then(|mut file| file.write_all(line.as_bytes()).and_then(|()| file.sync_data()));
    written.map_err(|error| Failure::new(format!("{} could not be written: {error}", path.display())))
}

/// All records, in the order of their times. A line that cannot be read (cut short by a kill) is left out.
#[must_use]
pub fn read(dir: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder(dir)) else { return records };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            records.extend(text.lines().filter_map(|line| serde_json::from_str::<Record>(line).ok()));
        }
    }
    records.sort_by(|a, b| a.at.total_cmp(&b.at));
    records
}

/// A link of a chain and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Which.
    pub name: Name,
    /// When it began, in seconds since 1970.
    pub started: f64,
    /// How far the dataset was.
    pub from: Reached,
    /// When and how it ended, and how far the dataset was; None while it runs, or if it was killed.
    pub ended: Option<(f64, Ending, Reached)>,
}

impl Past {
    /// As the rules of a chain see it; a link without an end has made no progress that anybody wrote down.
    #[must_use]
    pub fn link(&self) -> Link {
        let (at, ending, to) = self.ended.unwrap_or((self.started, Ending::Unknown, self.from));
        Link { ending, progress: to > self.from, seconds: (at - self.started).max(0.0) }
    }
}

/// The newest chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Its kind; None if nothing was ever submitted.
    pub chain: Option<Chain>,
    /// Its jobs, in the order of their submission.
    pub jobs: Vec<String>,
    /// Its links, in the order of their beginnings.
    pub links: Vec<Past>,
    /// Why it is over, by element.
    pub over: Vec<(Option<u32>, String)>,
}

/// Seconds that the submission of a chain's jobs takes, at most: a number that SLURM gave long ago is not this chain's.
const SUBMISSION: f64 = 600.0;

impl History {
    /// Of the newest chain among `records`.
    #[must_use]
    pub fn of(records: &[Record]) -> History {
        let mut history = History::default();
        for Record { at, happened } in records {
            match happened.clone() {
                Happened::Chain { chain, jobs } => {
                    // Its first job may have begun while the others were still being submitted.
                    let is_ours =
                        |past: &Past| jobs.contains(&past.name.job) && at - past.started < SUBMISSION;
                    let links = std::mem::take(&mut history.links).into_iter().filter(is_ours).collect();
                    history = History { chain: Some(chain), jobs, links, over: Vec::new() };
                }
                Happened::Started { link, reached, .. } => {
                    history.add_job(&link.job);
                    history.links.push(Past { name: link, started: *at, from: reached, ended: None });
                }
                Happened::Ended { link, ending, reached, follows, .. } => {
                    if let Some(follows) = follows {
                        history.add_job(&follows);
                    }
                    let past = history.links.iter_mut().rfind(|past| past.name == link);
                    if let Some(past) = past.filter(|past| past.ended.is_none()) {
                        past.ended = Some((*at, ending, reached));
                    }
                }
                Happened::Over { element, why } => history.over.push((element, why)),
            }
        }
        history
    }

    fn add_job(&mut self, job: &str) {
        if !self.jobs.iter().any(|known| known == job) {
            self.jobs.push(job.to_owned());
        }
    }

    /// The links of one element (None: of the job that is no array), without `current`.
    #[must_use]
    pub fn before(&self, current: &Name) -> Vec<&Past> {
        self.links
            .iter()
            .filter(|past| past.name.element == current.element && past.name != *current)
            .collect()
    }

    /// Seconds between the end of a link and the beginning of the next one of the same element: queue and start-up.
    #[must_use]
    pub fn lost(&self) -> Vec<f64> {
        let mut lost = Vec::new();
        for (index, past) in self.links.iter().enumerate() {
            let before = self.links[..index].iter().rfind(|before| before.name.element == past.name.element);
            if let Some((ended, ..)) = before.and_then(|before| before.ended) {
                lost.push((past.started - ended).max(0.0));
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(job: &str, restart: u32) -> Name {
        Name { job: job.to_owned(), restart, element: None }
    }

    fn reached(replicas: u64) -> Reached {
        Reached { replicas, steps: 0 }
    }

    #[test]
    fn records_survive_a_line_that_was_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), "submit", Happened::Chain { chain: Chain::Requeue, jobs: vec!["7".to_owned()] })
            .unwrap();
        let started = |restart| Happened::Started {
            link: name("7", restart),
            host: "n1".to_owned(),
            reached: reached(0),
        };
        append(dir.path(), "7-0", started(0)).unwrap();
        let ending = |restart, replicas| Happened::Ended {
            link: name("7", restart),
            ending: Ending::Incomplete,
            code: Some(75),
            reached: reached(replicas),
            follows: None,
        };
        append(dir.path(), "7-0", ending(0, 9)).unwrap();
        append(dir.path(), "7-1", started(1)).unwrap();
        let path = folder(dir.path()).join("7-1.jsonl");
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"at\": 17")).unwrap();
        let history = History::of(&read(dir.path()));
        assert_eq!(history.chain, Some(Chain::Requeue));
        assert_eq!(history.jobs, ["7"]);
        assert_eq!(history.links.len(), 2);
        assert!(history.links[0].link().progress);
        assert_eq!(history.links[1].link().ending, Ending::Unknown);
        assert_eq!(history.lost().len(), 1);
        assert_eq!(history.before(&name("7", 1)).len(), 1);
    }

    #[test]
    fn a_new_submission_begins_anew() {
        let at = |at, happened| Record { at, happened };
        let over = Happened::Over { element: None, why: "no progress".to_owned() };
        let chain = |job: &str| Happened::Chain { chain: Chain::Resubmit, jobs: vec![job.to_owned()] };
        let history = History::of(&[at(1.0, chain("1")), at(2.0, over), at(3.0, chain("2"))]);
        assert_eq!((history.jobs.as_slice(), history.over.len()), (&["2".to_owned()][..], 0));
    }

    /// SLURM starts the first job of a chain of many before the last is submitted, and before anybody writes that down.
    #[test]
    fn a_link_may_begin_before_its_chain_is_written_down() {
        let at = |at, happened| Record { at, happened };
        let started = |job: &str, replicas| Happened::Started {
            link: name(job, 0),
            host: "n1".to_owned(),
            reached: reached(replicas),
        };
        let chain = Happened::Chain {
            chain: Chain::Dependency(3),
            jobs: ["9", "10", "11"].map(String::from).to_vec(),
        };
        let records = [
            at(1.0, started("9", 40)),
            at(5000.0, started("8", 50)),
            at(5001.0, started("9", 60)),
            at(5001.5, chain),
            at(5002.0, started("10", 70)),
        ];
        let history = History::of(&records);
        let links: Vec<_> =
            history.links.iter().map(|past| (past.name.job.as_str(), past.from.replicas)).collect();
        // Neither another chain's link, nor one of the same number from long ago.
        assert_eq!(links, [("9", 60), ("10", 70)]);
        assert_eq!(history.jobs, ["9", "10", "11"]);
    }
}
