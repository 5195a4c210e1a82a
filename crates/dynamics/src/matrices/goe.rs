//! `goe`: the Gaussian orthogonal ensemble.

use super::{MatrixFamily, normals};
use crate::call::{Call, CallError};
use crate::initial::Files;
use crate::parameters::Operator;
use crate::random::Stream;

/// (G + Gᵀ)/√2 with independent N(0, 1) entries of G: off-diagonal variance 1, diagonal variance 2.
#[derive(Debug)]
pub struct Goe;

impl Goe {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        call.no_arguments()?;
        Ok(Self)
    }
}

impl MatrixFamily for Goe {
    fn canonical(&self) -> String {
        "goe".to_owned()
    }

    fn is_random(&self) -> bool {
        true
    }

    fn gradient_norm(&self, d: usize) -> f64 {
        (d as f64 + 1.0).sqrt()
    }

    fn draw(&self, d: usize, stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        let g = normals(d, stream);
        Ok(Operator::Dense(g.map_with_location(|i, j, a| (a + g[(j, i)]) / std::f64::consts::SQRT_2)))
    }
}
