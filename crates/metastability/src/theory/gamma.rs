//! γ_β(t), the common cosine of tokens that start orthogonal (P0 Theorem 4.6), and the curve Γ_{∞,δ} (P0 (4.11)).

use metasweep_dynamics::model::Normalization;

use super::equiangular::Equiangular;

/// γ_β(t) for n ≥ 2 tokens, β ≥ 0, t ≥ 0: P0 (4.8) for SA, (4.9) for USA.
///
/// ```
/// use metasweep_dynamics::model::Normalization::Softmax;
/// use metasweep_metastability::theory::gamma::{boundary, gamma};
///
/// let t = boundary(32, 5.0, Softmax, 1e-3);
/// assert!((gamma(32, 5.0, Softmax, t) - (1.0 - 1e-3)).abs() < 1e-12);
/// ```
#[must_use]
pub fn gamma(n: usize, beta: f64, normalization: Normalization, t: f64) -> f64 {
    1.0 - gap(n, beta, normalization, t)
}

/// 1 − γ_β(t), with its relative precision where γ is close to 1.
///
/// ```
/// use metasweep_dynamics::model::Normalization::Softmax;
/// use metasweep_metastability::theory::gamma::gap;
///
/// // docs/models.md: the terminal rate of SA is e^{−2t}.
/// let ratio = gap(32, 1.0, Softmax, 21.0) / gap(32, 1.0, Softmax, 20.0);
/// assert!((ratio - (-2.0_f64).exp()).abs() < 1e-12);
/// ```
#[must_use]
pub fn gap(n: usize, beta: f64, normalization: Normalization, t: f64) -> f64 {
    Equiangular::new(n, beta, normalization).gap(1.0, t)
}

/// The time t with γ_β(t) = 1 − δ, 0 < δ ≤ 1: the point of Γ_{∞,δ} (P0 (4.11)) above β.
///
/// ```
/// use metasweep_dynamics::model::Normalization::Softmax;
/// use metasweep_metastability::theory::gamma::boundary;
///
/// assert!((boundary(32, 9.0, Softmax, 1e-3) - 178.730_929_519_039).abs() < 1e-10);
/// ```
#[must_use]
pub fn boundary(n: usize, beta: f64, normalization: Normalization, delta: f64) -> f64 {
    Equiangular::new(n, beta, normalization).time(1.0, delta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Normalization::{Softmax, Unnormalized};

    /// At β = 0 the equation is logistic: γ = (e^{2t} − 1)/(e^{2t} + n − 1), for SA and USA alike.
    #[test]
    fn beta_zero_in_closed_form() {
        for n in [2, 3, 32, 1000] {
            for t in [0.0, 1e-6, 0.1, 1.0, 5.0, 30.0] {
                let exact = n as f64 / (libm::exp(2.0 * t) + n as f64 - 1.0);
                for normalization in [Softmax, Unnormalized] {
                    let found = gap(n, 0.0, normalization, t);
                    assert!((found / exact - 1.0).abs() < 1e-12, "{n} {t}: {found} {exact}");
                }
            }
        }
    }

    /// Terminal rates (docs/models.md): T(δ′) − T(δ) → ½ ln(δ/δ′) for SA and e^{−β} times that for USA.
    #[test]
    fn terminal_rates() {
        let between =
            |normalization| boundary(32, 3.0, normalization, 1e-10) - boundary(32, 3.0, normalization, 1e-8);
        let half_log = 0.5 * libm::log(100.0);
        // The corrections are of relative order β·δ = 3·10⁻⁸.
        assert!((between(Softmax) / half_log - 1.0).abs() < 1e-7);
        assert!((between(Unnormalized) / (half_log * libm::exp(-3.0)) - 1.0).abs() < 1e-7);
    }

    #[test]
    fn it_grows_from_zero() {
        assert_eq!(gamma(8, 4.0, Softmax, 0.0), 0.0);
        let values: Vec<f64> = (0..50).map(|k| gamma(8, 4.0, Softmax, f64::from(k))).collect();
        assert!(values.windows(2).all(|pair| pair[0] < pair[1] || pair[1] == 1.0));
    }
}
