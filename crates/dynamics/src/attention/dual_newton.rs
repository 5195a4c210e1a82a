//! Doubly stochastic weights where Sinkhorn's iteration takes too long: Newton's method on the dual problem.
//!
//! The weights are `w_ij = α_j e^{s_ij + f_i + g_j}` with `Σ_j w_ij = 1` and `Σ_i α_i w_ij = α_j`. For given g the first of
//! these give f, and the second say that g minimizes the convex function
//!
//! ```text
//! F(g) = Σ_i α_i log Σ_j α_j e^{s_ij + g_j} − Σ_j α_j g_j,
//! ```
//!
//! whose gradient is `c_j − α_j`, `c_j = Σ_i α_i w_ij`, and whose Hessian is the Laplacian of a graph with the couplings
//! `Σ_i α_i w_ij w_ik` between the columns j ≠ k. As a sum of logarithms of sums of exponentials F is self-concordant in the
//! sense `|D³F[v, v, v]| ≤ (max v − min v) D²F[v, v]`, so that Newton's step v times `log(1 + r)/r`, `r = max v − min v`,
//! always lessens F (Sun and Tran-Dinh, *Generalized self-concordant functions*, Math. Program. 178 (2019), ν = 2): no
//! line search, and quadratic convergence at the end. Sinkhorn's own iteration takes steps of order 1 where potentials
//! of order β are wanted, and at the end wins no more in a round than weights leak between groups of tokens,
//! e^{−β·gap}; Newton's takes tens to a few hundred steps for any scores.
//!
//! Where groups hardly leak, the Laplacian is nearly singular, and the right side there is rounding noise. Therefore
//! [`tolerance`](super::sinkhorn::tolerance) `· α_j` is added to its diagonal: a mode that leaks less than that is in
//! order already. Elimination adds positive numbers alone (Grassmann, Taksar and Heyman), so that no pivot can vanish.
//!
//! One lane at a time, in plain arithmetic of one order: the same bits on every machine. Called by [`super::sinkhorn`] and,
//! for the weights that are shown, by [`super::weights`].

use crate::simd::exp_scalar;

/// Most steps. Ordinary tokens at β = 700 take 300.
const MOST: usize = 3000;

/// `f` and `g`.
#[derive(Debug)]
pub(super) struct Potentials {
    pub rows: Vec<f64>,
    pub columns: Vec<f64>,
}

/// The potentials of these scores (n × n row-major; −∞ where there shall be no weight), from the columns' potentials
/// `columns` on. Row sums are then exact up to rounding, and no column sum is off by more than `tolerance` of it. None
/// if there are none such, or a score is not a number.
pub(super) fn potentials(
    scores: &[f64],
    masses: &[f64],
    mut columns: Vec<f64>,
    tolerance: f64,
) -> Option<Potentials> {
    let n = masses.len();
    let mut rows = vec![0.0; n];
    let mut weights = vec![0.0; n * n];
    for _ in 0..MOST {
        for i in 0..n {
            let row = &mut weights[i * n..(i + 1) * n];
            rows[i] = weigh(&scores[i * n..(i + 1) * n], masses, &columns, row);
        }
        let surplus: Vec<f64> = (0..n)
            .map(|j| (0..n).fold(0.0, |sum, i| sum + masses[i] * weights[i * n + j]) - masses[j])
            .collect();
        let residual =
            surplus.iter().zip(masses).fold(0.0, |residual: f64, (r, mass)| residual.max(r.abs() / mass));
        if surplus.iter().any(|surplus| !surplus.is_finite()) {
            return None;
        }
        if residual <= tolerance {
            return Some(Potentials { rows, columns });
        }
        let step = newton_step(&weights, masses, &surplus, tolerance);
        let (low, high) =
            step.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (v.min(l), v.max(h)));
        let range = high - low;
        let share = if range > 0.0 { libm::log1p(range) / range } else { 1.0 };
        columns.iter_mut().zip(step).for_each(|(potential, v)| *potential += share * v);
    }
    None
}

/// The weights of one row, which sum to 1, and its potential `−log Σ_j α_j e^{s_ij + g_j}`.
fn weigh(scores: &[f64], masses: &[f64], columns: &[f64], weights: &mut [f64]) -> f64 {
    let mut highest = f64::NEG_INFINITY;
    for (score, potential) in scores.iter().zip(columns) {
        highest = highest.max(score + potential);
    }
    let mut sum = 0.0;
    for (j, weight) in weights.iter_mut().enumerate() {
        *weight = masses[j] * exp_scalar((scores[j] + columns[j]) - highest);
        sum += *weight;
    }
    for weight in weights.iter_mut() {
        *weight /= sum;
    }
    -(highest + libm::log(sum))
}

/// The v with `(L + δ·diag α) v = −surplus`, L the Laplacian of the columns' couplings.
fn newton_step(weights: &[f64], masses: &[f64], surplus: &[f64], delta: f64) -> Vec<f64> {
    let n = masses.len();
    let mut couplings = vec![0.0; n * n];
    for (row, mass) in weights.chunks_exact(n).zip(masses) {
        for (j, weight) in row.iter().enumerate() {
            let weight = mass * weight;
            // Most weights are 0 at large β.
            if weight > 0.0 {
                for k in j + 1..n {
                    couplings[j * n + k] += weight * row[k];
                }
            }
        }
    }
    // Above the diagonal alone: the matrix is, and stays, symmetric.
    let mut excess: Vec<f64> = masses.iter().map(|mass| delta * mass).collect();
    let mut step: Vec<f64> = surplus.iter().map(|surplus| -surplus).collect();
    let mut pivots = vec![0.0; n];
    for k in 0..n {
        let (above, below) = couplings.split_at_mut((k + 1) * n);
        let row = &above[k * n..];
        let pivot = row[k + 1..].iter().fold(excess[k], |sum, coupling| sum + coupling);
        pivots[k] = pivot;
        for i in k + 1..n {
            let share = row[i] / pivot;
            if share > 0.0 {
                excess[i] += share * excess[k];
                step[i] += share * step[k];
                let start = (i - k - 1) * n;
                for j in i + 1..n {
                    below[start + j] += share * row[j];
                }
            }
        }
    }
    for k in (0..n).rev() {
        let sum = (k + 1..n).fold(step[k], |sum, j| sum + couplings[k * n + j] * step[j]);
        step[k] = sum / pivots[k];
    }
    step
}

#[cfg(test)]
mod tests {
    use super::super::sinkhorn::tolerance;
    use super::*;
    use crate::random::Stream;

    fn solved(scores: &[f64], masses: &[f64]) -> Vec<f64> {
        let n = masses.len();
        let finite = scores.iter().filter(|score| score.is_finite());
        let tolerance = tolerance(n, finite.fold(0.0, |largest: f64, score| largest.max(score.abs())));
        let Potentials { rows, columns } =
            potentials(scores, masses, vec![0.0; n], tolerance).expect("potentials");
        let weights: Vec<f64> = (0..n * n)
            .map(|at| masses[at % n] * exp_scalar(scores[at] + (rows[at / n] + columns[at % n])))
            .collect();
        for i in 0..n {
            let row: f64 = weights[i * n..(i + 1) * n].iter().sum();
            let column: f64 = (0..n).map(|k| masses[k] * weights[k * n + i]).sum();
            assert!((row - 1.0).abs() <= 2.0 * tolerance, "{row}");
            assert!((column / masses[i] - 1.0).abs() <= 3.0 * tolerance, "{column}");
        }
        weights
    }

    /// Scores of n tokens on the sphere in R^3 under QᵀK with independent normal entries.
    fn scores(n: usize, beta: f64, stream: &mut Stream) -> Vec<f64> {
        let form: Vec<f64> = (0..9).map(|_| stream.normal()).collect();
        let mut tokens = Vec::new();
        for _ in 0..n {
            let x: [f64; 3] = std::array::from_fn(|_| stream.normal());
            let length = (x[0] * x[0] + x[1] * x[1] + x[2] * x[2]).sqrt();
            tokens.push(x.map(|x| x / length));
        }
        let of = |x: &[f64; 3], y: &[f64; 3]| {
            (0..9).fold(0.0, |sum, at| sum + x[at / 3] * form[at] * y[at % 3]) * beta
        };
        tokens.iter().flat_map(|x| tokens.iter().map(|y| of(x, y)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn any_scores_have_weights() {
        let mut stream = Stream::new([7; 32], 0);
        for n in [1, 2, 3, 8, 20] {
            for beta in [0.0, 1.0, 10.0, 100.0, 700.0] {
                for case in 0..6 {
                    let mut scores = scores(n, beta, &mut stream);
                    let masses: Vec<f64> =
                        (0..n).map(|_| if case % 2 == 0 { 1.0 } else { 0.5 + stream.uniform() }).collect();
                    if case >= 3 && n > 3 {
                        (0..n).for_each(|i| scores[i * n + i] = f64::NEG_INFINITY);
                    }
                    solved(&scores, &masses);
                }
            }
        }
    }

    /// n = 2: w_11/w_12 = e^{(s_11 + s_22 − s_12 − s_21)/2}. Both weights of a column are off by the same, half the error of its
    /// sum.
    #[test]
    fn two_tokens_are_the_closed_form() {
        for odds in [0.0_f64, 0.7, -3.0, 9.0, -15.0] {
            let weights = solved(&[2.0 * odds + 5.0, -4.0, 5.0, -4.0], &[1.0, 1.0]);
            let expected = 1.0 / (1.0 + libm::exp(-odds));
            assert!((weights[0] - expected).abs() < 1e-12, "{odds}: {} {expected}", weights[0]);
        }
    }

    /// As β grows, the weights are those of the permutation that has the largest sum of scores: its runner-up, here by
    /// trying all, has the share e^{−gap/2} at most of any weight. (Along a cycle in which two permutations differ the product of
    /// w_ij of one is e^{gap} times that of the other; none exceeds 1, so that the least of the L ≥ 2 lesser weights is at most
    /// e^{−gap/L}.)
    #[test]
    fn large_scores_choose_the_best_assignment() {
        let mut stream = Stream::new([8; 32], 0);
        let n = 5;
        for _ in 0..20 {
            let scores: Vec<f64> = (0..n * n).map(|_| 700.0 * stream.normal()).collect();
            let weights = solved(&scores, &[1.0; 5]);
            let mut ranked: Vec<(f64, Vec<usize>)> = permutations(n)
                .into_iter()
                .map(|p| (p.iter().enumerate().fold(0.0, |sum, (i, j)| sum + scores[i * n + j]), p))
                .collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
            if ranked[0].0 - ranked[1].0 < 200.0 {
                continue;
            }
            for (i, j) in ranked[0].1.iter().enumerate() {
                assert!(weights[i * n + j] > 1.0 - 1e-11, "{weights:?}");
            }
        }
    }

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for shorter in permutations(n - 1) {
            for place in 0..n {
                let mut longer = shorter.clone();
                longer.insert(place, n - 1);
                all.push(longer);
            }
        }
        all
    }

    #[test]
    fn what_is_no_number_has_no_weights() {
        assert!(potentials(&[0.0, f64::NAN, 1.0, 0.0], &[1.0, 1.0], vec![0.0; 2], 1e-12).is_none());
        assert!(potentials(&[0.0, f64::INFINITY, 1.0, 0.0], &[1.0, 1.0], vec![0.0; 2], 1e-12).is_none());
    }
}
