//! `metasweep schema`: every key of a sweep file.

use std::process::ExitCode;

use metasweep_sweep::reference::{keys, page};

use crate::arguments::Schema;
use crate::failure::Failure;
use crate::output::print;

/// Prints them as Markdown or JSON.
pub fn run(options: &Schema) -> Result<ExitCode, Failure> {
    let text =
        if options.json { serde_json::to_string_pretty(&keys()).map_err(Failure::failed)? } else { page() };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
