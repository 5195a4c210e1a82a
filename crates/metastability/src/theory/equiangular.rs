//! Tokens with all cosines equal: one scalar equation (docs/models.md; P0 (4.8), (4.9) from any start).
//!
//! With V = QᵀK = I, mask full and `post` layer norm, n tokens with ⟨x_i, x_j⟩ = ρ for i ≠ j keep equal cosines, and
//!
//! ```text
//! SA    ρ̇ = 2 e^{βρ} (1−ρ) ((n−1)ρ + 1) / (e^β + (n−1) e^{βρ})
//! USA   ρ̇ = (2/n) e^{βρ} (1−ρ) ((n−1)ρ + 1)
//! ```
//!
//! [`gamma`](super::gamma) is the case of an orthogonal start, [`pair_collapse`](super::pair_collapse) that of n = 2.
//! All is written in the *gap* u = 1 − ρ, which keeps its precision where clusters form.

use metasweep_dynamics::model::Normalization;

use super::quadrature::integrate;

/// Below e^{−745} a gap underflows to 0.
const LONGEST: f64 = 745.0;
/// Seventy halvings take the longest bracket to one rounding of 1; smaller roots are Newton's at once.
const MOST_ROUNDS: usize = 100;

/// The equation of n tokens at inverse temperature β ≥ 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equiangular {
    n: f64,
    beta: f64,
    normalization: Normalization,
}

impl Equiangular {
    /// n ≥ 2 tokens, β ≥ 0.
    ///
    /// ```
    /// use metasweep_dynamics::model::Normalization::Softmax;
    /// use metasweep_metastability::theory::equiangular::Equiangular;
    ///
    /// // docs/models.md: the initial slope from orthonormal tokens is 2/(e^β + n − 1).
    /// let slope = Equiangular::new(32, 2.0, Softmax).rate(0.0);
    /// assert!((slope - 0.05210).abs() < 5e-6);
    /// ```
    #[must_use]
    pub fn new(n: usize, beta: f64, normalization: Normalization) -> Self {
        Self { n: n as f64, beta, normalization }
    }

    /// ρ̇ at cosine ρ.
    #[must_use]
    pub fn rate(&self, rho: f64) -> f64 {
        self.rate_at_gap(1.0 - rho)
    }

    /// ρ̇ at the gap 1 − ρ, precise where the gap is far below the rounding of 1.
    #[must_use]
    pub fn rate_at_gap(&self, gap: f64) -> f64 {
        let rho = 1.0 - gap;
        let growth = 2.0 * gap * ((self.n - 1.0) * rho + 1.0);
        match self.normalization {
            // A token's largest score is its own: nothing moves.
            Normalization::Hardmax if self.beta * gap > 0.0 => 0.0,
            Normalization::Softmax | Normalization::Hardmax | Normalization::Sinkhorn => {
                growth / (libm::exp(self.beta * gap) + self.n - 1.0)
            }
            Normalization::Unnormalized => growth * libm::exp(self.beta * rho) / self.n,
        }
    }

    /// The time it takes the gap 1 − ρ to shrink from `from` to `to`, 0 < to ≤ from < n/(n−1); about 10⁻¹³ relative
    /// for β up to 300. Infinite if it exceeds the largest f64.
    ///
    /// Since u̇ = −ρ̇, with u = from·e^{−s} it is `∫ w(u) / (2(n − (n−1)u)) ds`, w = e^{βu} + n − 1 for SA and n·e^{β(u−1)} for
    /// USA: a smooth positive integrand, of which e^{β·from} is split off.
    #[must_use]
    pub fn time(&self, from: f64, to: f64) -> f64 {
        let scaled = self.scaled_time(from, to);
        if scaled == 0.0 {
            return 0.0; // not 0·∞
        }
        // Not exp(ln_time): that would round the logarithm first.
        scaled * libm::exp(self.exponent(from))
    }

    /// ln of [`time`](Self::time), where the time itself overflows.
    #[must_use]
    pub fn ln_time(&self, from: f64, to: f64) -> f64 {
        libm::log(self.scaled_time(from, to)) + self.exponent(from)
    }

    /// The gap at time t ≥ 0, from the gap `start` at time 0, 0 < start < n/(n−1): the inverse of [`time`](Self::time).
    #[must_use]
    pub fn gap(&self, start: f64, t: f64) -> f64 {
        if !(self.in_range(start) && t >= 0.0) {
            return f64::NAN;
        }
        if self.normalization == Normalization::Hardmax && self.beta > 0.0 {
            return start;
        }
        if t == f64::INFINITY {
            return 0.0;
        }
        start * libm::exp(-self.decay(start, t * libm::exp(-self.exponent(start))))
    }

    /// What is split off: the time is e^exponent times an integral of moderate size.
    fn exponent(&self, from: f64) -> f64 {
        match self.normalization {
            Normalization::Softmax | Normalization::Hardmax | Normalization::Sinkhorn => self.beta * from,
            Normalization::Unnormalized => self.beta * (from - 1.0),
        }
    }

    fn in_range(&self, gap: f64) -> bool {
        self.n >= 2.0
            && self.beta >= 0.0
            && self.beta.is_finite()
            && gap > 0.0
            && gap * (self.n - 1.0) < self.n
    }

    /// d(time)/ds · e^{−exponent} at u = from·e^{−s}.
    fn pace(&self, from: f64, s: f64) -> f64 {
        let gap = from * libm::exp(-s);
        let peak = libm::exp(self.beta * from * libm::expm1(-s));
        let weight = match self.normalization {
            Normalization::Softmax | Normalization::Hardmax | Normalization::Sinkhorn => {
                peak + (self.n - 1.0) * libm::exp(-self.beta * from)
            }
            Normalization::Unnormalized => self.n * peak,
        };
        weight / (2.0 * (self.n - (self.n - 1.0) * gap))
    }

    fn scaled_time(&self, from: f64, to: f64) -> f64 {
        if !(self.in_range(from) && to > 0.0 && to <= from) {
            return f64::NAN;
        }
        if self.normalization == Normalization::Hardmax && self.beta > 0.0 {
            return if to < from { f64::INFINITY } else { 0.0 };
        }
        self.between(from, 0.0, libm::log(from / to))
    }

    /// The scaled time from s = a to s = b. The peak e^{βu} falls by 1/e where s grows by 1/(βu).
    fn between(&self, from: f64, a: f64, b: f64) -> f64 {
        let width = 1.0 / (1.0 + self.beta * from * libm::exp(-a));
        integrate(&|s| self.pace(from, s), a, b, width)
    }

    /// s = ln(start/gap) at this scaled time. The pace falls as s grows, so the time is concave in s and Newton's method from
    /// the left stays there; a bisection in each round brings it past metastable stretches, where it would creep.
    fn decay(&self, start: f64, scaled_time: f64) -> f64 {
        let (mut low, mut time_low, mut high) = (0.0, 0.0, LONGEST);
        for _ in 0..MOST_ROUNDS {
            let next = low + (scaled_time - time_low) / self.pace(start, low);
            if next >= high {
                return if high == LONGEST { f64::INFINITY } else { high };
            }
            if next - low <= f64::EPSILON * next {
                return next;
            }
            time_low += self.between(start, low, next);
            low = next;
            let middle = 0.5 * (low + high);
            let time = time_low + self.between(start, low, middle);
            if time <= scaled_time {
                (low, time_low) = (middle, time);
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Normalization::{Softmax, Unnormalized};

    /// Against mpmath's quadrature with 40 digits; n, β, start and end gap.
    #[test]
    fn times_are_right() {
        for (n, beta, normalization, from, exact) in [
            (2, 300.0, Softmax, 1.0, 3.237_449_276_715_864e127),
            (2, 300.0, Softmax, 1.9, 3.005_219_975_959_816e245),
            (2, 300.0, Softmax, 0.5, 3.111_115_750_031_716e62),
            (32, 0.0, Softmax, 1.0, 5.186_260_981_120_156),
            (32, 0.1, Softmax, 1.0, 5.192_063_118_174_005),
            (32, 5.0, Softmax, 1.0, 9.544_329_203_520_165),
            (32, 9.0, Softmax, 1.0, 178.730_929_519_039_13),
            (10_000, 3.0, Softmax, 1.0, 8.066_055_963_144_324),
            (32, 0.0, Unnormalized, 1.0, 5.186_260_981_120_156),
            (32, 4.0, Unnormalized, 1.0, 1.130_770_341_296_451_2),
            (32, 9.0, Unnormalized, 1.0, 0.685_987_668_877_296_7),
        ] {
            let time = Equiangular::new(n, beta, normalization).time(from, 1e-3);
            assert!((time / exact - 1.0).abs() < 2e-13, "{n} {beta} {normalization:?} {from}: {time}");
        }
    }

    #[test]
    fn logarithms_where_times_overflow() {
        let at = |beta| Equiangular::new(2, beta, Softmax);
        assert!((at(100.0).ln_time(1.0, 1e-3) - libm::log(at(100.0).time(1.0, 1e-3))).abs() < 1e-12);
        assert_eq!(at(2000.0).time(1.0, 1e-3), f64::INFINITY);
        // Laplace: ∫ e^{β(u−1)}/(2u(2−u)) du → 1/(2β) (1 + O(1/β²)), as the factor 1/(u(2−u)) is flat at u = 1.
        let excess = at(2000.0).ln_time(1.0, 1e-3) - (2000.0 - libm::log(4000.0));
        assert!((0.0..1e-6).contains(&excess), "{excess}");
    }

    /// The equation itself, by Runge–Kutta steps of 1/500 (error about 10⁻¹¹ for rates of order 1).
    #[test]
    fn gaps_solve_the_equation() {
        for (n, beta, normalization, start) in [
            (32, 3.0, Softmax, 1.0),
            (5, 1.0, Unnormalized, 1.2),
            (2, 0.0, Softmax, 1.0),
            (7, 2.0, Softmax, 0.1),
        ] {
            let equation = Equiangular::new(n, beta, normalization);
            let (mut rho, h) = (1.0 - start, 1.0 / 500.0);
            for step in 1..=1000 {
                let k1 = equation.rate(rho);
                let k2 = equation.rate(rho + 0.5 * h * k1);
                let k3 = equation.rate(rho + 0.5 * h * k2);
                let k4 = equation.rate(rho + h * k3);
                rho += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
                if step % 100 == 0 {
                    let gap = equation.gap(start, f64::from(step) * h);
                    assert!((1.0 - rho - gap).abs() < 1e-9, "{n} {beta} {step}: {} {gap}", 1.0 - rho);
                }
            }
        }
    }

    #[test]
    fn gap_inverts_time() {
        for beta in [0.0, 1.0, 9.0, 50.0, 300.0] {
            for normalization in [Softmax, Unnormalized] {
                let equation = Equiangular::new(32, beta, normalization);
                for gap in [0.999_999, 0.9, 0.5, 0.03, 1e-3, 1e-12, 1e-200] {
                    let found = equation.gap(1.0, equation.time(1.0, gap));
                    // In metastable times the gap hangs on the last digits of t: then the times agree.
                    let times = equation.time(1.0, found) / equation.time(1.0, gap);
                    let (by_gap, by_time) = ((found / gap - 1.0).abs(), (times - 1.0).abs());
                    assert!(by_gap < 1e-12 || by_time < 1e-13, "{beta} {normalization:?} {gap}: {found}");
                }
            }
        }
    }

    #[test]
    fn out_of_range_is_nan() {
        let equation = Equiangular::new(3, 1.0, Softmax);
        assert!(
            equation.time(1.5, 0.1).is_nan()
                && equation.time(0.1, 0.2).is_nan()
                && equation.time(1.0, 0.0).is_nan()
        );
        assert!(equation.gap(1.0, -1.0).is_nan() && equation.gap(0.0, 1.0).is_nan());
        assert!(Equiangular::new(1, 1.0, Softmax).gap(0.5, 1.0).is_nan());
        assert_eq!(equation.gap(1.0, 0.0), 1.0);
        assert_eq!(equation.gap(1.0, 1e9), 0.0);
        let cold = Equiangular::new(3, 1e6, Softmax);
        assert_eq!(
            (cold.time(1.0, 1.0), cold.gap(1.0, 1e300), cold.gap(1.0, f64::INFINITY)),
            (0.0, 1.0, 0.0)
        );
        assert!(Equiangular::new(3, f64::INFINITY, Softmax).gap(1.0, 1.0).is_nan());
    }
}
