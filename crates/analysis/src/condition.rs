//! Conditions on cells: `beta > 4 and d = 2`, `not (value = identity) or n in (16, 32)`.
//!
//! ```text
//! or   = and { "or" and }            and  = not { "and" not }          not = "not" not | "(" or ")" | test
//! test = key ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value | key "in" "(" value { "," value } ")"
//! ```
//! A key is any column of the table `cells`. A value is a number, a bare word, or a text between quotes. Numbers are equal if
//! they are the same to twelve digits: `beta = 0.3` finds 0.30000000000000004.
//!
//! ```
//! use metasweep_analysis::condition::Condition;
//! let condition = Condition::parse("beta > 4 and d in (2, 3)", &["beta", "d"]).unwrap();
//! assert!(Condition::parse("beta >", &["beta"]).is_err());
//! # let _ = condition;
//! ```

use crate::dataset::{Cell, Value};
use crate::error::AnalysisError;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Always true.
    Always,
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// At least one.
    Or(Box<Condition>, Box<Condition>),
    /// The contrary.
    Not(Box<Condition>),
    /// A comparison.
    Compare(String, Relation, Operand),
    /// One of these.
    In(String, Vec<Operand>),
}

/// How a key is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// What it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Number(f64),
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 10] = ["<=", ">=", "!=", "==", "=", "<", ">", "(", ")", ","];

impl Condition {
    /// Reads a condition on these keys.
    ///
    /// # Errors
    /// The place, and what is allowed there.
    pub fn parse(text: &str, keys: &[&str]) -> Result<Condition, AnalysisError> {
        if text.trim().is_empty() {
            return Ok(Condition::Always);
        }
        let tokens = tokens(text)?;
        let mut parser = Parser { text, tokens, next: 0, keys };
        let condition = parser.or()?;
        match parser.peek() {
            Token::End => Ok(condition),
            other => {
                Err(parser.wrong(format!("{} is one too many; `and` and `or` join comparisons", show(other))))
            }
        }
    }

    /// Whether a cell fulfils it. A missing parameter fulfils no comparison.
    #[must_use]
    pub fn holds(&self, cell: &Cell) -> bool {
        match self {
            Condition::Always => true,
            Condition::And(a, b) => a.holds(cell) && b.holds(cell),
            Condition::Or(a, b) => a.holds(cell) || b.holds(cell),
            Condition::Not(inner) => !inner.holds(cell),
            Condition::Compare(key, relation, operand) => {
                compare(cell.parameters.get(key), *relation, operand)
            }
            Condition::In(key, operands) => {
                operands.iter().any(|operand| compare(cell.parameters.get(key), Relation::Equal, operand))
            }
        }
    }
}

fn compare(value: Option<&Value>, relation: Relation, operand: &Operand) -> bool {
    match (value, operand) {
        (Some(Value::Number(number)), Operand::Number(other)) => {
            let equal = number == other || (number - other).abs() <= 1e-12 * number.abs().max(other.abs());
            match relation {
                Relation::Equal => equal,
                Relation::Unequal => !equal && !number.is_nan(),
                Relation::Less => number < other && !equal,
                Relation::AtMost => number <= other || equal,
                Relation::Greater => number > other && !equal,
                Relation::AtLeast => number >= other || equal,
            }
        }
        (Some(Value::Text(Some(text))), operand) => {
            let other = match operand {
                Operand::Text(text) => text.clone(),
                Operand::Number(number) => number.to_string(),
            };
            match relation {
                Relation::Equal => *text == other,
                Relation::Unequal => *text != other,
                Relation::Less => *text < other,
                Relation::AtMost => *text <= other,
                Relation::Greater => *text > other,
                Relation::AtLeast => *text >= other,
            }
        }
        _ => false,
    }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, AnalysisError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push((at, Token::Sign(sign)));
            at += sign.len();
        } else if first == '"' || first == '\'' {
            let Some(length) = rest[1..].find(first) else {
                return Err(wrong(text, at, "the text that begins here does not end".to_owned()));
            };
            tokens.push((at, Token::Quoted(rest[1..=length].to_owned())));
            at += length + 2;
        } else {
            let stop = |character: char| character.is_whitespace() || "<>=!(),\"'".contains(character);
            let length = rest.find(stop).unwrap_or(rest.len());
            if length == 0 {
                return Err(wrong(text, at, format!("{first:?} means nothing here")));
            }
            let word = &rest[..length];
            let token = word.parse().map_or_else(|_| Token::Word(word.to_owned()), Token::Number);
            tokens.push((at, token));
            at += length;
        }
    }
    tokens.push((text.len(), Token::End));
    Ok(tokens)
}

fn wrong(text: &str, at: usize, what: String) -> AnalysisError {
    let at = text[..at].chars().count() + 1;
    AnalysisError::Condition { text: text.to_owned(), at, what }
}

fn show(token: &Token) -> String {
    match token {
        Token::Word(word) | Token::Quoted(word) => format!("`{word}`"),
        Token::Number(number) => format!("`{number}`"),
        Token::Sign(sign) => format!("`{sign}`"),
        Token::End => "the end".to_owned(),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(usize, Token)>,
    next: usize,
    keys: &'a [&'a str],
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)].1
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    /// About the token that comes next.
    fn wrong(&self, what: String) -> AnalysisError {
        wrong(self.text, self.tokens[self.next.min(self.tokens.len() - 1)].0, what)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(there) if there == word);
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(there) if *there == sign);
        self.next += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<Condition, AnalysisError> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Condition::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Condition, AnalysisError> {
        let mut left = self.not()?;
        while self.word("and") {
            left = Condition::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Condition, AnalysisError> {
        if self.word("not") {
            return Ok(Condition::Not(Box::new(self.not()?)));
        }
        if self.sign("(") {
            let inner = self.or()?;
            return if self.sign(")") { Ok(inner) } else { Err(self.wrong("`)` is missing".to_owned())) };
        }
        self.test()
    }

    fn test(&mut self) -> Result<Condition, AnalysisError> {
        let Token::Word(key) = self.peek().clone() else {
            return Err(self.wrong(format!(
                "a comparison begins with a key, as in `beta > 4`; not with {}",
                show(self.peek())
            )));
        };
        if !self.keys.contains(&key.as_str()) {
            let nearest =
                self.keys.iter().max_by(|a, b| strsim::jaro(a, &key).total_cmp(&strsim::jaro(b, &key)));
            let nearest = nearest.map(|name| format!("; do you mean `{name}`?")).unwrap_or_default();
            return Err(self.wrong(format!("the cells have no parameter `{key}`{nearest}")));
        }
        self.next += 1;
        if self.word("in") {
            return Ok(Condition::In(key, self.list()?));
        }
        let relation = match self.peek() {
            Token::Sign("=" | "==") => Relation::Equal,
            Token::Sign("!=") => Relation::Unequal,
            Token::Sign("<") => Relation::Less,
            Token::Sign("<=") => Relation::AtMost,
            Token::Sign(">") => Relation::Greater,
            Token::Sign(">=") => Relation::AtLeast,
            _ => {
                return Err(self.wrong(format!(
                    "after a key comes =, !=, <, <=, >, >= or `in`, not {}",
                    show(self.peek())
                )));
            }
        };
        self.next += 1;
        Ok(Condition::Compare(key, relation, self.operand()?))
    }

    fn list(&mut self) -> Result<Vec<Operand>, AnalysisError> {
        if !self.sign("(") {
            return Err(self.wrong("after `in` comes a list, as in `in (2, 8)`".to_owned()));
        }
        let mut operands = vec![self.operand()?];
        while self.sign(",") {
            operands.push(self.operand()?);
        }
        if self.sign(")") { Ok(operands) } else { Err(self.wrong("`)` is missing".to_owned())) }
    }

    fn operand(&mut self) -> Result<Operand, AnalysisError> {
        match self.peek() {
            Token::Sign(_) | Token::End => {
                Err(self.wrong(format!("a number or a text is missing; there is {}", show(self.peek()))))
            }
            _ => Ok(match self.take() {
                Token::Number(number) => Operand::Number(number),
                Token::Word(text) | Token::Quoted(text) => Operand::Text(text),
                Token::Sign(_) | Token::End => unreachable!("looked at above"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["beta", "d", "value", "gamma"];

    fn cell(beta: f64, d: f64, value: &str) -> Cell {
        let parameters = [
            ("beta".to_owned(), Value::Number(beta)),
            ("d".to_owned(), Value::Number(d)),
            ("value".to_owned(), Value::Text(Some(value.to_owned()))),
            ("gamma".to_owned(), Value::Number(f64::NAN)),
        ];
        Cell { name: "x".to_owned(), parameters: parameters.into() }
    }

    #[test]
    fn what_holds() {
        let cell = cell(0.1 + 0.2, 2.0, "diag(1, -1)");
        for (text, expected) in [
            ("", true),
            ("beta = 0.3", true),
            ("beta > 0.3", false),
            ("beta >= 0.3 and d = 2", true),
            ("d in (3, 2)", true),
            ("d != 2", false),
            ("not d = 2 or value = 'diag(1, -1)'", true),
            ("not (d = 2 or d = 3)", false),
            ("value = identity", false),
            // A missing parameter fulfils nothing.
            ("gamma < 1", false),
            ("gamma != 1", false),
            // `and` binds closer than `or`.
            ("d = 2 or d = 3 and beta > 9", true),
        ] {
            assert_eq!(Condition::parse(text, &KEYS).unwrap().holds(&cell), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, at, word) in [
            ("bet > 4", 1, "`beta`"),
            ("beta > ", 8, "missing"),
            ("beta 4", 6, "after a key"),
            ("beta > 4 d = 2", 10, "one too many"),
            ("(beta > 4", 10, "`)`"),
            ("value = 'x", 9, "does not end"),
            ("beta in 4", 9, "a list"),
            ("β > 4", 1, "no parameter"),
            ("beta > 4 and", 13, "begins with a key"),
            ("beta ! 4", 6, "means nothing"),
        ] {
            let error = Condition::parse(text, &KEYS).unwrap_err();
            let AnalysisError::Condition { at: found, what, .. } = &error else { panic!("{error}") };
            assert!(*found == at && what.contains(word), "{text}: {error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
