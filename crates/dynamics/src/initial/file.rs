//! `file(x0.npy)`, `file(x0.safetensors; tensor=name)`: tokens given as an n × d array.

use super::{Construction, Files, InitialLaw, Space, normalize};
use crate::array_file::ArrayFile;
use crate::call::{Call, CallError};
use crate::random::Stream;

/// The rows of an array: on the sphere each divided by its length, in R^d as they are. Not random: every replica starts
/// the same.
#[derive(Debug)]
pub struct TokenFile {
    array: ArrayFile,
}

impl TokenFile {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        Ok(Self { array: ArrayFile::from_call(call)? })
    }
}

impl InitialLaw for TokenFile {
    fn canonical(&self) -> String {
        self.array.canonical()
    }

    fn files(&self) -> Vec<&str> {
        vec![self.array.name()]
    }

    fn draw(
        &self,
        n: usize,
        d: usize,
        _construction: Construction,
        space: Space,
        _stream: &mut Stream,
        files: &Files<'_>,
    ) -> Result<Vec<f64>, String> {
        self.check(n, d)?;
        let mut tokens = self.array.read_matrix(n, d, files)?;
        if space == Space::Euclidean {
            return Ok(tokens);
        }
        for (i, row) in tokens.chunks_exact_mut(d).enumerate() {
            if !normalize(row) {
                return Err(format!(
                    "Row {i} of `{}` has no direction: its length is zero or not finite.",
                    self.array.name()
                ));
            }
        }
        Ok(tokens)
    }
}
