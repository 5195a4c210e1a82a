//! `metasweep archive`: a dataset in one file.

use std::process::ExitCode;

use crate::arguments::{Archive, Verbosity};
use crate::failure::Failure;
use crate::output::{count, show_bytes};

/// Writes it.
pub fn run(options: &Archive, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let archived = metasweep_store::archive(&options.dir, &options.out)
        .map_err(|error| Failure::with_code(error.exit_code(), error))?;
    if verbosity > Verbosity::Quiet {
        eprintln!(
            "metasweep: wrote {}: {}, {}",
            options.out.display(),
            count(archived.files, "file"),
            show_bytes(archived.bytes)
        );
    }
    Ok(ExitCode::SUCCESS)
}
