//! Points that are one to every observer become one weighted point.
//!
//! Two points merge when 1 − ⟨x_i, x_j⟩ ≤ 2⁻⁵³, half the distance from 1 to the number below it: whoever looks at cosines cannot tell
//! them apart. That is a chord ε = 2⁻²⁶ ≈ 1.5·10⁻⁸, while the finest scale of resolved states, δ_lo ≥ 1e-4·2/β, is a chord above 10⁻⁴ up to
//! β = 10⁴. The merged point stands at the normalized mean, weighted by mass, and has the sum of the masses.
//!
//! What that changes is of second order in ε:
//!
//! * *the pull on the others.* Σ_a m_a F(x_a) about the mean has no linear term, and F changes by the factor e^{βε} over the chord: the relative
//!   error is at most (βε)²/8.
//! * *the merged point's own way.* The pair's forces on each other cancel in the mean but for Z_i ≠ Z_j, a relative difference of at most βε. For
//!   the time of order one in which the two would have met, at distances below ε, the mean moves by at most βε²/4, whose worth in the
//!   logarithm of a time is β times that.
//!
//! Together less than (βε)²/2 = β²·2⁻⁵³ in the logarithm of every later time: 10⁻¹¹ at β = 300. A test measures it.

/// 1 − ⟨x_i, x_j⟩ at which points merge.
pub(super) const ONE: f64 = f64::EPSILON / 2.0;

/// For each point the number of the point that it becomes part of, in the order of their first parts; None if all stay apart. `gaps` are
/// 1 − ⟨x_i, x_j⟩, i < j, row by row.
pub(super) fn merged(count: usize, gaps: &[f64]) -> Option<Vec<u32>> {
    if !gaps.iter().any(|gap| *gap <= ONE) {
        return None;
    }
    // Chains merge whole: a point takes the smallest name of all that it touches.
    let mut name: Vec<usize> = (0..count).collect();
    let pairs = (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j)));
    for ((i, j), gap) in pairs.zip(gaps) {
        if *gap <= ONE {
            let (low, high) = (name[i].min(name[j]), name[i].max(name[j]));
            name.iter_mut().filter(|root| **root == high).for_each(|root| *root = low);
        }
    }
    let mut next = 0;
    let mut number = vec![0; count];
    for point in 0..count {
        if name[point] == point {
            number[point] = next;
            next += 1;
        } else {
            number[point] = number[name[point]];
        }
    }
    Some(number)
}

/// The merged points, `[point][coordinate]`, and their masses.
pub(super) fn means(rows: &[f64], masses: &[f64], number: &[u32], d: usize) -> (Vec<f64>, Vec<f64>) {
    let count = number.iter().max().map_or(0, |last| *last as usize + 1);
    let (mut means, mut sums) = (vec![0.0; count * d], vec![0.0; count]);
    let mut parts = vec![0_u32; count];
    for ((row, mass), target) in rows.chunks_exact(d).zip(masses).zip(number) {
        let target = *target as usize;
        parts[target] += 1;
        sums[target] += mass;
        for (mean, x) in means[target * d..(target + 1) * d].iter_mut().zip(row) {
            *mean += mass * x;
        }
    }
    for (row, target) in rows.chunks_exact(d).zip(number.iter().map(|target| *target as usize)) {
        if parts[target] == 1 {
            // A point that stays alone keeps its bits.
            means[target * d..(target + 1) * d].copy_from_slice(row);
        }
    }
    for (mean, parts) in means.chunks_exact_mut(d).zip(parts) {
        if parts > 1 {
            let length = mean.iter().fold(0.0, |sum, x| sum + x * x).sqrt();
            for x in mean {
                *x /= length;
            }
        }
    }
    (means, sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_merge_whole_and_order_is_kept() {
        // 0–3 and 3–1 touch; 2 and 4 are alone. Pairs: 01 02 03 04 12 13 14 23 24 34.
        let mut gaps = [0.5; 10];
        gaps[2] = ONE;
        gaps[5] = 0.0;
        assert_eq!(merged(5, &gaps), Some(vec![0, 0, 1, 0, 2]));
        assert_eq!(merged(5, &[0.5; 10]), None);
        let rows = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.6, 0.8];
        let (means, masses) = means(&rows, &[1.0, 2.0, 3.0, 4.0, 5.0], &[0, 0, 1, 0, 2], 2);
        assert_eq!(means, [1.0, 0.0, 0.0, 1.0, 0.6, 0.8]);
        assert_eq!(masses, [7.0, 3.0, 5.0]);
    }
}
