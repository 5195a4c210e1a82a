//! `collapse-law`: median collapse times against β, with quartiles, on a logarithmic axis (log T grows linearly in β). For pairs of
//! tokens the exact time from their initial cosine is drawn too.

use metasweep_dynamics::model::Normalization;
use metasweep_metastability::theory::pair_collapse::pair_collapse_time;

use crate::dataset::Dataset;
use crate::error::AnalysisError;
use crate::summary::collapse_times;

use super::Choice;
use super::choice::groups;
use super::plot::{Axis, Figure, Layer, Panel};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let chosen = choice.cells(dataset)?;
    let mut layers = Vec::new();
    for (colour, (name, members)) in groups(dataset, &chosen, "beta").into_iter().enumerate() {
        let estimates = collapse_times(dataset, &members)?;
        let (mut medians, mut quartiles) = (Vec::new(), Vec::new());
        for (cell, estimate) in members.iter().zip(&estimates) {
            let beta = dataset.cells[*cell].number("beta");
            if let Some(median) = estimate.quantile(0.5) {
                medians.push((beta, median));
                let low = estimate.quantile(0.25).unwrap_or(median);
                let high = estimate.quantile(0.75).unwrap_or(median);
                quartiles.push((beta, low, high));
            }
        }
        if medians.is_empty() {
            continue;
        }
        let label = (!name.is_empty()).then_some(name);
        layers.push(Layer::Intervals { points: quartiles, colour });
        layers.push(Layer::line(medians.clone(), None, colour));
        layers.push(Layer::Points { points: medians, label, colour });
        layers.extend(pair(dataset, &members));
    }
    let (x, y) = (Axis::linear("β"), Axis::log("collapse time t"));
    let panel = Panel::new("median and quartiles (Kaplan–Meier)", x, y, layers);
    Ok(Figure { title: format!("{}: collapse times", dataset.name), panels: vec![panel] })
}

/// The exact collapse time of two tokens at `angles(a, b)` or `equiangular(ρ)`.
fn pair(dataset: &Dataset, members: &[usize]) -> Option<Layer> {
    let cell = &dataset.cells[*members.first()?];
    let normalization = match cell.text("normalization") {
        "softmax" => Normalization::Softmax,
        "unnormalized" => Normalization::Unnormalized,
        _ => return None,
    };
    if cell.number("n") != 2.0 || cell.text("value") != "identity" || cell.text("query_key") != "identity" {
        return None;
    }
    let initial = cell.text("initial");
    let inside = |name: &str| initial.strip_prefix(name)?.strip_suffix(')');
    let start = if let Some(rho) = inside("equiangular(") {
        rho.parse::<f64>().ok()?
    } else if initial == "orthonormal" {
        0.0
    } else {
        let angles: Vec<f64> =
            inside("angles(")?.split(',').filter_map(|angle| angle.trim().parse().ok()).collect();
        let [a, b] = angles[..] else { return None };
        libm::cos(a - b)
    };
    let time = |beta: f64| pair_collapse_time(beta, normalization, start, 1e-3);
    let points = members
        .iter()
        .map(|cell| dataset.cells[*cell].number("beta"))
        .map(|beta| (beta, time(beta)))
        .collect();
    Some(Layer::theory(points, "two tokens, exactly"))
}
