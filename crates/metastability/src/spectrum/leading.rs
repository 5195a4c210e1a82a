//! The leading eigenspace of a matrix, and the direction across its hyperplanes.

use serde::{Deserialize, Serialize};

use super::schur::{Schur, modulus};

/// Eigenvalues count as equal in what leads if they differ by no more than this share of the matrix's Frobenius norm: rounding
/// splits a double eigenvalue of a Jordan block by about the root of ε.
pub const SAME: f64 = 1e-6;

/// The orthogonal complement of a leading eigenspace E_max: the generalized eigenspace of the eigenvalues with the largest
/// real part (P3 Lemma 3.1, P4 Prop. 3.4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Complement {
    d: usize,
    /// Orthonormal vectors, each d real parts, then d imaginary parts.
    vectors: Vec<f64>,
}

impl Complement {
    /// Of the whole space: empty.
    #[must_use]
    pub fn of_everything(d: usize) -> Self {
        Self { d, vectors: Vec::new() }
    }

    /// Of the leading eigenspace of a d × d matrix, row-major; `None` if its eigenvalues cannot be found.
    #[must_use]
    pub fn of(matrix: &[f64], d: usize) -> Option<Self> {
        let mut schur = Schur::of(matrix, d)?;
        let values = schur.eigenvalues();
        let most = values.iter().map(|value| value.re).fold(f64::NEG_INFINITY, f64::max);
        let least = most - SAME * norm(matrix);
        let chosen: Vec<bool> = values.iter().map(|value| value.re >= least).collect();
        let count = schur.bring_to_the_top(&chosen);
        let vectors = (count..d).flat_map(|k| {
            let vector = schur.vector(k);
            let imaginary: Vec<f64> = vector.iter().map(|z| z.im).collect();
            vector.into_iter().map(|z| z.re).chain(imaginary).collect::<Vec<f64>>()
        });
        Some(Self { d, vectors: vectors.collect() })
    }

    /// Dimension of the complement.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.vectors.len() / (2 * self.d).max(1)
    }

    /// ‖x − P x‖, P the orthogonal projection onto E_max. Computed from the components across it, so that small distances are
    /// as accurate as large ones.
    #[must_use]
    pub fn distance(&self, x: &[f64]) -> f64 {
        let mut square = 0.0;
        for vector in self.vectors.chunks_exact(2 * self.d) {
            let (real, imaginary) = vector.split_at(self.d);
            let along = |part: &[f64]| part.iter().zip(x).fold(0.0, |sum, (a, b)| sum + a * b);
            let (re, im) = (along(real), along(imaginary));
            square += re * re + im * im;
        }
        square.sqrt()
    }
}

/// The unit left eigenvector ψ of the eigenvalue with the largest modulus, if that is real, positive and simple (P1
/// Definition 4.1): the hyperplanes of P1 Thm 4.2 are the sets ⟨ψ, z⟩ = constant. Its largest entry is positive.
#[must_use]
pub fn hyperplane_normal(matrix: &[f64], d: usize) -> Option<Vec<f64>> {
    let mut schur = Schur::of(matrix, d)?;
    let values = schur.eigenvalues();
    let same = SAME * norm(matrix);
    let most = values.iter().map(|value| modulus(*value)).fold(0.0, f64::max);
    let others: Vec<bool> = values.iter().map(|value| modulus(*value) < most - same).collect();
    let leader = values.get(others.iter().position(|other| !other)?)?;
    let simple = others.iter().filter(|other| !**other).count() == 1;
    if !simple || leader.im.abs() > same || leader.re <= same {
        return None;
    }
    // With the leader last, q* A = λ q* for the last Schur vector q.
    schur.bring_to_the_top(&others);
    let vector = schur.vector(d - 1);
    let mut largest = vector[0];
    for z in &vector {
        if modulus(*z) > modulus(largest) {
            largest = *z;
        }
    }
    let phase = largest.conj() * (1.0 / modulus(largest));
    Some(vector.into_iter().map(|z| (z * phase).re).collect())
}

fn norm(matrix: &[f64]) -> f64 {
    matrix.iter().fold(0.0, |sum, x| sum + x * x).sqrt()
}

#[cfg(test)]
mod tests {
    use metasweep_dynamics::random::Stream;

    use super::*;

    const JORDAN: [f64; 9] = [2.0, 1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0];

    #[test]
    fn diagonal_matrices() {
        let space = Complement::of(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], 3).unwrap();
        assert_eq!(space.dimension(), 1);
        assert!((space.distance(&[0.6, 0.0, 0.8]) - 0.8).abs() < 1e-15);
        assert!(space.distance(&[0.6, 0.8, 0.0]) < 1e-15);
        // −1 leads before −3.
        let space = Complement::of(&[-1.0, 0.0, 0.0, -3.0], 2).unwrap();
        assert!((space.distance(&[0.6, 0.8]) - 0.8).abs() < 1e-15);
        assert_eq!(Complement::of(&[5.0, 0.0, 0.0, 5.0], 2).unwrap().dimension(), 0);
        assert_eq!(Complement::of_everything(4).distance(&[1.0; 4]), 0.0);
    }

    #[test]
    fn a_jordan_block_leads_with_its_generalized_eigenspace() {
        let space = Complement::of(&JORDAN, 3).unwrap();
        assert_eq!(space.dimension(), 1);
        assert!((space.distance(&[0.0, 0.0, 1.0]) - 1.0).abs() < 1e-15);
        assert!(space.distance(&[0.6, -0.8, 0.0]) < 1e-15);
        // Turned by 0.6, 0.8 in the first and last coordinate: rounding splits the double eigenvalue.
        let turn = [0.6, 0.0, 0.8, 0.0, 1.0, 0.0, -0.8, 0.0, 0.6];
        let entry = |i: usize, j: usize| -> f64 {
            (0..9).map(|k| turn[3 * i + k / 3] * JORDAN[k] * turn[3 * j + k % 3]).sum()
        };
        let space = Complement::of(&(0..9).map(|k| entry(k / 3, k % 3)).collect::<Vec<f64>>(), 3).unwrap();
        assert_eq!(space.dimension(), 1);
        assert!((space.distance(&[0.8, 0.0, 0.6]) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_complex_pair_leads_with_its_plane() {
        // Eigenvalues 1 ± 2i on the plane of (1, 0, 1)/√2 and (0, 1, 0), −1 along (1, 0, −1)/√2.
        let s = 0.5_f64.sqrt();
        let (u, v, w) = ([s, 0.0, s], [0.0, 1.0, 0.0], [s, 0.0, -s]);
        let entry = |i: usize, j: usize| {
            (u[i] * u[j] + v[i] * v[j]) + 2.0 * (v[i] * u[j] - u[i] * v[j]) - w[i] * w[j]
        };
        let matrix: Vec<f64> = (0..9).map(|k| entry(k / 3, k % 3)).collect();
        let space = Complement::of(&matrix, 3).unwrap();
        assert_eq!(space.dimension(), 1);
        assert!((space.distance(&w) - 1.0).abs() < 1e-14);
        assert!(space.distance(&u) < 1e-14 && space.distance(&v) < 1e-14);
        assert!(hyperplane_normal(&matrix, 3).is_none(), "a pair of largest modulus is not simple");
    }

    #[test]
    fn small_distances_are_accurate() {
        let matrix = [1.35, 0.0, 0.0, -0.07];
        let space = Complement::of(&matrix, 2).unwrap();
        let distance = space.distance(&[1.0, 1e-12]);
        assert!((distance / 1e-12 - 1.0).abs() < 1e-14);
    }

    #[test]
    fn the_normal_is_the_left_eigenvector() {
        // Right eigenvectors (1, 0) and (1, 1), eigenvalues 3 and 1: the left one of 3 is (1, −1)/√2.
        let normal = hyperplane_normal(&[3.0, -2.0, 0.0, 1.0], 2).unwrap();
        let s = 0.5_f64.sqrt();
        assert!((normal[0].abs() - s).abs() < 1e-15 && (normal[0] + normal[1]).abs() < 1e-15);
        assert!(hyperplane_normal(&[-3.0, 0.0, 0.0, 1.0], 2).is_none(), "negative");
        assert!(hyperplane_normal(&[1.0, 0.0, 0.0, 1.0], 2).is_none(), "not simple");
        assert!(hyperplane_normal(&[0.0; 4], 2).is_none(), "nothing leads");
        assert!(hyperplane_normal(&[2.0, 0.0, 0.0, -2.0], 2).is_none(), "two of equal modulus");
        assert_eq!(hyperplane_normal(&[2.5], 1), Some(vec![1.0]));
    }

    #[test]
    fn random_matrices_are_left_where_they_lead() {
        // The normal of any matrix that has one satisfies Aᵀψ = λψ.
        let mut found = 0;
        for seed in 0..20 {
            let d = 6;
            let mut stream = Stream::new([seed; 32], 1);
            let a: Vec<f64> = (0..d * d).map(|_| stream.normal() + 1.0).collect();
            let Some(normal) = hyperplane_normal(&a, d) else { continue };
            found += 1;
            let image: Vec<f64> = (0..d).map(|j| (0..d).map(|i| normal[i] * a[i * d + j]).sum()).collect();
            let value: f64 = image.iter().zip(&normal).map(|(a, b)| a * b).sum();
            let rest = image.iter().zip(&normal).map(|(a, b)| (a - value * b).abs()).fold(0.0, f64::max);
            // Backward error 20dε‖A‖, amplified by at most the condition of a well separated eigenvalue (gap > 1).
            assert!(rest < 1e-12, "{rest:e}");
        }
        assert!(found > 10, "{found}");
    }
}
