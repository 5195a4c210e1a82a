//! `clusters`: the number of clusters (or another observable) over time, with the band between the outermost quantiles.

use crate::dataset::Dataset;
use crate::error::AnalysisError;

use super::Choice;
use super::curves::over_time;
use super::plot::{Axis, Figure};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let observable = choice.observable.as_deref().unwrap_or("clusters");
    let title = format!("{observable} over time");
    over_time(dataset, choice, observable, (&title, Axis::linear(observable)), true, |value| value)
}
