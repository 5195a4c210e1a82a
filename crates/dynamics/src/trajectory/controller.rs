//! The length of the next step: a PI controller (Gustafsson; Hairer, Nørsett and Wanner, II.4 and IV.2).

use serde::{Deserialize, Serialize};

/// Exponents of this error and of the one before, for a pair of order 5.
const PROPORTIONAL: f64 = 0.04;
const INTEGRAL: f64 = 0.2 - 0.75 * PROPORTIONAL;
/// The next step is made so much shorter than the error allows.
const SAFETY: f64 = 0.9;
/// Most that a step may shrink or grow.
const SHRINK: f64 = 0.2;
const GROW: f64 = 10.0;
/// What a step shrinks by if a number in it was not finite.
const COLLAPSE: f64 = 0.05;
/// Errors below this are as good as this.
const LEAST: f64 = 1e-4;

/// What it remembers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Controller {
    /// The error of the last accepted step, over the tolerance.
    error: f64,
    /// Whether the last attempt was rejected.
    rejected: bool,
}

impl Controller {
    pub fn new() -> Self {
        Self { error: LEAST, rejected: false }
    }

    /// The factor of the step's length, and whether the step is good; `error` is what its error is worth over the tolerance.
    pub fn judge(&mut self, error: f64) -> (f64, bool) {
        if !error.is_finite() {
            self.rejected = true;
            return (COLLAPSE, false);
        }
        let integral = libm::pow(error.max(1e-30), INTEGRAL);
        if error > 1.0 {
            self.rejected = true;
            return (f64::max(SHRINK, SAFETY / integral), false);
        }
        let factor = SAFETY * libm::pow(self.error, PROPORTIONAL) / integral;
        let most = if self.rejected { 1.0 } else { GROW };
        *self = Self { error: error.max(LEAST), rejected: false };
        (factor.clamp(SHRINK, most), true)
    }
}
