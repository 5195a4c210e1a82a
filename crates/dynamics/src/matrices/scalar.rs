//! `identity` and `-identity`.

use super::MatrixFamily;
use crate::call::{Call, CallError};
use crate::initial::Files;
use crate::parameters::Operator;
use crate::random::Stream;

/// c·I with c = 1 or −1.
#[derive(Debug)]
pub struct Scalar {
    factor: f64,
}

impl Scalar {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        call.no_arguments()?;
        Ok(Self { factor: if call.name.text.starts_with('-') { -1.0 } else { 1.0 } })
    }
}

impl MatrixFamily for Scalar {
    fn canonical(&self) -> String {
        if self.factor < 0.0 { "-identity" } else { "identity" }.to_owned()
    }

    fn is_scalar(&self) -> Option<f64> {
        Some(self.factor)
    }

    fn draw(&self, _d: usize, _stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        Ok(Operator::Scalar(self.factor))
    }
}
