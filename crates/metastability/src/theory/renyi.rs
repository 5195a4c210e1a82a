//! How many Rényi centres there are: P3 §5.1 and Appendix C.4 (docs/oracles.md, 10).
//!
//! Among tokens in order, x_k is a *Rényi centre* if it is farther than δ (geodesic) from all earlier centres, and a *strong* one
//! if it is so from all earlier tokens.

use super::quadrature::integrate;

/// Rényi's parking constant `∫_0^∞ exp(−2 ∫_0^x (1 − e^{−y})/y dy) dx`: the share of a long street that cars of length 1 cover, which
/// park at random until no more fit. P3 C.4 has 0.75. [`parked`] computes it.
pub const PARKING: f64 = 0.747_597_920_253_411_4;

/// The share p of the unit sphere of R^d that a cap of geodesic radius δ covers, d ≥ 2, 0 ≤ δ ≤ π: δ/π for d = 2, sin²(δ/2) for d = 3.
///
/// ```
/// use metasweep_metastability::theory::renyi::cap;
///
/// assert!((cap(2, 0.5) - 0.5 / std::f64::consts::PI).abs() < 1e-15);
/// assert!((cap(3, 0.4) - 0.2_f64.sin().powi(2)).abs() < 1e-15);
/// ```
#[must_use]
pub fn cap(d: usize, delta: f64) -> f64 {
    if d < 2 || !(0.0..=std::f64::consts::PI).contains(&delta) {
        return f64::NAN;
    }
    if delta > std::f64::consts::FRAC_PI_2 {
        return 1.0 - cap(d, std::f64::consts::PI - delta);
    }
    if delta == 0.0 {
        return 0.0;
    }
    // ∫_0^δ sin^{d−2} over ∫_0^π sin^{d−2} = √π Γ((d−1)/2)/Γ(d/2), both over sin^{d−2} δ; from the rim, where the integrand is
    // largest: it falls within 1/√d, or tan δ/d.
    let power = d as f64 - 2.0;
    let rim = libm::log(libm::sin(delta));
    let falling = |x: f64| libm::exp(power * (libm::log(libm::sin(delta - x)) - rim));
    let width = (delta / (1.0 + power)).min(delta);
    let part = integrate(&falling, 0.0, delta, width);
    let half = 0.5 * (d as f64 - 1.0);
    let ln_whole = 0.5 * libm::log(std::f64::consts::PI) + libm::lgamma(half) - libm::lgamma(half + 0.5);
    part * libm::exp(power * rim - ln_whole)
}

/// The expected number of strong Rényi centres among n independent uniform tokens, p = [`cap`]: (1 − (1−p)^n)/p, which tends to 1/p.
///
/// P3 C.4 prints (3 sin²(δ/2))^{−1} as the limit for d = 3; the cap's share is sin²(δ/2), without the 3, as simulation confirms.
///
/// ```
/// use metasweep_metastability::theory::renyi::strong_centres;
///
/// assert!((strong_centres(400, 3, 0.4) - 25.34).abs() < 5e-3);
/// ```
#[must_use]
pub fn strong_centres(n: usize, d: usize, delta: f64) -> f64 {
    let p = cap(d, delta);
    if p == 0.0 { n as f64 } else { -libm::expm1(n as f64 * libm::log1p(-p)) / p }
}

/// The expected number of Rényi centres on the circle: (2π/δ)·C(nδ/2π) with C = [`parked`], 0 < δ ≤ π; for n → ∞ Rényi's constant times 2π/δ (P3 C.4).
///
/// Exact in the limit n → ∞ with nδ fixed: it is the mean where tokens arrive as a Poisson process on a long circle. At n fixed the difference
/// is −(n/2) d²/dn², about 10⁻³ of a centre at n = 200, δ = 0.5.
///
/// ```
/// use metasweep_metastability::theory::renyi::circle_centres;
///
/// // P3 Figs. 2 and 3: n = 200, δ = 4/√64.
/// assert!((circle_centres(200, 0.5) - 9.146).abs() < 5e-3);
/// ```
#[must_use]
pub fn circle_centres(n: usize, delta: f64) -> f64 {
    if !(delta > 0.0 && delta <= std::f64::consts::PI) {
        return f64::NAN;
    }
    let street = 2.0 * std::f64::consts::PI / delta;
    street * parked(n as f64 / street)
}

/// C(t) = ∫_0^t exp(−2 ∫_0^x (1 − e^{−y})/y dy) dx: the share that cars cover after t arrivals a car length, t ≥ 0; C(∞) = [`PARKING`].
///
/// ```
/// use metasweep_metastability::theory::renyi::{PARKING, parked};
///
/// assert!((parked(f64::INFINITY) - PARKING).abs() < 1e-14);
/// ```
#[must_use]
pub fn parked(t: f64) -> f64 {
    /// Where e^{−x} is nothing beside 1/x: from here on the integrand is e^{−2γ}/x².
    const LONG: f64 = 40.0;
    const EULER: f64 = 0.577_215_664_901_532_9;
    if t.is_nan() || t < 0.0 {
        return f64::NAN;
    }
    if t == 0.0 {
        return 0.0;
    }
    let inner = |y: f64| if y == 0.0 { 1.0 } else { -libm::expm1(-y) / y };
    let integrand = |x: f64| libm::exp(-2.0 * integrate(&inner, 0.0, x, 1.0));
    let near = integrate(&integrand, 0.0, t.min(LONG), 0.5);
    if t <= LONG { near } else { near + libm::exp(-2.0 * EULER) * (1.0 / LONG - 1.0 / t) }
}

#[cfg(test)]
mod tests {
    use metasweep_dynamics::random::Stream;

    use super::*;

    /// Rényi's constant to sixteen digits (OEIS A050996).
    #[test]
    fn the_parking_constant() {
        assert!((parked(f64::INFINITY) - 0.747_597_920_253_411_4).abs() < 3e-15, "{}", parked(f64::INFINITY));
        // Few cars do not meet: C(t) = t − t² + O(t³).
        assert!((parked(1e-4) - (1e-4 - 1e-8)).abs() < 2e-12);
        assert_eq!(parked(0.0), 0.0);
    }

    const CAPS: [(usize, f64, f64); 8] = [
        (2, 0.3, 0.095_492_965_855_137_2),
        (3, 0.4, 0.039_469_502_998_557_46),
        (4, 1.0, 0.173_590_705_963_742_44),
        (10, 0.2, 6.339_591_563_181_128e-8),
        (10, 1.5, 0.418_133_397_639_115_7),
        (64, 1.2, 0.001_507_248_927_585_873_3),
        (512, 1.5, 0.054_770_538_625_000_5),
        (512, 0.5, 1.417_300_987_164_128_5e-165),
    ];

    /// Regularized incomplete beta functions ½ I_{sin²δ}((d−1)/2, ½) from mpmath.
    #[test]
    fn caps() {
        for (d, delta, exact) in CAPS {
            assert!((cap(d, delta) / exact - 1.0).abs() < 1e-12, "{d} {delta}: {}", cap(d, delta));
        }
        for d in [2, 3, 10] {
            assert!((cap(d, std::f64::consts::FRAC_PI_2) - 0.5).abs() < 1e-14);
            assert!((cap(d, 2.0) + cap(d, std::f64::consts::PI - 2.0) - 1.0).abs() < 1e-14);
        }
        assert!(cap(1, 0.5).is_nan() && cap(3, 4.0).is_nan());
    }

    /// Numbers of centres and strong centres in one sequence of uniform tokens.
    fn count(n: usize, d: usize, delta: f64, stream: &mut Stream) -> (f64, f64) {
        let (mut tokens, mut centres): (Vec<Vec<f64>>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut strong = 0;
        let threshold = libm::cos(delta);
        for index in 0..n {
            let mut token: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
            let length = token.iter().map(|x| x * x).sum::<f64>().sqrt();
            for x in &mut token {
                *x /= length;
            }
            let far =
                |other: &Vec<f64>| other.iter().zip(&token).map(|(a, b)| a * b).sum::<f64>() < threshold;
            strong += i32::from(tokens.iter().all(far));
            if centres.iter().all(|centre| far(&tokens[*centre])) {
                centres.push(index);
            }
            tokens.push(token);
        }
        (centres.len() as f64, f64::from(strong))
    }

    /// Means over seeded sequences within 5 standard errors (false alarm 6·10⁻⁷ each).
    fn compare(values: &[f64], exact: f64, what: &str) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1.0);
        let error = (variance / n).sqrt();
        assert!((mean - exact).abs() < 5.0 * error, "{what}: {mean} ± {error}, not {exact}");
    }

    /// d = 3 tells P3's printed limit, a third of it, from the right one.
    #[test]
    fn strong_centres_by_simulation() {
        for (n, d, delta) in [(100, 3, 0.6), (60, 2, 0.3), (50, 5, 0.9)] {
            let strong: Vec<f64> =
                (0..2000).map(|k| count(n, d, delta, &mut Stream::new([7; 32], k)).1).collect();
            compare(&strong, strong_centres(n, d, delta), &format!("{n} {d} {delta}"));
        }
    }

    #[test]
    fn circle_centres_by_simulation() {
        for (n, delta) in [(200, 0.5), (60, 0.4)] {
            let centres: Vec<f64> =
                (0..2000).map(|k| count(n, 2, delta, &mut Stream::new([8; 32], k)).0).collect();
            compare(&centres, circle_centres(n, delta), &format!("{n} {delta}"));
        }
    }
}
