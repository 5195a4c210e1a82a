//! One attention layer on equiangular tokens at β = γ log n: the phase transition of long contexts (P2 §6.3, Theorem 7; docs/oracles.md, 12).
//!
//! Inputs ⟨x_i, x_j⟩ = ρ, ‖x_i‖ = 1, outputs y_i = Σ_j A_ij x_j without a residual. With q = A_ij/A_ii = n^{−γ(1−ρ)}, c = 1 + (n−1)ρ,
//!
//! ```text
//! 1 − cos(y_i, y_j) = (1−ρ)(1−q)² / ((1−q)² + 2(1−q) q c + q² n c) ,
//! ```
//!
//! which tends to 0, (1−ρ)/(1+3ρ), 1−ρ as γ is below, at, above 1/(1−ρ): the cosines 1, 4ρ/(1+3ρ), ρ of the theorem.

/// 1 − ⟨θ_i, θ_j⟩ of the output directions for n ≥ 2 tokens at β = γ log n, γ ≥ 0, −1/(n−1) ≤ ρ ≤ 1.
///
/// ```
/// use metasweep_metastability::theory::one_layer::gap;
///
/// let critical = 1.0 - gap(1_000_000, 2.0, 0.5);
/// assert!((critical - 4.0 * 0.5 / (1.0 + 3.0 * 0.5)).abs() < 1e-5);
/// ```
#[must_use]
pub fn gap(n: usize, gamma: f64, rho: f64) -> f64 {
    gap_at(n, gamma * libm::log(n as f64), rho)
}

/// The same at a given β.
#[must_use]
pub fn gap_at(n: usize, beta: f64, rho: f64) -> f64 {
    let n = n as f64;
    if !(n >= 2.0 && beta >= 0.0 && rho <= 1.0 && rho * (n - 1.0) >= -1.0) {
        return f64::NAN;
    }
    let q = libm::exp(-beta * (1.0 - rho));
    let rest = -libm::expm1(-beta * (1.0 - rho));
    let whole = 1.0 + (n - 1.0) * rho;
    let square = rest * rest + 2.0 * rest * q * whole + q * q * n * whole;
    (1.0 - rho) * rest * rest / square
}

/// The theorem's limit of ⟨θ_i, θ_j⟩ for n → ∞, 0 < ρ < 1.
///
/// ```
/// use metasweep_metastability::theory::one_layer::limit;
///
/// assert_eq!((limit(1.9, 0.5), limit(2.0, 0.5), limit(2.1, 0.5)), (1.0, 0.8, 0.5));
/// ```
#[must_use]
pub fn limit(gamma: f64, rho: f64) -> f64 {
    if !(gamma >= 0.0 && rho > 0.0 && rho < 1.0) {
        return f64::NAN;
    }
    match (gamma * (1.0 - rho)).total_cmp(&1.0) {
        std::cmp::Ordering::Less => 1.0,
        std::cmp::Ordering::Equal => 4.0 * rho / (1.0 + 3.0 * rho),
        std::cmp::Ordering::Greater => rho,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against sums over the tokens of a layer: weights, then the Gram matrix of the outputs.
    #[test]
    fn it_is_a_layer() {
        for (n, beta, rho) in [(2_usize, 1.0, 0.3), (7, 2.5, 0.6), (5, 0.4, -0.2)] {
            let cosine = |i: usize, j: usize| if i == j { 1.0 } else { rho };
            let weight = |i: usize, j: usize| {
                let whole: f64 = (0..n).map(|k| libm::exp(beta * cosine(i, k))).sum();
                libm::exp(beta * cosine(i, j)) / whole
            };
            let product = |a: usize, b: usize| -> f64 {
                let pairs = (0..n).flat_map(|j| (0..n).map(move |k| (j, k)));
                pairs.map(|(j, k)| weight(a, j) * weight(b, k) * cosine(j, k)).sum()
            };
            let exact = 1.0 - product(0, 1) / product(0, 0);
            assert!((gap_at(n, beta, rho) - exact).abs() < 1e-14, "{n} {beta} {rho}");
        }
    }

    /// The three limits, approached at the rate that the formula has: n^{1−2γ(1−ρ)}·… below and above, 1/n at 1/(1−ρ).
    #[test]
    fn the_phase_transition() {
        let rho = 0.5;
        for (gamma, tolerance) in [(1.0, 2e-9), (2.0, 1e-9), (3.0, 4e-5)] {
            let cosine = 1.0 - gap(1_000_000_000, gamma, rho);
            assert!((cosine - limit(gamma, rho)).abs() < tolerance, "{gamma}: {cosine}");
        }
    }

    #[test]
    fn out_of_range_is_nan() {
        assert!(gap(1, 1.0, 0.5).is_nan() && gap(3, -1.0, 0.5).is_nan() && gap(3, 1.0, -0.6).is_nan());
        assert!(limit(1.0, 0.0).is_nan() && limit(1.0, 1.0).is_nan());
    }
}
