//! `query_key` and `-query_key` as a value: V follows QᵀK.

use super::{MatrixFamily, ValueRule};
use crate::call::{Call, CallError};
use crate::initial::Files;
use crate::parameters::Operator;
use crate::random::Stream;

/// V = ±QᵀK/norm: ascent or descent along the gradient of the interaction energy (P0 §3.4 with symmetric QᵀK).
#[derive(Debug)]
pub struct FromQueryKey {
    sign: f64,
}

impl FromQueryKey {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        call.no_arguments()?;
        Ok(Self { sign: if call.name.text.starts_with('-') { -1.0 } else { 1.0 } })
    }
}

impl MatrixFamily for FromQueryKey {
    fn canonical(&self) -> String {
        if self.sign < 0.0 { "-query_key" } else { "query_key" }.to_owned()
    }

    fn rule(&self) -> ValueRule {
        ValueRule::FromQueryKey { sign: self.sign }
    }

    fn draw(&self, _d: usize, _stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        Err("A value `query_key` is made from QᵀK, not drawn.".to_owned())
    }
}
