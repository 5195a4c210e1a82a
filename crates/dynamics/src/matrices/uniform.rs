//! `uniform`: independent uniform entries (P1 §11).

use nalgebra::DMatrix;

use super::MatrixFamily;
use crate::call::{Call, CallError};
use crate::constant;
use crate::initial::Files;
use crate::parameters::Operator;
use crate::random::Stream;

/// Independent entries, uniform in [−1, 1], or in [a, b]. P1 draws Q, K and V so; QᵀK itself has this law only if the sweep
/// says `query_key = "uniform"`.
#[derive(Debug)]
pub struct Uniform {
    low: f64,
    high: f64,
}

impl Uniform {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        if call.arguments.is_empty() {
            return call.no_arguments().map(|()| Self { low: -1.0, high: 1.0 });
        }
        let position = call.arguments[0].position;
        match call.numbers()?[..] {
            [low, high] if low < high && (high - low).is_finite() => {
                Ok(Self { low: low + 0.0, high: high + 0.0 })
            }
            [low, high] => Err(CallError::at(
                position,
                format!(
                    "`uniform(a, b)` needs a < b, and {} is not below {}.",
                    constant::text(low),
                    constant::text(high)
                ),
            )),
            _ => Err(CallError::at(position, "`uniform` has no arguments, or two: `uniform(0, 1)`.")),
        }
    }
}

impl MatrixFamily for Uniform {
    fn canonical(&self) -> String {
        if (self.low, self.high) == (-1.0, 1.0) {
            return "uniform".to_owned();
        }
        format!("uniform({})", constant::list(&[self.low, self.high]))
    }

    fn is_random(&self) -> bool {
        true
    }

    fn draw(&self, d: usize, stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        // One rounding for [−1, 1]: 2u is exact.
        let width = self.high - self.low;
        let entries: Vec<f64> = (0..d * d).map(|_| width * stream.uniform() + self.low).collect();
        Ok(Operator::Dense(DMatrix::from_row_slice(d, d, &entries)))
    }
}
