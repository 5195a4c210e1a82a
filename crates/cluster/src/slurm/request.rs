//! What a job is to do, complete: nothing in a script comes from anywhere else.

use std::path::PathBuf;
use std::time::Duration;

use super::chain::Chain;
use super::site::Settings;

/// How the ranks of a job are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One MPI job.
    Ranks {
        /// Nodes.
        nodes: u32,
        /// Ranks on each.
        ranks_per_node: u32,
    },
    /// So many elements of a job array, none of which knows MPI: they share the dataset.
    Array {
        /// Elements.
        elements: u32,
    },
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRequest {
    /// The sweep's name: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// This program, absolute.
    pub program: PathBuf,
    /// The sweep file, absolute.
    pub sweep: PathBuf,
    /// The dataset's folder, absolute.
    pub out: PathBuf,
    /// What else `metasweep run` is told: `--set …`, `--extend`, ….
    pub arguments: Vec<String>,
    /// Ranks or elements.
    pub form: Form,
    /// Threads of each.
    pub threads: u32,
    /// Walltime of one link.
    pub time: Duration,
    /// What follows when it ends unfinished.
    pub chain: Chain,
    /// The site's.
    pub settings: Settings,
}
