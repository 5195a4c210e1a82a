//! The quantile function of the standard normal law: Wichura's algorithm AS 241 (PPND16).
//!
//! M. J. Wichura, *Applied Statistics* 37 (1988) 477–484: a rational function of degree (7, 7) on each of three
//! ranges, in exact arithmetic within one part in 10^16 of the true quantile; as evaluated here within 1e-15 relative
//! (tested). It needs `+ − × ÷ √` and, outside the central 85%, one logarithm (`libm::log`), so that it is easily
//! written again, bit for bit, in another language. [`Stream::normal`](crate::random::Stream::normal) calls it.

#![allow(clippy::unreadable_literal, clippy::excessive_precision)] // the shortest digits of each coefficient, as other languages print them

const CENTRE_NUMERATOR: [f64; 8] = [
    2509.0809287301227,
    33430.57558358813,
    67265.7709270087,
    45921.95393154987,
    13731.69376550946,
    1971.5909503065513,
    133.14166789178438,
    3.3871328727963665,
];
const CENTRE_DENOMINATOR: [f64; 8] = [
    5226.495278852854,
    28729.085735721943,
    39307.89580009271,
    21213.794301586597,
    5394.196021424751,
    687.1870074920579,
    42.31333070160091,
    1.0,
];
const SHOULDER_NUMERATOR: [f64; 8] = [
    0.0007745450142783414,
    0.022723844989269184,
    0.2417807251774506,
    1.2704582524523684,
    3.6478483247632045,
    5.769497221460691,
    4.630337846156546,
    1.4234371107496835,
];
const SHOULDER_DENOMINATOR: [f64; 8] = [
    1.0507500716444169e-09,
    0.0005475938084995345,
    0.015198666563616457,
    0.14810397642748008,
    0.6897673349851,
    1.6763848301838038,
    2.053191626637759,
    1.0,
];
const TAIL_NUMERATOR: [f64; 8] = [
    2.0103343992922881e-07,
    2.7115555687434876e-05,
    0.0012426609473880784,
    0.026532189526576124,
    0.29656057182850487,
    1.7848265399172913,
    5.463784911164114,
    6.657904643501103,
];
const TAIL_DENOMINATOR: [f64; 8] = [
    2.0442631033899397e-15,
    1.421511758316446e-07,
    1.8463183175100548e-05,
    0.0007868691311456133,
    0.014875361290850615,
    0.1369298809227358,
    0.599832206555888,
    1.0,
];

/// Φ⁻¹(p) for 0 < p < 1.
///
/// ```
/// use metasweep_dynamics::quantile::normal_quantile;
/// assert_eq!(normal_quantile(0.5), 0.0);
/// assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
/// ```
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return polynomial(&CENTRE_NUMERATOR, r) * q / polynomial(&CENTRE_DENOMINATOR, r);
    }
    let nearer_end = if q < 0.0 { p } else { 1.0 - p };
    let r = (-libm::log(nearer_end)).sqrt();
    let magnitude = if r <= 5.0 {
        polynomial(&SHOULDER_NUMERATOR, r - 1.6) / polynomial(&SHOULDER_DENOMINATOR, r - 1.6)
    } else {
        polynomial(&TAIL_NUMERATOR, r - 5.0) / polynomial(&TAIL_DENOMINATOR, r - 5.0)
    };
    if q < 0.0 { -magnitude } else { magnitude }
}

/// Horner's scheme, highest power first; a rounded product, then a rounded sum.
fn polynomial(coefficients: &[f64; 8], r: f64) -> f64 {
    coefficients[1..].iter().fold(coefficients[0], |sum, c| sum * r + c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against mpmath with 40 digits; 10⁻¹⁵ is what the module promises.
    #[test]
    fn quantiles_are_right_on_all_ranges() {
        for (p, exact) in [
            (f64::EPSILON / 2.0, -8.2095361516013868556),
            (9.094947017729282e-13, -7.0477002566644087254),
            (1e-11, -6.7060231554951362961),
            (1.5e-11, -6.6465708874771128614),
            (9.313225746154785e-10, -6.0093535655307438932),
            (1e-05, -4.2648907939228246102),
            (0.001, -3.0902323061678135354),
            (0.0749, -1.4402382675279636631),
            (0.0751, -1.4388253927525399824),
            (0.2, -0.84162123357291416552),
            (0.499, -0.0025066308995717662317),
            (0.5000000000000009, 2.2263331397374135378e-15),
            (0.75, 0.6744897501960817432),
            (0.9, 1.2815515655446005935),
            (0.999999, 4.7534243088170877657),
        ] {
            let found = normal_quantile(p);
            assert!((found / exact - 1.0).abs() < 1e-15, "{p}: {found}");
        }
    }
}
