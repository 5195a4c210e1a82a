//! Small dense matrices with one fixed order of operations: products, solutions, exponentials and powers that cannot
//! overflow. `geometry::rescaled` and the matrix families use them.

use nalgebra::DMatrix;

/// `2^exponent · mantissa`, the mantissa's largest entry between ½ and 1 (unless it is zero or not finite).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scaled {
    pub mantissa: DMatrix<f64>,
    pub exponent: f64,
}

/// `Σ_k left_ik right_kj`, k ascending from 0, each product rounded before it is added: bits that no library changes.
pub(crate) fn product(left: &DMatrix<f64>, right: &DMatrix<f64>) -> DMatrix<f64> {
    let mut product = DMatrix::zeros(left.nrows(), right.ncols());
    for j in 0..right.ncols() {
        for k in 0..right.nrows() {
            let factor = right[(k, j)];
            for i in 0..left.nrows() {
                product[(i, j)] += left[(i, k)] * factor;
            }
        }
    }
    product
}

/// X with `matrix · X = right`; `None` if a pivot is zero or not finite.
///
/// Gaussian elimination, column by column: the pivot is the first row, from the diagonal down, with the entry of largest
/// modulus; it is exchanged with the diagonal's row; each row below loses its multiple of it, the product rounded first.
/// Then from the last row up: `x_ij = (b_ij − Σ_{k>i} a_ik x_kj) / a_ii`, k ascending, subtracted one by one.
pub(crate) fn solve(matrix: &DMatrix<f64>, right: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let size = matrix.nrows();
    let (mut a, mut x) = (matrix.clone(), right.clone());
    for column in 0..size {
        let mut pivot = column;
        for row in column + 1..size {
            if a[(row, column)].abs() > a[(pivot, column)].abs() {
                pivot = row;
            }
        }
        let head = a[(pivot, column)];
        if head == 0.0 || !head.is_finite() {
            return None;
        }
        a.swap_rows(pivot, column);
        x.swap_rows(pivot, column);
        for row in column + 1..size {
            let factor = a[(row, column)] / head;
            for k in column..size {
                a[(row, k)] -= factor * a[(column, k)];
            }
            for k in 0..x.ncols() {
                x[(row, k)] -= factor * x[(column, k)];
            }
        }
    }
    for column in 0..x.ncols() {
        for row in (0..size).rev() {
            let mut sum = x[(row, column)];
            for k in row + 1..size {
                sum -= a[(row, k)] * x[(k, column)];
            }
            x[(row, column)] = sum / a[(row, row)];
        }
    }
    Some(x)
}

impl Scaled {
    fn new(matrix: DMatrix<f64>, exponent: f64) -> Self {
        let largest = matrix.iter().fold(0.0, |largest: f64, entry| largest.max(entry.abs()));
        let mut scaled = Self { mantissa: matrix, exponent };
        if largest > 0.0 && largest.is_finite() {
            let (_, power) = libm::frexp(largest);
            scaled.mantissa.apply(|entry| *entry = libm::ldexp(*entry, -power));
            scaled.exponent += f64::from(power);
        }
        scaled
    }

    fn times(&self, other: &Self) -> Self {
        Self::new(product(&self.mantissa, &other.mantissa), self.exponent + other.exponent)
    }
}

/// Terms of the exponential's series: with a norm of at most ½ the first left out is below 2^−19/19! < 10^−22.
const TERMS: u32 = 18;

/// `e^{t·matrix}` by scaling and squaring.
pub(crate) fn exponential(matrix: &DMatrix<f64>, t: f64) -> Scaled {
    let size = matrix.nrows();
    let columns = (0..size).map(|j| (0..size).fold(0.0, |sum: f64, i| sum + matrix[(i, j)].abs()));
    let norm = columns.fold(0.0, f64::max) * t.abs();
    let squarings = if norm > 0.5 && norm.is_finite() { libm::frexp(norm).1 + 1 } else { 0 };
    let small = matrix.map(|entry| libm::ldexp(entry * t, -squarings));
    let identity = DMatrix::identity(size, size);
    let mut sum = identity.clone();
    for term in (1..=TERMS).rev() {
        sum = product(&small, &sum);
        sum.apply(|entry| *entry /= f64::from(term));
        sum += &identity;
    }
    let mut scaled = Scaled::new(sum, 0.0);
    for _ in 0..squarings {
        scaled = scaled.times(&scaled);
    }
    scaled
}

/// `matrix^k` by squaring.
pub(crate) fn power(matrix: &DMatrix<f64>, k: u64) -> Scaled {
    let size = matrix.nrows();
    let mut result = Scaled::new(DMatrix::identity(size, size), 0.0);
    let (mut square, mut rest) = (Scaled::new(matrix.clone(), 0.0), k);
    while rest > 0 {
        if rest % 2 == 1 {
            result = result.times(&square);
        }
        square = square.times(&square);
        rest /= 2;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(scaled: &Scaled) -> DMatrix<f64> {
        scaled.mantissa.map(|entry| libm::ldexp(entry, scaled.exponent as i32))
    }

    #[test]
    fn the_exponential_of_a_rotation_and_of_a_shear() {
        let rotation = DMatrix::from_row_slice(2, 2, &[0.0, -1.0, 1.0, 0.0]);
        for t in [0.0, 1e-9, 0.3, 2.0, -7.0, 100.0] {
            let expected =
                DMatrix::from_row_slice(2, 2, &[libm::cos(t), -libm::sin(t), libm::sin(t), libm::cos(t)]);
            // Each squaring doubles the error of a rounding.
            let error = (plain(&exponential(&rotation, t)) - expected).amax();
            assert!(error < 4.0 * f64::EPSILON * t.abs().max(1.0), "{t}: {error}");
        }
        let shear = DMatrix::from_row_slice(2, 2, &[1.0, 1.0, 0.0, 1.0]);
        let scaled = exponential(&shear, 1000.0);
        // e^{1000}·(1, 1000; 0, 1): beyond any f64, its logarithm is not.
        let log = libm::log(scaled.mantissa[(0, 1)]) + scaled.exponent * std::f64::consts::LN_2;
        assert!((log - 1000.0 - libm::log(1000.0)).abs() < 1e-9);
    }

    #[test]
    fn powers_and_solutions() {
        let matrix = DMatrix::from_row_slice(3, 3, &[0.0, 2.0, 1.0, 1.0, -1.0, 0.5, 3.0, 0.25, 1.0]);
        let cube = product(&matrix, &product(&matrix, &matrix));
        assert!((plain(&power(&matrix, 3)) - &cube).amax() < 1e-13);
        let solution = solve(&matrix, &cube).unwrap();
        assert!((solution - product(&matrix, &matrix)).amax() < 1e-13);
        assert_eq!(solve(&DMatrix::zeros(2, 2), &DMatrix::identity(2, 2)), None);
        assert!(power(&(100.0 * matrix), 10_000).exponent > 20_000.0);
    }
}
