//! `orthonormal`: n ≤ d mutually orthogonal tokens (P0 Theorem 4.6's start).

use super::frame::haar_frame;
use super::{Construction, Files, InitialLaw, Space, at_least_one};
use crate::call::{Call, CallError};
use crate::random::Stream;

/// A Haar-random orthonormal n-frame of R^d: random, so that a matrix V or QᵀK that is fixed meets tokens in general
/// position. The Gram matrix is I to rounding.
#[derive(Debug)]
pub struct Orthonormal;

impl Orthonormal {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        call.no_arguments()?;
        Ok(Self)
    }
}

impl InitialLaw for Orthonormal {
    fn canonical(&self) -> String {
        "orthonormal".to_owned()
    }

    fn common_cosine(&self) -> Option<f64> {
        Some(0.0)
    }

    fn check(&self, n: usize, d: usize) -> Result<(), String> {
        at_least_one(n, d)?;
        if n <= d {
            Ok(())
        } else {
            Err(format!("At most d vectors of R^d are mutually orthogonal, but n = {n} and d = {d}."))
        }
    }

    fn draw(
        &self,
        n: usize,
        d: usize,
        _construction: Construction,
        _space: Space,
        stream: &mut Stream,
        _files: &Files<'_>,
    ) -> Result<Vec<f64>, String> {
        self.check(n, d)?;
        Ok(haar_frame(n, d, stream))
    }
}
