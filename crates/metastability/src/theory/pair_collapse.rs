//! When two tokens meet: the exact collapse time of n = 2 (docs/oracles.md, 2).

use metasweep_dynamics::model::Normalization;

use super::equiangular::Equiangular;

/// The time after which two tokens with cosine −1 < `start` < 1 have cosine 1 − δ, V = QᵀK = I, β ≥ 0: for SA
///
/// ```text
/// ∫_{start}^{1−δ} (e^{β(1−g)} + 1) / (2(1−g)(1+g)) dg ,
/// ```
///
/// for USA with 2e^{−βg} in place of the numerator's sum. About 10⁻¹³ relative for β up to 300.
///
/// ```
/// use metasweep_dynamics::model::Normalization::Softmax;
/// use metasweep_metastability::theory::pair_collapse::pair_collapse_time;
///
/// let t = pair_collapse_time(9.0, Softmax, 0.0, 1e-3);
/// assert!((t / 466.7106529100294 - 1.0).abs() < 1e-13);
/// ```
#[must_use]
pub fn pair_collapse_time(beta: f64, normalization: Normalization, start: f64, delta: f64) -> f64 {
    Equiangular::new(2, beta, normalization).time(1.0 - start, delta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Normalization::{Softmax, Unnormalized};

    /// The five figures of docs/oracles.md, to the digits given there.
    #[test]
    fn the_figures_of_oracle_two() {
        for (beta, exact) in [
            (1.0, 4.271_067_680_309_354),
            (4.0, 10.831_207_009_994_971),
            (9.0, 466.710_652_910_029_4),
            (20.0, 12_191_760.251_118_84),
            (50.0, 5.188_873_446_745_67e19),
        ] {
            let found = pair_collapse_time(beta, Softmax, 0.0, 1e-3);
            assert!((found / exact - 1.0).abs() < 1e-13, "{beta}: {found}");
        }
    }

    /// At β = 0 the integrand is 1/((1−g)(1+g)): the time is artanh(1−δ) − artanh(start).
    #[test]
    fn beta_zero_in_closed_form() {
        for start in [-0.999, -0.3, 0.0, 0.9] {
            let artanh = |g: f64| 0.5 * (libm::log1p(g) - libm::log1p(-g));
            let exact = artanh(1.0 - 1e-3) - artanh(start);
            for normalization in [Softmax, Unnormalized] {
                let found = pair_collapse_time(0.0, normalization, start, 1e-3);
                assert!((found / exact - 1.0).abs() < 1e-12, "{start}: {found} {exact}");
            }
        }
    }

    #[test]
    fn antipodal_points_and_points_that_met_have_no_time() {
        assert!(pair_collapse_time(1.0, Softmax, -1.0, 1e-3).is_nan());
        assert!(pair_collapse_time(1.0, Softmax, 0.9999, 1e-3).is_nan());
    }
}
