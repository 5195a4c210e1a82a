//! An observable over time, a curve for each of a few cells: what several figures are.

use crate::dataset::Dataset;
use crate::error::AnalysisError;
use crate::means::is_by_replica;

use super::Choice;
use super::choice::describe;
use super::plot::{Axis, Figure, Layer, Panel};

/// The curves of `observable`; at level `cell` its mean, with a band between the outermost quantiles if asked for; at
/// level `replica` the chosen replica's. `change` is applied to every value.
pub fn over_time(
    dataset: &Dataset,
    choice: &Choice,
    observable: &str,
    (title, y): (&str, Axis),
    band: bool,
    change: fn(f64) -> f64,
) -> Result<Figure, AnalysisError> {
    let cells = choice.few(dataset)?;
    let there = dataset.columns("series")?;
    let by_replica = is_by_replica(&there);
    let middle = if by_replica { observable.to_owned() } else { format!("{observable}_mean") };
    let quantiles = if by_replica || !band { Vec::new() } else { ends(&there, observable) };
    let mut columns = vec!["t", middle.as_str()];
    if by_replica {
        columns.push("replica");
    }
    columns.extend(quantiles.iter().map(String::as_str));
    let names: Vec<&str> = cells.iter().map(|cell| dataset.cells[*cell].name.as_str()).collect();
    let table = dataset.read("series", &columns, &|cell| names.contains(&cell.name.as_str()))?;
    let rows = table.by_cell();
    let mut layers = Vec::new();
    for (colour, cell) in cells.iter().enumerate() {
        let Some(rows) = rows.get(cell) else { continue };
        let (t, values) = (table.numbers("t"), table.numbers(&middle));
        let replicas = table.numbers("replica");
        let shown = |row: &&usize| !by_replica || replicas[**row] == f64::from(choice.replica);
        if let [low, high] = quantiles.as_slice() {
            let (low, high) = (table.numbers(low), table.numbers(high));
            let points = rows.iter().map(|row| (t[*row], change(low[*row]), change(high[*row]))).collect();
            layers.push(Layer::Band { points, colour });
        }
        let points: Vec<(f64, f64)> =
            rows.iter().filter(shown).map(|row| (t[*row], change(values[*row]))).collect();
        let label = describe(dataset, *cell, &cells);
        layers.push(Layer::line(points, (!label.is_empty()).then_some(label), colour));
    }
    let what =
        if by_replica { format!("replica {}", choice.replica) } else { "mean over replicas".to_owned() };
    let x = if spans_decades(table.numbers("t")) { Axis::log("t") } else { Axis::linear("t") };
    let panel = Panel::new(what, x, y, layers);
    Ok(Figure { title: format!("{}: {title}", dataset.name), panels: vec![panel] })
}

/// Whether times are spread over decades, as geometric sample times are: most of them lie in the first tenth of the span.
fn spans_decades(t: &[f64]) -> bool {
    let most = t.iter().copied().fold(0.0, f64::max);
    let early = t.iter().filter(|t| **t < most / 10.0).count();
    2 * early > t.len()
}

/// The columns of the lowest and the highest quantile of an observable.
fn ends(columns: &[String], observable: &str) -> Vec<String> {
    let prefix = format!("{observable}_q");
    let level = |name: &&String| {
        name.strip_prefix(&prefix).and_then(|level| level.replace('_', ".").parse::<f64>().ok())
    };
    let mut found: Vec<&String> = columns.iter().filter(|name| level(name).is_some()).collect();
    found.sort_by(|a, b| level(a).unwrap_or_default().total_cmp(&level(b).unwrap_or_default()));
    match (found.first(), found.last()) {
        (Some(low), Some(high)) if found.len() > 1 => vec![(*low).clone(), (*high).clone()],
        _ => Vec::new(),
    }
}
