//! `file(x0.npy)`: tokens given as an n × d array, normalized.

use super::{Construction, Files, InitialLaw, at_least_one, normalize};
use crate::call::{Call, CallError};
use crate::npy;
use crate::random::Stream;

/// The rows of a two-dimensional `.npy` array, each divided by its length. Not random: every replica starts the same.
#[derive(Debug)]
pub struct TokenFile {
    name: String,
}

impl TokenFile {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        Ok(Self { name: call.file(&[".npy"])?.to_owned() })
    }
}

impl InitialLaw for TokenFile {
    fn canonical(&self) -> String {
        format!("file({})", self.name)
    }

    fn files(&self) -> Vec<&str> {
        vec![&self.name]
    }

    fn check(&self, n: usize, d: usize) -> Result<(), String> {
        at_least_one(n, d)
    }

    fn draw(
        &self,
        n: usize,
        d: usize,
        _construction: Construction,
        _stream: &mut Stream,
        files: &Files<'_>,
    ) -> Result<Vec<f64>, String> {
        self.check(n, d)?;
        let mut tokens = npy::read_matrix(&self.name, n, d, files)?;
        for (i, row) in tokens.chunks_exact_mut(d).enumerate() {
            if !normalize(row) {
                return Err(format!(
                    "Row {i} of `{}` has no direction: its length is zero or not finite.",
                    self.name
                ));
            }
        }
        Ok(tokens)
    }
}
