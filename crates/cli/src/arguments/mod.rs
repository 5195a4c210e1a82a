//! What can be typed: the commands and their flags.

mod cluster;
mod running;
mod seeing;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use self::cluster::{Doctor, Link, Logs, OfDataset, Submit};
pub use self::running::{Archive, Check, Explain, New, Plan, Replay, Run, Schema, Status, Verify};
pub use self::seeing::{Completions, Figure, Report, Show, Summary};
use crate::commands::theory::arguments::Theory;

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
                  metasweep run my-sweep.toml     compute it into out/my-sweep\n  \
                  metasweep report out/my-sweep   a page about it"
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    /// Words of a line as a shell would see them; redirections and what stands before the program are not ours.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.split(" > ").next().unwrap_or_default().chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        let program = words.iter().position(|word| word == "metasweep").unwrap();
        words.split_off(program)
    }

    #[test]
    fn every_command_has_an_example_that_can_be_typed() {
        let cli = Arguments::command();
        let commands = cli.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "man");
        for command in commands {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> =
                help.lines().filter(|line| line.contains("metasweep ") && line.starts_with("  ")).collect();
            assert!(!examples.is_empty(), "{} has no example", command.get_name());
            for example in examples {
                let line = example.split("   ").find(|part| part.contains("metasweep")).unwrap();
                let parsed = Arguments::command().try_get_matches_from(words(line));
                let fine = parsed.as_ref().map_or_else(|error| !error.use_stderr(), |_| true);
                assert!(fine, "{example}: {}", parsed.unwrap_err());
            }
        }
    }
}
