//! Means over replicas against time: as the table `series` holds them, or made here from its replicas.

use std::collections::BTreeMap;
use std::collections::HashSet;

use crate::dataset::Dataset;
use crate::error::AnalysisError;

/// A cell's means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Sample times.
    pub t: Vec<f64>,
    /// By observable, as long as `t`; NaN where there is none.
    pub means: BTreeMap<String, Vec<f64>>,
}

/// The observables of the table `series`; none if there is no such table.
///
/// # Errors
/// If the table cannot be read.
pub fn observables(dataset: &Dataset) -> Result<Vec<String>, AnalysisError> {
    if !dataset.has("series") {
        return Ok(Vec::new());
    }
    let columns = dataset.columns("series")?;
    if is_by_replica(&columns) {
        let other =
            |name: &&String| ["cell", "replica", "t"].contains(&name.as_str()) || dataset.keys.contains(name);
        return Ok(columns.iter().filter(|name| !other(name)).cloned().collect());
    }
    Ok(columns.iter().filter_map(|name| name.strip_suffix("_mean")).map(str::to_owned).collect())
}

/// Whether a row is a replica's, or the mean over all of a cell.
pub(crate) fn is_by_replica(columns: &[String]) -> bool {
    columns.iter().any(|name| name == "replica")
}

/// A curve for each of `cells` (indices), in their order.
///
/// # Errors
/// If an observable was not recorded.
pub fn curves(
    dataset: &Dataset,
    cells: &[usize],
    observables: &[String],
) -> Result<Vec<Curve>, AnalysisError> {
    let suffix = if is_by_replica(&dataset.columns("series")?) { "" } else { "_mean" };
    let columns: Vec<String> = observables.iter().map(|name| format!("{name}{suffix}")).collect();
    let mut wanted: Vec<&str> = columns.iter().map(String::as_str).collect();
    wanted.push("t");
    let names: HashSet<&str> = cells.iter().map(|index| dataset.cells[*index].name.as_str()).collect();
    let table = dataset.read("series", &wanted, &|cell| names.contains(cell.name.as_str()))?;
    let (t, by_cell) = (table.numbers("t"), table.by_cell());
    let mut curves = Vec::with_capacity(cells.len());
    for cell in cells {
        // Times are not negative: their bits are in their order.
        let mut rows: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for row in by_cell.get(cell).into_iter().flatten() {
            rows.entry(t[*row].to_bits()).or_default().push(*row);
        }
        let mut curve =
            Curve { t: rows.keys().map(|bits| f64::from_bits(*bits)).collect(), ..Curve::default() };
        for (observable, column) in observables.iter().zip(&columns) {
            let values = table.numbers(column);
            curve.means.insert(observable.clone(), rows.values().map(|rows| mean(values, rows)).collect());
        }
        curves.push(curve);
    }
    Ok(curves)
}

/// Of the values there are; NaN of none.
fn mean(values: &[f64], rows: &[usize]) -> f64 {
    let there: Vec<f64> = rows.iter().map(|row| values[*row]).filter(|value| !value.is_nan()).collect();
    if there.is_empty() { f64::NAN } else { there.iter().sum::<f64>() / there.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_leaves_out_what_is_not_there() {
        assert_eq!(mean(&[1.0, f64::NAN, 4.0], &[0, 1, 2]), 2.5);
        assert!(mean(&[f64::NAN], &[0]).is_nan());
    }
}
