//! `rates`: 1 − mean cosine over time on a logarithmic axis: straight lines are exponential, by layer norm (P2).

use crate::dataset::Dataset;
use crate::error::AnalysisError;

use super::Choice;
use super::curves::over_time;
use super::plot::{Axis, Figure};

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    // Beyond rounding there is nothing to show.
    let gap = |cosine: f64| if 1.0 - cosine > 1e-15 { 1.0 - cosine } else { f64::NAN };
    over_time(
        dataset,
        choice,
        "mean_cosine",
        ("how fast cosines go to one", Axis::log("1 − mean cosine")),
        false,
        gap,
    )
}
