//! How much later collapse comes when one key changes, replica by replica: `metasweep summary DIR --paired KEY`.
//!
//! Cells with equal n, d and `initial` begin each replica at the same tokens. So the difference of log T between two of them is taken
//! within each replica, and only then averaged: what the initial tokens do to both drops out, and the standard error is
//! that of the differences. Times are restricted to a common τ (log min(T, τ)), the smaller of the two horizons: what
//! was not seen to collapse by then counts as τ, in both.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::condition::Condition;
use crate::dataset::Dataset;
use crate::error::AnalysisError;
use crate::figure::ticks::short;
use crate::moments::mean_and_error;
use crate::summary::{collapse_time, draws_matrices};

/// Keys on which initial tokens depend.
const SEEDED: [&str; 3] = ["n", "d", "initial"];

/// What the numbers are.
pub const METHOD: &str = "difference: mean over replicas of log min(T, τ) of `to` minus that of `from`, paired by replica, ± its standard \
                          error; unpaired: the standard error if the cells had nothing in common";

/// Two cells that differ in one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What else tells the two from others.
    pub parameters: BTreeMap<String, String>,
    /// The key's value in the first.
    pub from: String,
    /// And in the second.
    pub to: String,
    /// Replicas that failed in neither.
    pub pairs: u64,
    /// τ.
    pub tau: f64,
    /// Mean of the differences.
    pub difference: f64,
    /// Its standard error.
    pub error: f64,
    /// The standard error without pairing.
    pub unpaired_error: f64,
}

/// Neighbours in `key` among the cells that fulfil the condition and are alike in everything else.
///
/// # Errors
/// If the key decides the initial tokens, or no two cells differ in it alone.
pub fn paired(dataset: &Dataset, condition: &Condition, key: &str) -> Result<Vec<Difference>, AnalysisError> {
    if SEEDED.contains(&key) {
        return Err(AnalysisError::Usage(format!(
            "--paired {key}: cells that differ in {key} begin at different tokens; n, d and initial must be equal for a pair"
        )));
    }
    let chosen: Vec<usize> =
        (0..dataset.cells.len()).filter(|cell| condition.holds(&dataset.cells[*cell])).collect();
    let cells: Vec<_> = chosen.iter().map(|index| &dataset.cells[*index]).collect();
    let axes = dataset.axes(&cells);
    if !axes.contains(&key) {
        return Err(AnalysisError::Usage(format!(
            "--paired {key}: the chosen cells do not differ in it; they differ in {}",
            if axes.is_empty() { "nothing".to_owned() } else { axes.join(", ") }
        )));
    }
    let table =
        dataset.read("replicas", &["replica", "collapse_time", "end"], &|cell| condition.holds(cell))?;
    let (replica, rows) = (table.numbers("replica"), table.by_cell());
    // Of each replica when it collapsed; infinite if it was not seen to.
    let times = |cell: usize| -> BTreeMap<u64, f64> {
        let rows = rows.get(&cell).into_iter().flatten().copied();
        rows.filter_map(|row| Some((replica[row] as u64, collapse_time(&table, row)?))).collect()
    };
    let mut found = Vec::new();
    for (parameters, members) in families(dataset, &chosen, &axes, key) {
        for pair in members.windows(2) {
            let [first, second] = [pair[0], pair[1]].map(|index| &dataset.cells[index]);
            let tau = first.number("horizon").min(second.number("horizon"));
            let (a, b) = (times(pair[0]), times(pair[1]));
            let logs = |t: f64| libm::log(t.min(tau));
            let values: Vec<(f64, f64)> =
                a.iter().filter_map(|(replica, t)| Some((logs(*t), logs(*b.get(replica)?)))).collect();
            if values.len() < 2 {
                continue;
            }
            let mut difference = difference(&values, tau);
            difference.parameters.clone_from(&parameters);
            difference.from = first.parameters[key].to_string();
            difference.to = second.parameters[key].to_string();
            // One draw for all replicas: they are not independent, and the error is not known.
            if [first, second].iter().any(|cell| cell.text("sharing") != "replica" && draws_matrices(cell)) {
                (difference.error, difference.unpaired_error) = (f64::NAN, f64::NAN);
            }
            found.push(difference);
        }
    }
    Ok(found)
}

type Family = (BTreeMap<String, String>, Vec<usize>);

/// Cells alike in every axis but `key`, in its order.
fn families(dataset: &Dataset, chosen: &[usize], axes: &[&str], key: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for index in chosen {
        let cell = &dataset.cells[*index];
        let others = axes.iter().filter(|axis| **axis != key && !(key == "beta" && **axis == "gamma"));
        let parameters: BTreeMap<String, String> =
            others.map(|axis| ((*axis).to_owned(), cell.parameters[*axis].to_string())).collect();
        match families.iter_mut().find(|(known, _)| *known == parameters) {
            Some((_, members)) => members.push(*index),
            None => families.push((parameters, vec![*index])),
        }
    }
    for (_, members) in &mut families {
        members.sort_by(|a, b| dataset.cells[*a].number(key).total_cmp(&dataset.cells[*b].number(key)));
    }
    families
}

fn difference(values: &[(f64, f64)], tau: f64) -> Difference {
    let (difference, error) = mean_and_error(values.iter().map(|(a, b)| b - a));
    let (first, second) =
        (mean_and_error(values.iter().map(|(a, _)| *a)).1, mean_and_error(values.iter().map(|(_, b)| *b)).1);
    Difference {
        parameters: BTreeMap::new(),
        from: String::new(),
        to: String::new(),
        pairs: values.len() as u64,
        tau,
        difference,
        error,
        unpaired_error: libm::hypot(first, second),
    }
}

/// Lines for a terminal.
#[must_use]
pub fn aligned(key: &str, differences: &[Difference]) -> String {
    let keys: Vec<String> =
        differences.first().map_or_else(Vec::new, |one| one.parameters.keys().cloned().collect());
    let mut lines: Vec<Vec<String>> = vec![
        keys.iter()
            .cloned()
            .chain([format!("{key} from"), "to".to_owned()])
            .chain(["pairs", "τ", "log T difference", "unpaired"].map(str::to_owned))
            .collect(),
    ];
    for one in differences {
        let number = |number: f64| if number.is_nan() { "–".to_owned() } else { short(number) };
        lines.push(
            keys.iter()
                .map(|key| one.parameters[key].clone())
                .chain([one.from.clone(), one.to.clone(), one.pairs.to_string(), short(one.tau)])
                .chain([
                    format!("{:.4} ± {}", one.difference, number(one.error)),
                    format!("± {}", number(one.unpaired_error)),
                ])
                .collect(),
        );
    }
    crate::summary::columns(&lines) + &format!("# {METHOD}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_have_in_common_drops_out() {
        let values = [(1.0, 1.5), (5.0, 5.5), (9.0, 9.5)];
        let one = difference(&values, 10.0);
        assert_eq!((one.pairs, one.difference, one.error), (3, 0.5, 0.0));
        assert!((one.unpaired_error - libm::sqrt(2.0 * 16.0 / 3.0)).abs() < 1e-12);
    }
}
