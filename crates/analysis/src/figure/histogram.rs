//! `histogram`: distributions recorded by `histogram` in [observe], of one cell, at up to six times.

use std::collections::BTreeMap;

use crate::dataset::Dataset;
use crate::error::AnalysisError;

use super::Choice;
use super::choice::{MOST, describe, title};
use super::plot::{Axis, Figure, Layer, Panel};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let cell = choice.one(dataset)?;
    let name = dataset.cells[cell].name.clone();
    let columns = ["t", "of", "bin_low", "bin_high", "count"];
    let table = dataset.read("histogram", &columns, &|other| other.name == name)?;
    let (t, low, high, count) =
        (table.numbers("t"), table.numbers("bin_low"), table.numbers("bin_high"), table.numbers("count"));
    let mut kinds: BTreeMap<String, BTreeMap<u64, Vec<usize>>> = BTreeMap::new();
    for (row, time) in t.iter().enumerate() {
        let of = table.text("of", row).unwrap_or_default().to_owned();
        // Times are not negative: their bits are in their order.
        kinds.entry(of).or_default().entry(time.to_bits()).or_default().push(row);
    }
    let mut panels = Vec::new();
    for (of, times) in kinds {
        let all: Vec<(&u64, &Vec<usize>)> = times.iter().collect();
        let few: Vec<usize> = if all.len() <= MOST {
            (0..all.len()).collect()
        } else {
            (0..MOST).map(|index| index * (all.len() - 1) / (MOST - 1)).collect()
        };
        let mut layers = Vec::new();
        for (colour, index) in few.into_iter().enumerate() {
            let (bits, rows) = all[index];
            let total: f64 = rows.iter().map(|row| count[*row]).sum();
            let density = |row: usize| count[row] / (total * (high[row] - low[row])).max(f64::MIN_POSITIVE);
            let points = rows
                .iter()
                .flat_map(|row| [(low[*row], density(*row)), (high[*row], density(*row))])
                .collect();
            layers.push(Layer::line(
                points,
                format!("t = {}", super::ticks::short(f64::from_bits(*bits))),
                colour,
            ));
        }
        let of = of.replace('_', " ");
        let (x, y) = (Axis::linear(&of), Axis::linear("density"));
        panels.push(Panel::new(format!("{of}, all replicas"), x, y, layers));
    }
    let chosen = describe(dataset, cell, &(0..dataset.cells.len()).collect::<Vec<_>>());
    Ok(Figure { title: title(dataset, &[&chosen]), panels })
}
