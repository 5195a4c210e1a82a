//! `span_dimension`: the number of eigenvalues of the Gram matrix above 1e-3 (the authors' `plotdim`).
//!
//! Householder's reduction to tridiagonal form, then Sturm's count of the eigenvalues above the threshold: all
//! sums in index order, no library product, so the bits hold everywhere. The diagonal counts as exactly 1.

use metasweep_dynamics::simd::LANES;

use crate::cosines::Cosines;
use crate::observables::{Columns, Lasting, Nature, Needs, State};
use crate::scene::lanes_of;

/// Eigenvalues above this count.
pub const THRESHOLD: f64 = 1e-3;

/// What it is.
pub const NATURE: Nature = Nature {
    is_count: true,
    columns: Columns::One,
    needs: Needs::Nothing,
    lasting: Lasting::WithinShare(THRESHOLD / 2.0),
};

/// The dimension in each lane.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    let mut dimensions = [f64::NAN; LANES];
    for lane in lanes_of(state.lanes) {
        let n = state.n;
        let mut matrix = vec![0.0; n * n];
        Cosines::of_scene(state.scene, lane).for_each(|i, j, cosine| {
            matrix[i * n + j] = cosine;
            matrix[j * n + i] = cosine;
        });
        (0..n).for_each(|i| matrix[i * n + i] = 1.0);
        let (diagonal, beside) = tridiagonal(matrix, n);
        dimensions[lane] = eigenvalues_above(&diagonal, &beside, THRESHOLD) as f64;
    }
    dimensions
}

/// Diagonal and subdiagonal of a tridiagonal matrix with the eigenvalues of this symmetric one (n × n).
#[must_use]
pub fn tridiagonal(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut beside = vec![0.0; n.saturating_sub(1)];
    let (mut v, mut p) = (vec![0.0; n], vec![0.0; n]);
    for k in 0..n.saturating_sub(2) {
        // The reflection that maps column k below the diagonal onto a multiple of its first unit vector.
        let mut square = 0.0;
        for i in k + 1..n {
            v[i] = a[i * n + k];
            square += v[i] * v[i];
        }
        let length = square.sqrt();
        let head = v[k + 1];
        if square - head * head == 0.0 {
            beside[k] = head;
            continue;
        }
        let image = if head > 0.0 { -length } else { length };
        beside[k] = image;
        v[k + 1] = head - image;
        // H = I − v vᵀ/h, with h = |v|²/2; A ← H A H = A − v qᵀ − q vᵀ.
        let h = square - head * image;
        let mut along = 0.0;
        for i in k + 1..n {
            let mut sum = 0.0;
            for j in k + 1..n {
                sum += a[i * n + j] * v[j];
            }
            p[i] = sum / h;
            along += p[i] * v[i];
        }
        let shift = along / (2.0 * h);
        for i in k + 1..n {
            p[i] -= shift * v[i];
        }
        for i in k + 1..n {
            for j in k + 1..n {
                a[i * n + j] -= v[i] * p[j] + p[i] * v[j];
            }
        }
    }
    if n >= 2 {
        beside[n - 2] = a[(n - 1) * n + n - 2];
    }
    ((0..n).map(|i| a[i * n + i]).collect(), beside)
}

/// Sturm's count: the number of positive pivots of T − threshold·I.
#[must_use]
pub fn eigenvalues_above(diagonal: &[f64], beside: &[f64], threshold: f64) -> usize {
    let mut above = 0;
    let mut pivot = 1.0;
    for (i, entry) in diagonal.iter().enumerate() {
        let square = if i == 0 { 0.0 } else { beside[i - 1] * beside[i - 1] };
        pivot = entry - threshold - square / pivot;
        // An exact zero is an eigenvalue of a leading block at the threshold itself: not above it.
        if pivot == 0.0 {
            pivot = -f64::MIN_POSITIVE;
        }
        above += usize::from(pivot > 0.0);
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equiangular_matrices() {
        // Eigenvalues 1 + (n−1)ρ once and 1 − ρ, n−1 times.
        for n in 1..12 {
            for (rho, expected) in [(0.0, n), (0.5, n), (1.0, 1), (0.9995, 1), (0.998, n)] {
                let matrix = (0..n * n).map(|k| if k / n == k % n { 1.0 } else { rho }).collect();
                let (diagonal, beside) = tridiagonal(matrix, n);
                assert_eq!(eigenvalues_above(&diagonal, &beside, THRESHOLD), expected, "n = {n}, ρ = {rho}");
            }
        }
    }

    #[test]
    fn tridiagonal_form_keeps_the_invariants() {
        let n = 9;
        let entry =
            |i: usize, j: usize| libm::sin((1 + i.min(j)) as f64 * 1.7 + (i.max(j) * i.max(j)) as f64);
        let matrix: Vec<f64> = (0..n * n).map(|k| entry(k / n, k % n)).collect();
        let (diagonal, beside) = tridiagonal(matrix.clone(), n);
        let trace: f64 = (0..n).map(|i| matrix[i * n + i]).sum();
        let square: f64 = matrix.iter().map(|x| x * x).sum();
        let tolerance = (n * n * n) as f64 * f64::EPSILON * square;
        assert!((diagonal.iter().sum::<f64>() - trace).abs() < tolerance);
        let image: f64 =
            diagonal.iter().map(|x| x * x).sum::<f64>() + 2.0 * beside.iter().map(|x| x * x).sum::<f64>();
        assert!((image - square).abs() < tolerance);
    }

    #[test]
    fn points_in_a_plane_span_two_dimensions() {
        let n = 20;
        let angle = |i: usize| (i * i) as f64 * 0.37;
        let matrix = (0..n * n).map(|k| libm::cos(angle(k / n) - angle(k % n))).collect();
        let (diagonal, beside) = tridiagonal(matrix, n);
        assert_eq!(eigenvalues_above(&diagonal, &beside, THRESHOLD), 2);
    }
}
