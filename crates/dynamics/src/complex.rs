//! Complex numbers, as far as eigenvalues need them.
//!
//! [`constant`](crate::constant) reads them, the family `spectrum` is made of them, and
//! [`MatrixFamily::spectrum`](crate::matrices::MatrixFamily::spectrum) gives them to theory.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// re + im·i.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

impl Complex {
    /// x + 0i.
    #[must_use]
    pub fn real(x: f64) -> Self {
        Self { re: x, im: 0.0 }
    }

    /// Whether the imaginary part is zero.
    #[must_use]
    pub fn is_real(self) -> bool {
        self.im == 0.0
    }

    /// re − im·i.
    #[must_use]
    pub fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }
}

impl Add for Complex {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Neg for Complex {
    type Output = Self;

    fn neg(self) -> Self {
        Self { re: -self.re, im: -self.im }
    }
}

/// Of two real numbers exactly the real product, whatever overflows.
impl Mul for Complex {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        if self.is_real() && other.is_real() {
            return Self::real(self.re * other.re);
        }
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

/// By a real number exactly the real quotients, whatever overflows.
impl Div for Complex {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        if other.is_real() {
            let im = if self.is_real() { 0.0 } else { self.im / other.re };
            return Self { re: self.re / other.re, im };
        }
        let square = other.re * other.re + other.im * other.im;
        let product = self * other.conjugate();
        Self { re: product.re / square, im: product.im / square }
    }
}
