//! `file(v.npy)`: a given matrix.

use nalgebra::DMatrix;

use super::MatrixFamily;
use crate::call::{Call, CallError};
use crate::initial::Files;
use crate::npy;
use crate::parameters::Operator;
use crate::random::Stream;

/// The d × d array of a `.npy` file.
#[derive(Debug)]
pub struct MatrixFile {
    name: String,
}

impl MatrixFile {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        Ok(Self { name: call.file(&[".npy"])?.to_owned() })
    }
}

impl MatrixFamily for MatrixFile {
    fn canonical(&self) -> String {
        format!("file({})", self.name)
    }

    fn files(&self) -> Vec<&str> {
        vec![&self.name]
    }

    fn draw(&self, d: usize, _stream: &mut Stream, files: &Files<'_>) -> Result<Operator, String> {
        Ok(Operator::Dense(DMatrix::from_row_slice(d, d, &npy::read_matrix(&self.name, d, d, files)?)))
    }
}
