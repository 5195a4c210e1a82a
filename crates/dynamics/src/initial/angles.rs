//! `angles(a, b, …)`: given points of the circle, in radians.

use super::{Construction, Files, InitialLaw, Space};
use crate::call::{Call, CallError};
use crate::constant;
use crate::random::Stream;

/// x_i = (cos a_i, sin a_i), d = 2, one angle a token. Not random: every replica starts the same.
#[derive(Debug)]
pub struct Angles {
    angles: Vec<f64>,
}

impl Angles {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        // + 0.0: no minus zero.
        Ok(Self { angles: call.numbers()?.into_iter().map(|angle| angle + 0.0).collect() })
    }
}

impl InitialLaw for Angles {
    fn canonical(&self) -> String {
        format!("angles({})", constant::list(&self.angles))
    }

    fn check(&self, n: usize, d: usize) -> Result<(), String> {
        if d != 2 {
            return Err(format!("An angle is a point of the circle, d = 2, but d = {d}."));
        }
        let given = self.angles.len();
        if given == n { Ok(()) } else { Err(format!("{given} angles are given for n = {n} tokens.")) }
    }

    fn draw(
        &self,
        n: usize,
        d: usize,
        _construction: Construction,
        _space: Space,
        _stream: &mut Stream,
        _files: &Files<'_>,
    ) -> Result<Vec<f64>, String> {
        self.check(n, d)?;
        Ok(self.angles.iter().flat_map(|&angle| [libm::cos(angle), libm::sin(angle)]).collect())
    }
}
