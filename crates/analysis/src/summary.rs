//! A line a cell: how its replicas ended, when they collapsed, what their first plateau was. `metasweep summary`.
//!
//! *Collapse times* are estimated by Kaplan–Meier over every replica that did not fail. A replica at the horizon is censored there. One
//! that became stationary without collapsing never will: it stays among those at risk up to the cell's last time, so that the
//! survival curve keeps its share (a cured fraction), which stands in a column of its own. Failed and underflown replicas are
//! counted and left out.
//!
//! *Bands* are for independent replicas. Where replicas share matrices (`sharing` is not `replica`), or several cells with common initial
//! tokens are pooled by `--by`, none is given.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::condition::Condition;
use crate::dataset::{Cell, Dataset, Table, Value};
use crate::error::AnalysisError;
use crate::figure::ticks::short;
use crate::survival::KaplanMeier;

/// How intervals were made, for the table's foot.
pub const METHODS: &str = "collapse and lifetime: Kaplan–Meier; 95% bands of medians: Brookmeyer–Crowley (log-log); log_mean: restricted \
                           mean of log T up to τ ± its standard error (Greenwood)";

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// The cell's name, or the group's.
    pub cell: String,
    /// The parameters that tell it from the others.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Replicas that are there.
    pub replicas: u64,
    /// Of them collapsed.
    pub collapsed: u64,
    /// Of them still apart at the horizon.
    pub horizon: u64,
    /// Of them stationary without having collapsed.
    pub stationary: u64,
    /// Of them stopped by underflow.
    pub underflow: u64,
    /// Of them failed.
    pub failed: u64,
    /// Median collapse time; null if fewer than half collapsed.
    pub collapse_median: Option<f64>,
    /// Its 95 % band.
    pub collapse_median_low: Option<f64>,
    /// Its 95 % band.
    pub collapse_median_high: Option<f64>,
    /// First quartile.
    pub collapse_q25: Option<f64>,
    /// Third quartile.
    pub collapse_q75: Option<f64>,
    /// E[min(log T, log τ)].
    pub collapse_log_mean: Option<f64>,
    /// Its standard error.
    pub collapse_log_mean_error: Option<f64>,
    /// τ: the last time of any of its replicas.
    pub tau: f64,
    /// Median number of clusters of the first plateau.
    pub first_plateau_clusters: Option<f64>,
    /// Median lifetime of the first plateau, censored ones included.
    pub first_plateau_lifetime: Option<f64>,
    /// Mean number of clusters at the end.
    pub clusters_final: Option<f64>,
}

/// A table of lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The sweep's name.
    pub name: String,
    /// The keys of `parameters`.
    pub keys: Vec<String>,
    /// The lines, in row order.
    pub rows: Vec<Row>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

const COLUMNS: [&str; 7] = [
    "collapse_time",
    "end",
    "first_plateau_clusters",
    "first_plateau_from",
    "first_plateau_until",
    "first_plateau_censored",
    "clusters_final",
];

/// Summarizes the cells that fulfil the condition; cells alike in all of `by` are one line (none: each cell its own).
///
/// # Errors
/// If a part cannot be read, or nothing is chosen.
pub fn summarize(dataset: &Dataset, condition: &Condition, by: &[String]) -> Result<Summary, AnalysisError> {
    let chosen: Vec<usize> =
        (0..dataset.cells.len()).filter(|cell| condition.holds(&dataset.cells[*cell])).collect();
    if chosen.is_empty() {
        return Err(AnalysisError::Nothing("no cell of the dataset fulfils the condition".to_owned()));
    }
    if let Some(unknown) = by.iter().find(|key| !dataset.cells[0].parameters.contains_key(*key)) {
        return Err(AnalysisError::Usage(format!("--by {unknown}: the cells have no such parameter")));
    }
    let cells: Vec<&Cell> = chosen.iter().map(|index| &dataset.cells[*index]).collect();
    let keys: Vec<String> = if by.is_empty() {
        dataset.axes(&cells).into_iter().map(str::to_owned).collect()
    } else {
        by.to_vec()
    };
    let table = dataset.read("replicas", &COLUMNS, &|cell| condition.holds(cell))?;
    let rows_of = table.by_cell();
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for cell in &chosen {
        let name = if by.is_empty() {
            dataset.cells[*cell].name.clone()
        } else {
            let value = |key: &String| format!("{key} = {}", dataset.cells[*cell].parameters[key]);
            by.iter().map(value).collect::<Vec<_>>().join(", ")
        };
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(*cell),
            None => groups.push((name, vec![*cell])),
        }
    }
    let mut notes = vec![METHODS.to_owned()];
    let (mut shared, mut pooled) = (false, false);
    let mut rows = Vec::new();
    for (name, members) in groups {
        let first = &dataset.cells[members[0]];
        let dependent = first.text("sharing") != "replica" && draws_matrices(first);
        shared |= dependent;
        pooled |= members.len() > 1;
        let lines: Vec<usize> =
            members.iter().flat_map(|cell| rows_of.get(cell).into_iter().flatten().copied()).collect();
        let horizon = members.iter().map(|cell| dataset.cells[*cell].number("horizon")).fold(0.0, f64::max);
        let mut row = line(&table, &lines, horizon);
        if dependent || members.len() > 1 {
            (row.collapse_median_low, row.collapse_median_high, row.collapse_log_mean_error) =
                (None, None, None);
        }
        row.cell = name;
        row.parameters = keys.iter().map(|key| (key.clone(), json(&first.parameters[key]))).collect();
        rows.push(row);
    }
    if shared {
        notes.push(
            "replicas of some cells share their matrices and are not independent: no bands for them"
                .to_owned(),
        );
    }
    if pooled {
        notes.push("lines pool several cells, which may share initial tokens: no bands for them".to_owned());
    }
    if !dataset.complete {
        notes.push("the sweep is not complete: only sealed rows are counted".to_owned());
    }
    Ok(Summary { name: dataset.name.clone(), keys, rows, notes })
}

/// The collapse times of each of these cells.
///
/// # Errors
/// If a part cannot be read.
pub fn collapse_times(dataset: &Dataset, cells: &[usize]) -> Result<Vec<KaplanMeier>, AnalysisError> {
    let names: Vec<&str> = cells.iter().map(|cell| dataset.cells[*cell].name.as_str()).collect();
    let table =
        dataset.read("replicas", &["collapse_time", "end"], &|cell| names.contains(&cell.name.as_str()))?;
    let rows = table.by_cell();
    let estimate = |cell: &usize| {
        let rows = rows.get(cell).map(Vec::as_slice).unwrap_or_default();
        KaplanMeier::of(&times(&table, rows, dataset.cells[*cell].number("horizon")))
    };
    Ok(cells.iter().map(estimate).collect())
}

/// Collapse times, censored at the horizon.
pub(crate) fn times(table: &Table, rows: &[usize], horizon: f64) -> Vec<(f64, bool)> {
    rows.iter()
        .filter_map(|row| collapse_time(table, *row))
        .map(|t| if t.is_finite() { (t, true) } else { (horizon, false) })
        .collect()
}

/// When a replica collapsed, of rows with `collapse_time` and `end`: infinite if it was not seen to, or never will; None if it failed.
pub(crate) fn collapse_time(table: &Table, row: usize) -> Option<f64> {
    match table.text("end", row) {
        Some("collapsed") => Some(table.numbers("collapse_time")[row]),
        Some("horizon" | "stationary") => Some(f64::INFINITY),
        _ => None,
    }
}

/// Whether a cell's matrices are drawn: only then can replicas share them.
pub(crate) fn draws_matrices(cell: &Cell) -> bool {
    ["value", "query_key", "query", "key"].iter().any(|key| {
        ["gaussian", "goe", "wishart", "uniform"]
            .iter()
            .any(|law| cell.text(key).trim_start_matches('-').starts_with(law))
    })
}

fn line(table: &Table, rows: &[usize], horizon: f64) -> Row {
    let ended = |how: &str| rows.iter().filter(|row| table.text("end", **row) == Some(how)).count() as u64;
    let estimate = KaplanMeier::of(&times(table, rows, horizon));
    let (low, high) = estimate.quantile_band(0.5);
    let (clusters, from) = (table.numbers("first_plateau_clusters"), table.numbers("first_plateau_from"));
    let (until, censored) = (table.numbers("first_plateau_until"), table.numbers("first_plateau_censored"));
    let plateaus = rows.iter().filter(|row| !clusters[**row].is_nan());
    let lifetimes: Vec<(f64, bool)> =
        plateaus.clone().map(|row| (until[*row] - from[*row], censored[*row] == 0.0)).collect();
    let counts: Vec<(f64, bool)> = plateaus.map(|row| (clusters[*row], true)).collect();
    let finals: Vec<f64> = rows
        .iter()
        .map(|row| table.numbers("clusters_final")[*row])
        .filter(|count| !count.is_nan())
        .collect();
    let tau = estimate.last;
    let log_mean = estimate.restricted_mean_log(tau);
    Row {
        replicas: rows.len() as u64,
        collapsed: ended("collapsed"),
        horizon: ended("horizon"),
        stationary: ended("stationary"),
        underflow: ended("underflow"),
        failed: ended("failed"),
        collapse_median: estimate.quantile(0.5),
        collapse_median_low: estimate.quantile(0.5).and(low),
        collapse_median_high: estimate.quantile(0.5).and(high),
        collapse_q25: estimate.quantile(0.25),
        collapse_q75: estimate.quantile(0.75),
        collapse_log_mean: log_mean.map(|(mean, _)| mean),
        collapse_log_mean_error: log_mean.map(|(_, error)| error),
        tau,
        first_plateau_clusters: KaplanMeier::of(&counts).quantile(0.5),
        first_plateau_lifetime: KaplanMeier::of(&lifetimes).quantile(0.5),
        clusters_final: (!finals.is_empty()).then(|| finals.iter().sum::<f64>() / finals.len() as f64),
        ..Row::default()
    }
}

pub(crate) fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Number(number) => {
            serde_json::Number::from_f64(*number).map_or(serde_json::Value::Null, Into::into)
        }
        Value::Text(text) => text.clone().map_or(serde_json::Value::Null, Into::into),
    }
}

impl Summary {
    /// Columns side by side, for a terminal.
    #[must_use]
    pub fn aligned(&self) -> String {
        let number = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), short);
        let header = self.keys.iter().cloned().chain(
            [
                "replicas",
                "collapsed",
                "horizon",
                "stationary",
                "failed",
                "t½",
                "95% band",
                "quartiles",
                "log_mean",
                "clusters₁",
                "lifetime₁",
                "clusters",
            ]
            .map(str::to_owned),
        );
        let mut lines: Vec<Vec<String>> = vec![header.collect()];
        for row in &self.rows {
            let band = match (row.collapse_median_low, row.collapse_median_high) {
                (None, None) => "–".to_owned(),
                (low, high) => format!("{}…{}", number(low), high.map_or_else(|| "∞".to_owned(), short)),
            };
            let quartiles = match (row.collapse_q25, row.collapse_q75) {
                (None, None) => "–".to_owned(),
                (low, high) => format!("{}…{}", number(low), number(high)),
            };
            let log_mean = match (row.collapse_log_mean, row.collapse_log_mean_error) {
                (Some(mean), Some(error)) => format!("{mean:.2}±{error:.2}"),
                (mean, _) => number(mean),
            };
            let parameter = |key: &String| match &row.parameters[key] {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Null => "–".to_owned(),
                other => other.as_f64().map_or_else(|| other.to_string(), |number| format!("{number}")),
            };
            let counts =
                [row.replicas, row.collapsed, row.horizon, row.stationary, row.failed + row.underflow];
            let texts = [
                number(row.collapse_median),
                band,
                quartiles,
                log_mean,
                number(row.first_plateau_clusters),
                number(row.first_plateau_lifetime),
                number(row.clusters_final),
            ];
            lines.push(
                self.keys
                    .iter()
                    .map(parameter)
                    .chain(counts.iter().map(u64::to_string))
                    .chain(texts)
                    .collect(),
            );
        }
        let mut text = columns(&lines);
        for note in &self.notes {
            text += &format!("# {note}\n");
        }
        text
    }
}

/// Columns side by side, numbers at the right.
pub(crate) fn columns(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let padded = |line: &Vec<String>| {
        let cells = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{}{cell}", " ".repeat(width - cell.chars().count())));
        cells.collect::<Vec<_>>().join("  ")
    };
    lines.iter().map(|line| padded(line) + "\n").collect()
}
