//! `file(v.npy)`, `file(model.safetensors; tensor=name)`: a given matrix.

use nalgebra::DMatrix;

use super::MatrixFamily;
use crate::array_file::ArrayFile;
use crate::call::{Call, CallError};
use crate::initial::Files;
use crate::parameters::Operator;
use crate::random::Stream;

/// The d × d array of a file.
#[derive(Debug)]
pub struct MatrixFile {
    array: ArrayFile,
}

impl MatrixFile {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        Ok(Self { array: ArrayFile::from_call(call)? })
    }
}

impl MatrixFamily for MatrixFile {
    fn canonical(&self) -> String {
        self.array.canonical()
    }

    fn files(&self) -> Vec<&str> {
        vec![self.array.name()]
    }

    fn draw(&self, d: usize, _stream: &mut Stream, files: &Files<'_>) -> Result<Operator, String> {
        Ok(Operator::Dense(DMatrix::from_row_slice(d, d, &self.array.read_matrix(d, d, files)?)))
    }
}
