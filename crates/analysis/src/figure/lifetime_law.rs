//! `lifetime-law`: how long plateaus last against β(1 − closest cosine): the closest pair decides, and its time is about exp of
//! that (P3). The dashed line has slope one and goes
//! through the middle of the plateaus whose clusters are well separated.

use crate::dataset::Dataset;
use crate::error::AnalysisError;

use super::Choice;
use super::choice::{groups, quantile};
use super::plot::{Axis, Figure, Layer, Panel};

/// From here on clusters are apart from each other; below, tokens are still on their way.
const SEPARATED: f64 = 2.0;

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let chosen = choice.cells(dataset)?;
    let columns = ["lifetime", "censored", "closest_cosine", "clusters"];
    let table = dataset.read("plateaus", &columns, &|cell| choice.condition.holds(cell))?;
    let (lifetime, censored) = (table.numbers("lifetime"), table.numbers("censored"));
    let (cosine, clusters) = (table.numbers("closest_cosine"), table.numbers("clusters"));
    let rows = table.by_cell();
    let (mut layers, mut offsets) = (Vec::new(), Vec::new());
    for (colour, (name, members)) in groups(dataset, &chosen, "beta").into_iter().enumerate() {
        let mut points = Vec::new();
        for cell in members {
            let beta = dataset.cells[cell].number("beta");
            for row in rows.get(&cell).into_iter().flatten().copied() {
                // A plateau of one cluster has no pair, one that was not seen to end has no lifetime.
                if clusters[row] > 1.0 && censored[row] == 0.0 && lifetime[row] > 0.0 {
                    let x = beta * (1.0 - cosine[row]);
                    if x >= SEPARATED {
                        offsets.push(libm::log(lifetime[row]) - x);
                    }
                    points.push((x, lifetime[row]));
                }
            }
        }
        if !points.is_empty() {
            layers.push(Layer::Points { points, label: (!name.is_empty()).then_some(name), colour });
        }
    }
    offsets.sort_by(f64::total_cmp);
    let offset = quantile(&offsets, 0.5);
    let most = layers.iter().flat_map(|layer| match layer {
        Layer::Points { points, .. } => points.iter().map(|(x, _)| *x).collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let most = most.fold(0.0, f64::max);
    if !offsets.is_empty() {
        let line = (0..=100)
            .map(|step| f64::from(step) / 100.0 * most)
            .map(|x| (x, libm::exp(x + offset)))
            .collect();
        layers.push(Layer::theory(line, "slope 1"));
    }
    let panel = Panel::new(
        "every plateau that was seen to end",
        Axis::linear("β (1 − closest cosine)"),
        Axis::log("lifetime t"),
        layers,
    );
    Ok(Figure { title: format!("{}: lifetimes of plateaus", dataset.name), panels: vec![panel] })
}
