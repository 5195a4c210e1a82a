//! `hypercube(a)`: independent uniform points of a cube (P1 §11, a = 5).

use super::{Construction, Files, InitialLaw, Space, positive};
use crate::call::{Call, CallError};
use crate::constant;
use crate::random::Stream;

/// Independent tokens uniform in [−a, a]^d, for the systems in R^d.
#[derive(Debug)]
pub struct Hypercube {
    half: f64,
}

impl Hypercube {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        let half = call.number()?;
        positive(half, &call.arguments[0], "Half the side of a cube is positive")?;
        Ok(Self { half })
    }
}

impl InitialLaw for Hypercube {
    fn canonical(&self) -> String {
        format!("hypercube({})", constant::text(self.half))
    }

    fn on_sphere(&self) -> bool {
        false
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
        // 2u − 1 is exact: one rounding a coordinate.
        Ok((0..n * d).map(|_| self.half * (2.0 * stream.uniform() - 1.0)).collect())
    }
}
