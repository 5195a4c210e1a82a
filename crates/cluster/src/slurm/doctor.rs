//! `metasweep doctor`: what this machine or cluster supports, to read or to paste into a help ticket.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde::Serialize;

use super::queue::call;
use super::quota::quota;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something will not work.
    Wrong,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
}

fn check(what: &str, verdict: Verdict, found: impl Into<String>) -> Check {
    Check { what: what.to_owned(), verdict, found: found.into() }
}

/// All checks; `dir` is where datasets would lie.
#[must_use]
pub fn examine(dir: &Path) -> Vec<Check> {
    let mut checks = vec![processor(), threads()];
    checks.extend(mpi());
    checks.extend(file_system(dir));
    checks.push(space(dir));
    checks.push(check(&format!("quota in {}", dir.display()), Verdict::Note, quota(dir)));
    checks.extend(slurm());
    checks
}

fn processor() -> Check {
    match metasweep_dynamics::simd::Isa::detect() {
        Ok(isa) => check("vector instructions", Verdict::Ok, isa.name()),
        Err(error) => check("vector instructions", Verdict::Wrong, error.to_string()),
    }
}

fn threads() -> Check {
    let found = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    check("cores for this process", Verdict::Note, found.to_string())
}

fn mpi() -> Vec<Check> {
    let built = crate::world_library();
    let launcher = first_line(Command::new("mpirun").arg("--version"));
    let mut checks = vec![match &built {
        Some(library) => check("MPI library", Verdict::Ok, library.clone()),
        None => check(
            "MPI library",
            Verdict::Note,
            "none: built without --features mpi; one process, or `submit --array`",
        ),
    }];
    checks.push(match (&built, &launcher) {
        (Some(library), Some(launcher)) => {
            let open =
                (library.contains("Open MPI"), launcher.contains("Open MPI") || launcher.contains("OpenRTE"));
            let verdict = if open.0 == open.1 { Verdict::Ok } else { Verdict::Wrong };
            let note = if verdict == Verdict::Wrong { ": another MPI than this program's" } else { "" };
            check("mpirun", verdict, format!("{launcher}{note}"))
        }
        (_, Some(launcher)) => check("mpirun", Verdict::Note, launcher.clone()),
        (Some(_), None) => check("mpirun", Verdict::Note, "none in PATH: start ranks with srun"),
        (None, None) => check("mpirun", Verdict::Note, "none in PATH"),
    });
    checks
}

fn first_line(command: &mut Command) -> Option<String> {
    let done = command.output().ok()?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

/// What the store needs of a file system, tried with a small file.
fn file_system(dir: &Path) -> Vec<Check> {
    let what = |name: &str| format!("{name} in {}", dir.display());
    let place = dir.join(format!(".metasweep-doctor-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&place) {
        return vec![check(&what("writing"), Verdict::Wrong, error.to_string())];
    }
    let (a, b, c) = (place.join("a"), place.join("b"), place.join("c"));
    let timed = |name: &str, missing: Verdict, call: &dyn Fn() -> std::io::Result<()>| {
        let begun = Instant::now();
        let outcome = call();
        let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
        match outcome {
            Ok(()) => check(&what(name), Verdict::Ok, format!("{milliseconds:.1} ms")),
            Err(error) => check(&what(name), missing, error.to_string()),
        }
    };
    let checks = vec![
        timed("write and fsync", Verdict::Wrong, &|| {
            fs::write(&a, b"metasweep")?;
            fs::File::open(&a)?.sync_all()
        }),
        timed("fsync of a folder", Verdict::Note, &|| fs::File::open(&place)?.sync_all()),
        timed("link", Verdict::Note, &|| fs::hard_link(&a, &b)),
        timed("rename", Verdict::Wrong, &|| fs::rename(&b, &c)),
    ];
    let _ = fs::remove_dir_all(&place);
    checks
}

/// Of the file system; what of it the user may have is the quota's business.
fn space(dir: &Path) -> Check {
    let what = format!("space in {}", dir.display());
    let done = Command::new("df").arg("-Pk").arg(dir).output();
    let text = done.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
    let kilobytes = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<f64>().ok());
    match kilobytes {
        Some(kilobytes) => check(
            &what,
            if kilobytes < 1e6 { Verdict::Wrong } else { Verdict::Ok },
            format!("{:.1} GB free", kilobytes / 1e6),
        ),
        None => check(&what, Verdict::Note, "df does not say"),
    }
}

fn slurm() -> Vec<Check> {
    let Ok(version) = call("sbatch", &["--version"], None) else {
        return vec![check("SLURM", Verdict::Note, "no sbatch in PATH")];
    };
    let mut checks = vec![check("SLURM", Verdict::Ok, version)];
    match call("scontrol", &["show", "config"], None) {
        Err(failure) => checks.push(check("slurmctld", Verdict::Wrong, failure.message)),
        Ok(config) => {
            let value = |key: &str| {
                let line =
                    config.lines().find(|line| line.split('=').next().is_some_and(|name| name.trim() == key));
                line.and_then(|line| line.split_once('=')).map_or("?", |(_, value)| value.trim()).to_owned()
            };
            for (key, meaning) in [
                ("MaxArraySize", "largest index of `submit --array` plus one"),
                ("JobRequeue", "1: --chain requeue can work"),
                ("PreemptMode", "REQUEUE: preempted jobs come back by themselves"),
                ("KillWait", "between SIGTERM and SIGKILL"),
                ("MpiDefault", "of srun --mpi"),
                ("MinJobAge", "how long ended jobs are remembered"),
            ] {
                checks.push(check(key, Verdict::Note, format!("{} ({meaning})", value(key))));
            }
        }
    }
    let here =
        if std::env::var("SLURM_JOB_ID").is_ok() { "a compute node, in a job" } else { "not in a job" };
    checks.push(check("this host", Verdict::Note, here));
    if std::env::var("SLURM_JOB_ID").is_ok() {
        checks.push(sbatch_from_here());
    }
    checks
}

/// Many sites forbid jobs to submit jobs: tried without submitting one.
fn sbatch_from_here() -> Check {
    let tried = call("sbatch", &["--test-only", "--wrap", "true", "-t", "1"], None);
    match tried {
        Ok(_) => check("sbatch from a compute node", Verdict::Ok, "allowed: --chain resubmit can work"),
        Err(failure) => check(
            "sbatch from a compute node",
            Verdict::Note,
            format!("{}; use --chain requeue or dependency:N", failure.message),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_can_be_written_passes_and_one_that_is_not_there_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let checks = file_system(dir.path());
        assert_eq!(checks.len(), 4);
        assert!(checks.iter().all(|check| check.verdict == Verdict::Ok), "{checks:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
        let checks = file_system(&dir.path().join("missing"));
        assert_eq!(checks[0].verdict, Verdict::Wrong);
    }
}
