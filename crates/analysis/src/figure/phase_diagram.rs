//! `phase-diagram`: an observable's mean over t and β (P0, Figures 2 and 3), a panel for each combination of the other axes.
//! The white-on-dark structure is the data's; the dashed line is Γ_{∞,δ}, where it is known (V = B = I, SA and USA).

use std::collections::HashMap;

use metasweep_dynamics::model::Normalization;
use metasweep_metastability::theory::gamma;

use crate::dataset::Dataset;
use crate::error::AnalysisError;
use crate::means::{Curve, curves};

use super::Choice;
use super::choice::groups;
use super::plot::{Axis, Figure, Layer, Panel, Tile};

/// δ of Γ_{∞,δ} where the sweep does not say.
const DELTA: f64 = 1e-3;

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let observable = choice.observable.as_deref().unwrap_or("pair_fraction");
    let chosen = choice.cells(dataset)?;
    let curves = curves(dataset, &chosen, &[observable.to_owned()])?;
    let curve_of: HashMap<usize, &Curve> = chosen.iter().copied().zip(&curves).collect();
    let mut panels = Vec::new();
    for (name, members) in groups(dataset, &chosen, "beta") {
        let betas: Vec<f64> = members.iter().map(|cell| dataset.cells[*cell].number("beta")).collect();
        let heights = edges(&betas);
        let mut tiles = Vec::new();
        for (cell, y) in members.iter().zip(&heights) {
            let Some(curve) = curve_of.get(cell) else { continue };
            for (value, x) in curve.means[observable].iter().zip(edges(&curve.t)) {
                tiles.push(Tile { x, y: *y, value: *value });
            }
        }
        if tiles.is_empty() {
            continue;
        }
        let mut layers = vec![Layer::Heat { tiles, label: observable.replace('_', " ") }];
        layers.extend(boundary(dataset, &members));
        panels.push(Panel::new(name, Axis::linear("t"), Axis::linear("β"), layers));
    }
    Ok(Figure { title: format!("{}: {}", dataset.name, observable.replace('_', " ")), panels })
}

/// Intervals around points: halfway to the neighbours.
fn edges(points: &[f64]) -> Vec<(f64, f64)> {
    let last = points.len().saturating_sub(1);
    let half = |a: usize, b: usize| f64::midpoint(points[a], points[b]);
    (0..points.len())
        .map(|at| {
            let low = if at == 0 { points[0] } else { half(at - 1, at) };
            let high = if at == last { points[last] } else { half(at, at + 1) };
            if last == 0 { (low - 0.5, high + 0.5) } else { (low, high) }
        })
        .collect()
}

fn boundary(dataset: &Dataset, members: &[usize]) -> Option<Layer> {
    let cell = &dataset.cells[*members.first()?];
    let normalization = match cell.text("normalization") {
        "softmax" => Normalization::Softmax,
        "unnormalized" => Normalization::Unnormalized,
        _ => return None,
    };
    let known = cell.text("value") == "identity"
        && cell.text("query_key") == "identity"
        && cell.text("model") == "attention";
    if !known {
        return None;
    }
    let n = cell.number("n") as usize;
    let points = members
        .iter()
        .map(|cell| dataset.cells[*cell].number("beta"))
        .map(|beta| (gamma::boundary(n, beta, normalization, DELTA), beta))
        .collect();
    // Black would be lost on the dark end of the colour map.
    Some(Layer::Line { points, label: Some("Γ, δ = 0.001".to_owned()), colour: 1, dashed: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_meet_halfway() {
        assert_eq!(edges(&[0.0, 1.0, 3.0]), [(0.0, 0.5), (0.5, 2.0), (2.0, 3.0)]);
        assert_eq!(edges(&[2.0]), [(1.5, 2.5)]);
    }
}
