//! `e^{−κ} I_k(κ)`, the Fourier coefficients of `e^{κ(cos θ − 1)}`, for the sums of [`super`].
//!
//! Miller's backward recurrence `I_{k−1} = I_{k+1} + (2k/κ) I_k` from an order beyond the last one wanted, where the start is as
//! good as zero, and the normalization `I_0 + 2 Σ_k I_k = e^κ`. All terms are positive: every coefficient is right to some 10⁻¹⁵.
#![allow(clippy::unreadable_literal, clippy::excessive_precision)] // the test's table: digits as mpmath prints them

/// How far beyond the last order the recurrence starts.
const BEYOND: usize = 32;
/// Numbers beyond this are brought back by [`SHRINK`], a power of two.
const LARGE: f64 = 1e250;
const SHRINK: f64 = f64::from_bits((1023 - 900) << 52);
/// Below this κ all but I_0 is smaller than a rounding error of it.
const SMALL: f64 = 1e-17;

/// The coefficients of the orders 0 to `last`, for κ ≥ 0.
pub(super) fn coefficients(kappa: f64, last: usize) -> Vec<f64> {
    let mut values = vec![0.0; last + 1];
    if kappa < SMALL {
        values[0] = 1.0;
        return values;
    }
    let (mut above, mut value, mut sum) = (0.0, f64::MIN_POSITIVE / f64::EPSILON, 0.0);
    for k in (0..=last + BEYOND).rev() {
        if k <= last {
            values[k] = value;
        }
        sum += if k == 0 { value } else { 2.0 * value };
        if k > 0 {
            let below = above + (2.0 * k as f64 / kappa) * value;
            (above, value) = (value, below);
        }
        if value > LARGE {
            for number in values.iter_mut().chain([&mut above, &mut value, &mut sum]) {
                *number *= SHRINK;
            }
        }
    }
    for value in &mut values {
        *value /= sum;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// mpmath at 30 digits: exp(−κ)·besseli(k, κ).
    const TABLE: &[(f64, usize, f64)] = &[
        (0.001, 0, 0.99900074958351556),
        (0.001, 1, 0.00049950031235422134),
        (0.001, 5, 2.6015639100479077e-19),
        (0.001, 40, 1.1135784386711439e-180),
        (0.5, 0, 0.64503527044915007),
        (0.5, 1, 0.1564208031848717),
        (0.5, 5, 4.9876055214701639e-6),
        (0.5, 40, 6.1584307184609693e-73),
        (3.0, 0, 0.2430003541618254),
        (3.0, 1, 0.19682671329730085),
        (3.0, 5, 0.0045409031389258206),
        (3.0, 40, 7.1275379452733132e-43),
        (50.0, 0, 0.056561626647454193),
        (50.0, 1, 0.0559931238928954),
        (50.0, 5, 0.043947497024623271),
        (50.0, 40, 1.1586345533413894e-8),
        (50.0, 200, 2.0730980771108431e-116),
        (700.0, 0, 0.015081295651531358),
        (700.0, 1, 0.015070519444716847),
        (700.0, 5, 0.014814188973601688),
        (700.0, 40, 0.0048070930910707589),
        (700.0, 200, 6.9808525519251939e-15),
        (20000.0, 0, 0.0028209655491591629),
        (20000.0, 1, 0.0028208950241388381),
        (20000.0, 5, 0.0028192029525027505),
        (20000.0, 40, 0.0027103512334886766),
        (20000.0, 200, 0.0010377579333113274),
    ];

    #[test]
    fn coefficients_are_those_of_mpmath() {
        for (kappa, k, expected) in TABLE {
            for last in [*k, k + 200] {
                // The start leaves its trace where the recurrence begins within the bulk of the orders.
                let reaches = (last + BEYOND) as f64 > 12.0 * kappa.sqrt();
                let found = coefficients(*kappa, last)[*k];
                if reaches {
                    let tolerance = 1e-13 * expected + 1e-300;
                    assert!((found - expected).abs() <= tolerance, "I_{k}({kappa}): {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn tiny_arguments_are_no_trouble() {
        for kappa in [0.0, 1e-300, 1e-17, 1e-12] {
            let values = coefficients(kappa, 12);
            assert_eq!(values[0], 1.0 - kappa);
            assert!((values[1] - 0.5 * kappa).abs() <= 1e-17 && values[12] < 1e-17);
        }
    }
}
