//! `trajectory`: the tokens of a replica at its snapshots; on the circle their angles over time, elsewhere the
//! first two coordinates, a panel for each of up to six times; the half of the sphere with x₃ < 0 is lighter.

use std::collections::BTreeMap;

use crate::dataset::Dataset;
use crate::error::AnalysisError;

use super::Choice;
use super::choice::{describe, title};
use super::plot::{Axis, Figure, Layer, Panel};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let cell = choice.one(dataset)?;
    let name = dataset.cells[cell].name.clone();
    let table = dataset.read("tokens", &["t", "token", "replica", "x"], &|other| other.name == name)?;
    let (t, replica, x) = (table.numbers("t"), table.numbers("replica"), table.lists("x"));
    let mut states: BTreeMap<u64, Vec<Vec<f64>>> = BTreeMap::new();
    for row in (0..table.rows()).filter(|row| replica[*row] == f64::from(choice.replica)) {
        states.entry(t[row].to_bits()).or_default().push(x[row].clone());
    }
    let states: Vec<(f64, Vec<Vec<f64>>)> =
        states.into_iter().map(|(t, state)| (f64::from_bits(t), state)).collect();
    let chosen = describe(dataset, cell, &(0..dataset.cells.len()).collect::<Vec<_>>());
    Ok(of_states(&title(dataset, &[&chosen, &format!("replica {}", choice.replica)]), &states))
}

/// The figure of states in the order of their times.
#[must_use]
pub fn of_states(title: &str, states: &[(f64, Vec<Vec<f64>>)]) -> Figure {
    let d = states.first().and_then(|(_, state)| Some(state.first()?.len())).unwrap_or(0);
    let on_circle = d == 2 && states.iter().all(|(_, state)| on_sphere(state));
    let panels = if on_circle { vec![angles(states)] } else { projections(states) };
    Figure { title: title.to_owned(), panels }
}

/// Whether all have length one.
fn on_sphere(state: &[Vec<f64>]) -> bool {
    state.iter().all(|x| (x.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-6)
}

/// A line a token, its angle followed across ±π.
fn angles(states: &[(f64, Vec<Vec<f64>>)]) -> Panel {
    let tokens = states.first().map_or(0, |(_, state)| state.len());
    let mut layers = Vec::new();
    for token in 0..tokens {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (t, state) in states {
            let angle = libm::atan2(state[token][1], state[token][0]);
            let turn = 2.0 * std::f64::consts::PI;
            let before = points.last().map_or(angle, |(_, before)| *before);
            points.push((*t, angle + turn * ((before - angle) / turn).round()));
        }
        layers.push(Layer::line(points, None, 0));
    }
    Panel::new("angles of the tokens", Axis::linear("t"), Axis::linear("angle (radians)"), layers)
}

fn projections(states: &[(f64, Vec<Vec<f64>>)]) -> Vec<Panel> {
    let circle: Vec<(f64, f64)> = (0..=200)
        .map(|step| f64::from(step) / 200.0 * 2.0 * std::f64::consts::PI)
        .map(|a| (libm::cos(a), libm::sin(a)))
        .collect();
    let count = states.len().min(6);
    let chosen = (0..count)
        .map(|index| &states[if count == 1 { 0 } else { index * (states.len() - 1) / (count - 1) }]);
    chosen
        .map(|(t, state)| {
            // In three dimensions the far side of the sphere is lighter.
            let on_sphere = on_sphere(state);
            let is_near = |x: &Vec<f64>| !on_sphere || x.get(2).is_none_or(|z| *z >= 0.0);
            let side = |near: bool| {
                let here = |x: &&Vec<f64>| x.len() > 1 && is_near(x) == near;
                state.iter().filter(here).map(|x| (x[0], x[1])).collect()
            };
            // The outline of the sphere, if they are on it.
            let outline = if on_sphere { circle.clone() } else { Vec::new() };
            let layers = vec![
                Layer::line(outline, None, 6),
                Layer::Points { points: side(false), label: None, colour: 4 },
                Layer::Points { points: side(true), label: None, colour: 0 },
            ];
            let title = format!("t = {}", super::ticks::short(*t));
            Panel { equal: true, ..Panel::new(title, Axis::linear("x₁"), Axis::linear("x₂"), layers) }
        })
        .collect()
}
