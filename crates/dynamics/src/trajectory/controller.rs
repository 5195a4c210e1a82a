//! The length of the next step: a PI controller, and where steps shrink Gustafsson's predictive one (Hairer, Nørsett and Wanner,
//! *Solving Ordinary Differential Equations*, IV.2 and IV.8).
//!
//! Towards a merge the rates grow like 1/(T − t), and tolerable steps shrink by the same factor again and again: a controller that only
//! looks at the last error asks for too much every time. The predictive one takes the factor from the last two steps.

use serde::{Deserialize, Serialize};

/// Exponents of this error and of the one before, for a method of order 8.
const PROPORTIONAL: f64 = 0.04;
const INTEGRAL: f64 = ORDER - 0.75 * PROPORTIONAL;
/// Steps grow like this power of the tolerance.
pub(super) const ORDER: f64 = 0.125;
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
    /// Its length; 0 if there is none.
    length: f64,
    /// Whether the last attempt was rejected.
    rejected: bool,
}

impl Controller {
    pub fn new() -> Self {
        Self { error: LEAST, length: 0.0, rejected: false }
    }

    /// The factor of the step's length, and whether the step is good; `error` is what its error is worth over the tolerance.
    pub fn judge(&mut self, length: f64, error: f64) -> (f64, bool) {
        if !error.is_finite() {
            self.rejected = true;
            return (COLLAPSE, false);
        }
        let integral = libm::pow(error.max(1e-30), INTEGRAL);
        if error > 1.0 {
            self.rejected = true;
            return (f64::max(SHRINK, SAFETY / integral), false);
        }
        let mut factor = SAFETY * libm::pow(self.error, PROPORTIONAL) / integral;
        let bounded = error.max(LEAST);
        if self.length > 0.0 {
            let tolerable = length / self.length * libm::pow(self.error / bounded, ORDER);
            factor = factor.min(SAFETY * tolerable / libm::pow(bounded, ORDER));
        }
        let most = if self.rejected { 1.0 } else { GROW };
        *self = Self { error: bounded, length, rejected: false };
        (factor.clamp(SHRINK, most), true)
    }
}
