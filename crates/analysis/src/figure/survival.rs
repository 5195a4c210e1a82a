//! `survival`: the share of replicas that have not collapsed, by Kaplan–Meier, with its 95 % band.

use crate::dataset::Dataset;
use crate::error::AnalysisError;
use crate::summary::collapse_times;

use super::Choice;
use super::choice::describe;
use super::plot::{Axis, Figure, Layer, Panel, staircase};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let cells = choice.few(dataset)?;
    let estimates = collapse_times(dataset, &cells)?;
    let firsts = estimates.iter().filter_map(|estimate| estimate.steps.first()).map(|step| step.t);
    let first = firsts.fold(f64::INFINITY, f64::min);
    let log = first > 0.0;
    let mut layers = Vec::new();
    for (colour, (cell, estimate)) in cells.iter().zip(&estimates).enumerate() {
        if estimate.steps.is_empty() {
            continue;
        }
        // Every curve from where the first one falls.
        let begin = (first, 1.0);
        let steps: Vec<(f64, f64)> = estimate.steps.iter().map(|step| (step.t, step.survival)).collect();
        let end = (estimate.last, estimate.steps.last().map_or(1.0, |step| step.survival));
        let points: Vec<(f64, f64)> = std::iter::once(begin).chain(steps).chain([end]).collect();
        let band = estimate.steps.iter().map(|step| (step.t, step.band().0, step.band().1)).collect();
        layers.push(Layer::Band { points: band, colour });
        layers.push(Layer::line(staircase(&points), describe(dataset, *cell, &cells), colour));
    }
    let x = if log { Axis::log("t") } else { Axis::linear("t") };
    let panel = Panel::new("Kaplan–Meier, 95% band", x, Axis::linear("share not collapsed"), layers);
    Ok(Figure { title: format!("{}: survival of the last clusters", dataset.name), panels: vec![panel] })
}
