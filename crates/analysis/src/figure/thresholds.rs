//! `thresholds`: the number of clusters at the last sample time against the threshold δ that tells them apart.

use crate::dataset::Dataset;
use crate::error::AnalysisError;
use crate::means::{curves, observables};

use super::Choice;
use super::choice::describe;
use super::plot::{Axis, Figure, Layer, Panel};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let observable = choice.observable.as_deref().unwrap_or("clusters");
    let cells = choice.few(dataset)?;
    let prefix = format!("{observable}_delta_");
    let further = observables(dataset)?.into_iter().filter_map(|name| {
        let delta = name.strip_prefix(&prefix)?.parse::<f64>().ok()?;
        Some((delta, name))
    });
    let mut columns: Vec<(f64, String)> =
        further.chain([(first_delta(&dataset.sweep), observable.to_owned())]).collect();
    columns.sort_by(|a, b| a.0.total_cmp(&b.0));
    if columns.len() < 2 {
        return Err(AnalysisError::Nothing(
            "thresholds: there is one δ only; record several with delta = [1e-4, 1e-3, 1e-2] in [observe]"
                .to_owned(),
        ));
    }
    let names: Vec<String> = columns.iter().map(|(_, name)| name.clone()).collect();
    let mut layers = Vec::new();
    for (colour, (cell, curve)) in cells.iter().zip(curves(dataset, &cells, &names)?).enumerate() {
        if curve.t.is_empty() {
            continue;
        }
        let last = |name: &String| curve.means[name].last().copied().unwrap_or(f64::NAN);
        let points: Vec<(f64, f64)> = columns.iter().map(|(delta, name)| (*delta, last(name))).collect();
        layers.push(Layer::line(points.clone(), None, colour));
        layers.push(Layer::Points { points, label: Some(describe(dataset, *cell, &cells)), colour });
    }
    let panel = Panel::new(
        "mean over replicas at the last sample time",
        Axis::log("threshold δ"),
        Axis::linear(observable),
        layers,
    );
    Ok(Figure { title: format!("{}: clusters by threshold", dataset.name), panels: vec![panel] })
}

/// The first δ of the sweep, which names its columns without a suffix.
fn first_delta(sweep: &str) -> f64 {
    let line =
        sweep.lines().find_map(|line| line.trim().strip_prefix("delta")?.trim_start().strip_prefix('='));
    let first = line.and_then(|value| value.trim().trim_start_matches('[').split([',', ']']).next());
    first.and_then(|first| first.trim().parse().ok()).unwrap_or(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_threshold_of_a_sweep() {
        assert_eq!(first_delta("[observe]\ndelta = [0.01, 0.1]\n"), 0.01);
        assert_eq!(first_delta("delta = 1e-4"), 1e-4);
        assert_eq!(first_delta(""), 1e-3);
    }
}
