//! `gaussian`, `gaussian(sigma)`: independent normal points of R^d.

use super::{Construction, Files, InitialLaw, Space, positive, uniform_sphere};
use crate::call::{Call, CallError};
use crate::constant;
use crate::random::Stream;

/// Independent tokens with independent N(0, σ²) coordinates (σ = 1 if it is not given), for the systems in R^d.
///
/// Where the Gram matrix alone counts and d > n: the rows of a Bartlett factor, times σ.
#[derive(Debug)]
pub struct Gaussian {
    sigma: f64,
}

impl Gaussian {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        if call.arguments.is_empty() {
            call.no_arguments()?;
            return Ok(Self { sigma: 1.0 });
        }
        let sigma = call.number()?;
        positive(sigma, &call.arguments[0], "A standard deviation is positive")?;
        Ok(Self { sigma })
    }
}

impl InitialLaw for Gaussian {
    fn canonical(&self) -> String {
        if self.sigma == 1.0 {
            "gaussian".to_owned()
        } else {
            format!("gaussian({})", constant::text(self.sigma))
        }
    }

    fn on_sphere(&self) -> bool {
        false
    }

    fn has_factor(&self) -> bool {
        true
    }

    fn draw(
        &self,
        n: usize,
        d: usize,
        construction: Construction,
        _space: Space,
        stream: &mut Stream,
        _files: &Files<'_>,
    ) -> Result<Vec<f64>, String> {
        self.check(n, d)?;
        let mut tokens = uniform_sphere::normal_rows(n, d, construction, stream)?;
        for x in &mut tokens {
            *x *= self.sigma;
        }
        Ok(tokens)
    }
}
