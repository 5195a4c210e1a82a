//! What is typed about sweeps and datasets: run, plan, check, look after, keep.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::SweepSource;
use crate::duration::parse_duration;

/// `metasweep run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  metasweep run sweeps/quickstart.toml\n  metasweep run sweeps/p0-fig2.toml --set replicas=48 --threads 8 --out out/small\n  mpirun -n 4 metasweep run sweeps/p0-fig2.toml --threads 2\n  metasweep run larger.toml --out out/p0-fig2 --extend"
)]
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
    /// A folder on the node's own disk: what is computed goes there first, and one process a node takes it to the dataset. `'$NAME'` is what that
    /// variable says on each node.
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<String>,
    /// Replicas of a chunk (changes no byte of the dataset).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub chunk_replicas: Option<u32>,
    /// One of COUNT processes without MPI that share the dataset: `0/4` … `3/4`; `auto` under `srun -n COUNT`.
    #[arg(long, value_name = "INDEX/COUNT", conflicts_with = "extend")]
    pub share: Option<String>,
}

/// `metasweep plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  metasweep plan sweeps/p0-fig2.toml\n  metasweep plan sweeps/p0-fig2.toml --ranks 64 --threads 4 --walltime 2h"
)]
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
    /// Speeds measured elsewhere, instead of two seconds of timing here: what `plan --json` wrote there.
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
#[command(
    after_help = "Examples:\n  metasweep status out/p0-fig2 --watch\n  metasweep status out/p0-fig2 --json"
)]
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
#[command(after_help = "Example:\n  metasweep verify out/p0-fig2 --recompute 5")]
pub struct Verify {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// Compute K random chunks again and compare their rows.
    #[arg(long, value_name = "K")]
    pub recompute: Option<u32>,
}

/// `metasweep replay`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  metasweep replay out/p0-fig2 --cell 3fa9 --replica 17 --times 0,2.5,30 --out tokens.parquet"
)]
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

/// `metasweep explain`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  metasweep explain sweeps/p1-fig5.toml")]
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
#[command(after_help = "Example:\n  metasweep new my-sweep")]
pub struct New {
    /// The sweep's name; the file is NAME.toml in this folder.
    pub name: String,
}

/// `metasweep schema`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  metasweep schema")]
pub struct Schema {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}
