//! `against`: an observable at the last sample time against a number of the grid: mean over replicas, with two standard errors where the
//! dataset holds every replica's; a curve for each combination of the other keys.

use crate::dataset::Dataset;
use crate::error::AnalysisError;
use crate::means::{is_by_replica, observables};
use crate::moments::mean_and_error;

use super::Choice;
use super::choice::{MOST, groups};
use super::plot::{Axis, Figure, Layer, Panel};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let key = choice.against.as_deref().unwrap_or("beta");
    let chosen = choice.cells(dataset)?;
    let chosen: Vec<usize> =
        chosen.into_iter().filter(|cell| dataset.cells[*cell].number(key).is_finite()).collect();
    if chosen.is_empty() {
        return Err(AnalysisError::Usage(format!(
            "against: `{key}` is no number of the chosen cells. Keys of this sweep: {}.",
            dataset.keys.join(", ")
        )));
    }
    let known = observables(dataset)?;
    let Some(observable) = choice.observable.as_ref().or(known.first()) else {
        return Err(AnalysisError::Nothing("against: the dataset has no table `series`".to_owned()));
    };
    let by_replica = is_by_replica(&dataset.columns("series")?);
    let column = if by_replica { observable.clone() } else { format!("{observable}_mean") };
    let table = dataset.read("series", &["t", &column], &|cell| choice.condition.holds(cell))?;
    let (t, values, rows) = (table.numbers("t"), table.numbers(&column), table.by_cell());
    let mut groups = groups(dataset, &chosen, key);
    let total = groups.len();
    if total > MOST {
        let mut index = 0;
        groups.retain(|_| {
            index += 1;
            (0..MOST).any(|shown| shown * (total - 1) / (MOST - 1) == index - 1)
        });
    }
    let mut layers = Vec::new();
    for (colour, (name, members)) in groups.into_iter().enumerate() {
        let (mut means, mut errors) = (Vec::new(), Vec::new());
        for cell in members {
            let rows = rows.get(&cell).map_or(&[][..], Vec::as_slice);
            let last = rows.iter().map(|row| t[*row]).fold(0.0, f64::max);
            let at_the_end = rows.iter().filter(|row| t[**row] >= last).map(|row| values[*row]);
            let (mean, error) = mean_and_error(at_the_end.filter(|value| !value.is_nan()));
            if mean.is_nan() {
                continue;
            }
            let x = dataset.cells[cell].number(key);
            means.push((x, mean));
            if by_replica && !error.is_nan() {
                errors.push((x, mean - 2.0 * error, mean + 2.0 * error));
            }
        }
        if means.is_empty() {
            continue;
        }
        if !errors.is_empty() {
            layers.push(Layer::Intervals { points: errors, colour });
        }
        layers.push(Layer::line(means.clone(), None, colour));
        layers.push(Layer::Points { points: means, label: (!name.is_empty()).then_some(name), colour });
    }
    let symbol = match key {
        "beta" => "β",
        "gamma" => "γ",
        "kappa" => "κ",
        other => other,
    };
    let what = if by_replica { "mean ± 2 standard errors" } else { "mean over replicas" };
    let panel = Panel::new(what, Axis::linear(symbol), Axis::linear(observable), layers);
    Ok(Figure { title: format!("{}: {observable} at the end", dataset.name), panels: vec![panel] })
}
