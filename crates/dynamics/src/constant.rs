//! Constant expressions in arguments: `0.5`, `-1/3`, `pi/2`, `4pi/3`, `2*(1 + sqrt(2))`, `0.1+0.08i`, and numbers written
//! back.
//!
//! [`Call`](crate::call::Call) evaluates its numbers here. Only `+ − × ÷ √`, so a value has the same bits everywhere.

use crate::call::CallError;
use crate::complex::Complex;

/// Parentheses and signs may nest this deep.
const DEEPEST: usize = 64;

/// The value of `text`, which begins at byte `position` of the whole text that an error points into.
///
/// A number directly before `pi` or a parenthesis multiplies it: `4pi/3` is (4·π)/3.
///
/// ```
/// use metasweep_dynamics::constant::evaluate;
/// assert_eq!(evaluate("-1/3", 0).unwrap(), -1.0 / 3.0);
/// assert_eq!(evaluate("2x", 0).unwrap_err().position, 1);
/// ```
///
/// # Errors
/// If `text` is not an expression, or its value is not finite.
pub fn evaluate(text: &str, position: usize) -> Result<f64, CallError> {
    read(text, position, false).map(|value| value.re)
}

/// The value of `text`, in which also `i`, the imaginary unit, may stand.
///
/// ```
/// use metasweep_dynamics::complex::Complex;
/// use metasweep_dynamics::constant::evaluate_complex;
/// assert_eq!(evaluate_complex("0.1 - 2*0.04i", 0).unwrap(), Complex { re: 0.1, im: -0.08 });
/// assert_eq!(evaluate_complex("sqrt(2)i", 0).unwrap_err().position, 7);
/// ```
///
/// # Errors
/// If `text` is not an expression, or its value is not finite.
pub fn evaluate_complex(text: &str, position: usize) -> Result<Complex, CallError> {
    read(text, position, true)
}

fn read(text: &str, position: usize, complex: bool) -> Result<Complex, CallError> {
    let mut reader = Reader { text, at: 0, position, depth: 0, complex };
    let value = reader.sum()?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(reader.unexpected());
    }
    if value.re.is_finite() && value.im.is_finite() {
        Ok(value)
    } else {
        Err(CallError::at(position, format!("`{text}` is not a finite number.")))
    }
}

/// The shortest text that reads back as `value`: `1.35`, `0.1+0.08i`, `0-1i`. Real numbers as [`text`].
#[must_use]
pub fn complex_text(value: Complex) -> String {
    if value.is_real() {
        return text(value.re);
    }
    let sign = if value.im < 0.0 { '-' } else { '+' };
    format!("{}{sign}{}i", text(value.re), text(value.im.abs()))
}

/// The shortest text that reads back as `value`: `1`, `-0.07`, `1e300`. Minus zero is written `0`.
#[must_use]
pub fn text(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-5..1e16).contains(&magnitude) {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}

/// Several things, written with this between them.
#[must_use]
pub fn listed<T: std::fmt::Display>(values: &[T], between: &str) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// Several numbers as [`text`], separated by a comma and a blank.
#[must_use]
pub fn list(values: &[f64]) -> String {
    values.iter().map(|value| text(*value)).collect::<Vec<_>>().join(", ")
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    position: usize,
    depth: usize,
    /// Whether `i` is a number here.
    complex: bool,
}

impl Reader<'_> {
    fn sum(&mut self) -> Result<Complex, CallError> {
        let mut value = self.product()?;
        loop {
            if self.take('+') {
                value = value + self.product()?;
            } else if self.take('-') {
                value = value - self.product()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<Complex, CallError> {
        let mut value = self.factor()?;
        loop {
            if self.take('*') {
                value = value * self.factor()?;
            } else if self.take('/') {
                value = value / self.factor()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn factor(&mut self) -> Result<Complex, CallError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("This expression is nested too deeply."));
        }
        let value = if self.take('-') {
            -self.factor()?
        } else if self.take('+') {
            self.factor()?
        } else if let Some(number) = self.number()? {
            // `4pi`, `2(1 + pi)`, `2sqrt(2)`: a word or a parenthesis right after the number.
            if self.rest().starts_with(|c: char| c.is_ascii_alphabetic() || c == '(') {
                Complex::real(number) * self.atom()?
            } else {
                Complex::real(number)
            }
        } else {
            self.atom()?
        };
        self.depth -= 1;
        Ok(value)
    }

    /// `pi`, `i`, `sqrt(…)` or `(…)`.
    fn atom(&mut self) -> Result<Complex, CallError> {
        self.blanks();
        let word: &str = {
            let rest = self.rest();
            &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())]
        };
        match word {
            "pi" => {
                self.at += 2;
                Ok(Complex::real(std::f64::consts::PI))
            }
            "i" if self.complex => {
                self.at += 1;
                Ok(Complex { re: 0.0, im: 1.0 })
            }
            "sqrt" => {
                self.at += 4;
                let start = self.at;
                let value = self.parenthesis()?;
                if !value.is_real() {
                    return Err(CallError::at(
                        self.position + start,
                        "The square root is taken of real numbers only.",
                    ));
                }
                Ok(Complex::real(value.re.sqrt()))
            }
            "" => self.parenthesis(),
            _ => {
                let at = self.position + self.at;
                let known: &[&str] = if self.complex { &["pi", "i", "sqrt(x)"] } else { &["pi", "sqrt(x)"] };
                Err(CallError::unknown(at, "a number or a constant", word, known))
            }
        }
    }

    fn parenthesis(&mut self) -> Result<Complex, CallError> {
        if !self.take('(') {
            return Err(self.unexpected());
        }
        let value = self.sum()?;
        if self.take(')') { Ok(value) } else { Err(self.unexpected()) }
    }

    /// A decimal number, if one begins here: digits, a point, an exponent.
    fn number(&mut self) -> Result<Option<f64>, CallError> {
        self.blanks();
        let bytes = self.rest().as_bytes();
        if !bytes.first().is_some_and(|b| b.is_ascii_digit() || *b == b'.') {
            return Ok(None);
        }
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > 0 {
                end += 1 + sign + exponent;
            }
        }
        let Ok(value) = self.rest()[..end].parse() else {
            return Err(self.error(&format!("`{}` is not a number.", &self.rest()[..end])));
        };
        self.at += end;
        Ok(Some(value))
    }

    fn take(&mut self, wanted: char) -> bool {
        self.blanks();
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&self, message: &str) -> CallError {
        CallError::at(self.position + self.at, message)
    }

    fn unexpected(&self) -> CallError {
        match self.rest().chars().next() {
            Some(found) => self.error(&format!("`{found}` was not expected in a number.")),
            None => self.error("A number was expected here."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn values() {
        for (text, value) in [
            ("1", 1.0),
            ("-.5", -0.5),
            ("1e3", 1000.0),
            ("1.5E-2", 0.015),
            ("pi/2", PI / 2.0),
            ("4pi/3", 4.0 * PI / 3.0),
            (" 1 - 2 - 3 ", -4.0),
            ("2*(1+sqrt(4))", 6.0),
            ("2(3)", 6.0),
            ("--1", 1.0),
            ("-pi", -PI),
        ] {
            assert_eq!(evaluate(text, 0).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn complex_values_and_their_texts() {
        for (text, re, im, back) in [
            ("0.1+0.08i", 0.1, 0.08, "0.1+0.08i"),
            ("i", 0.0, 1.0, "0+1i"),
            ("-i", 0.0, -1.0, "0-1i"),
            ("2(1 - i)", 2.0, -2.0, "2-2i"),
            ("i*i", -1.0, 0.0, "-1"),
            ("1/(1+i)", 0.5, -0.5, "0.5-0.5i"),
            ("1e-7i", 0.0, 1e-7, "0+1e-7i"),
            ("pi/2 + pi*i/4", PI / 2.0, PI / 4.0, "1.5707963267948966+0.7853981633974483i"),
            ("3", 3.0, 0.0, "3"),
        ] {
            let value = evaluate_complex(text, 0).unwrap();
            assert_eq!(value, Complex { re, im }, "{text}");
            assert_eq!(complex_text(value), back);
            assert_eq!(evaluate_complex(back, 0).unwrap(), value);
        }
        assert!(evaluate_complex("sqrt(i)", 0).unwrap_err().message.contains("real numbers"));
        assert_eq!(evaluate_complex("j", 3).unwrap_err().allowed, ["pi", "i", "sqrt(x)"]);
        assert_eq!(evaluate("1+i", 0).unwrap_err().position, 2);
        assert!(evaluate_complex("1/(i*0)", 0).is_err());
    }

    #[test]
    fn mistakes_are_located() {
        for (text, position) in [
            ("", 10),
            ("x", 10),
            ("1+", 12),
            ("1 2", 12),
            ("(1", 12),
            (".", 10),
            ("1/0", 10),
            ("sqrt 2", 15),
            ("ä", 10),
        ] {
            assert_eq!(evaluate(text, 10).unwrap_err().position, position, "{text}");
        }
        assert!(evaluate(&"(".repeat(100_000), 0).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(source in "[-+*/()0-9.epi sqrtä]*") {
            for error in [evaluate(&source, 0).err(), evaluate_complex(&source, 0).err()].into_iter().flatten() {
                proptest::prop_assert!(source.is_char_boundary(error.position));
            }
        }

        #[test]
        fn written_complex_numbers_read_back(re in proptest::num::f64::NORMAL, im in proptest::num::f64::NORMAL) {
            let value = Complex { re, im };
            proptest::prop_assert_eq!(evaluate_complex(&complex_text(value), 0).unwrap(), value);
        }

        #[test]
        fn written_numbers_read_back(value in proptest::num::f64::NORMAL) {
            proptest::prop_assert_eq!(evaluate(&text(value), 0).unwrap(), value);
        }
    }
}
