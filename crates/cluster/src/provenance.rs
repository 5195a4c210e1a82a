//! Where and when a run took place: `journal/<nonce>-provenance.json`, outside the hashed data.
//!
//! Written once when the work begins and again when it ends, so that a killed run leaves its first half.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metasweep_store::create_folder;
use metasweep_store::layout::provenance_file;
use serde::Serialize;

use crate::messages::Present;
use crate::work::Failure;

/// One process of the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Process {
    /// Its rank.
    pub rank: usize,
    /// Where it ran.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// Its compute threads; 0 if it only scheduled.
    pub threads: usize,
    /// The processor's name.
    pub cpu: String,
    /// The vector instructions it used.
    pub isa: String,
    /// Chunks that each of its threads committed in this run; empty while it runs.
    pub chunks_by_thread: Vec<u64>,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provenance {
    /// The run, and this process's number in it.
    #[serde(skip)]
    run: (u64, u32),
    /// The run, in sixteen hexadecimal digits.
    pub nonce: String,
    /// Version and engine.
    pub program: String,
    /// Who took part.
    pub processes: Vec<Process>,
    /// Unix time in seconds.
    pub started: u64,
    /// Unix time in seconds; null while it runs, or if it was killed.
    pub ended: Option<u64>,
    /// `complete`, `signal`, `walltime`, `failed`; null while it runs.
    pub end: Option<&'static str>,
    /// Wall time in seconds.
    pub wall_seconds: Option<f64>,
    /// CPU time of all processes in seconds.
    pub cpu_seconds: Option<f64>,
    /// Seconds of all threads together without work, from the last instant at which every thread had some to the last task's end.
    pub idle_at_the_end: Option<f64>,
}

impl Provenance {
    /// A run that begins now; of those without a lead this is number `process`.
    #[must_use]
    pub fn begin(nonce: u64, process: u32, present: &[Present], threads: &[usize]) -> Self {
        let describe = |(rank, (who, &threads)): (usize, (&Present, &usize))| Process {
            rank,
            host: who.host.clone(),
            pid: who.pid,
            threads,
            cpu: who.cpu.clone(),
            isa: who.isa.clone(),
            chunks_by_thread: Vec::new(),
        };
        Self {
            run: (nonce, process),
            nonce: format!("{nonce:016x}"),
            program: present.first().map_or_else(String::new, |who| who.program.clone()),
            processes: present.iter().zip(threads).enumerate().map(describe).collect(),
            started: unix_time(),
            ended: None,
            end: None,
            wall_seconds: None,
            cpu_seconds: None,
            idle_at_the_end: None,
        }
    }

    /// Takes down who committed how many chunks, as `count(rank, threads)` says.
    pub fn count_chunks(&mut self, count: impl Fn(u32, usize) -> Vec<u64>) {
        for process in &mut self.processes {
            process.chunks_by_thread = count(process.rank as u32, process.threads);
        }
    }

    /// The run is over.
    pub fn end(&mut self, how: &'static str, wall: Duration, cpu_seconds: f64) {
        self.ended = Some(unix_time());
        self.end = Some(how);
        self.wall_seconds = Some(wall.as_secs_f64());
        self.cpu_seconds = Some(cpu_seconds);
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If the disk says no.
    pub fn write(&self, dir: &Path) -> Result<(), Failure> {
        let path = provenance_file(dir, self.run.0, self.run.1);
        create_folder(path.parent().unwrap_or(dir))?;
        let text = serde_json::to_string_pretty(self).map_err(|error| Failure::new(error.to_string()))?;
        Ok(metasweep_store::replace(&path, (text + "\n").as_bytes(), "provenance")?)
    }
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_written_twice_and_readable_in_between() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("journal")).unwrap();
        let mut provenance = Provenance::begin(0x0123_abcd, 0, &[], &[]);
        provenance.write(dir.path()).unwrap();
        let read = || {
            let text =
                std::fs::read_to_string(dir.path().join("journal/000000000123abcd-provenance.json")).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap()
        };
        assert!(read()["end"].is_null());
        provenance.end("walltime", Duration::from_millis(1500), 2.5);
        provenance.write(dir.path()).unwrap();
        assert_eq!((read()["end"].as_str(), read()["wall_seconds"].as_f64()), (Some("walltime"), Some(1.5)));
        assert_eq!(std::fs::read_dir(dir.path().join("journal")).unwrap().count(), 1);
    }
}
