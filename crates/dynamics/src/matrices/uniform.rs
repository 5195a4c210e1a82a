//! `uniform`: independent uniform entries (P1 §11).

use nalgebra::DMatrix;

use super::MatrixFamily;
use crate::call::{Call, CallError};
use crate::initial::Files;
use crate::parameters::Operator;
use crate::random::Stream;

/// Independent entries, uniform in [−1, 1]. P1 draws Q, K and V so; QᵀK itself has this law only if the sweep says
/// `query_key = "uniform"`.
#[derive(Debug)]
pub struct Uniform;

impl Uniform {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        call.no_arguments()?;
        Ok(Self)
    }
}

impl MatrixFamily for Uniform {
    fn canonical(&self) -> String {
        "uniform".to_owned()
    }

    fn is_random(&self) -> bool {
        true
    }

    fn draw(&self, d: usize, stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        // 2u − 1 is exact.
        let entries: Vec<f64> = (0..d * d).map(|_| 2.0 * stream.uniform() - 1.0).collect();
        Ok(Operator::Dense(DMatrix::from_row_slice(d, d, &entries)))
    }
}
