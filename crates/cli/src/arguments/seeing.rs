//! What is typed to see what came out, and to be helped with typing.

use std::path::PathBuf;

use clap::Args;

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
    /// `against`: the key of the grid on the axis (default: beta).
    #[arg(long, value_name = "KEY")]
    pub against: Option<String>,
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
#[command(after_help = "Example:\n  metasweep report out/p0-fig2 --out report.html")]
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

/// `metasweep completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  metasweep completions bash > ~/.local/share/bash-completion/completions/metasweep"
)]
pub struct Completions {
    /// bash, zsh, fish, elvish or powershell.
    pub shell: clap_complete::Shell,
}
