//! Ranges `{ from, to, count }`: linear ones in exact decimals, each value correctly rounded once; geometric ones by `libm`.
//!
//! So `{ from = 0.1, to = 9.0, count = 90 }` holds the number that `0.3` means, not 0.30000000000000004, and two
//! ranges that pass through one decimal agree in its bits.

use num_bigint::{BigInt, BigUint, Sign};

/// An exact decimal, `digits · 10^exponent`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decimal {
    digits: BigInt,
    exponent: i64,
}

impl Decimal {
    /// Reads `-12.5e-3`. `None` if it is no finite decimal, or one beyond what a f64 holds.
    pub(crate) fn read(text: &str) -> Option<Decimal> {
        let value: f64 = text.parse().ok()?;
        if !value.is_finite() || !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if value == 0.0 {
            return Some(Decimal { digits: BigInt::ZERO, exponent: 0 });
        }
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent = exponent.parse::<i64>().ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let digits = format!("{whole}{fraction}").parse::<BigInt>().ok()?;
        Some(Decimal { digits, exponent })
    }

    /// The decimal that `value` prints as (shortest form that reads back); it must be finite.
    pub(crate) fn shortest(value: f64) -> Option<Decimal> {
        Decimal::read(&format!("{value:e}"))
    }

    /// The number nearest to it.
    pub(crate) fn nearest(&self) -> f64 {
        let (numerator, denominator) = self.over(self.exponent.min(0));
        round(&numerator, &denominator)
    }

    /// As a fraction with denominator `10^-exponent`, for an exponent ≤ 0 and ≤ its own.
    fn over(&self, exponent: i64) -> (BigInt, BigUint) {
        let scaled = &self.digits * BigInt::from(power_of_ten(self.exponent - exponent));
        (scaled, power_of_ten(-exponent))
    }
}

fn power_of_ten(exponent: i64) -> BigUint {
    BigUint::from(10_u32).pow(u32::try_from(exponent).unwrap_or(0))
}

/// `from + (to − from) · i / (count − 1)` for i = 0 … count − 1, each rounded once. For count = 1: `from`.
pub(crate) fn linear(from: &Decimal, to: &Decimal, count: usize) -> Vec<f64> {
    let exponent = from.exponent.min(to.exponent).min(0);
    let (first, scale) = from.over(exponent);
    let (last, _) = to.over(exponent);
    let gaps = count.saturating_sub(1).max(1);
    let denominator = scale * BigUint::from(gaps);
    (0..count)
        .map(|i| {
            let numerator = &first * BigInt::from(gaps - i) + &last * BigInt::from(i);
            round(&numerator, &denominator)
        })
        .collect()
}

/// `from · (to/from)^(i/(count − 1))`, by `libm`; both ends positive. The ends are exact, and so are values that are short
/// decimals: `{ from = 0.001, to = 1000, count = 7, log = true }` holds the number that `0.01` means.
pub(crate) fn geometric(from: f64, to: f64, count: usize) -> Vec<f64> {
    let (low, high) = (libm::log(from), libm::log(to));
    let gaps = count.saturating_sub(1).max(1);
    (0..count)
        .map(|i| match i {
            0 => from,
            _ if i == gaps => to,
            _ => {
                let near = libm::exp(low + (high - low) * (i as f64 / gaps as f64));
                short_power(from, to, i, gaps, near).unwrap_or(near)
            }
        })
        .collect()
}

/// The decimal of at most 15 digits next to `near`, if it is exactly `from · (to/from)^(i/gaps)`.
fn short_power(from: f64, to: f64, i: usize, gaps: usize, near: f64) -> Option<f64> {
    // Roots beyond this order are not looked for: they would need a decimal whose 64th power is one of few digits.
    const HIGHEST_ROOT: usize = 64;
    let common = greatest_common_divisor(i, gaps);
    let (part, root) = (i / common, gaps / common);
    if root > HIGHEST_ROOT {
        return None;
    }
    let candidate = Decimal::read(&format!("{near:.14e}"))?;
    let (from, to) = (Decimal::shortest(from)?, Decimal::shortest(to)?);
    let power = |base: &Decimal, times: usize| {
        let times = u32::try_from(times).ok()?;
        Some((base.digits.pow(times), base.exponent * i64::from(times)))
    };
    let (left, left_exponent) = power(&candidate, root)?;
    let ((low, low_exponent), (high, high_exponent)) = (power(&from, root - part)?, power(&to, part)?);
    let (right, right_exponent) = (low * high, low_exponent + high_exponent);
    let least = left_exponent.min(right_exponent);
    let scaled = |digits: BigInt, exponent: i64| digits * BigInt::from(power_of_ten(exponent - least));
    (scaled(left, left_exponent) == scaled(right, right_exponent)).then(|| candidate.nearest())
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// The f64 nearest to `numerator / denominator` (ties to even, subnormals included, infinite beyond the range).
pub(crate) fn round(numerator: &BigInt, denominator: &BigUint) -> f64 {
    const SMALLEST: i64 = -1074;
    let magnitude = numerator.magnitude();
    if magnitude.bits() == 0 {
        return 0.0;
    }
    // The quotient lies in (2^(e−1), 2^(e+1)); the unit of the last place is 2^(e−53) or twice that.
    let e = magnitude.bits().cast_signed() - denominator.bits().cast_signed();
    let mut unit = (e - 53).max(SMALLEST);
    let (mut quotient, mut remainder, mut divisor) = divide(magnitude, denominator, unit);
    if quotient.bits() > 53 {
        unit += 1;
        (quotient, remainder, divisor) = divide(magnitude, denominator, unit);
    }
    let twice = remainder << 1_u32;
    let odd = quotient.bit(0);
    if twice > divisor || (twice == divisor && odd) {
        quotient += 1_u32;
    }
    // At most 2^53: exact as a f64, and so is the scaled value.
    let digits = quotient.iter_u64_digits().next().unwrap_or(0) as f64;
    let value = libm::ldexp(digits, unit.clamp(-2000, 2000) as i32);
    if numerator.sign() == Sign::Minus { -value } else { value }
}

/// `numerator / (denominator · 2^unit)` as quotient, remainder and the divisor that the remainder is over.
fn divide(numerator: &BigUint, denominator: &BigUint, unit: i64) -> (BigUint, BigUint, BigUint) {
    let (dividend, divisor) = if unit < 0 {
        (numerator << unit.unsigned_abs(), denominator.clone())
    } else {
        (numerator.clone(), denominator << unit.unsigned_abs())
    };
    let quotient = &dividend / &divisor;
    let remainder = dividend - &quotient * &divisor;
    (quotient, remainder, divisor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::read(text).unwrap_or_else(|| panic!("{text} is a decimal"))
    }

    #[test]
    fn the_betas_of_figure_2_are_the_decimals_they_look_like() {
        let betas = linear(&decimal("0.1"), &decimal("9.0"), 90);
        for (i, beta) in betas.iter().enumerate() {
            let written: f64 = format!("{}.{}", (i + 1) / 10, (i + 1) % 10).parse().expect("a number");
            assert_eq!(beta.to_bits(), written.to_bits());
        }
    }

    #[test]
    fn geometric_ranges_have_exact_ends() {
        let values = geometric(0.1, 1000.0, 7);
        assert_eq!((values[0], values[6]), (0.1, 1000.0));
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(geometric(3.0, 3.0, 1), [3.0]);
    }

    #[test]
    fn tiny_exponents_do_not_blow_up() {
        assert_eq!(decimal("1e-999999999").nearest(), 0.0);
        assert!(Decimal::read("1e999999999").is_none());
        assert!(Decimal::read("inf").is_none());
    }

    proptest! {
        /// std's decimal parser rounds correctly: it is the oracle of `round` on decimals, subnormals included.
        #[test]
        fn a_decimal_is_rounded_as_std_reads_it(digits in -999_999_999_999_999_999_i64..1_000_000_000_000_000_000, exponent in -345_i32..290) {
            let text = format!("{digits}e{exponent}");
            let read = text.parse::<f64>().expect("a number");
            prop_assert_eq!(decimal(&text).nearest().to_bits(), if digits == 0 { 0 } else { (read + 0.0).to_bits() });
        }

        /// No f64 is nearer to the exact rational than the one returned: compared in exact integers with its neighbours.
        #[test]
        fn each_value_of_a_range_is_the_nearest_number(from in -10_000_i64..10_000, length in 1_i64..20_000, places in 0_u32..6, count in 2_usize..40) {
            let (first, last) = (format!("{from}e-{places}"), format!("{}e-{places}", from + length));
            let values = linear(&decimal(&first), &decimal(&last), count);
            for (i, value) in values.iter().enumerate() {
                // exact value = (from·(count−1) + length·i) / ((count−1)·10^places)
                let gaps = i64::try_from(count - 1).expect("small");
                let top = BigInt::from(from * gaps + length * i64::try_from(i).expect("small"));
                let bottom = BigInt::from(gaps) * BigInt::from(10_i64.pow(places));
                let error = |x: f64| distance(x, &top, &bottom);
                prop_assert!(error(*value) <= error(value.next_up()));
                prop_assert!(error(*value) <= error(value.next_down()));
            }
            prop_assert_eq!(values[0], first.parse::<f64>().expect("a number") + 0.0);
            prop_assert_eq!(values[count - 1], last.parse::<f64>().expect("a number") + 0.0);
        }
    }

    /// |x − top/bottom| · bottom · 2^1074, an exact integer.
    fn distance(x: f64, top: &BigInt, bottom: &BigInt) -> BigUint {
        let bits = x.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as u32;
        let fraction = bits & ((1 << 52) - 1);
        let (significand, shift) =
            if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let mut scaled = BigInt::from(significand) << shift;
        if x < 0.0 {
            scaled = -scaled;
        }
        (scaled * bottom - (top << 1074_u32)).magnitude().clone()
    }
}
