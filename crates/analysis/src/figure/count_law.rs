//! `count-law`: clusters of the first plateau against √β: mean and two standard errors (P2, P3: the number grows like √β on the
//! circle).

use crate::dataset::Dataset;
use crate::error::AnalysisError;
use crate::moments::mean_and_error;

use super::Choice;
use super::choice::groups;
use super::plot::{Axis, Figure, Layer, Panel};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let chosen = choice.cells(dataset)?;
    let table =
        dataset.read("replicas", &["first_plateau_clusters"], &|cell| choice.condition.holds(cell))?;
    let (counts, rows) = (table.numbers("first_plateau_clusters"), table.by_cell());
    let mut layers = Vec::new();
    for (colour, (name, members)) in groups(dataset, &chosen, "beta").into_iter().enumerate() {
        let (mut means, mut errors) = (Vec::new(), Vec::new());
        for cell in members {
            let root = libm::sqrt(dataset.cells[cell].number("beta"));
            let there = rows.get(&cell).into_iter().flatten().map(|row| counts[*row]);
            let (mean, error) = mean_and_error(there.filter(|count| !count.is_nan()));
            if mean.is_nan() {
                continue;
            }
            // Of a single replica it is not known.
            let error = if error.is_nan() { 0.0 } else { error };
            means.push((root, mean));
            errors.push((root, mean - 2.0 * error, mean + 2.0 * error));
        }
        if means.is_empty() {
            continue;
        }
        layers.push(Layer::Intervals { points: errors, colour });
        layers.push(Layer::line(means.clone(), None, colour));
        layers.push(Layer::Points { points: means, label: (!name.is_empty()).then_some(name), colour });
    }
    let (x, y) = (Axis::linear("√β"), Axis::linear("clusters of the first plateau"));
    let panel = Panel::new("mean ± 2 standard errors", x, y, layers);
    Ok(Figure { title: format!("{}: how many clusters", dataset.name), panels: vec![panel] })
}
