//! `journal/owner`: who runs here. It avoids waste, it does not guard the data (a process writes only its own files,
//! and sealing twice is harmless), so a doubtful case is decided for taking over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result, StoreError};
use crate::failpoint::reach;
use crate::files::{create_folder, remove, replace, uninterrupted};
use crate::layout;
use crate::manifest::read_json;

/// A record that was not rewritten for so long belongs to a dead run, or to one that hangs: it is taken over.
pub const LEASE: Duration = Duration::from_secs(60);
/// [`Owner::heartbeat`] rewrites the record this many times a lease.
const HEARTBEATS: u32 = 12;

/// [`LEASE`], unless a test shortens it by `METASWEEP_LEASE` (seconds).
fn lease() -> Duration {
    static LEASE_HERE: OnceLock<Duration> = OnceLock::new();
    *LEASE_HERE.get_or_init(|| {
        let asked = std::env::var("METASWEEP_LEASE").ok().and_then(|text| text.parse().ok());
        asked.filter(|seconds| *seconds > 0).map_or(LEASE, Duration::from_secs)
    })
}

/// The owner record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The run.
    pub nonce: u64,
    /// Host name.
    pub host: String,
    /// The kernel's boot id: process ids mean nothing beyond a boot.
    pub boot: String,
    /// Process id.
    pub pid: u32,
    /// Start time of the process in clock ticks since boot: process ids are used again.
    pub started: u64,
    /// SLURM job, if any.
    pub slurm_job: Option<String>,
    /// How often that job was requeued: a requeued job takes over from itself.
    pub slurm_restart: u32,
}

/// This host's name.
#[must_use]
pub fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Start time of a process (field 22 of /proc/PID/stat); `None` if there is no such process, or it is a zombie.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may hold anything.
    let rest = stat.rsplit_once(')')?.1;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    (state != "Z" && state != "X").then_some(started)
}

impl Record {
    /// The record of this process.
    #[must_use]
    pub fn ours(nonce: u64) -> Self {
        let pid = std::process::id();
        Record {
            nonce,
            host: host(),
            boot: boot(),
            pid,
            started: start_time(pid).unwrap_or(0),
            slurm_job: std::env::var("SLURM_JOB_ID").ok(),
            slurm_restart: std::env::var("SLURM_RESTART_COUNT")
                .ok()
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
        }
    }

    fn describe(&self) -> String {
        let job = self.slurm_job.as_ref().map(|job| format!(", SLURM job {job}")).unwrap_or_default();
        format!("process {} on host {}{job}", self.pid, self.host)
    }
}

/// Whether the run of a record still lives; `path` is the record's file.
///
/// # Errors
/// If the folder cannot be written (its clock is asked by touching a file there).
pub fn is_alive(record: &Record, path: &Path) -> Result<bool> {
    let ours = Record::ours(0);
    if record.slurm_job.is_some()
        && record.slurm_job == ours.slurm_job
        && record.slurm_restart < ours.slurm_restart
    {
        return Ok(false);
    }
    if record.host == ours.host && !is_alive_here(record, &ours) {
        return Ok(false);
    }
    let Some(written) = modified(path)? else { return Ok(false) };
    let probe = path.with_file_name(format!(".clock.{}", std::process::id()));
    fs::write(&probe, b"").context("write", &probe)?;
    let now = modified(&probe)?;
    remove(&probe)?;
    // Both times come from the file system's clock, whatever the hosts' clocks say.
    Ok(now.is_none_or(|now| now.duration_since(written).unwrap_or_default() < lease()))
}

fn modified(path: &Path) -> Result<Option<std::time::SystemTime>> {
    match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.context("examine", path).map(Some),
    }
}

/// Holds the owner record; removes it when dropped.
pub struct Owner {
    dir: PathBuf,
    record: Record,
    last: std::time::Instant,
}

impl Owner {
    /// Takes the dataset, from a dead owner if need be.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another run lives here.
    pub fn take(dir: &Path, nonce: u64) -> Result<Owner> {
        create_folder(&layout::journal(dir))?;
        let path = layout::owner(dir);
        let record = Record::ours(nonce);
        let temporary = path.with_file_name(format!(".owner.{nonce:016x}"));
        let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
        fs::write(&temporary, text).context("write", &temporary)?;
        let outcome = link(dir, &temporary, &path);
        remove(&temporary)?;
        outcome?;
        Ok(Owner { dir: dir.to_owned(), record, last: std::time::Instant::now() })
    }

    /// Rewrites the record if it is time, so that others see that we live. Whoever was stopped for longer than its
    /// lease learns here that it lost the dataset: asked before anything is removed or finished.
    ///
    /// # Errors
    /// [`StoreError::TakenOver`] if another run has taken the dataset over meanwhile.
    pub fn heartbeat(&mut self) -> Result<()> {
        if self.last.elapsed() < lease() / HEARTBEATS {
            return Ok(());
        }
        self.last = std::time::Instant::now();
        let taken_over = |owner| Err(StoreError::TakenOver { path: self.dir.clone(), owner });
        match read_json::<Record>(&layout::owner(&self.dir)) {
            Ok(Some(other)) if other.nonce != self.record.nonce => taken_over(other.describe()),
            Ok(None) => taken_over("it has ended since".to_owned()),
            // Ours, or not to be read at the moment.
            _ => {
                let text = serde_json::to_vec_pretty(&self.record).unwrap_or_default();
                replace(&layout::owner(&self.dir), &text, "owner")
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let path = layout::owner(&self.dir);
        let ours =
            read_json::<Record>(&path).ok().flatten().is_some_and(|record| record.nonce == self.record.nonce);
        if ours {
            // A record left behind is taken over at once: this process is dead by then.
            let _ = remove(&path);
        }
    }
}

/// Links our record into place; twice, since a dead owner's is removed in between.
fn link(dir: &Path, temporary: &Path, path: &Path) -> Result<()> {
    for _ in 0..3 {
        reach("owner.link").context("link", path)?;
        match uninterrupted(|| fs::hard_link(temporary, path)) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A file system without hard links: the rename may race, which wastes work and harms nothing.
            Err(error) if error.kind() != io::ErrorKind::NotFound && !path.exists() => {
                return fs::copy(temporary, path).map(|_| ()).context("write", path);
            }
            Err(error) => return Err(error).context("link", path),
        }
        let alive = match read_json::<Record>(path) {
            Ok(Some(other)) if is_alive(&other, path)? => Some(other),
            _ => None,
        };
        if let Some(other) = alive {
            let here = other.host == host();
            let when = if here { "at once" } else { "after a minute of silence" };
            return Err(StoreError::InUse { path: dir.to_owned(), owner: other.describe(), when });
        }
        remove(path)?;
    }
    Err(StoreError::InUse {
        path: dir.to_owned(),
        owner: "several runs are starting".to_owned(),
        when: "at once",
    })
}

/// The record of a run that lives here, for `status`.
#[must_use]
pub fn living(dir: &Path) -> Option<Record> {
    let path = layout::owner(dir);
    let record: Record = read_json(&path).ok().flatten()?;
    let ours = Record::ours(0);
    let elsewhere = record.host != ours.host;
    ((elsewhere || is_alive_here(&record, &ours)) && recently(&path)).then_some(record)
}

/// Whether the process of a record runs on this host.
pub(crate) fn lives_here(record: &Record) -> bool {
    is_alive_here(record, &Record::ours(0))
}

/// Whether it ran on this host, and does no more.
pub(crate) fn is_dead_here(record: &Record) -> bool {
    record.host == host() && !lives_here(record)
}

fn is_alive_here(record: &Record, ours: &Record) -> bool {
    record.host == ours.host && record.boot == ours.boot && start_time(record.pid) == Some(record.started)
}

/// Read-only: by this host's clock, which is good enough for a display.
fn recently(path: &Path) -> bool {
    modified(path).ok().flatten().is_some_and(|written| written.elapsed().unwrap_or_default() < lease())
}
