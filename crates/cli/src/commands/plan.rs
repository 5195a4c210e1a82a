//! `metasweep plan`: what a sweep will cost; runs no replica of it.

use std::process::ExitCode;
use std::time::Duration;

use metasweep_dynamics::simd::Isa;
use metasweep_sweep::calibration::Calibration;
use metasweep_sweep::plan::{Machine, Plan as Expected, plan};

use crate::arguments::Plan;
use crate::duration::show_duration;
use crate::failure::Failure;
use crate::output::{count, print, show_bytes};
use crate::sweep_file;

/// How long kernels are timed.
const TIMING: Duration = Duration::from_secs(2);

/// Prints the plan.
pub fn run(options: &Plan) -> Result<ExitCode, Failure> {
    let isa = Isa::detect().map_err(Failure::usage)?;
    let sweep = sweep_file::read(&options.source)?.sweep;
    let calibration = match &options.calibration {
        None => Calibration::measure(isa, TIMING),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
            serde_json::from_str(&text).map_err(|error| {
                Failure::usage(format!("{} holds no calibration: {error}", path.display()))
            })?
        }
    };
    let threads = options.threads.map_or_else(cores, |threads| threads as usize);
    let machine = Machine { ranks: options.ranks as usize, threads, chunk_replicas: None };
    let expected = plan(&sweep, &calibration.costs, machine);
    if options.json {
        let text = serde_json::to_string_pretty(&expected).map_err(Failure::failed)?;
        print(&text)?;
    } else {
        print(&describe(&expected, options.walltime))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn describe(plan: &Expected, walltime: Option<Duration>) -> String {
    let mut text = format!(
        "{}: {}, {}, {}\n",
        plan.name,
        count(plan.cells, "cell"),
        count(plan.replicas, "replica"),
        count(plan.chunks, "chunk")
    );
    text += &format!("  {:<10} {:>14} {:>12} {:>7}\n", "table", "rows", "bytes", "files");
    for (name, table) in &plan.tables {
        let rows = if table.estimated { format!("~ {}", table.rows) } else { table.rows.to_string() };
        let bytes = format!("~ {}", show_bytes(table.bytes));
        text += &format!("  {name:<10} {rows:>14} {bytes:>12} {:>7}\n", table.files);
    }
    let makespan = Duration::try_from_secs_f64(plan.makespan).unwrap_or(Duration::MAX);
    text += &format!(
        "  {} core-hours; {} on {} × {}; at most {} of memory a rank\n",
        show_hours(plan.core_hours),
        show_duration(makespan),
        count(plan.machine.ranks as u64, "rank"),
        count(plan.machine.threads as u64, "thread"),
        show_bytes(plan.memory_per_rank)
    );
    if let Some(walltime) = walltime {
        let jobs = (plan.makespan / walltime.as_secs_f64()).ceil().max(1.0);
        text += &format!("  {} of {}\n", count(jobs as u64, "job"), show_duration(walltime));
    }
    text
}

fn show_hours(hours: f64) -> String {
    if hours < 0.001 { "less than 0.001".to_owned() } else { format!("{hours:.3}") }
}
