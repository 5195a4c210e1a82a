//! `energy`: the energy over time; of one replica (level = "replica") the staircase of P0 §8.1 and P3.

use crate::dataset::Dataset;
use crate::error::AnalysisError;

use super::Choice;
use super::curves::over_time;
use super::plot::{Axis, Figure};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    over_time(dataset, choice, "energy", ("energy", Axis::linear("energy")), true, |value| value)
}
