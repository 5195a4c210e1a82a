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
    /// Run a sweep again with half the step, a tenth of the tolerance, another δ and another seed: what moves?
    Check(Check),
    /// Say how far a dataset is; works while it is being computed.
    Status(Status),
    /// A line a cell: how replicas ended, collapse times, first plateaus.
    Summary(Summary),
    /// Draw a figure of a dataset.
    Figure(Figure),
    /// Write a page about a dataset: figures with the mouse on them, the summary, provenance.
    Report(Report),
    /// Simulate one replica without a sweep file and draw it.
    Show(Show),
    /// Print a script that completes commands in a shell.
    Completions(Completions),
    /// Print every key of a sweep file: what it takes, its default, what it means.
    Schema(Schema),
    /// Print the manual page (troff): `metasweep man | man -l -`.
    Man,
    /// Send a sweep to SLURM: writes the job script, submits it, and sees to what follows until it is complete.
    Submit(Submit),
    /// Cancel the jobs of a dataset; what they computed stays.
    Cancel(OfDataset),
    /// Show the log of a dataset's newest job.
    Logs(Logs),
    /// Say what this machine or cluster supports.
    Doctor(Doctor),
    /// What a job script becomes (see `submit`).
    #[command(hide = true)]
    Link(Link),
    /// Check a dataset against its seals; recompute parts of it.
    Verify(Verify),
    /// Write a complete dataset into one tar file, with checksums, a citation and the line that computes it again.
    Archive(Archive),
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
    /// One of COUNT processes without MPI that share the dataset: `0/4` … `3/4`; `auto` under `srun -n COUNT`.
    #[arg(long, value_name = "INDEX/COUNT", conflicts_with = "extend")]
    pub share: Option<String>,
}

/// `metasweep submit`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  metasweep submit sweeps/p0-fig2.toml --nodes 4 --time 2h --account physics\n  \
                        metasweep submit my.toml --array 16 --threads 8 --time 04:00:00 --chain dependency:3\n  \
                        metasweep submit my.toml --time 1h --dry-run          only show the script\n\n\
                        Settings of a site (account, partition, modules, launcher, …) can stand in metasweep.toml beside the sweeps or in \
                        ~/.config/metasweep/site.toml: docs/hpc.md."
)]
pub struct Submit {
    #[command(flatten)]
    pub source: SweepSource,
    /// The dataset's folder [default: out/<name>].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Nodes.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub nodes: u32,
    /// MPI ranks on each node.
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub ranks_per_node: u32,
    /// Compute threads of each rank (SLURM's --cpus-per-task).
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub threads: u32,
    /// Walltime of a job: `90s`, `10m`, `2h`, `HH:MM:SS`, `D-HH:MM:SS`.
    #[arg(long, value_name = "D", value_parser = parse_duration, default_value = "1h")]
    pub time: Duration,
    /// Account to charge.
    #[arg(long, value_name = "A")]
    pub account: Option<String>,
    /// Partition.
    #[arg(long, value_name = "P")]
    pub partition: Option<String>,
    /// Quality of service.
    #[arg(long, value_name = "Q")]
    pub qos: Option<String>,
    /// A further option of sbatch, as in `--directive=--mem=4G`. Repeatable.
    #[arg(long, value_name = "--OPTION[=VALUE]", allow_hyphen_values = true)]
    pub directive: Vec<String>,
    /// A module to load in the job. Repeatable.
    #[arg(long, value_name = "MODULE")]
    pub module: Vec<String>,
    /// How ranks are started: `srun`, `mpirun`, or words of your own.
    #[arg(long, value_name = "L")]
    pub launcher: Option<String>,
    /// A job array of K elements without MPI instead of one MPI job.
    #[arg(long, value_name = "K", conflicts_with_all = ["nodes", "ranks_per_node"], value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub array: Option<u32>,
    /// What follows a job that ends unfinished: requeue, resubmit, dependency:N, none [default: requeue].
    #[arg(long, value_name = "C")]
    pub chain: Option<metasweep_cluster::slurm::chain::Chain>,
    /// The sweep is a superset of what DIR holds.
    #[arg(long, conflicts_with = "array")]
    pub extend: bool,
    /// Print the script; write and submit nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// A command about one dataset.
#[derive(Debug, Args)]
pub struct OfDataset {
    /// The dataset's folder.
    pub dir: PathBuf,
}

/// `metasweep logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// Only the last N lines.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub lines: usize,
}

/// `metasweep doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Where datasets would lie.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// As JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `metasweep link`.
#[derive(Debug, Args)]
pub struct Link {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// The chain.
    #[arg(long, default_value = "none")]
    pub chain: metasweep_cluster::slurm::chain::Chain,
    /// What to start.
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
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

/// `metasweep check`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  metasweep check sweeps/quickstart.toml --replicas 32")]
pub struct Check {
    #[command(flatten)]
    pub source: SweepSource,
    /// Replicas of each cell, instead of the file's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub replicas: Option<u32>,
    /// Where the datasets go, which are resumed if they are there [default: out/<name>-check].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Compute threads [default: the cores there are].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub threads: Option<u32>,
    /// Run here even on a login node.
    #[arg(long)]
    pub here: bool,
    /// Every shift of every cell, as JSON on stdout.
    #[arg(long)]
    pub json: bool,
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

/// `metasweep archive`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  metasweep archive out/p0-fig2 --out p0-fig2.tar")]
pub struct Archive {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// Where to write; never over a file that is there.
    #[arg(long, value_name = "FILE.tar")]
    pub out: PathBuf,
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

/// `metasweep summary`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  metasweep summary out/p0-fig2 --where \"beta > 4 and d = 2\"\n  \
                        metasweep summary out/p0-fig2 --by d --csv > by-d.csv\n  \
                        metasweep summary out/p0-fig2 --where \"d = 2\" --paired beta")]
pub struct Summary {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// Only cells that fulfil this: `beta > 4 and d in (2, 8)`.
    #[arg(long = "where", value_name = "CONDITION", default_value = "")]
    pub condition: String,
    /// One line for all cells alike in these parameters.
    #[arg(long, value_name = "KEY,…", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Instead: how much later collapse comes from one value of KEY to the next, paired by replica (they share initial tokens).
    #[arg(long, value_name = "KEY", conflicts_with_all = ["by", "csv", "parquet"])]
    pub paired: Option<String>,
    /// As JSON on stdout.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// As CSV on stdout.
    #[arg(long)]
    pub csv: bool,
    /// As a Parquet file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv"])]
    pub parquet: Option<PathBuf>,
}

/// `metasweep figure`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  metasweep figure phase-diagram out/p0-fig2 --out fig2.svg\n  \
                        metasweep figure survival out/p0-fig2 --where \"d = 2 and beta in (4, 6.5, 9)\" --out survival.png\n  \
                        metasweep figure list")]
pub struct Figure {
    /// Its name; `list` says which there are.
    pub name: String,
    /// The dataset's folder.
    pub dir: Option<PathBuf>,
    /// Only cells that fulfil this: `beta > 4 and d in (2, 8)`.
    #[arg(long = "where", value_name = "CONDITION", default_value = "")]
    pub condition: String,
    /// One cell: its name, or enough of its first digits.
    #[arg(long)]
    pub cell: Option<String>,
    /// Which replica, where one is shown.
    #[arg(long, default_value_t = 0)]
    pub replica: u32,
    /// Which observable, where there is a choice.
    #[arg(long)]
    pub observable: Option<String>,
    /// Where to write; .svg, .png, or .json for the numbers.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Pixels.
    #[arg(long, requires = "height", value_parser = clap::value_parser!(u32).range(100..=10_000))]
    pub width: Option<u32>,
    /// Pixels.
    #[arg(long, requires = "width", value_parser = clap::value_parser!(u32).range(100..=10_000))]
    pub height: Option<u32>,
}

/// `metasweep report`.
#[derive(Debug, Args)]
pub struct Report {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// Where to write.
    #[arg(long, value_name = "FILE.html", default_value = "report.html")]
    pub out: PathBuf,
}

/// `metasweep show`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  metasweep show --set n=32 --set d=2 --set beta=9 --until 30 --out a.svg\n  \
                        metasweep show --set n=64 --set d=3 --set beta=16 --set normalization=unnormalized --out b.png"
)]
pub struct Show {
    /// A key of a sweep file. Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Until when.
    #[arg(long, value_name = "T", default_value_t = 30.0)]
    pub until: f64,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to write; .svg, .png, or .json for the numbers.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `metasweep schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// `metasweep completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// bash, zsh, fish, elvish or powershell.
    pub shell: clap_complete::Shell,
}
