//! What the page shows, as JSON: numbers rounded to what a screen can show, so that large sweeps stay small.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::condition::Condition;
use crate::dataset::{Cell, Dataset};
use crate::error::AnalysisError;
use crate::means;
use crate::summary::{Row, collapse_times, summarize};

/// Sample times of the page, at most; others are left out evenly.
const TIMES: usize = 160;
/// Points of a survival curve, at most.
const STEPS: usize = 120;
/// Cells with curves of their own, at most; others are left out evenly.
const CELLS: usize = 1200;
/// Failed replicas that are listed, at most.
const FAILED: usize = 200;

/// The page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page {
    /// The sweep's name.
    pub name: String,
    /// Whether it is complete.
    pub complete: bool,
    /// The sweep file, canonical.
    pub sweep: String,
    /// The engine.
    pub engine: u64,
    /// Where and when it ran.
    pub runs: Vec<serde_json::Value>,
    /// Keys that vary.
    pub keys: Vec<String>,
    /// Cells of the sweep.
    pub cells_total: usize,
    /// Observables with curves.
    pub observables: Vec<String>,
    /// The cells shown.
    pub cells: Vec<Curves>,
    /// The table.
    pub rows: Vec<Row>,
    /// Its notes.
    pub notes: Vec<String>,
    /// Failed replicas.
    pub failed: Vec<Failed>,
}

/// A cell's curves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curves {
    /// Its name.
    pub cell: String,
    /// Its values of the keys, as texts.
    pub parameters: BTreeMap<String, String>,
    /// β, if it has one.
    pub beta: Option<f64>,
    /// Sample times.
    pub t: Vec<f64>,
    /// Means by observable.
    pub means: BTreeMap<String, Vec<Option<f64>>>,
    /// Kaplan–Meier: time, share not collapsed.
    pub survival: Vec<(f64, f64)>,
}

/// A replica that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failed {
    /// Its cell.
    pub cell: String,
    /// Its number.
    pub replica: u64,
    /// Why.
    pub status: String,
}

/// Makes it.
///
/// # Errors
/// If the dataset cannot be read.
pub fn page(dataset: &Dataset) -> Result<Page, AnalysisError> {
    let summary = summarize(dataset, &Condition::Always, &[])?;
    let shown: Vec<usize> = spread(dataset.cells.len(), CELLS);
    let (observables, mut curves) = series(dataset, &shown, &summary.keys)?;
    for (curve, estimate) in curves.iter_mut().zip(collapse_times(dataset, &shown)?) {
        let steps: Vec<(f64, f64)> =
            estimate.steps.iter().map(|step| (rounded(step.t), rounded(step.survival))).collect();
        curve.survival = spread(steps.len(), STEPS).into_iter().map(|index| steps[index]).collect();
    }
    Ok(Page {
        name: dataset.name.clone(),
        complete: dataset.complete,
        sweep: dataset.sweep.clone(),
        engine: dataset.engine,
        runs: runs(dataset),
        keys: summary.keys,
        cells_total: dataset.cells.len(),
        observables,
        cells: curves,
        rows: summary.rows,
        notes: summary.notes,
        failed: failed(dataset)?,
    })
}

/// At most `most` of `count` indices, evenly, the first and the last among them.
fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|index| index * (count - 1) / (most - 1)).collect()
}

/// Four significant digits.
fn rounded(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

fn series(
    dataset: &Dataset,
    shown: &[usize],
    keys: &[String],
) -> Result<(Vec<String>, Vec<Curves>), AnalysisError> {
    let mut curves: Vec<Curves> = shown.iter().map(|index| curve(&dataset.cells[*index], keys)).collect();
    let observables = means::observables(dataset)?;
    if observables.is_empty() {
        return Ok((observables, curves));
    }
    for (curve, whole) in curves.iter_mut().zip(means::curves(dataset, shown, &observables)?) {
        let times = spread(whole.t.len(), TIMES);
        curve.t = times.iter().map(|at| rounded(whole.t[*at])).collect();
        for (observable, values) in whole.means {
            let number = |at: &usize| Some(values[*at]).filter(|value| value.is_finite()).map(rounded);
            curve.means.insert(observable, times.iter().map(number).collect());
        }
    }
    Ok((observables, curves))
}

fn curve(cell: &Cell, keys: &[String]) -> Curves {
    let text =
        |key: &String| (key.clone(), cell.parameters.get(key).map(ToString::to_string).unwrap_or_default());
    Curves {
        cell: cell.name.clone(),
        parameters: keys.iter().map(text).collect(),
        beta: Some(cell.number("beta")).filter(|beta| beta.is_finite()),
        t: Vec::new(),
        means: BTreeMap::new(),
        survival: Vec::new(),
    }
}

/// The provenance records of the journal, the first one first.
fn runs(dataset: &Dataset) -> Vec<serde_json::Value> {
    let (mut files, mut folders) = (Vec::new(), vec![dataset.dir.join("journal")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            // Of many processes without a lead each has its record, in folders below.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    let mut runs: Vec<serde_json::Value> = files
        .into_iter()
        .filter(|path| path.to_string_lossy().ends_with("-provenance.json"))
        .filter_map(|path| serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok())
        .collect();
    runs.sort_by_key(|run| run["started"].as_u64());
    runs
}

fn failed(dataset: &Dataset) -> Result<Vec<Failed>, AnalysisError> {
    let table = dataset.read("replicas", &["replica", "status", "end"], &|_| true)?;
    let bad = (0..table.rows()).filter(|row| matches!(table.text("end", *row), Some("failed" | "underflow")));
    Ok(bad
        .take(FAILED)
        .map(|row| Failed {
            cell: dataset.cells[table.cell[row]].name.clone(),
            replica: table.numbers("replica")[row] as u64,
            status: table.text("status", row).unwrap_or_default().to_owned(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_left_out_evenly() {
        assert_eq!(spread(3, 10), [0, 1, 2]);
        assert_eq!(spread(100, 4), [0, 33, 66, 99]);
        assert_eq!(rounded(0.123_456), 0.1235);
    }
}
