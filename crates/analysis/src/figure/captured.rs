//! `captured`: the fraction of tokens captured by leaders (P2, Rényi centres) over time.

use crate::dataset::Dataset;
use crate::error::AnalysisError;

use super::Choice;
use super::curves::over_time;
use super::plot::{Axis, Figure};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let axis = Axis::linear("captured fraction");
    over_time(dataset, choice, "captured_fraction", ("tokens captured by leaders", axis), true, |value| value)
}
