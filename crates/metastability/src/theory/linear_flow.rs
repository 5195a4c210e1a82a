//! Attention at β → ∞: each token for itself along the flow of V KᵀQ, and E_max, where they end (P4 Theorem 3.2, (5), Proposition 3.4; docs/oracles.md, 11).
//!
//! With B = QᵀK the score x ↦ xᵀBy of a token on a full sphere is largest at y = Bᵀx/‖Bᵀx‖, and softmax puts all weight there:
//!
//! ```text
//! ẋ = P_x V Bᵀx / ‖Bᵀx‖ ,      Bᵀ = KᵀQ ,
//! ```
//!
//! the linear flow of M = V Bᵀ, projected, with a clock of its own. Tokens of a density end on E_max, the generalized eigenspace of the
//! eigenvalues of M with the largest real part: at rest where that is one real eigenvalue with a full eigenspace, turning for ever where it is a
//! complex pair.

use nalgebra::DMatrix;

use super::ode::solve;

/// Where the linear flow of a matrix ends.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadingSpace {
    /// The eigenvalues with the largest real part, as (real, imaginary), both of a pair.
    pub eigenvalues: Vec<(f64, f64)>,
    /// The largest real part of the others; none if there are no others.
    pub next: Option<f64>,
    /// Orthonormal vectors that span their generalized eigenspace.
    pub basis: Vec<Vec<f64>>,
}

impl LeadingSpace {
    /// Whether tokens go on turning in it.
    #[must_use]
    pub fn turns(&self) -> bool {
        self.eigenvalues.iter().any(|(_, imaginary)| *imaginary != 0.0)
    }

    /// The distance of a unit vector to the space.
    #[must_use]
    pub fn distance(&self, x: &[f64]) -> f64 {
        let mut rest = x.to_vec();
        for direction in &self.basis {
            let along: f64 = direction.iter().zip(x).map(|(a, b)| a * b).sum();
            rest.iter_mut().zip(direction).for_each(|(rest, a)| *rest -= along * a);
        }
        rest.iter().map(|x| x * x).sum::<f64>().sqrt()
    }
}

/// E_max of V Bᵀ for d × d matrices in rows. Eigenvalues count as leading whose real part is within `tolerance`·‖M‖ of the largest.
///
/// None if the matrices are not square and of one size, hold something not finite, or their eigenvalues do not converge.
///
/// ```
/// use metasweep_metastability::theory::linear_flow::leading_space;
///
/// let identity = [1.0, 0.0, 0.0, 1.0];
/// let space = leading_space(&[2.0, 1.0, 0.0, 1.0], &identity, 1e-6).unwrap();
/// assert!((space.eigenvalues[0].0 - 2.0).abs() < 1e-12 && !space.turns());
/// assert!(space.distance(&[1.0, 0.0]) < 1e-12);
/// ```
#[must_use]
pub fn leading_space(value: &[f64], query_key: &[f64], tolerance: f64) -> Option<LeadingSpace> {
    let matrix = product(value, query_key)?;
    let d = matrix.nrows();
    let schur = nalgebra::linalg::Schur::try_new(matrix.clone(), f64::EPSILON, 10_000)?;
    let all: Vec<(f64, f64)> = schur.complex_eigenvalues().iter().map(|value| (value.re, value.im)).collect();
    let top = all.iter().map(|value| value.0).fold(f64::NEG_INFINITY, f64::max);
    let (leading, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|value| top - value.0 <= tolerance * matrix.norm());
    let next = others.iter().map(|value| value.0).reduce(f64::max);
    let basis = match next {
        None => (0..d).map(|k| (0..d).map(|j| f64::from(u8::from(j == k))).collect()).collect(),
        Some(next) => {
            let lowest = leading.iter().map(|value| value.0).fold(f64::INFINITY, f64::min);
            range(&above(&matrix, 0.5 * (lowest + next))?, leading.len())
        }
    };
    Some(LeadingSpace { eigenvalues: leading, next, basis })
}

/// Where the token `start`, a unit vector, is at time t ≥ 0 in the limit β → ∞ ((5) of P4); `value` is V and `query_key` B, d × d in rows.
///
/// None if the sizes do not fit; NaN where Bᵀx vanishes on the way.
///
/// ```
/// use metasweep_metastability::theory::linear_flow::flow;
///
/// // V a rotation, B = I: P4 Remark 3.6.
/// let turned = flow(&[0.0, -1.0, 1.0, 0.0], &[1.0, 0.0, 0.0, 1.0], &[1.0, 0.0], 0.5).unwrap();
/// assert!((turned[1] - 0.5_f64.sin()).abs() < 1e-11);
/// ```
#[must_use]
pub fn flow(value: &[f64], query_key: &[f64], start: &[f64], t: f64) -> Option<Vec<f64>> {
    let d = start.len();
    let matrix = product(value, query_key)?;
    let transposed = DMatrix::from_row_slice(d, d, query_key.get(..d * d)?).transpose();
    if matrix.nrows() != d || !(t >= 0.0 && t.is_finite()) {
        return None;
    }
    let times = |matrix: &DMatrix<f64>, x: &[f64]| -> Vec<f64> {
        (0..d).map(|i| (0..d).map(|j| matrix[(i, j)] * x[j]).sum()).collect()
    };
    let right = |_: f64, x: &[f64]| {
        let (moved, key) = (times(&matrix, x), times(&transposed, x));
        let length = key.iter().map(|y| y * y).sum::<f64>().sqrt();
        let square: f64 = x.iter().map(|x| x * x).sum();
        let along: f64 = moved.iter().zip(x).map(|(a, b)| a * b).sum::<f64>() / square;
        moved.iter().zip(x).map(|(moved, x)| (moved - along * x) / length).collect()
    };
    Some(solve(&right, 0.0, t, start))
}

/// V Bᵀ.
fn product(value: &[f64], query_key: &[f64]) -> Option<DMatrix<f64>> {
    let d = value.len().isqrt();
    let square = d > 0 && d * d == value.len() && value.len() == query_key.len();
    if !square || !value.iter().chain(query_key).all(|entry| entry.is_finite()) {
        return None;
    }
    Some(DMatrix::from_row_slice(d, d, value) * DMatrix::from_row_slice(d, d, query_key).transpose())
}

/// The projection onto the generalized eigenspaces with real part above `line`, along the others: (I + sign(M − line))/2, the sign by
/// Newton's iteration X ← (X + X⁻¹)/2.
fn above(matrix: &DMatrix<f64>, line: f64) -> Option<DMatrix<f64>> {
    let d = matrix.nrows();
    let identity = DMatrix::identity(d, d);
    let mut sign = matrix - &identity * line;
    for _ in 0..200 {
        let inverse = sign.clone().try_inverse()?;
        // Scaled by Higham's factor it needs few rounds however large or small the eigenvalues are.
        let scale = (inverse.norm() / sign.norm()).sqrt();
        let next = (&sign * scale + &inverse / scale) * 0.5;
        let change = (&next - &sign).norm();
        sign = next;
        if change <= 1e-13 * sign.norm() {
            break;
        }
    }
    Some((identity + sign) * 0.5)
}

/// An orthonormal basis of the range of a projection of this rank.
fn range(projection: &DMatrix<f64>, rank: usize) -> Vec<Vec<f64>> {
    let pivoted = nalgebra::linalg::ColPivQR::new(projection.clone()).q();
    (0..rank).map(|k| pivoted.column(k).iter().copied().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: [f64; 9] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];

    /// P3 Table 1's matrices, and what belongs to the transpose.
    #[test]
    fn spaces_that_are_known() {
        let space = |value: &[f64], query_key: &[f64]| leading_space(value, query_key, 1e-6).unwrap();
        let two = space(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], &IDENTITY);
        assert_eq!((two.basis.len(), two.next, two.turns()), (2, Some(0.0), false));
        assert!(
            (two.distance(&[0.0, 0.0, 1.0]) - 1.0).abs() < 1e-14 && two.distance(&[0.6, 0.8, 0.0]) < 1e-14
        );
        let whole = space(&IDENTITY, &IDENTITY);
        assert_eq!((whole.basis.len(), whole.next), (3, None));
        // V = I, B = [[1, 1], [0, 2]]: Bᵀ = [[1, 0], [1, 2]] has its leading vector (0, 1), and B would have (1, 1).
        let transposed = space(&[1.0, 0.0, 0.0, 1.0], &[1.0, 1.0, 0.0, 2.0]);
        assert!(transposed.distance(&[0.0, 1.0]) < 1e-13);
    }

    #[test]
    fn pairs_turn_and_jordan_blocks_are_whole() {
        let pair = [1.0, -2.0, 0.0, 2.0, 1.0, 0.0, 5.0, 3.0, 0.5];
        let space = leading_space(&pair, &IDENTITY, 1e-6).unwrap();
        assert!(space.turns() && space.basis.len() == 2);
        assert!((space.next.unwrap() - 0.5).abs() < 1e-12);
        let jordan = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0];
        let space = leading_space(&jordan, &IDENTITY, 1e-6).unwrap();
        assert!(space.basis.len() == 2 && space.distance(&[0.0, 1.0, 0.0]) < 1e-12);
    }

    /// The flow is that of e^{Mt}, normalized, up to the clock; with B orthogonal ‖Bᵀx‖ = 1 and the clock is t.
    #[test]
    fn the_flow_is_linear_up_to_length() {
        let value = [0.9, 0.4, -0.2, 0.1, -0.5, 0.3, 0.7, 0.2, 0.4];
        let start = [0.6, 0.0, 0.8];
        for t in [0.3, 2.0] {
            let found = flow(&value, &IDENTITY, &start, t).unwrap();
            let exponential = (DMatrix::from_row_slice(3, 3, &value) * t).exp();
            let moved: Vec<f64> =
                (0..3).map(|i| (0..3).map(|j| exponential[(i, j)] * start[j]).sum()).collect();
            let length = moved.iter().map(|x: &f64| x * x).sum::<f64>().sqrt();
            for (found, moved) in found.iter().zip(&moved) {
                assert!((found - moved / length).abs() < 1e-10, "{t}");
            }
        }
        let space = leading_space(&value, &IDENTITY, 1e-6).unwrap();
        let late = flow(&value, &IDENTITY, &start, 60.0).unwrap();
        assert!(space.distance(&late) < 1e-9, "{}", space.distance(&late));
    }

    #[test]
    fn what_cannot_be() {
        assert_eq!(leading_space(&[1.0; 3], &[1.0; 3], 1e-6), None);
        assert_eq!(leading_space(&[f64::NAN; 4], &[1.0; 4], 1e-6), None);
        assert_eq!(flow(&IDENTITY, &IDENTITY, &[1.0, 0.0], 1.0), None);
        assert_eq!(leading_space(&[], &[], 1e-6), None);
    }
}
