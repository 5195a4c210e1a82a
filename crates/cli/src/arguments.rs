//! What can be typed: the commands and their flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::commands::theory::arguments::Theory;
use crate::duration::parse_duration;

/// Sweeps of self-attention particle systems: metastability statistics as a Parquet dataset.
#[derive(Debug, Parser)]
#[command(
    name = "metasweep",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 complete · 1 failed · 2 bad usage or sweep file · 3 dataset damaged or of another sweep \
                  or engine · 4 in use by another run · 75 incomplete but consistent: run again to resume.\n\n\
                  First steps:\n  metasweep new my-sweep          write a commented my-sweep.toml\n  \
                  metasweep plan my-sweep.toml    what it will cost\n  \
                  metasweep run my-sweep.toml     compute it into out/my-sweep"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say only what goes wrong.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
}

/// How much to say on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Progress and the closing message.
    Normal,
    /// Also how the work is divided.
    Verbose,
}

impl Arguments {
    /// The level asked for by -q and -v.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a sweep, or resume it; alone on this machine's cores, under mpirun or srun on all ranks.
    Run(Run),
    /// Say what a sweep will cost, without running it.
    Plan(Plan),
    /// Say how far a dataset is; works while it is being computed.
    Status(Status),
    /// Check a dataset against its seals; recompute parts of it.
    Verify(Verify),
    /// Compute one replica of a dataset again and write its trajectory, initial tokens or matrices.
    Replay(Replay),
    /// Say what a sweep integrates: the equation, the time unit, the scheme, every parameter.
    Explain(Explain),
    /// Print the papers' formulas as tables; without a formula, list them.
    Theory(Theory),
    /// Write a commented sweep file.
    New(New),
}

/// Where the sweep comes from.
#[derive(Debug, Args)]
pub struct SweepSource {
    /// The sweep file.
    #[arg(value_name = "SWEEP.toml")]
    pub sweep: PathBuf,
    /// Override a key: `time.horizon=5`, `replicas=8`; a bare grid key sets it in every grid. Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `metasweep run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub source: SweepSource,
    /// The dataset's folder [default: out/<name>].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Compute threads of this process, or of each rank [default: the cores there are for it].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub threads: Option<u32>,
    /// Stop handing out work that would not finish in time, and exit with 75: `90s`, `10m`, `2h`, `HH:MM:SS`, `D-HH:MM:SS`.
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    pub walltime: Option<Duration>,
    /// The sweep is a superset of what DIR holds (more values, more replicas): compute only what is new.
    #[arg(long)]
    pub extend: bool,
    /// Exit with 1 if a replica failed.
    #[arg(long)]
    pub strict: bool,
    /// Compute failed replicas again.
    #[arg(long)]
    pub retry_failed: bool,
    /// Run here even on a login node.
    #[arg(long)]
    pub here: bool,
    /// Replicas of a chunk (changes no byte of the dataset).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub chunk_replicas: Option<u32>,
}

/// `metasweep plan`.
#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub source: SweepSource,
    /// Ranks to plan for.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub ranks: u32,
    /// Threads of a rank [default: this machine's cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Walltime of a job.
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    pub walltime: Option<Duration>,
    /// As JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Speeds measured elsewhere, instead of two seconds of timing here.
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
}

/// `metasweep status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// As JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// A line a cell.
    #[arg(long)]
    pub cells: bool,
    /// The failed replicas and why.
    #[arg(long)]
    pub failed: bool,
    /// Say it again every few seconds until the sweep is complete.
    #[arg(long)]
    pub watch: bool,
}

/// `metasweep verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// Compute K random chunks again and compare their rows.
    #[arg(long, value_name = "K")]
    pub recompute: Option<u32>,
}

/// `metasweep replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// The cell: its name, or enough of its first digits.
    #[arg(long)]
    pub cell: String,
    /// The replica.
    #[arg(long)]
    pub replica: u32,
    /// Times to write, separated by commas [default: the cell's sample times].
    #[arg(long, value_name = "T,…", value_delimiter = ',', conflicts_with = "initial")]
    pub times: Option<Vec<f64>>,
    /// Only the initial tokens and the matrices.
    #[arg(long)]
    pub initial: bool,
    /// Where to write; the ending chooses the format.
    #[arg(long, value_name = "FILE.{parquet,npy}")]
    pub out: PathBuf,
}

/// `metasweep explain`.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    pub source: SweepSource,
    /// Only this cell: its name, or enough of its first digits.
    #[arg(long)]
    pub cell: Option<String>,
    /// As JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `metasweep new`.
#[derive(Debug, Args)]
pub struct New {
    /// The sweep's name; the file is NAME.toml in this folder.
    pub name: String,
}
