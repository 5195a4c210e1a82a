//! `gaussian`: independent normals.

use super::{MatrixFamily, Role, normals};
use crate::call::{Call, CallError};
use crate::initial::Files;
use crate::linear::product;
use crate::parameters::Operator;
use crate::random::Stream;

/// As a value V = G with independent N(0, 1) entries; as QᵀK the product G₁G₂/√d of two such matrices, G₁ drawn first
/// (the authors' code for P0 Fig. 4).
#[derive(Debug)]
pub struct Gaussian {
    role: Role,
}

impl Gaussian {
    pub(super) fn from_call(call: &Call<'_>, role: Role) -> Result<Self, CallError> {
        call.no_arguments()?;
        Ok(Self { role })
    }
}

impl MatrixFamily for Gaussian {
    fn canonical(&self) -> String {
        "gaussian".to_owned()
    }

    fn is_random(&self) -> bool {
        true
    }

    fn gradient_norm(&self, d: usize) -> f64 {
        (d as f64).sqrt()
    }

    fn draw(&self, d: usize, stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        let first = normals(d, stream);
        Ok(Operator::Dense(match self.role {
            Role::Value | Role::Factor => first,
            Role::QueryKey => {
                let norm = (d as f64).sqrt();
                product(&first, &normals(d, stream)).map(|a| a / norm)
            }
        }))
    }
}
