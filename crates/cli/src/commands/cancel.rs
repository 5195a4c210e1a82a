//! `metasweep cancel`: the jobs of a dataset go, and nothing follows them.

use std::process::ExitCode;

use metasweep_cluster::slurm::queue;
use metasweep_cluster::slurm::submissions::{self, Happened, History};

use crate::arguments::OfDataset;
use crate::failure::Failure;

/// Cancels every job of the newest chain.
pub fn run(options: &OfDataset) -> Result<ExitCode, Failure> {
    let history = History::of(&submissions::read(&options.dir));
    if history.jobs.is_empty() {
        return Err(Failure::failed(format!("{}: no job was ever submitted for it", options.dir.display())));
    }
    // First the record: a link that ends meanwhile reads it and lets nothing follow.
    let elements: std::collections::BTreeSet<Option<u32>> =
        history.links.iter().map(|link| link.name.element).chain([None]).collect();
    for element in elements {
        let why = "cancelled by `metasweep cancel`".to_owned();
        submissions::append(&options.dir, "cancel", Happened::Over { element, why })?;
    }
    let mut arguments: Vec<&str> = vec!["--quiet"];
    arguments.extend(history.jobs.iter().map(String::as_str));
    queue::call("scancel", &arguments, None)?;
    eprintln!("metasweep: cancelled {}; what was computed stays.", history.jobs.join(", "));
    Ok(ExitCode::SUCCESS)
}
