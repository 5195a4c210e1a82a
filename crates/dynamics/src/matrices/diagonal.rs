//! `diag(a, b, …)`.

use super::MatrixFamily;
use crate::call::{Call, CallError};
use crate::complex::Complex;
use crate::constant;
use crate::initial::Files;
use crate::parameters::Operator;
use crate::random::Stream;

/// The diagonal matrix of d given entries; a multiple of I, and treated as one, if they are equal.
#[derive(Debug)]
pub struct Diagonal {
    entries: Vec<f64>,
}

impl Diagonal {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        // + 0.0: no minus zero.
        Ok(Self { entries: call.numbers()?.into_iter().map(|entry| entry + 0.0).collect() })
    }
}

impl MatrixFamily for Diagonal {
    fn canonical(&self) -> String {
        format!("diag({})", constant::list(&self.entries))
    }

    fn check(&self, d: usize) -> Result<(), String> {
        let given = self.entries.len();
        if given == d {
            Ok(())
        } else {
            Err(format!("A diagonal of {given} entries is a map of R^{given}, but d = {d}."))
        }
    }

    fn is_scalar(&self) -> Option<f64> {
        self.entries.iter().all(|entry| *entry == self.entries[0]).then(|| self.entries[0])
    }

    fn spectrum(&self, d: usize) -> Option<Vec<Complex>> {
        (self.entries.len() == d).then(|| self.entries.iter().map(|entry| Complex::real(*entry)).collect())
    }

    fn draw(&self, d: usize, _stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        if let Some(factor) = self.is_scalar() {
            return Ok(Operator::Scalar(factor));
        }
        self.check(d)?;
        Ok(Operator::Diagonal(self.entries.clone()))
    }
}
