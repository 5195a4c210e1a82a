//! How much the statistics of a sweep move when what should not matter is changed: the step, the tolerance, δ, the seed.
//!
//! Two datasets of one grid are compared cell by cell, in row order. With the same seed replicas are paired, so that the shift has
//! the standard error of the differences; it is judged beside the standard error of the statistic itself, which is what a
//! reader of the sweep sees anyway.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dataset::{Dataset, Table};
use crate::error::AnalysisError;
use crate::figure::describe;
use crate::figure::ticks::short;
use crate::moments::mean_and_error;
use crate::summary::{collapse_time, columns};

/// A statistic of a cell under a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shift {
    /// What was changed.
    pub change: String,
    /// Of what: a column of `replicas`, or `log_collapse_time`.
    pub statistic: String,
    /// The cell, by what tells it from others.
    pub cell: String,
    /// The statistic before: its mean over the replicas.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
    /// How much it moved.
    pub shift: f64,
    /// The standard error of that.
    pub shift_error: f64,
    /// The shift in standard errors: of the statistic where replicas are paired, else of the shift. Rounding errors are none.
    pub ratio: f64,
}

/// Shifts below this, relative to the larger of the mean and one, are rounding errors.
const ROUNDING: f64 = 1e-9;

const STATISTICS: [&str; 4] =
    ["clusters_final", "first_plateau_clusters", "min_cosine_final", "energy_final"];
const LOG_TIME: &str = "log_collapse_time";

/// Every statistic of every cell of `before`, and how far it is from that in `after`.
///
/// # Errors
/// If a table cannot be read, or the two do not have the same number of cells.
pub fn shifts(
    change: &str,
    before: &Dataset,
    after: &Dataset,
    paired: bool,
) -> Result<Vec<Shift>, AnalysisError> {
    if before.cells.len() != after.cells.len() {
        return Err(AnalysisError::Nothing(format!(
            "{change}: {} cells before, {} after",
            before.cells.len(),
            after.cells.len()
        )));
    }
    let (first, second) = (read(before)?, read(after)?);
    let everything: Vec<usize> = (0..before.cells.len()).collect();
    let mut found = Vec::new();
    for cell in 0..before.cells.len() {
        let tau = before.cells[cell].number("horizon").min(after.cells[cell].number("horizon"));
        for statistic in STATISTICS.into_iter().chain([LOG_TIME]) {
            let a = values(&first, cell, statistic, tau);
            let b = values(&second, cell, statistic, tau);
            if a.len() < 2 || b.len() < 2 {
                continue;
            }
            let (mean, error) = mean_and_error(a.values().copied());
            let (shift, shift_error) = if paired {
                mean_and_error(a.iter().filter_map(|(replica, x)| Some(b.get(replica)? - x)))
            } else {
                let (other, other_error) = mean_and_error(b.values().copied());
                (other - mean, libm::hypot(error, other_error))
            };
            let cell = describe(before, cell, &everything);
            let moved = shift.abs() > ROUNDING * mean.abs().max(1.0);
            let ratio = if moved { shift.abs() / if paired { error } else { shift_error } } else { 0.0 };
            let (change, statistic) = (change.to_owned(), statistic.to_owned());
            found.push(Shift { change, statistic, cell, mean, error, shift, shift_error, ratio });
        }
    }
    Ok(found)
}

fn read(dataset: &Dataset) -> Result<Table, AnalysisError> {
    let mut wanted = STATISTICS.to_vec();
    wanted.extend(["replica", "collapse_time", "end"]);
    dataset.read("replicas", &wanted, &|_| true)
}

/// A statistic by replica; without failed ones, and where there is none.
fn values(table: &Table, cell: usize, statistic: &str, tau: f64) -> BTreeMap<u64, f64> {
    let rows = table.by_cell();
    let rows = rows.get(&cell).into_iter().flatten().copied();
    let replica = table.numbers("replica");
    rows.filter_map(|row| {
        // Failed ones have none of either.
        let collapsed = collapse_time(table, row)?;
        let value =
            if statistic == LOG_TIME { libm::log(collapsed.min(tau)) } else { table.numbers(statistic)[row] };
        value.is_finite().then_some((replica[row] as u64, value))
    })
    .collect()
}

/// For each change and statistic the cell that moved furthest, in standard errors.
#[must_use]
pub fn aligned(shifts: &[Shift]) -> String {
    let mut lines = vec![
        ["change", "statistic", "cells", "beyond 1 error", "furthest", "mean", "shift", "× error"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut groups: Vec<((&str, &str), Vec<&Shift>)> = Vec::new();
    for shift in shifts {
        let name = (shift.change.as_str(), shift.statistic.as_str());
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(shift),
            None => groups.push((name, vec![shift])),
        }
    }
    for ((change, statistic), members) in groups {
        let Some(worst) = members.iter().max_by(|a, b| a.ratio.total_cmp(&b.ratio)) else { continue };
        let beyond = members.iter().filter(|shift| shift.ratio > 1.0).count();
        lines.push(vec![
            change.to_owned(),
            statistic.to_owned(),
            members.len().to_string(),
            beyond.to_string(),
            worst.cell.clone(),
            format!("{} ± {}", short(worst.mean), short(worst.error)),
            format!("{} ± {}", short(worst.shift), short(worst.shift_error)),
            short(worst.ratio),
        ]);
    }
    columns(&lines)
        + "# shift: the mean after the change minus the mean before, ± its standard error (paired by replica, but for other seeds); × error: over the mean's \
           standard error; of other seeds over the shift's own\n"
}
