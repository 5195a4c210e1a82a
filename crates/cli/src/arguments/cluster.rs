//! What is typed about SLURM.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::SweepSource;
use crate::duration::parse_duration;

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
    /// A folder on each node's own disk, for what is computed there; `'$NAME'` is what that variable says on the node.
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<String>,
    /// Print the script; write and submit nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// A command about one dataset.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  metasweep cancel out/p0-fig2")]
pub struct OfDataset {
    /// The dataset's folder.
    pub dir: PathBuf,
}

/// `metasweep logs`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  metasweep logs out/p0-fig2 --lines 100")]
pub struct Logs {
    /// The dataset's folder.
    pub dir: PathBuf,
    /// Only the last N lines.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub lines: usize,
}

/// `metasweep doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  metasweep doctor out > doctor.txt")]
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
