//! `metasweep figure`: draws a figure of a dataset.

use std::process::ExitCode;

use metasweep_analysis::figure::draw::{Size, draw};
use metasweep_analysis::figure::{Choice, FIGURES, make};

use super::summary::open;
use crate::arguments::{Figure, Verbosity};
use crate::failure::Failure;
use crate::output::print;

/// Draws it, or lists what there is.
pub fn run(options: &Figure, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    if options.name == "list" {
        let width = FIGURES.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
        let lines = FIGURES.iter().map(|entry| format!("{:<width$}  {}", entry.name, entry.shows));
        print(&lines.collect::<Vec<_>>().join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (Some(dir), Some(out)) = (&options.dir, &options.out) else {
        return Err(Failure::usage(
            "figure needs a dataset and --out FILE: metasweep figure NAME DIR --out FILE.svg",
        ));
    };
    let (dataset, condition) = open(dir, &options.condition)?;
    let choice = Choice {
        condition,
        cell: options.cell.clone(),
        replica: options.replica,
        observable: options.observable.clone(),
        against: options.against.clone(),
    };
    let figure = make(&options.name, &dataset, &choice)?;
    let size = options.width.zip(options.height).map(|(width, height)| Size { width, height });
    draw(&figure, size, out)?;
    if verbosity > Verbosity::Quiet {
        eprintln!("metasweep: wrote {}", out.display());
    }
    Ok(ExitCode::SUCCESS)
}
