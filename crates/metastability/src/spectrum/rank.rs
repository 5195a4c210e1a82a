//! The numerical rank of a square matrix: its singular values above n·ε·σ_max, as `numpy.linalg.matrix_rank` counts.
//!
//! Householder's reduction to a bidiagonal matrix, which keeps singular values to within a few ε·σ_max; then Sturm's count on the
//! tridiagonal matrix of Golub and Kahan, whose eigenvalues are ± the singular values.

use crate::observables::span_dimension::eigenvalues_above;

/// The numerical rank of an n × n matrix, row-major; `None` if a number is not finite.
#[must_use]
pub fn numerical_rank(matrix: &[f64], n: usize) -> Option<usize> {
    if matrix.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let largest = matrix.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return Some(0);
    }
    // Of order one, so that no square underflows.
    let matrix: Vec<f64> = matrix.iter().map(|x| x / largest).collect();
    let norm = matrix.iter().fold(0.0, |sum, x| sum + x * x).sqrt();
    let beside = bidiagonal(matrix, n);
    let zeros = vec![0.0; beside.len() + 1];
    let above = |threshold: f64| eigenvalues_above(&zeros, &beside, threshold);
    // σ_max lies in [‖A‖/√n, ‖A‖]; halving finds it to the last bits.
    let (mut low, mut high) = (0.5 * norm / (n as f64).sqrt(), 2.0 * norm);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if above(middle) > 0 { low = middle } else { high = middle }
    }
    Some(above(n as f64 * f64::EPSILON * high))
}

/// The diagonal and superdiagonal of a bidiagonal matrix with these singular values, in turn: d_1, e_1, d_2, …, d_n.
fn bidiagonal(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    let mut entries = Vec::with_capacity(2 * n);
    let mut v = vec![0.0; n];
    for k in 0..n {
        // From the left: column k below the diagonal becomes zero.
        (k..n).for_each(|i| v[i] = a[i * n + k]);
        let (image, h) = reflection(&mut v[k..]);
        entries.push(image);
        if h > 0.0 {
            for j in k + 1..n {
                let along = (k..n).fold(0.0, |sum, i| sum + v[i] * a[i * n + j]) / h;
                (k..n).for_each(|i| a[i * n + j] -= along * v[i]);
            }
        }
        if k + 1 == n {
            break;
        }
        // From the right: row k beyond the superdiagonal becomes zero.
        v[k + 1..n].copy_from_slice(&a[k * n + k + 1..(k + 1) * n]);
        let (image, h) = reflection(&mut v[k + 1..]);
        entries.push(image);
        if h > 0.0 {
            for i in k + 1..n {
                let row = &mut a[i * n..(i + 1) * n];
                let along = (k + 1..n).fold(0.0, |sum, j| sum + v[j] * row[j]) / h;
                (k + 1..n).for_each(|j| row[j] -= along * v[j]);
            }
        }
    }
    entries
}

/// Turns v into the vector of a reflection I − v vᵀ/h that maps it onto a multiple of its first unit vector; that multiple,
/// and h (0: nothing is to be done).
fn reflection(v: &mut [f64]) -> (f64, f64) {
    let square = v.iter().fold(0.0, |sum, x| sum + x * x);
    let head = v[0];
    if square - head * head == 0.0 {
        return (head, 0.0);
    }
    let image = if head > 0.0 { -square.sqrt() } else { square.sqrt() };
    v[0] = head - image;
    (image, square - head * image)
}

#[cfg(test)]
mod tests {
    use metasweep_dynamics::random::Stream;

    use super::*;

    #[test]
    fn known_ranks() {
        for n in 1..9 {
            let identity: Vec<f64> = (0..n * n).map(|k| f64::from(u8::from(k / n == k % n))).collect();
            assert_eq!(numerical_rank(&identity, n), Some(n));
            assert_eq!(numerical_rank(&vec![1.0 / n as f64; n * n], n), Some(1));
            assert_eq!(numerical_rank(&vec![0.0; n * n], n), Some(0));
        }
        assert_eq!(numerical_rank(&[f64::INFINITY, 0.0, 0.0, 1.0], 2), None);
    }

    #[test]
    fn products_of_thin_matrices() {
        for (n, rank) in [(5, 2), (12, 1), (12, 7), (40, 3), (40, 40)] {
            let mut stream = Stream::new([3; 32], (n * 100 + rank) as u64);
            let thin: Vec<f64> = (0..2 * n * rank).map(|_| stream.normal()).collect();
            let (left, right) = thin.split_at(n * rank);
            let entry =
                |i: usize, j: usize| (0..rank).map(|k| left[i * rank + k] * right[j * rank + k]).sum();
            let matrix: Vec<f64> = (0..n * n).map(|k| entry(k / n, k % n)).collect();
            assert_eq!(numerical_rank(&matrix, n), Some(rank), "{n} × {n}");
        }
    }

    #[test]
    fn the_threshold_is_relative_to_the_largest() {
        // diag(1, x): above 2ε or not.
        assert_eq!(numerical_rank(&[1.0, 0.0, 0.0, 3.0 * f64::EPSILON], 2), Some(2));
        assert_eq!(numerical_rank(&[1.0, 0.0, 0.0, 1.5 * f64::EPSILON], 2), Some(1));
        assert_eq!(numerical_rank(&[1e-200, 0.0, 0.0, 1e-205], 2), Some(2));
    }
}
