//! `metasweep replay`: one replica of a dataset again, bit for bit the run that made its rows.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use metasweep_analysis::{array_file, trajectory};
use metasweep_dynamics::parameters::{Operator, QueryKey};
use metasweep_dynamics::simd::Isa;
use metasweep_sweep::cell::Cell;
use metasweep_sweep::replay;
use metasweep_sweep::sweep::Sweep;

use crate::arguments::{Replay, Verbosity};
use crate::failure::Failure;

enum Format {
    Npy,
    Parquet,
}

/// Computes and writes.
pub fn run(options: &Replay, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let format = format(&options.out)?;
    let isa = Isa::detect().map_err(Failure::usage)?;
    // Every engine draws the same tokens so far.
    let sweep = if options.initial { metasweep_store::sweep_of } else { metasweep_store::sweep_to_repeat };
    let sweep = sweep(&options.dir).map_err(|e| Failure::with_code(e.exit_code(), e))?;
    let cell = find(&sweep, &options.cell)?;
    if options.replica >= sweep.replicas {
        return Err(Failure::usage(format!(
            "there is no replica {}: the cells of this dataset have replicas 0 to {}",
            options.replica,
            sweep.replicas.saturating_sub(1)
        )));
    }
    let written = if options.initial {
        initial(&sweep, cell, options, &format)?
    } else {
        let times = options.times.as_ref().unwrap_or(&cell.sample);
        let frames = replay::trajectory(&sweep, cell, options.replica, times, isa).map_err(Failure::usage)?;
        let states: Vec<Vec<f64>> = frames.into_iter().map(|frame| frame.tokens).collect();
        write(&options.out, &format, times, &states, cell, true)?;
        vec![options.out.clone()]
    };
    if verbosity > Verbosity::Quiet {
        let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        eprintln!("metasweep: wrote {}", names.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

fn format(path: &Path) -> Result<Format, Failure> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("npy") => Ok(Format::Npy),
        Some("parquet") => Ok(Format::Parquet),
        _ => Err(Failure::usage(format!(
            "--out {}: the ending chooses the format, and is .npy or .parquet",
            path.display()
        ))),
    }
}

/// The one cell whose name begins so.
fn find<'a>(sweep: &'a Sweep, prefix: &str) -> Result<&'a Cell, Failure> {
    let mut found = sweep.cells.iter().filter(|cell| !prefix.is_empty() && cell.name.0.starts_with(prefix));
    match (found.next(), found.next()) {
        (Some(cell), None) => Ok(cell),
        (None, _) => Err(Failure::usage(format!(
            "no cell of this dataset has a name that begins with {prefix:?}; the column `cell` of every table, and \
             `metasweep status --cells`, list them"
        ))),
        (Some(first), Some(second)) => Err(Failure::usage(format!(
            "{prefix:?} begins the names of several cells ({}, {}, …): give more of its digits",
            first.name, second.name
        ))),
    }
}

/// The initial tokens, and beside them (FILE.value.npy, FILE.query_key.npy) the matrices that are not multiples of I.
fn initial(sweep: &Sweep, cell: &Cell, options: &Replay, format: &Format) -> Result<Vec<PathBuf>, Failure> {
    let start = replay::initial(sweep, cell, options.replica).map_err(Failure::failed)?;
    write(&options.out, format, &[0.0], &[start.tokens], cell, false)?;
    let mut written = vec![options.out.clone()];
    let d = cell.d();
    for head in &start.parameters.heads {
        let query_key = match &head.query_key {
            QueryKey::Joint(operator) => Some(operator),
            QueryKey::Factored { .. } => None,
        };
        for (name, operator) in [("value", Some(&head.value)), ("query_key", query_key)] {
            if let Some(values) = operator.and_then(|operator| dense(operator, d)) {
                let path = options.out.with_extension(format!("{name}.npy"));
                array_file::write(&path, &[d, d], &values).map_err(|e| cannot_write(&path, &e))?;
                written.push(path);
            }
        }
    }
    Ok(written)
}

/// Row-major d × d; nothing for multiples of the identity, which the cell's parameters say.
fn dense(operator: &Operator, d: usize) -> Option<Vec<f64>> {
    match operator {
        Operator::Scalar(_) => None,
        Operator::Diagonal(diagonal) => {
            let mut values = vec![0.0; d * d];
            for (i, entry) in diagonal.iter().enumerate() {
                values[i * d + i] = *entry;
            }
            Some(values)
        }
        Operator::Dense(matrix) => Some(matrix.transpose().as_slice().to_vec()),
    }
}

/// npy: times × n × d, or n × d for the initial tokens.
fn write(
    path: &Path,
    format: &Format,
    times: &[f64],
    states: &[Vec<f64>],
    cell: &Cell,
    with_time: bool,
) -> Result<(), Failure> {
    let (n, d) = (cell.n(), cell.carried());
    match format {
        Format::Parquet => trajectory::write(path, times, states, d).map_err(Failure::failed),
        Format::Npy => {
            let shape = if with_time { vec![states.len(), n, d] } else { vec![n, d] };
            array_file::write(path, &shape, &states.concat()).map_err(|e| cannot_write(path, &e))
        }
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}
