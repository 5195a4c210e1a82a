//! `metasweep link`: what the batch shell becomes. It starts the work, passes signals on, writes down how it ended, and
//! sees to what follows.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::host;
use crate::signals::Signals;
use crate::work::Failure;

use super::chain::{self, Chain, Ending, Next};
use super::last_words::{ending_in_log, ending_of, field, forgotten, raw_state_of, state_of};
use super::queue::{self, call, end_of_job, now};
use super::submissions::{self, Happened, History, Name, Past, Reached, SCRIPT};

/// How often the work is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// slurmctld may be away for a while: so many questions, so far apart.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_secs(6);
/// Exit code: incomplete, run again to resume.
const INCOMPLETE: u8 = 75;

/// One link of a chain.
pub struct Job {
    dir: PathBuf,
    chain: Chain,
    name: Name,
    writer: String,
    /// Shortens [`chain::APART`] in tests (`METASWEEP_LINKS_APART`, seconds).
    apart: Duration,
}

/// Does `command` as a link of the chain of the dataset in `dir`; the exit code.
///
/// # Errors
/// If the work cannot be started, or the records cannot be written.
pub fn follow(dir: &Path, chain: Chain, command: &[String]) -> Result<u8, Failure> {
    let signals = Signals::install()
        .map_err(|error| Failure::new(format!("the signal handlers could not be installed: {error}")))?;
    let environment = |name: &str| std::env::var(name).ok();
    let Some(name) = name(&environment) else {
        // By hand, outside of SLURM: there is nothing to follow.
        return Ok(code_of(work(command, &signals)?));
    };
    Job::new(dir, chain, name, &environment).follow(command, &signals)
}

/// Which link this process is.
fn name(environment: &dyn Fn(&str) -> Option<String>) -> Option<Name> {
    let job = environment("SLURM_ARRAY_JOB_ID").or_else(|| environment("SLURM_JOB_ID"))?;
    let number = |name: &str| environment(name).and_then(|text| text.parse().ok());
    Some(Name {
        job,
        restart: number("SLURM_RESTART_COUNT").unwrap_or(0),
        element: number("SLURM_ARRAY_TASK_ID"),
    })
}

impl Job {
    fn new(dir: &Path, chain: Chain, name: Name, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let element = name.element.map(|element| format!("_{element}")).unwrap_or_default();
        let writer = format!("{}{element}-{}", name.job, name.restart);
        let apart = environment("METASWEEP_LINKS_APART").and_then(|text| text.parse().ok());
        let apart = apart.map_or(chain::APART, Duration::from_secs);
        Job { dir: dir.to_owned(), chain, name, writer, apart }
    }

    fn follow(&self, command: &[String], signals: &Signals) -> Result<u8, Failure> {
        let history = History::of(&submissions::read(&self.dir));
        self.bury_the_one_before(&history)?;
        if let Some(code) = self.nothing_to_do()? {
            return Ok(code);
        }
        let reached = reached(&self.dir);
        let host = host::name();
        submissions::append(
            &self.dir,
            &self.writer,
            Happened::Started { link: self.name.clone(), host, reached },
        )?;
        let begun = Instant::now();
        // A requeued job goes on writing to the log of the one before.
        let said_before = self.log().len();
        let status = work(command, signals)?;
        let log = self.log();
        let ending = self.ending(status, signals.raised(), log.get(said_before..).unwrap_or_default());
        self.end(ending, status, begun)
    }

    /// A link that left no end was killed: how, SLURM may still know.
    fn bury_the_one_before(&self, history: &History) -> Result<(), Failure> {
        let Some(past) = history.before(&self.name).into_iter().rfind(|past| past.ended.is_none()) else {
            return Ok(());
        };
        // A job that was requeued is running again: its former state is gone.
        let ending = if past.name.job == self.name.job { Ending::Unknown } else { state_of(&past.name) };
        let happened = Happened::Ended {
            link: past.name.clone(),
            ending,
            code: None,
            reached: reached(&self.dir),
            follows: None,
        };
        submissions::append(&self.dir, &self.writer, happened)
    }

    /// Whether the chain is over, or the sweep complete: then with which exit code to leave.
    fn nothing_to_do(&self) -> Result<Option<u8>, Failure> {
        if complete(&self.dir) {
            eprintln!("metasweep link: the sweep is complete; nothing to do.");
            return Ok(Some(0));
        }
        let history = History::of(&submissions::read(&self.dir));
        if let Some((_, why)) = history.over.iter().find(|(element, _)| *element == self.name.element) {
            eprintln!("metasweep link: this chain is over: {why}");
            return Ok(Some(INCOMPLETE));
        }
        let links: Vec<chain::Link> = history.before(&self.name).into_iter().map(Past::link).collect();
        match chain::next(self.chain, &links) {
            Next::Nothing | Next::Link(_) => Ok(None),
            Next::End(why) => {
                self.over(&why)?;
                Ok(Some(INCOMPLETE))
            }
        }
    }

    /// What SLURM and the work have written to the job's log.
    fn log(&self) -> String {
        let element = self.name.element.map(|element| format!("_{element}")).unwrap_or_default();
        let path = submissions::folder(&self.dir).join(format!("{}{element}.log", self.name.job));
        std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn ending(&self, status: ExitStatus, signalled: bool, log: &str) -> Ending {
        let by_slurm = || match (ending_in_log(log), raw_state_of(&self.name).as_str()) {
            // A signal that somebody sent looks the same in the log, but the job goes on.
            (Ending::Cancelled, "RUNNING") => Ending::Unknown,
            (Ending::Unknown, state) => ending_of(state),
            (known, _) => known,
        };
        let or = |fallback| Some(by_slurm()).filter(|known| *known != Ending::Unknown).unwrap_or(fallback);
        match status.code() {
            Some(0) => Ending::Complete,
            Some(1..=4) => Ending::Failed,
            Some(code) if code == i32::from(INCOMPLETE) && !signalled => Ending::Incomplete,
            // A signal may be the end of the time, a job of higher priority, or somebody's scancel.
            Some(code) if code == i32::from(INCOMPLETE) => or(Ending::Incomplete),
            _ => or(Ending::Killed),
        }
    }

    fn end(&self, ending: Ending, status: ExitStatus, begun: Instant) -> Result<u8, Failure> {
        let reached = reached(&self.dir);
        let history = History::of(&submissions::read(&self.dir));
        let mut links: Vec<chain::Link> = history.before(&self.name).into_iter().map(Past::link).collect();
        let from =
            history.links.iter().rfind(|past| past.name == self.name).map_or(reached, |past| past.from);
        let seconds = begun.elapsed().as_secs_f64();
        links.push(chain::Link { ending, progress: reached > from, seconds });
        let over =
            history.over.iter().find(|(element, _)| *element == self.name.element || element.is_none());
        let next = match over {
            Some((_, why)) if ending != Ending::Complete => Next::End(why.clone()),
            _ => chain::next(self.chain, &links),
        };
        let mut follows = None;
        let mut refusal = None;
        if let Next::Link(_) = next {
            let pause = self.apart.saturating_sub(begun.elapsed());
            match self.go_on(pause) {
                Ok(job) => follows = job,
                Err(failure) => refusal = Some(failure.message),
            }
        }
        let follows_itself = follows.is_none();
        let code = status.code();
        let link = self.name.clone();
        submissions::append(
            &self.dir,
            &self.writer,
            Happened::Ended { link, ending, code, reached, follows },
        )?;
        match (next, refusal) {
            (_, Some(refusal)) => self.over(&format!("SLURM takes no further link: {refusal}"))?,
            (Next::End(why), None) => self.over(&why)?,
            (Next::Nothing, None) => eprintln!("metasweep link: complete."),
            (Next::Link(_), None) => {
                eprintln!("metasweep link: {ending:?} after {seconds:.0} s; {} goes on.", self.chain);
                if self.chain == Chain::Requeue && follows_itself {
                    // Its own end now would race with the requeue: SLURM ends this process.
                    std::thread::sleep(Duration::from_secs(30));
                }
            }
        }
        Ok(code_of(status))
    }

    /// Sees to the next link; the number of a job submitted for it.
    fn go_on(&self, pause: Duration) -> Result<Option<String>, Failure> {
        let begin = format!("now+{}", pause.as_secs());
        match self.chain {
            Chain::None | Chain::Dependency(_) => Ok(None),
            Chain::Requeue => {
                let element = self.name.element.map(|element| format!("_{element}")).unwrap_or_default();
                let id = format!("{}{element}", self.name.job);
                match patiently(|| call("scontrol", &["requeue", &id], None)) {
                    Err(failure) if failure.message.contains("pending execution") => {
                        // Somebody, or SLURM itself, was first.
                        if !forgotten(field("Restarts", &self.name).as_deref(), self.name.restart) {
                            return Ok(None);
                        }
                        let job = self.resubmit(&begin)?;
                        let _ = call("scancel", &[&id], None);
                        return Ok(Some(job));
                    }
                    // Requeueing is off at this site, or slurmctld came back without this job.
                    Err(failure) => {
                        return self.resubmit(&begin).map(Some).map_err(|second| {
                            Failure::new(format!("{}; and {}", failure.message, second.message))
                        });
                    }
                    Ok(_) => {}
                }
                if pause > Duration::ZERO {
                    // A courtesy: the requeue stands without it.
                    let _ = call(
                        "scontrol",
                        &["update", &format!("JobId={id}"), &format!("StartTime={begin}")],
                        None,
                    );
                }
                Ok(None)
            }
            Chain::Resubmit => self.resubmit(&begin).map(Some),
        }
    }

    fn resubmit(&self, begin: &str) -> Result<String, Failure> {
        let mut options = vec![format!("--begin={begin}")];
        options.extend(self.name.element.map(|element| format!("--array={element}")));
        let submit = || patiently(|| queue::submit(&submissions::folder(&self.dir), SCRIPT, &options));
        let job = submit()?;
        if job != self.name.job {
            return Ok(job);
        }
        // A slurmctld that was killed has forgotten this job and gives its number again. It would take this job's end for the
        // new one's, and drain the node of a job that is there twice: that number is given up.
        let other = submit();
        let _ = call("scancel", &[&job], None);
        other
    }

    fn over(&self, why: &str) -> Result<(), Failure> {
        eprintln!("metasweep link: the chain ends: {why}");
        let over = Happened::Over { element: self.name.element, why: why.to_owned() };
        submissions::append(&self.dir, &self.writer, over)
    }
}

/// Again, as long as slurmctld does not answer.
fn patiently<T>(mut question: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        match question() {
            Err(failure) if tries < TRIES && is_away(&failure.message) => {
                tries += 1;
                std::thread::sleep(BETWEEN_TRIES);
            }
            outcome => return outcome,
        }
    }
}

fn is_away(message: &str) -> bool {
    ["Unable to contact slurm controller", "Connection refused", "timed out"]
        .iter()
        .any(|sign| message.contains(sign))
}

/// Starts the work and waits for its end. The first signal is passed on.
fn work(command: &[String], signals: &Signals) -> Result<ExitStatus, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(super::refused("there is nothing to start: metasweep link DIR --chain … -- COMMAND"));
    };
    let mut child = Command::new(program);
    child.args(arguments);
    let environment = |name: &str| std::env::var(name).ok();
    // Tests cannot wait for SLURM's shortest limit, a minute.
    let shortened = environment("METASWEEP_LINK_SECONDS").and_then(|text| text.parse::<f64>().ok());
    let end = shortened.map_or_else(|| end_of_job(&environment), |seconds| Some(now() + seconds));
    if let Some(end) = end {
        child.env(queue::JOB_END, format!("{end:.1}"));
    }
    let mut child =
        child.spawn().map_err(|error| Failure::new(format!("{program} cannot be started: {error}")))?;
    let mut told = false;
    loop {
        let status = child.try_wait().map_err(|error| Failure::new(format!("{program}: {error}")))?;
        if let Some(status) = status {
            return Ok(status);
        }
        if signals.raised() && !told {
            told = true;
            ask_to_end(&child);
        }
        std::thread::sleep(LOOK);
    }
}

/// Asks the work to end: SIGUSR1, which srun and mpirun pass on to the ranks. SIGTERM they would take for themselves, and kill the
/// ranks. By the shell's own `kill`.
fn ask_to_end(child: &Child) {
    let _ = Command::new("sh").arg("-c").arg(format!("kill -USR1 {}", child.id())).status();
}

fn code_of(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| 128 + signal);
    u8::try_from(status.code().or(signal).unwrap_or(1)).unwrap_or(1)
}

fn reached(dir: &Path) -> Reached {
    metasweep_store::status(dir)
        .map(|status| Reached { replicas: status.replicas_done, steps: status.steps_stopped })
        .unwrap_or_default()
}

fn complete(dir: &Path) -> bool {
    metasweep_store::status(dir)
        .is_ok_and(|status| status.state == metasweep_store::status::Condition::Complete)
}

/// The walltime that is left to this process's job, if it runs in one.
#[must_use]
pub fn time_left() -> Option<Duration> {
    let end = end_of_job(&|name| std::env::var(name).ok())?;
    Some(Duration::try_from_secs_f64((end - now()).max(1.0)).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_link_this_is() {
        let variables = |name: &str| match name {
            "SLURM_JOB_ID" => Some("14".to_owned()),
            "SLURM_ARRAY_JOB_ID" => Some("12".to_owned()),
            "SLURM_ARRAY_TASK_ID" | "SLURM_RESTART_COUNT" => Some("2".to_owned()),
            _ => None,
        };
        assert_eq!(
            super::name(&variables),
            Some(Name { job: "12".to_owned(), restart: 2, element: Some(2) })
        );
        assert_eq!(super::name(&|_| None), None);
    }

    #[test]
    fn a_controller_that_is_away_is_waited_for_and_a_refusal_is_not() {
        assert!(is_away("slurm_load_jobs error: Unable to contact slurm controller (connect failure)"));
        assert!(!is_away("sbatch: error: Batch job submission failed: Invalid account"));
        let mut asked = 0;
        let outcome: Result<(), Failure> = patiently(|| {
            asked += 1;
            Err(Failure::new("Invalid account"))
        });
        assert!(outcome.is_err() && asked == 1);
    }
}
