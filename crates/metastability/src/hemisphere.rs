//! Does an open hemisphere contain all tokens? (P0 Thm 4.5, Lemma 4.2; the recorder asks at the start.)
//!
//! There is a w with ⟨w, x_i⟩ > 0 for all i exactly if the convex hull of the tokens leaves out the origin.
//! Linearly independent tokens always have one (solve ⟨w, x_i⟩ = 1); in two dimensions it is a gap of more
//! than π between neighbouring angles; otherwise Wolfe's algorithm finds the hull's point nearest to the
//! origin, which *is* such a w unless it is the origin.

/// Pivots (squared distances to the span of the tokens before) above this mean linear independence. The
/// rounding of a pivot is some n·10⁻¹⁶.
const INDEPENDENT: f64 = 1e-10;

/// In two dimensions: how much a gap of angles has to exceed π. The rounding of an angle is 4·10⁻¹⁶.
const GAP: f64 = 1e-12;

/// Hulls nearer than this to the origin are taken to contain it. Squared distances are known to some 10⁻¹⁶,
/// so that nothing below 10⁻⁸ can be told from zero.
const NEAR: f64 = 1e-7;

/// Weights of Wolfe's algorithm below this are zero.
const WEIGHT: f64 = 1e-12;

/// Whether an open hemisphere contains all rows of `tokens` (n × d, row-major, unit rows).
#[must_use]
pub fn contains_all(tokens: &[f64], n: usize, d: usize) -> bool {
    if n <= d && independent(tokens, n, d) {
        return true;
    }
    if d == 2 { wide_gap(tokens) } else { nearest_point_separates(tokens, n, d) }
}

/// Whether the rows are linearly independent, by Cholesky's factorization of their Gram matrix.
fn independent(tokens: &[f64], n: usize, d: usize) -> bool {
    let mut factor = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let mut rest = dot(&tokens[i * d..][..d], &tokens[j * d..][..d]);
            for k in 0..j {
                rest -= factor[i * n + k] * factor[j * n + k];
            }
            if i > j {
                factor[i * n + j] = rest / factor[j * n + j];
            } else if rest > INDEPENDENT {
                factor[i * n + i] = rest.sqrt();
            } else {
                return false;
            }
        }
    }
    true
}

/// On the circle: whether two neighbouring tokens are more than π apart.
fn wide_gap(tokens: &[f64]) -> bool {
    let mut angles: Vec<f64> = tokens.chunks_exact(2).map(|x| libm::atan2(x[1], x[0])).collect();
    angles.sort_unstable_by(f64::total_cmp);
    let around = angles[0] + 2.0 * std::f64::consts::PI - angles[angles.len() - 1];
    let widest = angles.windows(2).fold(around, |widest, pair| f64::max(widest, pair[1] - pair[0]));
    widest > std::f64::consts::PI + GAP
}

/// Wolfe (1976), "Finding the nearest point in a polytope", stopped as soon as the sign is known.
fn nearest_point_separates(tokens: &[f64], n: usize, d: usize) -> bool {
    let row = |i: usize| &tokens[i * d..][..d];
    let (mut corral, mut weights) = (vec![0_usize], vec![1.0_f64]);
    let mut point = row(0).to_vec();
    loop {
        let square = dot(&point, &point);
        if square <= NEAR * NEAR {
            return false;
        }
        let (mut furthest, mut least) = (0, f64::INFINITY);
        for i in 0..n {
            let along = dot(&point, row(i));
            if along < least {
                (furthest, least) = (i, along);
            }
        }
        if least > NEAR * square.sqrt() {
            return true;
        }
        if corral.contains(&furthest) {
            return false;
        }
        corral.push(furthest);
        weights.push(0.0);
        if !to_nearest(tokens, d, &mut corral, &mut weights) {
            return false;
        }
        point = combination(tokens, d, &corral, &weights);
        // The distance falls with every round; where rounding stops that, it is as small as can be told.
        if dot(&point, &point) >= square {
            return false;
        }
    }
}

/// Wolfe's minor cycle: weights of the hull's nearest point, with the tokens it needs. False if the tokens
/// are affinely dependent, which in exact arithmetic they never are.
fn to_nearest(tokens: &[f64], d: usize, corral: &mut Vec<usize>, weights: &mut Vec<f64>) -> bool {
    loop {
        let Some(wanted) = affine_nearest(tokens, d, corral) else { return false };
        if wanted.iter().all(|&weight| weight > WEIGHT) {
            *weights = wanted;
            return true;
        }
        let mut share = 1.0;
        for (&old, &new) in weights.iter().zip(&wanted) {
            if new <= WEIGHT && old - new > 0.0 {
                share = f64::min(share, old / (old - new));
            }
        }
        for (old, &new) in weights.iter_mut().zip(&wanted) {
            *old += share * (new - *old);
        }
        let keep: Vec<bool> = weights.iter().map(|&weight| weight > WEIGHT).collect();
        if keep.iter().all(|&kept| kept) || !keep.iter().any(|&kept| kept) {
            return false;
        }
        retain(corral, &keep);
        retain(weights, &keep);
    }
}

fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut flags = keep.iter();
    values.retain(|_| flags.next() == Some(&true));
}

/// Weights of the point nearest to the origin in the affine hull: (1 1ᵀ + G) u = 1, scaled to sum 1.
fn affine_nearest(tokens: &[f64], d: usize, corral: &[usize]) -> Option<Vec<f64>> {
    let k = corral.len();
    let row = |i: usize| &tokens[corral[i] * d..][..d];
    let mut factor = vec![0.0; k * k];
    let mut solution = vec![0.0; k];
    for i in 0..k {
        for j in 0..=i {
            let mut rest = 1.0 + dot(row(i), row(j));
            for m in 0..j {
                rest -= factor[i * k + m] * factor[j * k + m];
            }
            if i > j {
                factor[i * k + j] = rest / factor[j * k + j];
            } else if rest > 0.0 {
                factor[i * k + i] = rest.sqrt();
            } else {
                return None;
            }
        }
        let mut rest = 1.0;
        for m in 0..i {
            rest -= factor[i * k + m] * solution[m];
        }
        solution[i] = rest / factor[i * k + i];
    }
    for i in (0..k).rev() {
        let mut rest = solution[i];
        for m in i + 1..k {
            rest -= factor[m * k + i] * solution[m];
        }
        solution[i] = rest / factor[i * k + i];
    }
    let sum: f64 = solution.iter().fold(0.0, |sum, u| sum + u);
    Some(solution.into_iter().map(|u| u / sum).collect())
}

fn combination(tokens: &[f64], d: usize, corral: &[usize], weights: &[f64]) -> Vec<f64> {
    let mut point = vec![0.0; d];
    for (&i, &weight) in corral.iter().zip(weights) {
        for (coordinate, x) in point.iter_mut().zip(&tokens[i * d..][..d]) {
            *coordinate += weight * x;
        }
    }
    point
}

/// Summed in the order of the coordinates.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (x, y)| sum + x * y)
}
