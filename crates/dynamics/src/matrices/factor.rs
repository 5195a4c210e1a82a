//! Q and K apart: `gaussian`, `gaussian(r)` and `file(q.npy)`, which need not be square.

use nalgebra::DMatrix;

use super::MatrixFamily;
use crate::array_file::ArrayFile;
use crate::call::{Call, CallError};
use crate::initial::Files;
use crate::parameters::Operator;
use crate::random::Stream;

/// r × d independent N(0, 1) entries, drawn row by row; r = d where it is not given. `⟨Q x, K y⟩` of unit vectors then has
/// the variance r.
#[derive(Debug)]
pub struct GaussianFactor {
    rows: Option<usize>,
}

impl GaussianFactor {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        let Some(piece) = call.arguments.first() else {
            call.no_arguments()?;
            return Ok(Self { rows: None });
        };
        let rows = call.number()?;
        if rows.fract() != 0.0 || !(1.0..=1e6).contains(&rows) {
            let message = "`gaussian(r)` takes the number r of rows, an integer from 1 on.";
            return Err(CallError::at(piece.position, message));
        }
        Ok(Self { rows: Some(rows as usize) })
    }
}

impl MatrixFamily for GaussianFactor {
    fn canonical(&self) -> String {
        self.rows.map_or_else(|| "gaussian".to_owned(), |rows| format!("gaussian({rows})"))
    }

    fn is_random(&self) -> bool {
        true
    }

    fn draw(&self, d: usize, stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        let rows = self.rows.unwrap_or(d);
        let entries: Vec<f64> = (0..rows * d).map(|_| stream.normal()).collect();
        Ok(Operator::Dense(DMatrix::from_row_slice(rows, d, &entries)))
    }
}

/// The r × d array of a file, whatever r.
#[derive(Debug)]
pub struct FactorFile {
    array: ArrayFile,
}

impl FactorFile {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        Ok(Self { array: ArrayFile::from_call(call)? })
    }
}

impl MatrixFamily for FactorFile {
    fn canonical(&self) -> String {
        self.array.canonical()
    }

    fn files(&self) -> Vec<&str> {
        vec![self.array.name()]
    }

    fn draw(&self, d: usize, _stream: &mut Stream, files: &Files<'_>) -> Result<Operator, String> {
        let (rows, values) = self.array.read_rows(d, files)?;
        Ok(Operator::Dense(DMatrix::from_row_slice(rows, d, &values)))
    }
}
