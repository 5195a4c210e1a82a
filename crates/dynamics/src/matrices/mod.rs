//! Families of parameter matrices: V and QᵀK ("V spectra", docs/models.md).
//!
//! The sweep crate parses a cell's `value` and `query_key` with [`parse`], checks them against d, and draws both with
//! [`draw`]: once a replica, or once for many of them, as `sharing` says. A new family is one file here, one line in
//! [`parse`] and one in [`USAGES`].
//!
//! ```
//! use metasweep_dynamics::matrices::{self, Role};
//! use metasweep_dynamics::random::Stream;
//!
//! let value = matrices::parse("-query_key", Role::Value).unwrap();
//! let query_key = matrices::parse("goe", Role::QueryKey).unwrap();
//! let (mut of_value, mut of_query_key) = (Stream::new([1; 32], 0), Stream::new([2; 32], 0));
//! let parameters = matrices::draw(&*value, &*query_key, 8, &mut of_value, &mut of_query_key, &|_| None).unwrap();
//! assert_eq!(parameters.heads.len(), 1);
//! ```

use std::fmt;

use nalgebra::DMatrix;

use crate::call::{Call, CallError};
use crate::complex::Complex;
use crate::initial::Files;
use crate::linear::product;
use crate::parameters::{Head, Operator, Parameters, QueryKey};
use crate::random::Stream;

mod diagonal;
mod factor;
mod file;
mod gaussian;
mod goe;
mod query_key;
mod scalar;
mod spectrum;
mod uniform;
mod wishart;

/// Which of the two matrices a family is for: some are normalized differently, `query_key` is a value alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// V.
    Value,
    /// B = QᵀK.
    QueryKey,
    /// Q or K, apart: r × d.
    Factor,
}

/// Where a matrix comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRule {
    /// From the family's own [`draw`](MatrixFamily::draw).
    Own,
    /// V = sign · B / [`gradient_norm`](MatrixFamily::gradient_norm): gradient ascent (+1) or descent (−1).
    FromQueryKey {
        /// +1 or −1.
        sign: f64,
    },
}

/// A family of d × d matrices.
pub trait MatrixFamily: fmt::Debug + Send + Sync {
    /// The family in canonical form: equal families have equal text. Part of the stream's key.
    fn canonical(&self) -> String;

    /// The files it reads.
    fn files(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Whether there is such a matrix in dimension d.
    ///
    /// # Errors
    /// The mathematical reason why not, one sentence.
    fn check(&self, _d: usize) -> Result<(), String> {
        Ok(())
    }

    /// c, if every matrix of the family is c·I.
    fn is_scalar(&self) -> Option<f64> {
        None
    }

    /// Whether its matrices are drawn.
    fn is_random(&self) -> bool {
        false
    }

    /// The d eigenvalues, complex pairs as neighbours, if every matrix of the family has the same.
    fn spectrum(&self, d: usize) -> Option<Vec<Complex>> {
        self.is_scalar().map(|factor| vec![Complex::real(factor); d])
    }

    /// Whether it is drawn by itself or made from QᵀK.
    fn rule(&self) -> ValueRule {
        ValueRule::Own
    }

    /// The norm of the authors' code that V = ±QᵀK/norm is divided by: √(d+1) for `goe`, √d for `gaussian`, else 1.
    fn gradient_norm(&self, _d: usize) -> f64 {
        1.0
    }

    /// One d × d matrix. A [scalar](Self::is_scalar) one does not depend on d: in the span of the tokens
    /// ([`Construction::Bartlett`](crate::initial::Construction::Bartlett)) it is the same.
    ///
    /// # Errors
    /// If [`check`](Self::check) fails, or a file is missing or does not hold a d × d matrix.
    fn draw(&self, d: usize, stream: &mut Stream, files: &Files<'_>) -> Result<Operator, String>;
}

/// How each family is written; the last two only as a value.
pub const USAGES: [&str; 11] = [
    "identity",
    "-identity",
    "diag(a, b, …)",
    "spectrum(1, 0.1+0.08i, …; basis=haar)",
    "gaussian",
    "goe",
    "wishart",
    "uniform(a, b)",
    "file(v.npy)",
    "query_key",
    "-query_key",
];

/// How the families of Q and K are written.
pub const FACTOR_USAGES: [&str; 10] = [
    "identity",
    "-identity",
    "diag(a, b, …)",
    "spectrum(1, 0.1+0.08i, …; basis=haar)",
    "gaussian",
    "gaussian(r)",
    "goe",
    "wishart",
    "uniform(a, b)",
    "file(q.npy)",
];

/// How the families of this role are written.
#[must_use]
pub fn usages(role: Role) -> &'static [&'static str] {
    match role {
        Role::Factor => &FACTOR_USAGES,
        Role::Value => &USAGES,
        Role::QueryKey => &USAGES[..USAGES.len() - 2],
    }
}

/// The family that `text` names.
///
/// # Errors
/// If the name is unknown in this role or the arguments do not fit it, with the place in `text`.
pub fn parse(text: &str, role: Role) -> Result<Box<dyn MatrixFamily>, CallError> {
    let call = Call::parse(text)?;
    Ok(match (call.name.text, role) {
        ("identity" | "-identity", _) => Box::new(scalar::Scalar::from_call(&call)?),
        ("diag", _) => Box::new(diagonal::Diagonal::from_call(&call)?),
        ("gaussian", Role::Factor) => Box::new(factor::GaussianFactor::from_call(&call)?),
        ("file", Role::Factor) => Box::new(factor::FactorFile::from_call(&call)?),
        ("gaussian", _) => Box::new(gaussian::Gaussian::from_call(&call, role)?),
        ("goe", _) => Box::new(goe::Goe::from_call(&call)?),
        ("wishart", _) => Box::new(wishart::Wishart::from_call(&call)?),
        ("spectrum", _) => Box::new(spectrum::Spectrum::from_call(&call)?),
        ("uniform", _) => Box::new(uniform::Uniform::from_call(&call)?),
        ("file", _) => Box::new(file::MatrixFile::from_call(&call)?),
        ("query_key" | "-query_key", Role::Value) => Box::new(query_key::FromQueryKey::from_call(&call)?),
        (name, role) => {
            let kind = match role {
                Role::Value => "a family of values V",
                Role::QueryKey => "a family of QᵀK",
                Role::Factor => "a family of Q or K",
            };
            return Err(CallError::unknown(call.name.position, kind, name, usages(role)));
        }
    })
}

/// (c, b) if V = c·I and QᵀK = b·I whatever is drawn: then the dynamics stays in the span of the tokens and depends on
/// their Gram matrix alone (docs/models.md).
#[must_use]
pub fn scalars(value: &dyn MatrixFamily, query_key: &dyn MatrixFamily) -> Option<(f64, f64)> {
    let b = query_key.is_scalar()?;
    match value.rule() {
        ValueRule::Own => value.is_scalar().map(|c| (c, b)),
        ValueRule::FromQueryKey { sign } => Some((sign * b, b)),
    }
}

/// V and QᵀK of one head, each from its own stream.
///
/// # Errors
/// As [`MatrixFamily::draw`].
pub fn draw(
    value: &dyn MatrixFamily,
    query_key: &dyn MatrixFamily,
    d: usize,
    value_stream: &mut Stream,
    query_key_stream: &mut Stream,
    files: &Files<'_>,
) -> Result<Parameters, String> {
    let b = QueryKey::Joint(query_key.draw(d, query_key_stream, files)?);
    let head = head(value, b, query_key.gradient_norm(d), d, value_stream, files)?;
    Ok(Parameters::new(vec![head]))
}

/// A head with this QᵀK; `norm` is what a value made of it is divided by.
///
/// # Errors
/// As [`MatrixFamily::draw`].
pub fn head(
    value: &dyn MatrixFamily,
    query_key: QueryKey,
    norm: f64,
    d: usize,
    value_stream: &mut Stream,
    files: &Files<'_>,
) -> Result<Head, String> {
    let value = match value.rule() {
        ValueRule::Own => value.draw(d, value_stream, files)?,
        ValueRule::FromQueryKey { sign } => match &query_key {
            QueryKey::Joint(b) => divided(b, sign * norm),
            QueryKey::Factored { query, key } => {
                divided(&Operator::Dense(product(&query.transpose(), key)), sign * norm)
            }
        },
    };
    Ok(Head { query_key, value })
}

/// QᵀK of Q and K, both r × d: one map where it is as simple as they are, else the two factors.
///
/// ```
/// use metasweep_dynamics::matrices::bilinear;
/// use metasweep_dynamics::parameters::{Operator, QueryKey};
/// let twice = bilinear(Operator::Scalar(2.0), Operator::Diagonal(vec![1.0, 3.0]), 2).unwrap();
/// assert_eq!(twice, QueryKey::Joint(Operator::Diagonal(vec![2.0, 6.0])));
/// ```
///
/// # Errors
/// If they have unequal numbers of rows.
pub fn bilinear(query: Operator, key: Operator, d: usize) -> Result<QueryKey, String> {
    use Operator::{Diagonal, Scalar};
    Ok(match (query, key) {
        (Scalar(q), Scalar(k)) => QueryKey::Joint(Scalar(q * k)),
        (Scalar(q), Diagonal(entries)) | (Diagonal(entries), Scalar(q)) => {
            QueryKey::Joint(Diagonal(entries.iter().map(|k| q * k).collect()))
        }
        (Diagonal(q), Diagonal(k)) => {
            QueryKey::Joint(Diagonal(q.iter().zip(k).map(|(q, k)| q * k).collect()))
        }
        (query, key) => {
            let (query, key) = (dense(query, d), dense(key, d));
            if query.nrows() != key.nrows() {
                return Err(format!(
                    "Q is {} × {d} and K is {} × {d}: ⟨Q x, K y⟩ needs images of the same length.",
                    query.nrows(),
                    key.nrows()
                ));
            }
            QueryKey::Factored { query, key }
        }
    })
}

/// An operator as a matrix.
fn dense(operator: Operator, d: usize) -> DMatrix<f64> {
    match operator {
        Operator::Scalar(c) => DMatrix::from_diagonal_element(d, d, c),
        Operator::Diagonal(entries) => DMatrix::from_fn(d, d, |i, j| if i == j { entries[i] } else { 0.0 }),
        Operator::Dense(matrix) => matrix,
    }
}

/// Every entry divided by `norm`.
fn divided(operator: &Operator, norm: f64) -> Operator {
    match operator {
        Operator::Scalar(c) => Operator::Scalar(c / norm),
        Operator::Diagonal(entries) => Operator::Diagonal(entries.iter().map(|a| a / norm).collect()),
        Operator::Dense(matrix) => Operator::Dense(matrix.map(|a| a / norm)),
    }
}

/// A d × d matrix of independent normals, drawn row by row.
fn normals(d: usize, stream: &mut Stream) -> DMatrix<f64> {
    let entries: Vec<f64> = (0..d * d).map(|_| stream.normal()).collect();
    DMatrix::from_row_slice(d, d, &entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(
            name in "spectrum|diag|file|uniform|goe",
            inside in "[-+0-9.,;=@i() a-z]{0,30}",
        ) {
            for role in [Role::Value, Role::QueryKey] {
                let text = format!("{name}({inside})");
                match parse(&text, role) {
                    Err(error) => proptest::prop_assert!(text.is_char_boundary(error.position)),
                    Ok(family) => {
                        let canonical = family.canonical();
                        proptest::prop_assert_eq!(parse(&canonical, role).unwrap().canonical(), canonical);
                    }
                }
            }
        }
    }
}
