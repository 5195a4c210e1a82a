//! How many clusters a metastable state begins with: modes of the density of many uniform tokens (P2 §5.3, P3 §5; docs/oracles.md, 14).
//!
//! Under SA tokens climb the logarithm of the density that the kernel e^{β⟨x, y⟩} makes of them (mean shift). On the circle, for n ≫ √β uniform
//! tokens, its fluctuations are a stationary Gaussian process with the spectrum I_k(β)², and Rice's formula counts its maxima:
//!
//! ```text
//! √(λ₄/λ₂) ,  λ₂ = Σ k² I_k(β)² ,  λ₄ = Σ k⁴ I_k(β)² :    √((3β I₀(2β)/I₁(2β) − 1)/2)  ≃  √(3β/2)
//! ```
//!
//! The first metastable state has fewer clusters than the initial density has modes (the smallest modes are climbed away before they are
//! resolved) and, at finite n, more noise: the exponent ½ is what is compared, not the factor. On S^{d−1} the count grows like β^{(d−1)/2}.

use super::rotors::bessel_ratio;

/// The expected number of modes of the density of n → ∞ uniform tokens on the circle, β > 0.
///
/// ```
/// use metasweep_metastability::theory::modes::modes_on_circle;
///
/// // One wave for β → 0, √(3β/2) at large β.
/// assert!((modes_on_circle(1e-6) - 1.0).abs() < 1e-6);
/// assert!((modes_on_circle(1e4) / 15_000.0_f64.sqrt() - 1.0).abs() < 1e-4);
/// ```
#[must_use]
pub fn modes_on_circle(beta: f64) -> f64 {
    if beta.is_nan() || beta < 0.0 {
        return f64::NAN;
    }
    if beta == 0.0 {
        return 1.0; // there is no density but the first wave is what is left of it
    }
    // A_2 = I_1/I_0.
    (0.5 * (3.0 * beta / bessel_ratio(2, 2.0 * beta) - 1.0)).sqrt()
}

/// β^{(d−1)/2}: the order of the number of clusters on the unit sphere of R^d (P3 §5), up to a factor and logarithms.
///
/// ```
/// use metasweep_metastability::theory::modes::scaling;
///
/// assert_eq!(scaling(2, 64.0), 8.0);
/// ```
#[must_use]
pub fn scaling(d: usize, beta: f64) -> f64 {
    if d < 2 || beta.is_nan() || beta < 0.0 {
        return f64::NAN;
    }
    libm::pow(beta, 0.5 * (d as f64 - 1.0))
}

#[cfg(test)]
mod tests {
    use metasweep_dynamics::random::Stream;

    use super::*;

    /// Maxima of many densities of 20,000 uniform tokens, by their Fourier sums (kernel coefficients from the integral of e^{β cos}).
    /// The mean must lie within 5 standard errors, plus 10⁻³ for the fluctuations that are not Gaussian at this n.
    #[test]
    fn modes_by_simulation() {
        for beta in [2.0, 9.0, 30.0] {
            let waves = 40;
            let grid = 360;
            let cosines: Vec<f64> =
                (0..grid).map(|k| libm::cos(std::f64::consts::TAU * k as f64 / grid as f64)).collect();
            let kernel = |k: usize| -> f64 {
                (0..grid).map(|j| libm::exp(beta * (cosines[j] - 1.0)) * cosines[j * k % grid]).sum()
            };
            let spectrum: Vec<f64> = (0..=waves).map(kernel).collect();
            let mut counts = Vec::new();
            for replica in 0..1500 {
                // Sums over many uniform tokens are normal, independent for each wave.
                let mut stream = Stream::new([3; 32], replica);
                let draws: Vec<(f64, f64)> =
                    (0..=waves).map(|_| (stream.normal(), stream.normal())).collect();
                let density: Vec<f64> = (0..grid)
                    .map(|j| {
                        let wave = |k: usize| {
                            let (a, b) = draws[k];
                            let angle = j * k % grid;
                            let sine = cosines[(angle + 3 * grid / 4) % grid];
                            spectrum[k] * (a * cosines[angle] + b * sine)
                        };
                        (1..=waves).map(wave).sum()
                    })
                    .collect();
                let is_mode = |j: &usize| {
                    let (before, after) = (density[(j + grid - 1) % grid], density[(j + 1) % grid]);
                    density[*j] > before && density[*j] >= after
                };
                counts.push((0..grid).filter(is_mode).count() as f64);
            }
            let n = counts.len() as f64;
            let mean = counts.iter().sum::<f64>() / n;
            let variance = counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / (n - 1.0);
            let error = (variance / n).sqrt();
            let exact = modes_on_circle(beta);
            assert!((mean - exact).abs() < 5.0 * error, "{beta}: {mean} ± {error}, not {exact}");
        }
    }

    /// The closed form against the sums over the spectrum.
    #[test]
    fn the_spectrum() {
        let beta = 4.0;
        let grid = 256;
        let kernel = |k: u32| -> f64 {
            let angle = |j: u32| std::f64::consts::TAU * f64::from(j) / f64::from(grid);
            (0..grid)
                .map(|j| libm::exp(beta * libm::cos(angle(j))) * libm::cos(f64::from(k) * angle(j)))
                .sum()
        };
        let moment = |power: i32| -> f64 {
            (1..60).map(|k| (0..power).fold(1.0, |p, _| p * f64::from(k)) * kernel(k) * kernel(k)).sum()
        };
        assert!(((moment(4) / moment(2)).sqrt() / modes_on_circle(beta) - 1.0).abs() < 1e-12);
    }
}
