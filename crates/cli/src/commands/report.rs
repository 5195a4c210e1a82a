//! `metasweep report`: a page about a dataset.

use std::process::ExitCode;

use metasweep_analysis::dataset::Dataset;

use crate::arguments::{Report, Verbosity};
use crate::failure::Failure;

/// Writes it.
pub fn run(options: &Report, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let dataset = Dataset::open(&options.dir)?;
    metasweep_analysis::report::write(&dataset, &options.out)?;
    if verbosity > Verbosity::Quiet {
        eprintln!("metasweep: wrote {}", options.out.display());
    }
    Ok(ExitCode::SUCCESS)
}
