//! `metasweep explain`: what a sweep integrates, in words and formulas; computes nothing.

use std::process::ExitCode;

use metasweep_sweep::explain::{Explanation, one, systems};
use metasweep_sweep::sweep::Sweep;

use crate::arguments::Explain;
use crate::failure::Failure;
use crate::output::{count, print};
use crate::sweep_file;

/// Prints the explanation of every system, or of one cell.
pub fn run(options: &Explain) -> Result<ExitCode, Failure> {
    let sweep = sweep_file::read(&options.source)?.sweep;
    let explanations = match &options.cell {
        None => systems(&sweep),
        Some(name) => vec![cell(&sweep, name)?],
    };
    if options.json {
        print(&serde_json::to_string_pretty(&explanations).map_err(Failure::failed)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let texts: Vec<String> = explanations.iter().map(Explanation::to_string).collect();
    let rule = format!("\n{}\n\n", "─".repeat(72));
    let heading = format!(
        "{}: {} of {}, {} each\n\n",
        sweep.name,
        count(sweep.cells.len() as u64, "cell"),
        count(systems(&sweep).len() as u64, "system"),
        count(u64::from(sweep.replicas), "replica")
    );
    print(&(heading + &texts.join(&rule)))?;
    Ok(ExitCode::SUCCESS)
}

/// The cell whose name begins so.
fn cell(sweep: &Sweep, name: &str) -> Result<Explanation, Failure> {
    let found: Vec<_> = sweep.cells.iter().filter(|cell| cell.name.0.starts_with(name)).collect();
    match found[..] {
        [cell] => Ok(one(cell, &sweep.observe)),
        [] => Err(Failure::usage(format!(
            "the sweep {} has no cell `{name}`: leave --cell out to see the names of its cells",
            sweep.name
        ))),
        _ => Err(Failure::usage(format!(
            "{} of the sweep {} begin with `{name}`: give more digits",
            count(found.len() as u64, "cell"),
            sweep.name
        ))),
    }
}
