//! `metasweep run`: the whole sweep, or what is left of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use metasweep_cluster::run::{RunEnd, RunOptions};
use metasweep_cluster::share::Share;
use metasweep_cluster::slurm::link::time_left;
use metasweep_cluster::slurm::login_node::{ADVICE, is_login_node};
use metasweep_cluster::team::{Role, Team, join};
use metasweep_sweep::cell::Cell;
use metasweep_sweep::plan::ensemble_bytes;
use metasweep_sweep::sweep::Sweep;

use crate::arguments::{Run, Verbosity};
use crate::closing;
use crate::failure::Failure;
use crate::output::show_bytes;
use crate::progress::Reporter;
use crate::sweep_file;

/// Incomplete but consistent: run again to resume.
const INCOMPLETE: u8 = 75;
/// What tasks with nothing to say wait before they end.
const LET_THE_OTHER_SPEAK: std::time::Duration = std::time::Duration::from_secs(1);

/// Leads the run, or follows the rank that does.
pub fn run(options: &Run, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    metasweep_dynamics::simd::Isa::detect().map_err(Failure::usage)?;
    let environment = |name: &str| std::env::var(name).ok();
    if !options.here && is_login_node(&environment) {
        return Err(Failure::usage(ADVICE));
    }
    if let Some(text) = &options.share {
        let share = if text == "auto" { share_of_step(&environment) } else { text.parse() };
        return lead(Team::alone(), options, Some(share.map_err(Failure::usage)?), verbosity);
    }
    match join() {
        Ok(Role::Lead(team)) => lead(team, options, None, verbosity),
        Ok(Role::Member(member)) => {
            member.follow();
            Ok(ExitCode::SUCCESS)
        }
        Err(mismatch) if mismatch.speak => Err(Failure::usage(mismatch.message)),
        Err(_) => {
            // A launcher ends the whole job when the first task fails: the one that speaks goes first.
            std::thread::sleep(LET_THE_OTHER_SPEAK);
            Err(Failure::usage(""))
        }
    }
}

/// The share of a task of `srun -n COUNT`.
fn share_of_step(environment: &dyn Fn(&str) -> Option<String>) -> Result<Share, String> {
    let number = |names: [&str; 2]| names.iter().find_map(|name| environment(name)?.parse::<u32>().ok());
    let (index, of) =
        (number(["SLURM_PROCID", "PMI_RANK"]), number(["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"]));
    match (index, of) {
        (Some(index), Some(of)) if index < of => Ok(Share { index, of }),
        _ => Err("--share auto: no srun started this process (SLURM_PROCID and SLURM_STEP_NUM_TASKS are not set); \
                  say which of how many it is, as in --share 0/4"
            .to_owned()),
    }
}

fn lead(team: Team, options: &Run, share: Option<Share>, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let file = sweep_file::read(&options.source)?;
    let out = options.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&file.sweep.name));
    let sweep = Arc::new(file.sweep);
    let run_options = RunOptions {
        sweep: Arc::clone(&sweep),
        text: file.source,
        overrides: options.source.set.clone(),
        out: out.clone(),
        threads: options.threads.map(|threads| threads as usize),
        extend: options.extend,
        chunk_replicas: options.chunk_replicas,
        walltime: options.walltime.or_else(time_left),
        share,
        scratch: options.scratch.clone(),
        retry_failed: options.retry_failed,
    };
    check_memory(&sweep)?;
    closing::opening(&sweep, &out, team.ranks(), verbosity);
    let mut reporter = Reporter::new(verbosity);
    let end = metasweep_cluster::run::run(team, &run_options, &mut |progress| reporter.update(progress));
    reporter.close();
    let end = end.map_err(|failure| Failure::with_code(failure.exit_code, failure))?;
    closing::closing(&end, &sweep, &out, verbosity);
    Ok(match end {
        RunEnd::Incomplete { .. } => ExitCode::from(INCOMPLETE),
        RunEnd::Complete(summary) | RunEnd::AlreadyComplete(summary) => {
            ExitCode::from(u8::from(options.strict && summary.tally.replicas_failed > 0))
        }
    })
}

/// A cell that cannot fit is refused before any work: the system would end the process in the middle of it.
fn check_memory(sweep: &Sweep) -> Result<(), Failure> {
    let Some(memory) = machine_memory() else { return Ok(()) };
    let bytes = |cell: &Cell| ensemble_bytes(cell, &sweep.observe);
    let Some(largest) = sweep.cells.iter().max_by_key(|cell| bytes(cell)) else { return Ok(()) };
    let needed = bytes(largest);
    if needed <= memory {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the cell {} with n = {}, d = {} needs {} of memory for one ensemble, and this machine has {}; take fewer tokens{}",
        largest.name,
        largest.n(),
        largest.d(),
        show_bytes(needed),
        show_bytes(memory),
        if sweep.observe.plateaus || sweep.observe.merges {
            ", or plateaus = false and merges = false, which look at every pair of tokens after every step"
        } else {
            ""
        }
    )))
}

/// Bytes of this machine, where the system says.
fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    kilobytes.checked_mul(1024)
}
