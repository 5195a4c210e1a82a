//! `metasweep plan`: what a sweep will cost; runs no replica of it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use metasweep_cluster::forecast::{Conditions, Forecast, forecast};
use metasweep_cluster::slurm::queue::clock;
use metasweep_cluster::slurm::script::notice;
use metasweep_cluster::work::sync_patience;
use metasweep_dynamics::simd::Isa;
use metasweep_sweep::calibration::Calibration;
use metasweep_sweep::chunk::Chunk;
use metasweep_sweep::plan::{Machine, Plan as Expected, Table, chunks, plan};
use metasweep_sweep::sweep::Sweep;
use serde::Serialize;

use crate::arguments::Plan;
use crate::duration::show_duration;
use crate::failure::Failure;
use crate::output::{count, print, show_bytes};
use crate::sweep_file;

/// Seconds that sealing a part takes beside writing it, and bytes that are packed and written a second.
const SEAL: f64 = 0.02;
const WRITTEN_A_SECOND: f64 = 6e7;
/// Calls of scontrol, squeue and sbatch for each job of a chain.
const CALLS_A_LINK: f64 = 4.0;
/// How long kernels are timed.
const TIMING: Duration = Duration::from_secs(2);

/// Prints the plan.
pub fn run(options: &Plan) -> Result<ExitCode, Failure> {
    let isa = Isa::detect().map_err(Failure::usage)?;
    let sweep = sweep_file::read(&options.source)?.sweep;
    let calibration = match &options.calibration {
        None => Calibration::measure(isa, TIMING),
        Some(path) => read(path)?,
    };
    let threads = options.threads.map_or_else(cores, |threads| threads as usize);
    let machine = Machine { ranks: options.ranks as usize, threads, chunk_replicas: None };
    let expected = OnPaper::of(&sweep, calibration, machine, options.walltime);
    if options.json {
        let text = serde_json::to_string_pretty(&expected).map_err(Failure::failed)?;
        print(&text)?;
    } else {
        print(&describe(&expected, options.walltime))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A plan and how it would go on that machine: its makespan is the simulated one.
#[derive(Serialize)]
struct OnPaper {
    #[serde(flatten)]
    plan: Expected,
    /// The same scheduler in a discrete-event simulation.
    forecast: Forecast,
    /// Calls that create, make durable, rename and remove, of all processes, a second.
    metadata_operations_per_second: f64,
    /// What the jobs of the chain ask of slurmctld, an hour.
    queue_calls_per_hour: f64,
    /// The head of a job script.
    sbatch: String,
    /// What it was reckoned with: `--calibration` reads it elsewhere.
    calibration: Calibration,
}

impl OnPaper {
    fn of(sweep: &Sweep, calibration: Calibration, machine: Machine, walltime: Option<Duration>) -> Self {
        let chunks = chunks(sweep, &calibration.costs, machine);
        let mut plan = plan(sweep, &calibration.costs, machine, &chunks);
        let class = |chunk: &Chunk| chunk.segments.first().map_or(0, |segment| segment.cell);
        let compute: Vec<(f64, u32)> = chunks.iter().map(|chunk| (chunk.cost, class(chunk))).collect();
        let seconds =
            |table: &Table| SEAL + table.bytes as f64 / table.files.max(1) as f64 / WRITTEN_A_SECOND;
        let seals: Vec<f64> = plan
            .tables
            .values()
            .flat_map(|table| std::iter::repeat_n(seconds(table), table.files as usize))
            .collect();
        let (ranks, threads) = (machine.ranks, machine.threads);
        let mut conditions = Conditions::of(ranks, u32::try_from(threads).unwrap_or(u32::MAX), walltime);
        if ranks == 1 {
            (conditions.startup, conditions.latency) = (0.05, 0.0);
        }
        let forecast = forecast(&compute, &seals, &conditions);
        plan.makespan = forecast.makespan;
        // Frames and journal are made durable together, as seldom as `sync_patience` says; a part takes five calls.
        let patience = sync_patience(u32::try_from(ranks).unwrap_or(u32::MAX)).as_secs_f64();
        let syncs = (plan.chunks as f64).min(ranks as f64 * forecast.makespan / patience);
        let operations =
            2.0 * syncs + 5.0 * plan.files as f64 + 8.0 * ranks as f64 * f64::from(forecast.links);
        let hours = forecast.makespan / 3600.0;
        let sbatch = sbatch(sweep, machine, walltime, forecast.makespan);
        OnPaper {
            metadata_operations_per_second: operations / forecast.makespan,
            queue_calls_per_hour: CALLS_A_LINK * f64::from(forecast.links) / hours.max(1.0),
            plan,
            forecast,
            sbatch,
            calibration,
        }
    }
}

/// Speeds measured elsewhere: a calibration alone, or the whole `--json` of a plan that was made there.
fn read(path: &Path) -> Result<Calibration, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let mut value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{} is no JSON: {error}", path.display())))?;
    let inside = value.get_mut("calibration").map(serde_json::Value::take);
    serde_json::from_value(inside.unwrap_or(value)).map_err(|error| {
        Failure::usage(format!(
            "{} holds no calibration ({error}): write one with `metasweep plan SWEEP.toml --json > FILE` where the sweep is to run",
            path.display()
        ))
    })
}

fn sbatch(sweep: &Sweep, machine: Machine, walltime: Option<Duration>, makespan: f64) -> String {
    // A quarter more than foretold, in whole minutes.
    let enough =
        Duration::try_from_secs_f64((1.25 * makespan / 60.0).ceil().max(2.0) * 60.0).unwrap_or(Duration::MAX);
    let time = walltime.unwrap_or(enough);
    let lines = [
        format!("--job-name=metasweep-{}", sweep.name),
        format!("--ntasks={}", machine.ranks),
        format!("--cpus-per-task={}", machine.threads),
        format!("--time={}", clock(time)),
        "--open-mode=append".to_owned(),
        format!("--signal=B:USR1@{}", notice(time)),
    ];
    lines.iter().map(|line| format!("#SBATCH {line}\n")).collect()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn describe(paper: &OnPaper, walltime: Option<Duration>) -> String {
    let OnPaper { plan, forecast, .. } = paper;
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
    text += &format!(
        "  {:.1}% of the threads' time is computing; at the end {:.1}% is lost to waiting for the last\n",
        100.0 * forecast.efficiency,
        100.0 * forecast.tail
    );
    if let Some(walltime) = walltime {
        let jobs = count(u64::from(forecast.links), "job");
        text += &if forecast.finishes {
            format!("  {jobs} of {}\n", show_duration(walltime))
        } else {
            format!("  jobs of {} are too short: it is not done after {jobs}\n", show_duration(walltime))
        };
    }
    if plan.machine.ranks > 1 {
        text += &format!(
            "  rank 0: {:.0} messages a second, busy with them {:.1}% of the time; file system: {:.0} metadata operations a second\n\n{}",
            forecast.messages_per_second,
            100.0 * forecast.lead_busy,
            paper.metadata_operations_per_second,
            paper.sbatch
        );
    }
    text
}

fn show_hours(hours: f64) -> String {
    if hours < 0.001 { "less than 0.001".to_owned() } else { format!("{hours:.3}") }
}
