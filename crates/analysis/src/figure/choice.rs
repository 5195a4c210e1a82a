//! Which cells a figure shows, and what they are called in it.

use crate::dataset::{Cell, Dataset};
use crate::error::AnalysisError;

use super::Choice;

/// Curves that one panel can hold.
pub const MOST: usize = 6;

impl Choice {
    /// The indices of the chosen cells.
    ///
    /// # Errors
    /// If there is none.
    pub fn cells(&self, dataset: &Dataset) -> Result<Vec<usize>, AnalysisError> {
        let named =
            |cell: &Cell| self.cell.as_ref().is_none_or(|start| cell.name.starts_with(start.as_str()));
        let chosen: Vec<usize> = (0..dataset.cells.len())
            .filter(|index| named(&dataset.cells[*index]) && self.condition.holds(&dataset.cells[*index]))
            .collect();
        if chosen.is_empty() {
            return Err(AnalysisError::Nothing("no cell of the dataset fulfils the condition".to_owned()));
        }
        Ok(chosen)
    }

    /// At most [`MOST`] of the chosen cells, spread evenly: the first and the last among them.
    ///
    /// # Errors
    /// If there is none.
    pub fn few(&self, dataset: &Dataset) -> Result<Vec<usize>, AnalysisError> {
        let all = self.cells(dataset)?;
        if all.len() <= MOST {
            return Ok(all);
        }
        Ok((0..MOST).map(|index| all[index * (all.len() - 1) / (MOST - 1)]).collect())
    }

    /// The first of the chosen cells.
    ///
    /// # Errors
    /// If there is none.
    pub fn one(&self, dataset: &Dataset) -> Result<usize, AnalysisError> {
        Ok(self.cells(dataset)?[0])
    }
}

/// `d = 2, β = 9`: what tells this cell from the others.
#[must_use]
pub fn describe(dataset: &Dataset, cell: usize, among: &[usize]) -> String {
    let cells: Vec<&Cell> = among.iter().map(|index| &dataset.cells[*index]).collect();
    named(&dataset.cells[cell], &dataset.axes(&cells))
}

/// A figure's title: the sweep's name and what of it is shown; empty parts are left out.
#[must_use]
pub fn title(dataset: &Dataset, parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { dataset.name.clone() } else { format!("{}: {}", dataset.name, parts.join(", ")) }
}

/// Characters of a cell's description, at most: it stands in titles and legends.
const LONGEST: usize = 48;
/// What a reader looks for first.
const FIRST: [&str; 6] = ["n", "d", "beta", "gamma", "normalization", "value"];

/// A cell by these keys, the well-known ones first; without what it does not have. If they are too many, its name stands for the
/// rest.
#[must_use]
pub fn named(cell: &Cell, keys: &[&str]) -> String {
    let place = |key: &&str| FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len());
    let mut keys = keys.to_vec();
    keys.sort_by_key(place);
    let one = |key: &str| {
        let value = cell.parameters.get(key)?;
        let symbol = match key {
            "beta" => "β",
            "gamma" => "γ",
            other => other,
        };
        (!value.is_missing()).then(|| format!("{symbol} = {value}"))
    };
    let mut text = String::new();
    for part in keys.into_iter().filter_map(one) {
        let longer = if text.is_empty() { part } else { format!("{text}, {part}") };
        if longer.chars().count() > LONGEST {
            let short: String = cell.name.chars().take(6).collect();
            return if text.is_empty() {
                format!("cell {short}")
            } else {
                format!("{text}, … (cell {short})")
            };
        }
        text = longer;
    }
    text
}

/// γ is β / log n, and β is γ log n: where one is the axis the other says nothing.
fn follows(axis: &str, key: &str) -> bool {
    axis == "gamma" || (key == "gamma" && axis == "beta")
}

/// The chosen cells in groups that differ in nothing but `key`; each with its name, sorted by `key`.
pub fn groups(dataset: &Dataset, chosen: &[usize], key: &str) -> Vec<(String, Vec<usize>)> {
    let cells: Vec<&Cell> = chosen.iter().map(|index| &dataset.cells[*index]).collect();
    let others: Vec<&str> =
        dataset.axes(&cells).into_iter().filter(|axis| *axis != key && !follows(axis, key)).collect();
    let mut groups: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
    for index in chosen {
        let text = |key: &&str| dataset.cells[*index].parameters.get(*key).map(ToString::to_string);
        let values: Vec<String> = others.iter().map(|key| text(key).unwrap_or_default()).collect();
        match groups.iter_mut().find(|(known, _)| *known == values) {
            Some((_, members)) => members.push(*index),
            None => groups.push((values, vec![*index])),
        }
    }
    for (_, members) in &mut groups {
        members.sort_by(|a, b| dataset.cells[*a].number(key).total_cmp(&dataset.cells[*b].number(key)));
    }
    groups.into_iter().map(|(_, members)| (named(&dataset.cells[members[0]], &others), members)).collect()
}

/// The middle of sorted numbers at `p`, by linear interpolation (type 7); NaN of none.
#[must_use]
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let place = p * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}
