//! Linear systems by Gaussian elimination, with one fixed order of operations: bits that no library changes.

/// X with A X = B, all d × d and row-major; `None` if A is singular to the last bit.
///
/// Column by column: the pivot is the first row, from the diagonal down, with the entry of largest modulus; it is
/// exchanged with the diagonal's row; each row below loses its multiple of it, `m = a_ik / a_kk`, `a_ij ← a_ij − m·a_kj`
/// for j > k and `b_ij ← b_ij − m·b_kj` for all j, the product rounded first. Then from the last row up:
/// `x_ij = (b_ij − Σ_{k>i} a_ik x_kj) / a_ii`, k ascending, subtracted one by one.
pub(super) fn solve(mut a: Vec<f64>, mut b: Vec<f64>, d: usize) -> Option<Vec<f64>> {
    for k in 0..d {
        let pivot =
            (k..d).fold(k, |best, i| if a[i * d + k].abs() > a[best * d + k].abs() { i } else { best });
        if a[pivot * d + k] == 0.0 {
            return None;
        }
        for j in 0..d {
            a.swap(k * d + j, pivot * d + j);
            b.swap(k * d + j, pivot * d + j);
        }
        for i in k + 1..d {
            let m = a[i * d + k] / a[k * d + k];
            for j in k + 1..d {
                a[i * d + j] -= m * a[k * d + j];
            }
            for j in 0..d {
                b[i * d + j] -= m * b[k * d + j];
            }
        }
    }
    for i in (0..d).rev() {
        for k in i + 1..d {
            let factor = a[i * d + k];
            for j in 0..d {
                b[i * d + j] -= factor * b[k * d + j];
            }
        }
        for j in 0..d {
            b[i * d + j] /= a[i * d + i];
        }
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn small_systems() {
        // The first pivot is zero: rows must be exchanged.
        let x = solve(vec![0.0, 2.0, 4.0, 4.0], vec![2.0, 4.0, 8.0, 0.0], 2).unwrap();
        assert_eq!(x, [1.0, -2.0, 1.0, 2.0]);
        assert_eq!(solve(vec![1.0, 2.0, 2.0, 4.0], vec![1.0; 4], 2), None);
        assert_eq!(solve(vec![4.0], vec![2.0], 1).unwrap(), [0.5]);
    }
}
