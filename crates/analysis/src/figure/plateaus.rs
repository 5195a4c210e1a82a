//! `plateaus`: how long states of so many clusters last: every plateau, and the median of each number.

use std::collections::BTreeMap;

use crate::dataset::Dataset;
use crate::error::AnalysisError;
use crate::survival::KaplanMeier;

use super::Choice;
use super::choice::describe;
use super::plot::{Axis, Figure, Layer, Panel};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let cells = choice.few(dataset)?;
    let names: Vec<&str> = cells.iter().map(|cell| dataset.cells[*cell].name.as_str()).collect();
    let table = dataset.read("plateaus", &["lifetime", "censored", "clusters"], &|cell| {
        names.contains(&cell.name.as_str())
    })?;
    let (lifetime, censored, clusters) =
        (table.numbers("lifetime"), table.numbers("censored"), table.numbers("clusters"));
    let rows = table.by_cell();
    let (mut layers, mut bars) = (Vec::new(), Vec::new());
    for (colour, cell) in cells.iter().enumerate() {
        let mut by_count: BTreeMap<u64, Vec<(f64, bool)>> = BTreeMap::new();
        // Beside each other, not on each other.
        let shift = (colour as f64 - (cells.len() as f64 - 1.0) / 2.0) * 0.08;
        let mut points = Vec::new();
        for row in rows.get(cell).into_iter().flatten().copied().filter(|row| lifetime[*row] > 0.0) {
            by_count.entry(clusters[row] as u64).or_default().push((lifetime[row], censored[row] == 0.0));
            points.push((clusters[row] + shift, lifetime[row]));
        }
        let medians: Vec<(f64, f64)> = by_count
            .iter()
            .filter_map(|(count, times)| Some((*count as f64, KaplanMeier::of(times).quantile(0.5)?)))
            .collect();
        layers.push(Layer::Points { points, label: Some(describe(dataset, *cell, &cells)), colour });
        // A bar at each median; a line would join numbers between which there is nothing.
        for (count, median) in medians {
            let points = vec![(count + shift - 0.3, median), (count + shift + 0.3, median)];
            bars.push(Layer::line(points, None, colour));
        }
    }
    layers.append(&mut bars);
    let panel = Panel::new(
        "points: plateaus; bars: medians (Kaplan–Meier)",
        Axis::linear("clusters"),
        Axis::log("lifetime t"),
        layers,
    );
    Ok(Figure { title: format!("{}: lifetimes of plateaus", dataset.name), panels: vec![panel] })
}
