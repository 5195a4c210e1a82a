//! `equiangular(rho)`: all cosines equal to ρ (docs/models.md).

use super::frame::haar_frame;
use super::{Construction, Files, InitialLaw, Space, at_least_one, normalize};
use crate::call::{Call, CallError};
use crate::constant;
use crate::random::Stream;

/// Tokens with ⟨x_i, x_j⟩ = ρ for i ≠ j, −1/(n−1) ≤ ρ ≤ 1: the rows of the Cholesky factor of (1−ρ)I + ρJ, in a
/// Haar-random frame of R^d.
///
/// The factor in closed form, column j from 0: `L_jj² = (1−ρ)(1+jρ)/(1+(j−1)ρ)` and below it
/// `L_ij = ρ(1−ρ)/((1+(j−1)ρ) L_jj)`. At ρ = −1/(n−1) (the simplex) the last diagonal entry is 0, and n−1 dimensions do.
#[derive(Debug)]
pub struct Equiangular {
    rho: f64,
}

impl Equiangular {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        let rho = call.number()? + 0.0; // no minus zero
        if rho.abs() > 1.0 {
            let place = call.arguments[0].position;
            return Err(CallError::at(
                place,
                format!("A cosine lies in [−1, 1], but `equiangular` was given {rho}."),
            ));
        }
        Ok(Self { rho })
    }

    /// 1 + (n−1)ρ, the eigenvalue of the Gram matrix along (1, …, 1); 0 where rounding of ρ may have made it so.
    fn smallest_eigenvalue(&self, n: usize) -> f64 {
        let eigenvalue = 1.0 + (n as f64 - 1.0) * self.rho;
        if eigenvalue.abs() <= 4.0 * f64::EPSILON { 0.0 } else { eigenvalue }
    }

    /// Dimension of the span of the tokens.
    fn span(&self, n: usize) -> usize {
        if self.rho == 1.0 {
            1
        } else if self.smallest_eigenvalue(n) == 0.0 {
            n - 1
        } else {
            n
        }
    }

    /// The Cholesky factor, n × `span`.
    fn factor(&self, n: usize) -> Vec<f64> {
        let columns = self.span(n);
        let mut factor = vec![0.0; n * columns];
        for j in 0..columns {
            let before = 1.0 + (j as f64 - 1.0) * self.rho;
            // Column 0: (1−ρ)/(1−ρ); written out, for ρ = 1.
            let (diagonal, below) = if j == 0 {
                (1.0, self.rho)
            } else {
                let diagonal = ((1.0 - self.rho) * (1.0 + j as f64 * self.rho) / before).sqrt();
                (diagonal, self.rho * (1.0 - self.rho) / (before * diagonal))
            };
            factor[j * columns + j] = diagonal;
            for i in j + 1..n {
                factor[i * columns + j] = below;
            }
        }
        factor
    }
}

impl InitialLaw for Equiangular {
    fn canonical(&self) -> String {
        format!("equiangular({})", constant::text(self.rho))
    }

    fn common_cosine(&self) -> Option<f64> {
        Some(self.rho)
    }

    fn check(&self, n: usize, d: usize) -> Result<(), String> {
        at_least_one(n, d)?;
        let rho = constant::text(self.rho);
        if n > 1 && self.smallest_eigenvalue(n) < 0.0 {
            return Err(format!(
                "The Gram matrix of {n} unit vectors with all cosines {rho} would have the negative eigenvalue \
                 1 + (n−1)ρ = {}; ρ must be at least −1/(n−1) = {}.",
                self.smallest_eigenvalue(n),
                -1.0 / (n as f64 - 1.0)
            ));
        }
        let span = self.span(n);
        if span > d {
            return Err(format!(
                "{n} unit vectors with all cosines {rho} span {span} dimensions, but d = {d}."
            ));
        }
        Ok(())
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
        let span = self.span(n);
        let frame = haar_frame(span, d, stream);
        let mut tokens = vec![0.0; n * d];
        for (row, weights) in tokens.chunks_exact_mut(d).zip(self.factor(n).chunks_exact(span)) {
            for (weight, vector) in weights.iter().zip(frame.chunks_exact(d)) {
                for (x, a) in row.iter_mut().zip(vector) {
                    *x += weight * a;
                }
            }
            normalize(row);
        }
        Ok(tokens)
    }
}
