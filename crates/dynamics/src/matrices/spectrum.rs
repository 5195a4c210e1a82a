//! `spectrum(1.35, -0.07)`, `spectrum(1, 0.1+0.08i)`: matrices with given eigenvalues (P1 §4, §11).

use nalgebra::DMatrix;

use super::MatrixFamily;
use crate::call::{Call, CallError};
use crate::complex::Complex;
use crate::constant;
use crate::initial::{Files, haar_frame};
use crate::linear::solve;
use crate::parameters::Operator;
use crate::random::Stream;

/// d eigenvalues, of each complex pair one, in a basis b_1, …, b_d of R^d: a real eigenvalue λ means V b = λ b, a pair
/// α ± βi means V b = α b + β b′, V b′ = −β b + α b′ for two neighbours of the basis: the block [[α, −β], [β, α]].
///
/// Over an orthonormal basis V is normal, and symmetric if all eigenvalues are real; over a basis of normal vectors it
/// is not. If all eigenvalues are one real number, V is a multiple of I, and treated as one.
#[derive(Debug)]
pub struct Spectrum {
    eigenvalues: Vec<Complex>,
    basis: Basis,
}

/// Which basis of R^d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Basis {
    /// Haar-random, orthonormal.
    Haar,
    /// d independent vectors of independent normals.
    Gaussian,
    /// e_1, …, e_d.
    Standard,
}

impl Basis {
    const ALL: [(&'static str, Self); 3] =
        [("haar", Self::Haar), ("gaussian", Self::Gaussian), ("standard", Self::Standard)];

    fn name(self) -> &'static str {
        match self {
            Self::Haar => "haar",
            Self::Gaussian => "gaussian",
            Self::Standard => "standard",
        }
    }
}

impl Spectrum {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        if call.arguments.is_empty() {
            let message = "`spectrum` needs eigenvalues as arguments, as in `spectrum(1, 0.1+0.08i)`.";
            return Err(CallError::at(call.name.position, message));
        }
        let eigenvalues = call
            .arguments
            .iter()
            .map(|piece| constant::evaluate_complex(piece.text, piece.position))
            // + 0.0: no minus zero.
            .map(|value| value.map(|value| Complex { re: value.re + 0.0, im: value.im + 0.0 }))
            .collect::<Result<_, _>>()?;
        let basis = match call.option("basis", &["basis"])? {
            None => Basis::Haar,
            Some(piece) => {
                let known = Basis::ALL.iter().find(|(name, _)| *name == piece.text);
                let names = Basis::ALL.map(|(name, _)| name);
                known.map(|(_, basis)| *basis).ok_or_else(|| {
                    CallError::unknown(piece.position, "a basis of `spectrum`", piece.text, &names)
                })?
            }
        };
        Ok(Self { eigenvalues, basis })
    }

    /// d, as the eigenvalues have it.
    fn dimension(&self) -> usize {
        self.eigenvalues.iter().map(|value| if value.is_real() { 1 } else { 2 }).sum()
    }

    /// Each eigenvalue with the number of its (first) basis vector.
    fn blocks(&self) -> impl Iterator<Item = (usize, Complex)> {
        self.eigenvalues.iter().scan(0, |next, value| {
            let first = *next;
            *next += if value.is_real() { 1 } else { 2 };
            Some((first, *value))
        })
    }

    /// Over an orthonormal basis, the rows of `frame`: `V_ij = Σ λ·(q_i q_j) + Σ (a·(q_i q_j + r_i r_j) + b·(r_i q_j −
    /// q_i r_j))`, the blocks in order; symmetric to the last bit if all are real.
    fn orthonormal(&self, frame: &[f64], d: usize) -> DMatrix<f64> {
        DMatrix::from_fn(d, d, |i, j| {
            self.blocks().fold(0.0, |sum, (first, value)| {
                let q = &frame[first * d..][..d];
                if value.is_real() {
                    return sum + value.re * (q[i] * q[j]);
                }
                let r = &frame[(first + 1) * d..][..d];
                sum + (value.re * (q[i] * q[j] + r[i] * r[j]) + value.im * (r[i] * q[j] - q[i] * r[j]))
            })
        })
    }

    /// Over any basis, the rows of `basis`: G Vᵀ = W, the rows of W being the images of the basis.
    fn oblique(&self, basis: &[f64], d: usize) -> Result<DMatrix<f64>, String> {
        let mut images = vec![0.0; d * d];
        for (first, Complex { re: a, im: b }) in self.blocks() {
            for j in 0..d {
                let g = basis[first * d + j];
                if b == 0.0 {
                    images[first * d + j] = a * g;
                } else {
                    let h = basis[(first + 1) * d + j];
                    images[first * d + j] = a * g + b * h;
                    images[(first + 1) * d + j] = a * h - b * g;
                }
            }
        }
        let (basis, images) = (DMatrix::from_row_slice(d, d, basis), DMatrix::from_row_slice(d, d, &images));
        let transposed =
            solve(&basis, &images).ok_or("The basis that was drawn is not one: it is singular.")?;
        Ok(transposed.transpose())
    }
}

impl MatrixFamily for Spectrum {
    fn canonical(&self) -> String {
        let eigenvalues: Vec<String> =
            self.eigenvalues.iter().map(|value| constant::complex_text(*value)).collect();
        let basis = match self.basis {
            Basis::Haar => String::new(),
            other => format!("; basis={}", other.name()),
        };
        format!("spectrum({}{basis})", eigenvalues.join(", "))
    }

    fn check(&self, d: usize) -> Result<(), String> {
        let given = self.dimension();
        if given == d {
            return Ok(());
        }
        let pairs = self.eigenvalues.iter().filter(|value| !value.is_real()).count();
        let counted =
            if pairs == 0 { "" } else { ", a complex number counting for itself and its conjugate" };
        Err(format!("A map of R^{d} has {d} eigenvalues, but {given} are given{counted}."))
    }

    fn is_scalar(&self) -> Option<f64> {
        let first = self.eigenvalues[0];
        (first.is_real() && self.eigenvalues.iter().all(|value| *value == first)).then_some(first.re)
    }

    fn is_random(&self) -> bool {
        self.basis != Basis::Standard && self.is_scalar().is_none()
    }

    fn spectrum(&self, d: usize) -> Option<Vec<Complex>> {
        (self.dimension() == d).then(|| {
            let both = |value: &Complex| {
                let conjugate = (!value.is_real()).then(|| value.conjugate());
                std::iter::once(*value).chain(conjugate)
            };
            self.eigenvalues.iter().flat_map(both).collect()
        })
    }

    fn draw(&self, d: usize, stream: &mut Stream, _files: &Files<'_>) -> Result<Operator, String> {
        if let Some(factor) = self.is_scalar() {
            return Ok(Operator::Scalar(factor));
        }
        self.check(d)?;
        Ok(match self.basis {
            Basis::Haar => Operator::Dense(self.orthonormal(&haar_frame(d, d, stream), d)),
            Basis::Gaussian => {
                let basis: Vec<f64> = (0..d * d).map(|_| stream.normal()).collect();
                Operator::Dense(self.oblique(&basis, d)?)
            }
            Basis::Standard if self.eigenvalues.iter().all(|value| value.is_real()) => {
                Operator::Diagonal(self.eigenvalues.iter().map(|value| value.re).collect())
            }
            Basis::Standard => {
                let mut matrix = DMatrix::zeros(d, d);
                for (k, Complex { re: a, im: b }) in self.blocks() {
                    matrix[(k, k)] = a;
                    if b != 0.0 {
                        matrix[(k + 1, k + 1)] = a;
                        matrix[(k, k + 1)] = -b;
                        matrix[(k + 1, k)] = b;
                    }
                }
                Operator::Dense(matrix)
            }
        })
    }
}
