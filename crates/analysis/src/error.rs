//! What can go wrong in an analysis, each a full sentence.

use std::path::PathBuf;

use thiserror::Error;

/// Why there is no table or picture.
#[derive(Debug, Error)]
pub enum AnalysisError {
    /// The folder holds no dataset.
    #[error("{} holds no metasweep dataset: there is no manifest.json in it", dir.display())]
    NoDataset {
        /// The folder.
        dir: PathBuf,
    },
    /// Nothing is sealed.
    #[error("{}: no table of cells is sealed yet; `metasweep status` says how far it is", dir.display())]
    NothingYet {
        /// The folder.
        dir: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A table is missing.
    #[error("{}: there is no table `{table}`{}", dir.display(), recorded_by(table))]
    NoTable {
        /// The dataset.
        dir: PathBuf,
        /// The table.
        table: String,
    },
    /// A column is missing.
    #[error("the table `{table}` has no column `{name}`{}; it has {}", recorded_by(name), there.join(", "))]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        name: String,
        /// Its columns.
        there: Vec<String>,
    },
    /// A condition cannot be read.
    #[error("the condition {text:?}, at character {at}: {what}")]
    Condition {
        /// What was typed.
        text: String,
        /// Where, counted from 1.
        at: usize,
        /// What is wrong, and what is allowed.
        what: String,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Usage(String),
    /// There is nothing to show.
    #[error("{0}")]
    Nothing(String),
    /// The picture or table could not be written.
    #[error("cannot write {}: {what}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        what: String,
    },
}

impl AnalysisError {
    /// The command's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            AnalysisError::Damaged { .. } | AnalysisError::NoDataset { .. } => 3,
            AnalysisError::Condition { .. } | AnalysisError::Usage(_) => 2,
            _ => 1,
        }
    }
}

/// What of a sweep file records a table or an observable.
fn recorded_by(name: &str) -> String {
    let key = match name {
        "merges" => "merges = true",
        "plateaus" => "plateaus = true",
        "tokens" => "snapshots = { replicas = …, times = […] }",
        "attention" => "attention = { replicas = …, times = […] }",
        "histogram" => "histogram = [{ of = \"inner_product\", bins = 200 }]",
        "series" => "series = [\"clusters\", …]",
        _ => {
            let observable =
                ["_mean", "_std", "_q10", "_q50", "_q90"].iter().find_map(|end| name.strip_suffix(end));
            return observable.map_or_else(String::new, |observable| {
                format!(" (recorded by series = [\"{observable}\"] in [observe])")
            });
        }
    };
    format!(" (recorded by {key} in [observe])")
}
