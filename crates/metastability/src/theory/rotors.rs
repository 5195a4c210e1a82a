//! Noisy tokens at equilibrium: the order parameter of the noisy Kuramoto model and when the uniform law loses its stability (P2 §7; docs/oracles.md, 13).
//!
//! With the generator drift + κ^{−1}Δ, β = 0 and many tokens, the drift at x is P_x m with m the mean, so that a stationary
//! density is e^{κ r⟨x, e⟩} up to a factor, m = r e, and
//!
//! ```text
//! r = A_d(κ r) ,      A_d(z) = I_{d/2}(z) / I_{d/2−1}(z) = z/d − … .
//! ```
//!
//! r = 0 always solves it; a second solution branches off at κ = d, which is κ = 2 on the circle. P2 prints (9) as ∂_tμ + κ^{−1}Δμ = ∇·(μ∫…):
//! both signs are wrong; of its (8) the law solves ∂_tμ = κ^{−1}Δμ − ∇·(μ P∫…).

/// A_d(z) = I_{d/2}(z)/I_{d/2−1}(z), d ≥ 2, z ≥ 0: the mean cosine of a von Mises–Fisher law.
///
/// ```
/// use metasweep_metastability::theory::rotors::bessel_ratio;
///
/// // d = 3: coth z − 1/z.
/// assert!((bessel_ratio(3, 2.0) - (1.0 / 2.0_f64.tanh() - 0.5)).abs() < 1e-15);
/// ```
#[must_use]
pub fn bessel_ratio(d: usize, z: f64) -> f64 {
    if d < 2 || z.is_nan() || z < 0.0 {
        return f64::NAN;
    }
    if z == 0.0 || z == f64::INFINITY {
        return if z == 0.0 { 0.0 } else { 1.0 };
    }
    // Gauss's continued fraction 1/(2ν/z + 1/(2(ν+1)/z + …)), ν = d/2, from far below, where the ratio is about z/(ν + √(ν² + z²)).
    let terms = 60.0 + 12.0 * z.sqrt();
    if terms > 1e6 {
        return 1.0 - 0.5 * (d as f64 - 1.0) / z;
    }
    let terms = terms as usize;
    let order = |k: usize| 0.5 * d as f64 + k as f64;
    let last = order(terms);
    let mut ratio = z / (last + libm::sqrt(last * last + z * z));
    for k in (0..terms).rev() {
        ratio = 1.0 / (2.0 * order(k) / z + ratio);
    }
    ratio
}

/// The order parameter ‖(1/n)Σ x_i‖ of the stationary law that is not uniform, β = 0, n → ∞: the root r > 0 of r = A_d(κr), or 0 for κ ≤ d.
/// With a Kuramoto coupling K put κK for κ.
///
/// ```
/// use metasweep_metastability::theory::rotors::order_parameter;
///
/// assert_eq!(order_parameter(2, 2.0), 0.0);
/// // Just above κ = 2 the branch is √(2(κ−2)/κ)·(1 + …): a pitchfork.
/// assert!((order_parameter(2, 2.02) - 0.1407).abs() < 5e-4);
/// ```
#[must_use]
pub fn order_parameter(d: usize, kappa: f64) -> f64 {
    if d < 2 || kappa.is_nan() || kappa < 0.0 {
        return f64::NAN;
    }
    if kappa <= d as f64 {
        return 0.0;
    }
    // z = κr solves z/A_d(z) = κ, and z/A_d(z) grows from d on: bisection in z.
    let (mut low, mut high) = (0.0, kappa);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if middle / bessel_ratio(d, middle) > kappa { high = middle } else { low = middle }
    }
    0.5 * (low + high) / kappa
}

/// The κ up to which the uniform law on the unit sphere of R^d is linearly stable under noisy USA, d ≥ 2, β ≥ 0: d at β = 0.
///
/// A small multiple of ⟨x, e⟩ in the density grows at the rate (d−1)(λ − 1/κ), λ the kernel's eigenvalue on it (Funk and Hecke):
/// 1/λ = d / ₀F₁(; d/2+1; β²/4), on the circle β/I_1(β). Higher harmonics become unstable later.
///
/// ```
/// use metasweep_metastability::theory::rotors::uniform_stable_to;
///
/// assert_eq!(uniform_stable_to(5, 0.0), 5.0);
/// // β/I_1(β) at β = 2.
/// assert!((uniform_stable_to(2, 2.0) - 2.0 / 1.590_636_854_637_329).abs() < 1e-14);
/// ```
#[must_use]
pub fn uniform_stable_to(d: usize, beta: f64) -> f64 {
    if d < 2 || beta.is_nan() || beta < 0.0 {
        return f64::NAN;
    }
    let (square, order) = (0.25 * beta * beta, 0.5 * d as f64);
    let (mut term, mut sum, mut k) = (1.0, 1.0, 0.0);
    while term > f64::EPSILON * sum && sum.is_finite() {
        k += 1.0;
        term *= square / (k * (order + k));
        sum += term;
    }
    d as f64 / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATIOS: [(usize, f64, f64); 9] = [
        (2, 0.1, 0.049_937_603_987_938_92),
        (2, 1.0, 0.446_389_965_896_534_5),
        (2, 30.0, 0.983_189_555_365_336_1),
        (2, 1000.0, 0.999_499_874_874_804_3),
        (3, 5.0, 0.800_090_803_982_019_4),
        (10, 3.0, 0.280_027_714_385_253_9),
        (10, 200.0, 0.977_697_847_062_159_8),
        (512, 40.0, 0.077_655_686_010_964_02),
        (512, 2000.0, 0.880_349_328_569_821),
    ];
    const BRANCH: [(usize, f64, f64); 6] = [
        (2, 2.5, 0.589_707_987_782_743_6),
        (2, 4.0, 0.831_462_024_754_257),
        (2, 50.0, 0.989_845_315_158_652_5),
        (3, 3.3, 0.379_150_145_761_978_1),
        (8, 12.0, 0.613_920_537_613_792_7),
        (100, 150.0, 0.580_240_596_796_187_3),
    ];
    const STABLE: [(usize, f64, f64); 5] = [
        (2, 0.5, 1.938_778_753_730_674_8),
        (2, 9.0, 0.008_730_111_039_666_492),
        (3, 4.0, 0.781_030_581_633_679_9),
        (16, 2.5, 13.469_849_117_997_392),
        (128, 11.0, 80.501_146_326_234_72),
    ];

    /// Against mpmath.
    #[test]
    fn ratios_and_branches_are_right() {
        for (d, z, exact) in RATIOS {
            let found = bessel_ratio(d, z);
            assert!((found / exact - 1.0).abs() < 1e-14, "{d} {z}: {found}");
        }
        for (d, kappa, exact) in BRANCH {
            let found = order_parameter(d, kappa);
            assert!((found / exact - 1.0).abs() < 1e-12, "{d} {kappa}: {found}");
        }
        for (d, beta, exact) in STABLE {
            let found = uniform_stable_to(d, beta);
            assert!((found / exact - 1.0).abs() < 1e-13, "{d} {beta}: {found}");
        }
    }

    /// The branch solves its equation, leaves at κ = d and tends to 1.
    #[test]
    fn the_branch() {
        for d in [2, 3, 8, 100] {
            let threshold = d as f64;
            assert_eq!(order_parameter(d, threshold), 0.0);
            for factor in [1.001, 1.5, 10.0, 1000.0] {
                let kappa = factor * threshold;
                let r = order_parameter(d, kappa);
                assert!((bessel_ratio(d, kappa * r) - r).abs() < 1e-12, "{d} {kappa}");
            }
            // Near it r² = (d+2)(κ−d)/κ·… from A_d(z) = z/d (1 − z²/(d(d+2)) + …).
            let kappa = threshold * 1.0001;
            let near = ((threshold + 2.0) * 1e-4 / threshold).sqrt();
            assert!((order_parameter(d, kappa) / near - 1.0).abs() < 1e-3, "{d}");
        }
    }

    /// The self-consistent law on the circle, by its own integral ∫ cos θ e^{κ r cos θ}.
    #[test]
    fn the_law_has_this_order() {
        let (kappa, cells) = (3.7, 64);
        let r = order_parameter(2, kappa);
        let (mut whole, mut mean) = (0.0, 0.0);
        for k in 0..cells {
            let cosine = libm::cos(std::f64::consts::TAU * f64::from(k) / f64::from(cells));
            let weight = libm::exp(kappa * r * cosine);
            whole += weight;
            mean += weight * cosine;
        }
        assert!((mean / whole - r).abs() < 1e-14);
    }

    #[test]
    fn out_of_range_is_nan() {
        assert!(bessel_ratio(1, 1.0).is_nan() && bessel_ratio(2, -1.0).is_nan());
        assert!(order_parameter(2, f64::NAN).is_nan() && uniform_stable_to(2, -1.0).is_nan());
        assert_eq!(bessel_ratio(2, f64::INFINITY), 1.0);
        assert!((bessel_ratio(2, 1e12) - (1.0 - 0.5e-12)).abs() < 1e-15);
        assert_eq!(uniform_stable_to(2, 1e4), 0.0);
    }
}
