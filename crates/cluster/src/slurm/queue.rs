//! What SLURM is asked and told, through its own commands: sbatch, squeue, scontrol, scancel.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::work::Failure;

/// Seconds since 1970 at which the job ends: `metasweep link` tells the run.
pub const JOB_END: &str = "METASWEEP_JOB_END";

/// A job, or an element of one, as squeue shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Its number; of an array's element `12_3`.
    pub id: String,
    /// `PENDING`, `RUNNING`, `COMPLETED`, …
    pub state: String,
    /// Why it waits.
    pub reason: String,
    /// Seconds left, if it has a limit.
    pub left: Option<u64>,
}

/// Runs a command of SLURM's; what it printed.
///
/// # Errors
/// If there is none, or it says no.
pub fn call(program: &str, arguments: &[&str], folder: Option<&Path>) -> Result<String, Failure> {
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let done = command.output().map_err(|error| {
        Failure::new(format!("{program} cannot be started ({error}): is SLURM installed here, and in PATH?"))
    })?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned());
    }
    // scontrol says some of its errors on stdout.
    let streams = [&done.stderr, &done.stdout].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    let said = streams.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| done.status.to_string());
    Err(Failure::new(format!("{program} {}: {said}", arguments.join(" "))))
}

/// Submits the script in `folder`; the job's number.
///
/// # Errors
/// What sbatch says.
pub fn submit(folder: &Path, script: &str, options: &[String]) -> Result<String, Failure> {
    let mut arguments = vec!["--parsable"];
    arguments.extend(options.iter().map(String::as_str));
    arguments.push(script);
    let said = call("sbatch", &arguments, Some(folder))?;
    let last = said.lines().last().unwrap_or_default();
    let id = last.split(';').next().unwrap_or_default();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failure::new(format!("sbatch said {said:?}, which is no job's number")));
    }
    Ok(id.to_owned())
}

/// The jobs of these numbers that SLURM remembers, in one question.
///
/// # Errors
/// If slurmctld does not answer.
pub fn jobs(ids: &[String]) -> Result<Vec<Job>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list = ids.join(",");
    match call("squeue", &["-h", "-r", "-t", "all", "-o", "%i|%T|%r|%L", "-j", &list], None) {
        Ok(text) => Ok(text.lines().filter_map(job).collect()),
        // It has forgotten all of them.
        Err(failure) if failure.message.contains("Invalid job id") => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

fn job(line: &str) -> Option<Job> {
    let mut fields = line.split('|');
    let (id, state, reason, left) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    Some(Job { id: id.to_owned(), state: state.to_owned(), reason: reason.to_owned(), left: seconds(left) })
}

/// When this process's job ends, in seconds since 1970: told by `metasweep link`, by SLURM's environment, or asked for once.
#[must_use]
pub fn end_of_job(environment: &dyn Fn(&str) -> Option<String>) -> Option<f64> {
    for name in [JOB_END, "SLURM_JOB_END_TIME"] {
        if let Some(end) = environment(name).and_then(|text| text.parse().ok()) {
            return Some(end);
        }
    }
    let id = environment("SLURM_JOB_ID")?;
    let left = call("squeue", &["-h", "-j", &id, "-o", "%L"], None).ok()?;
    Some(now() + seconds(left.lines().next()?)? as f64)
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// `MM:SS`, `HH:MM:SS`, `D-HH:MM:SS`; None for `UNLIMITED` and its like.
fn seconds(text: &str) -> Option<u64> {
    let (days, clock) = text.trim().split_once('-').map_or(("0", text.trim()), |(days, clock)| (days, clock));
    let mut total: u64 = 0;
    for field in clock.split(':') {
        total = total.checked_mul(60)?.checked_add(field.parse().ok()?)?;
    }
    days.parse::<u64>().ok()?.checked_mul(86_400)?.checked_add(total)
}

/// As SLURM writes a time limit: `HH:MM:SS`, with days if there are.
#[must_use]
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3600);
    let rest = format!("{hours:02}:{:02}:{:02}", seconds % 3600 / 60, seconds % 60);
    if days > 0 { format!("{days}-{rest}") } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_left() {
        for (text, expected) in [
            ("0:42", Some(42)),
            ("29:58", Some(1798)),
            ("1:00:00", Some(3600)),
            ("2-03:00:01", Some(183_601)),
            ("UNLIMITED", None),
            ("NOT_SET", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!(clock(Duration::from_secs(183_601)), "2-03:00:01");
        assert_eq!(clock(Duration::from_secs(90)), "00:01:30");
    }

    #[test]
    fn a_line_of_squeue() {
        let expected =
            Job { id: "12_3".into(), state: "PENDING".into(), reason: "Priority".into(), left: Some(600) };
        assert_eq!(job("12_3|PENDING|Priority|10:00"), Some(expected));
        assert_eq!(job("nonsense"), None);
    }

    #[test]
    fn the_end_of_the_job_is_told_by_the_environment() {
        let told = |name: &str| (name == JOB_END).then(|| "1700000000.5".to_owned());
        assert_eq!(end_of_job(&told), Some(1_700_000_000.5));
        assert_eq!(end_of_job(&|_| None), None);
    }
}
