//! `metasweep status`: how far a dataset is.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use metasweep_cluster::slurm::report::Slurm;
use metasweep_store::status::{Condition, Status as State};

use crate::arguments::Status;
use crate::duration::show_duration;
use crate::failure::Failure;
use crate::output::{self, count};
use crate::progress::show_rate;

/// Between two looks of `--watch`; with jobs in a queue, since each look asks slurmctld.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);
const WATCH_QUEUE: Duration = Duration::from_secs(30);

/// Says it once, or until the sweep is complete.
pub fn run(options: &Status) -> Result<ExitCode, Failure> {
    loop {
        let state =
            metasweep_store::status(&options.dir).map_err(|e| Failure::with_code(e.exit_code(), e))?;
        let slurm = Slurm::of(&options.dir);
        print(&state, slurm.as_ref(), options)?;
        if !options.watch || matches!(state.state, Condition::Complete | Condition::Damaged) {
            // The dataset on disk is damaged: exit code 3, as everywhere.
            return Ok(if state.state == Condition::Damaged { ExitCode::from(3) } else { ExitCode::SUCCESS });
        }
        std::thread::sleep(if slurm.is_some() { WATCH_QUEUE } else { WATCH_INTERVAL });
    }
}

fn print(state: &State, slurm: Option<&Slurm>, options: &Status) -> Result<(), Failure> {
    if options.json {
        let mut value = serde_json::to_value(state).map_err(Failure::failed)?;
        value["slurm"] = serde_json::to_value(slurm).map_err(Failure::failed)?;
        return output::print(&format!("{value:#}"));
    }
    let mut text = headline(state);
    if let Some(owner) = &state.owner {
        text += &format!("\n  run by {owner}");
    }
    for line in slurm.map(Slurm::lines).unwrap_or_default() {
        text += &format!("\n  {line}");
    }
    if options.cells {
        text += &cells(state, &options.dir)?;
    }
    if options.failed {
        for failed in &state.failed {
            text += &format!("\n  cell {} replica {}: {}", failed.cell, failed.replica, failed.status);
        }
    }
    output::print(&text)
}

/// A line a cell: its name, what is done, and where in the grid it stands.
fn cells(state: &State, dir: &Path) -> Result<String, Failure> {
    let sweep = metasweep_store::sweep_of(dir).map_err(|e| Failure::with_code(e.exit_code(), e))?;
    let mut text = String::new();
    for (progress, cell) in state.cells.iter().zip(&sweep.cells) {
        let named = |key: &String| format!("{key} = {}", cell.get(key));
        let parameters: Vec<String> = sweep.grid_keys.iter().map(named).collect();
        let failed = match progress.replicas_failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let done = count(u64::from(progress.replicas_done), "replica");
        text += &format!("\n  {}  {done}{failed}  {}", progress.cell, parameters.join(", "));
    }
    Ok(text)
}

fn headline(state: &State) -> String {
    let name = match state.state {
        Condition::Complete => "complete",
        Condition::Incomplete => "incomplete: run the same command again to go on",
        Condition::Running => "running",
        Condition::Damaged => "damaged: `metasweep verify` says where",
    };
    let mut line = format!(
        "{}: {name}\n  {}/{} replicas, {}/{} cells, {}/{} chunks",
        state.name,
        state.replicas_done,
        state.replicas_total,
        state.cells_done,
        state.cells_total,
        state.chunks_done,
        state.chunks_total
    );
    if state.replicas_failed > 0 {
        line += &format!(", {} failed replicas", state.replicas_failed);
    }
    if let Some(rate) = state.rate {
        line += &format!("\n  {} replicas/s", show_rate(rate));
    }
    if let Some(eta) = state.eta.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        line += &format!(", {} left", show_duration(eta));
    }
    line
}
