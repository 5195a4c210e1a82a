//! Expressions in the numeric keys of a cell: `sqrt(d)`, `2*log(n)/beta`, `pi/4`.
//!
//! `+ - * /`, unary minus, parentheses, `sqrt log exp`, `pi` and key names; evaluated by IEEE operations and `libm`
//! alone, so that a value has the same bits everywhere.

use std::ops::Range;

/// Deepest nesting that is read.
const DEEPEST: usize = 64;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Number(f64),
    /// A key of the cell, and where in the text it stands.
    Key(String, Range<usize>),
    Negate(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Call(Function, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Function {
    SquareRoot,
    Logarithm,
    Exponential,
}

/// Names that a key cannot have.
#[cfg(test)]
pub(crate) const WORDS: [&str; 4] = ["sqrt", "log", "exp", "pi"];

/// Gives the value of a key that stands at a range of the text.
pub(crate) type Lookup<'a, E> = dyn FnMut(&str, &Range<usize>) -> Result<f64, E> + 'a;

/// Why a text is no expression, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Malformed {
    pub(crate) message: String,
    pub(crate) at: Range<usize>,
}

impl Expression {
    /// Parses the whole of `text`.
    pub(crate) fn parse(text: &str) -> Result<Expression, Malformed> {
        let mut parser = Parser { text, position: 0, depth: 0 };
        let expression = parser.sum()?;
        parser.skip_spaces();
        if parser.position < text.len() {
            return Err(parser.unexpected("the end, or one of + - * /"));
        }
        Ok(expression)
    }

    /// Its value; `lookup` gives the value of a key. Fails only as `lookup` does.
    pub(crate) fn evaluate<E>(&self, lookup: &mut Lookup<'_, E>) -> Result<f64, E> {
        Ok(match self {
            Expression::Number(value) => *value,
            Expression::Key(name, at) => lookup(name, at)?,
            Expression::Negate(inner) => -inner.evaluate(lookup)?,
            Expression::Binary(operator, left, right) => {
                let (left, right) = (left.evaluate(lookup)?, right.evaluate(lookup)?);
                match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                }
            }
            Expression::Call(function, inner) => {
                let argument = inner.evaluate(lookup)?;
                match function {
                    Function::SquareRoot => argument.sqrt(),
                    Function::Logarithm => libm::log(argument),
                    Function::Exponential => libm::exp(argument),
                }
            }
        })
    }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.position..]
    }

    fn skip_spaces(&mut self) {
        let spaces = self.rest().len() - self.rest().trim_start().len();
        self.position += spaces;
    }

    /// Takes `symbol` if it comes next.
    fn take(&mut self, symbol: char) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(symbol);
        if found {
            self.position += symbol.len_utf8();
        }
        found
    }

    fn unexpected(&self, expected: &str) -> Malformed {
        let rest = self.rest();
        match rest.chars().next() {
            None => Malformed {
                message: format!("the expression ends where {expected} should follow"),
                at: self.position..self.position,
            },
            Some(character) => Malformed {
                message: format!("`{character}` where {expected} should stand"),
                at: self.position..self.position + character.len_utf8(),
            },
        }
    }

    fn sum(&mut self) -> Result<Expression, Malformed> {
        let mut left = self.product()?;
        loop {
            let operator = if self.take('+') {
                Operator::Add
            } else if self.take('-') {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            left = Expression::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expression, Malformed> {
        let mut left = self.unary()?;
        loop {
            let operator = if self.take('*') {
                Operator::Multiply
            } else if self.take('/') {
                Operator::Divide
            } else {
                return Ok(left);
            };
            left = Expression::Binary(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Result<Expression, Malformed> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Malformed {
                message: format!("nested more than {DEEPEST} deep"),
                at: self.position..self.position,
            });
        }
        let parsed = if self.take('-') { Expression::Negate(Box::new(self.unary()?)) } else { self.atom()? };
        self.depth -= 1;
        Ok(parsed)
    }

    fn atom(&mut self) -> Result<Expression, Malformed> {
        if self.take('(') {
            return self.closed();
        }
        let start = self.position;
        let rest = self.rest();
        let word =
            rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
        match rest.chars().next() {
            Some(first) if first.is_ascii_digit() || first == '.' => self.number(),
            Some(first) if first.is_ascii_alphabetic() || first == '_' => {
                let name = rest[..word].to_owned();
                self.position += word;
                self.named(name, start..start + word)
            }
            _ => Err(self.unexpected("a number, a key or `(`")),
        }
    }

    fn named(&mut self, name: String, at: Range<usize>) -> Result<Expression, Malformed> {
        let function = match name.as_str() {
            "pi" => return Ok(Expression::Number(std::f64::consts::PI)),
            "sqrt" => Function::SquareRoot,
            "log" => Function::Logarithm,
            "exp" => Function::Exponential,
            _ if self.take('(') => {
                let message = format!("`{name}` is no function: there are `sqrt`, `log` and `exp`");
                return Err(Malformed { message, at });
            }
            _ => return Ok(Expression::Key(name, at)),
        };
        if !self.take('(') {
            return Err(self.unexpected(&format!("`(` after `{name}`")));
        }
        Ok(Expression::Call(function, Box::new(self.closed()?)))
    }

    /// What follows an opening parenthesis, with the closing one.
    fn closed(&mut self) -> Result<Expression, Malformed> {
        let inner = self.sum()?;
        if self.take(')') { Ok(inner) } else { Err(self.unexpected("`)` or one of + - * /")) }
    }

    fn number(&mut self) -> Result<Expression, Malformed> {
        let bytes = self.rest().as_bytes();
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let mut end = 0;
        while digit(end) || bytes.get(end) == Some(&b'.') {
            end += 1;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if digit(end + 1 + sign) {
                end += 1 + sign;
                while digit(end) {
                    end += 1;
                }
            }
        }
        let text = &self.rest()[..end];
        let at = self.position..self.position + end;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                self.position += end;
                Ok(Expression::Number(value))
            }
            _ => Err(Malformed { message: format!("`{text}` is no finite number"), at }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> Result<f64, String> {
        let parsed = Expression::parse(text).map_err(|error| error.message)?;
        parsed.evaluate(&mut |key, _| match key {
            "n" => Ok(32.0),
            "d" => Ok(8.0),
            _ => Err(format!("no {key}")),
        })
    }

    #[test]
    fn evaluates_as_written() {
        assert_eq!(value("sqrt(d)"), Ok(8.0_f64.sqrt()));
        assert_eq!(value(" 2*-n + 4 / (d - 4) "), Ok(-63.0));
        assert_eq!(value("1 - 2 - 3"), Ok(-4.0));
        assert_eq!(value("16/4/2"), Ok(2.0));
        assert_eq!(value("2*log(n)"), Ok(2.0 * libm::log(32.0)));
        assert_eq!(value("exp(-1.5e-3)*pi"), Ok(libm::exp(-1.5e-3) * std::f64::consts::PI));
        assert_eq!(value("--3"), Ok(3.0));
    }

    #[test]
    fn says_what_is_wrong() {
        for text in ["", "1 +", "sqrt d", "sin(1)", "(1", "1)", "2 ** 3", "1e999", "1.2.3", "n^2"] {
            assert!(value(text).is_err(), "{text}");
        }
        assert!(Expression::parse(&"(".repeat(10_000)).is_err());
        assert!(Expression::parse(&"-".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-+*/()0-9.e a-z√π]{0,40}") {
            let _ = value(&text);
        }

        #[test]
        fn a_printed_number_reads_back(number in -1e300_f64..1e300) {
            prop_assert_eq!(value(&format!("{number:e}")), Ok(number));
        }
    }
}
