//! `uniform_sphere`: independent uniform points of S^{d−1}.

use super::{Construction, Files, InitialLaw, Space, normalize};
use crate::call::{Call, CallError};
use crate::random::Stream;

/// Independent uniform tokens.
///
/// Direct: the normalized rows of an n × d matrix of normals, drawn row by row.
///
/// Bartlett (d > n): the rows of a Gaussian n × d matrix are L·O with O an orthonormal n-frame and L lower triangular,
/// `L_ij` normal for j < i and `L_ii` chi with d − i degrees of freedom (i from 0), all independent (Bartlett 1933).
/// The Gram matrix of the normalized rows of L is that of the tokens, so L's rows *are* the tokens in coordinates of
/// their span. Drawn row by row, the normals before the chi: n²/2 numbers whatever d.
#[derive(Debug)]
pub struct UniformSphere;

impl UniformSphere {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        call.no_arguments()?;
        Ok(Self)
    }
}

impl InitialLaw for UniformSphere {
    fn canonical(&self) -> String {
        "uniform_sphere".to_owned()
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
        unit_rows(n, d, construction, stream)
    }
}

/// n independent normal vectors of R^d, or a matrix with the law of their Gram matrix's Bartlett factor.
pub(super) fn normal_rows(
    n: usize,
    d: usize,
    construction: Construction,
    stream: &mut Stream,
) -> Result<Vec<f64>, String> {
    let coordinates = construction.coordinates(n, d);
    let mut rows = vec![0.0; n * coordinates];
    for (i, row) in rows.chunks_exact_mut(coordinates).enumerate() {
        match construction {
            Construction::Direct => row.fill_with(|| stream.normal()),
            Construction::Bartlett => {
                if d < n {
                    return Err(format!("A Bartlett factor needs d ≥ n, but d is {d} and n is {n}."));
                }
                row[..i].fill_with(|| stream.normal());
                row[i] = stream.chi((d - i) as u64);
            }
        }
    }
    Ok(rows)
}

/// [`normal_rows`], normalized.
pub(super) fn unit_rows(
    n: usize,
    d: usize,
    construction: Construction,
    stream: &mut Stream,
) -> Result<Vec<f64>, String> {
    let mut rows = normal_rows(n, d, construction, stream)?;
    for row in rows.chunks_exact_mut(construction.coordinates(n, d)) {
        // No normal and no chi is ever zero, so the length is positive.
        normalize(row);
    }
    Ok(rows)
}
