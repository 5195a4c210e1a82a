//! What `metasweep status` says of a dataset's jobs: the records of its newest chain, and one question to slurmctld.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chain::{Ending, LINKS};
use super::queue::{self, Job};
use super::submissions::{self, History};

/// A link that ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ended {
    /// Its job.
    pub job: String,
    /// How often that was requeued before.
    pub restart: u32,
    /// Element of an array.
    pub element: Option<u32>,
    /// How it ended; null while it runs.
    pub ending: Option<Ending>,
    /// Replicas that it added.
    pub replicas: u64,
    /// How long it ran, in seconds.
    pub seconds: f64,
}

/// The jobs of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slurm {
    /// `requeue`, `resubmit`, ….
    pub chain: String,
    /// Job numbers.
    pub jobs: Vec<String>,
    /// As squeue shows them now; empty if SLURM has forgotten them.
    pub queue: Vec<Job>,
    /// Why slurmctld did not answer.
    pub unanswered: Option<String>,
    /// Links that began, in order.
    pub links: Vec<Ended>,
    /// Links that a chain may have.
    pub links_at_most: usize,
    /// Links after the first.
    pub restarts: usize,
    /// Seconds between the end of a link and the beginning of the next.
    pub seconds_lost: Vec<f64>,
    /// Why the chain is over.
    pub over: Vec<String>,
    /// The newest log.
    pub log: Option<PathBuf>,
}

impl Slurm {
    /// Of the dataset in `dir`; None if it was never submitted.
    #[must_use]
    pub fn of(dir: &Path) -> Option<Slurm> {
        let history = History::of(&submissions::read(dir));
        let chain = history.chain?;
        let (queue, unanswered) = match queue::jobs(&history.jobs) {
            Ok(jobs) => (jobs, None),
            Err(failure) => (Vec::new(), Some(failure.message)),
        };
        let links = history.links.iter().map(|past| {
            let end = past.ended;
            Ended {
                job: past.name.job.clone(),
                restart: past.name.restart,
                element: past.name.element,
                ending: end.map(|(_, ending, _)| ending),
                replicas: end.map_or(0, |(.., reached)| reached.replicas.saturating_sub(past.from.replicas)),
                seconds: end.map_or_else(queue::now, |(at, ..)| at) - past.started,
            }
        });
        let links: Vec<Ended> = links.collect();
        let elements: std::collections::BTreeSet<Option<u32>> =
            links.iter().map(|link| link.element).collect();
        let mut over: Vec<String> = history.over.iter().map(|(_, why)| why.clone()).collect();
        over.dedup();
        Some(Slurm {
            chain: chain.to_string(),
            restarts: links.len().saturating_sub(elements.len()),
            seconds_lost: history.lost(),
            jobs: history.jobs,
            queue,
            unanswered,
            links,
            links_at_most: LINKS,
            over,
            log: newest_log(dir),
        })
    }

    /// Some lines for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for job in &self.queue {
            let left = job.left.filter(|_| job.state == "RUNNING");
            let left = left.map(|left| format!(", {} min left", left / 60)).unwrap_or_default();
            let why = if job.state == "PENDING" { format!(" ({})", job.reason) } else { String::new() };
            lines.push(format!("job {}: {}{why}{left}", job.id, job.state));
        }
        if self.queue.is_empty() {
            let why = self.unanswered.as_deref().unwrap_or("SLURM no longer knows them");
            lines.push(format!("jobs {}: {why}", self.jobs.join(", ")));
        }
        if let Some(link) = self.links.iter().rfind(|link| link.ending.is_some()) {
            let ending = serde_json::to_string(&link.ending).unwrap_or_default();
            let lost: f64 = self.seconds_lost.iter().sum();
            let lost =
                if self.restarts > 0 { format!(", {lost:.0} s lost between links") } else { String::new() };
            let ending = ending.trim_matches('"');
            lines.push(format!(
                "chain {}, {} restarts{lost}; the last link that ended: {ending}",
                self.chain, self.restarts
            ));
        }
        lines.extend(self.over.iter().map(|why| format!("the chain is over: {why}")));
        lines.extend(self.log.iter().map(|log| format!("log: {}", log.display())));
        lines
    }
}

/// The log written last.
#[must_use]
pub fn newest_log(dir: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(submissions::folder(dir)).ok()?;
    let logs = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let log = path.extension().is_some_and(|extension| extension == "log");
        if log { Some((path.metadata().ok()?.modified().ok()?, path)) } else { None }
    });
    logs.max().map(|(_, path)| path)
}
