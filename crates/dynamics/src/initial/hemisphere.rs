//! `hemisphere`: independent uniform points of a random half sphere (P0 Lemma 4.2: one cluster, exponentially fast).

use super::{Construction, Files, InitialLaw, Space, uniform_sphere};
use crate::call::{Call, CallError};
use crate::random::Stream;

/// Given a uniform pole p, independent tokens uniform on the half sphere ⟨x, p⟩ > 0: uniform tokens, negated where they
/// are on the other half. The pole is random so that a fixed V or QᵀK meets tokens in general position.
///
/// The pole is drawn first, as a vector of normals, of which only the direction counts. In the span of the tokens too:
/// with Gaussian rows L·O (`uniform_sphere.rs`) and a Gaussian pole g of R^d, ⟨O-row, g⟩ are independent normals,
/// independent of L.
#[derive(Debug)]
pub struct Hemisphere;

impl Hemisphere {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        call.no_arguments()?;
        Ok(Self)
    }
}

impl InitialLaw for Hemisphere {
    fn canonical(&self) -> String {
        "hemisphere".to_owned()
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
        let coordinates = construction.coordinates(n, d);
        let pole: Vec<f64> = (0..coordinates).map(|_| stream.normal()).collect();
        let mut tokens = uniform_sphere::unit_rows(n, d, construction, stream)?;
        for row in tokens.chunks_exact_mut(coordinates) {
            let height = pole.iter().zip(&*row).fold(0.0, |sum, (p, x)| sum + p * x);
            if height < 0.0 {
                for x in row {
                    *x = -*x;
                }
            }
        }
        Ok(tokens)
    }
}
