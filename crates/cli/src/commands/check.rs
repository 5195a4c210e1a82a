//! `metasweep check`: does a sweep's result depend on what it should not depend on?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use metasweep_analysis::check::{Shift, aligned, shifts};
use metasweep_analysis::dataset::Dataset;
use metasweep_cluster::launcher::detect;

use crate::arguments::{Check, Run, SweepSource, Verbosity};
use crate::commands::run;
use crate::failure::Failure;
use crate::output::print;
use crate::sweep_file;

/// The run stopped in time and is to be started again.
const INCOMPLETE: u8 = 75;

/// One change of the sweep.
struct Change {
    /// In words.
    name: String,
    /// The folder of its dataset.
    folder: &'static str,
    /// `--set`.
    set: Option<String>,
    /// Whether it has the same seed.
    paired: bool,
}

/// Runs the sweep and its variants, and compares them.
pub fn run(options: &Check, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    if let Some(launched) = detect(&|name| std::env::var(name).ok()) {
        return Err(Failure::usage(format!(
            "check runs one sweep after the other on this machine, and was started by {launched}; start it alone"
        )));
    }
    let mut source = SweepSource { sweep: options.source.sweep.clone(), set: options.source.set.clone() };
    source.set.extend(options.replicas.map(|replicas| format!("replicas={replicas}")));
    let sweep = sweep_file::read(&source)?.sweep;
    let dir =
        options.out.clone().unwrap_or_else(|| PathBuf::from("out").join(format!("{}-check", sweep.name)));
    let (changes, notes) = changes(&sweep.canonical);
    let itself = Change { name: "as it is".to_owned(), folder: "as-it-is", set: None, paired: true };
    for change in std::iter::once(&itself).chain(&changes) {
        if verbosity > Verbosity::Quiet {
            eprintln!("metasweep check: {}", change.name);
        }
        let code = compute(&source, change, &dir, options)?;
        if code != ExitCode::SUCCESS {
            return Ok(ExitCode::from(INCOMPLETE));
        }
    }
    let before = Dataset::open(&dir.join(itself.folder))?;
    let mut found: Vec<Shift> = Vec::new();
    for change in &changes {
        let after = Dataset::open(&dir.join(change.folder))?;
        found.extend(shifts(&change.name, &before, &after, change.paired)?);
    }
    if options.json {
        print(&serde_json::to_string_pretty(&found).map_err(Failure::failed)?)?;
    } else {
        let notes: String = notes.iter().map(|note| format!("# {note}\n")).collect();
        print(&(aligned(&found) + &notes))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn compute(source: &SweepSource, change: &Change, dir: &Path, asked: &Check) -> Result<ExitCode, Failure> {
    let mut set = source.set.clone();
    set.extend(change.set.clone());
    let options = Run {
        source: SweepSource { sweep: source.sweep.clone(), set },
        out: Some(dir.join(change.folder)),
        threads: asked.threads,
        walltime: None,
        extend: false,
        strict: false,
        retry_failed: false,
        here: asked.here,
        chunk_replicas: None,
        share: None,
        scratch: None,
    };
    run::run(&options, Verbosity::Quiet)
}

/// What of a sweep can be changed, and what cannot and why.
fn changes(canonical: &str) -> (Vec<Change>, Vec<String>) {
    let (mut changes, mut notes) = (Vec::new(), Vec::new());
    let mut change =
        |key: &str, set: &str, factor: f64, name: &str, folder: &'static str| match the_value(canonical, key)
        {
            Found::One(value) => match scaled(&value, factor) {
                Some(text) => changes.push(Change {
                    name: format!("{name}, {key} = {}", text.trim_matches('"')),
                    folder,
                    set: Some(format!("{set}={text}")),
                    paired: true,
                }),
                None => {
                    notes.push(format!("{key} = {value} was not changed: it is no number and no authors(…)"));
                }
            },
            Found::Several => notes.push(format!("{key} was not changed: grids have different ones")),
            Found::None => {}
        };
    change("step", "step", 0.5, "half the step", "half-step");
    change("tolerance", "tolerance", 0.1, "a tenth of the tolerance", "tenth-tolerance");
    change("delta", "observe.delta", 0.5, "half of δ", "half-delta");
    let seed = match the_value(canonical, "seed") {
        Found::One(value) => value.parse::<u64>().ok(),
        Found::Several | Found::None => None,
    };
    match seed {
        Some(seed) => changes.push(Change {
            name: "another seed".to_owned(),
            folder: "another-seed",
            set: Some(format!("seed={}", if seed > 0 { seed - 1 } else { 1 })),
            paired: false,
        }),
        None => notes.push("the seed was not changed: there are several".to_owned()),
    }
    (changes, notes)
}

enum Found {
    None,
    One(String),
    Several,
}

/// The value of a key that stands in the canonical file once, or always the same.
fn the_value(canonical: &str, key: &str) -> Found {
    let values = canonical.lines().filter_map(|line| line.split_once(" = ")).filter(|(name, _)| *name == key);
    let mut values: Vec<&str> = values.map(|(_, value)| value).collect();
    values.dedup();
    match values[..] {
        [] => Found::None,
        [value] => Found::One(value.to_owned()),
        _ => Found::Several,
    }
}

/// A number, a list of one, or `"authors(c)"`, times a factor.
fn scaled(value: &str, factor: f64) -> Option<String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().map(|number| number * factor);
    if let Some(inside) = value.strip_prefix("\"authors(").and_then(|rest| rest.strip_suffix(")\"")) {
        return number(inside).map(|number| format!("\"authors({number})\""));
    }
    number(value.trim_start_matches('[').trim_end_matches(']')).map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_changed_is() {
        let (changes, notes) = changes("seed = 7\nstep = 0.1\ndelta = [0.001]\nbeta = [1, 2]\n");
        let sets: Vec<&str> = changes.iter().filter_map(|change| change.set.as_deref()).collect();
        assert_eq!(sets, ["step=0.05", "observe.delta=0.0005", "seed=6"]);
        assert!(notes.is_empty());
        let (changes, notes) = super::changes("seed = 0\nstep = 0.1\nstep = 0.2\ntolerance = 1e-8\n");
        let sets: Vec<&str> = changes.iter().filter_map(|change| change.set.as_deref()).collect();
        assert_eq!(sets, ["tolerance=0.000000001", "seed=1"]);
        assert_eq!(notes, ["step was not changed: grids have different ones"]);
        assert_eq!(scaled("\"authors(0.1)\"", 0.5).as_deref(), Some("\"authors(0.05)\""));
        assert_eq!(scaled("\"sqrt(d)\"", 0.5), None);
    }
}
