//! `wishart`: random positive semidefinite matrices.

use super::{MatrixFamily, normals};
use crate::call::{Call, CallError};
use crate::initial::Files;
use crate::linear::product;
use crate::parameters::Operator;
use crate::random::Stream;

/// G·Gᵀ/√d with independent N(0, 1) entries of G, d × d.
#[derive(Debug)]
pub struct Wishart;

impl Wishart {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        call.no_arguments()?;
        Ok(Self)
    }
}

impl MatrixFamily for Wishart {
    fn canonical(&self) -> String {
        "wishart".to_owned()
    }

    fn is_random(&self) -> bool {
        true
    }

    fn draw(&self, d: usize, stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        let g = normals(d, stream);
        let norm = (d as f64).sqrt();
        Ok(Operator::Dense(product(&g, &g.transpose()).map(|a| a / norm)))
    }
}
