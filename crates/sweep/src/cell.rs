//! A cell: one grid point, every parameter fixed except the replica; and the name it has in every sweep.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::registry;

/// A parameter's value in canonical form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// An integer (n, d, seed, …).
    Integer(i64),
    /// A number (beta, horizon, …); always finite, never −0.
    Number(f64),
    /// A string (normalization, value, …).
    Text(String),
    /// A truth value.
    Boolean(bool),
    /// Given but empty (gamma where beta was given).
    Null,
}

impl Value {
    /// A total order: null, truth values, integers, numbers, strings; each kind in its own order.
    #[must_use]
    pub fn compare(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            _ => self.kind().cmp(&other.kind()),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Boolean(_) => 1,
            Value::Integer(_) => 2,
            Value::Number(_) => 3,
            Value::Text(_) => 4,
        }
    }

    /// As a number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Integer(integer) => Some(*integer as f64),
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// As a string, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The canonical text: integers plain, numbers in the shortest form that reads back (always with a point or an
/// exponent), strings quoted as in TOML and JSON, `null`.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(integer) => write!(formatter, "{integer}"),
            Value::Number(number) => write!(formatter, "{number:?}"),
            Value::Text(text) => formatter.write_str(&quoted(text)),
            Value::Boolean(truth) => write!(formatter, "{truth}"),
            Value::Null => formatter.write_str("null"),
        }
    }
}

/// A string in quotes, as JSON and TOML both read it.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if (control as u32) < 0x20 || control as u32 == 0x7f => {
                let _ = write!(quoted, "\\u{:04x}", control as u32);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The first 16 hex digits of the BLAKE3 of a cell's parameters that are not at their default.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellName(pub String);

impl fmt::Display for CellName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One grid point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its name in every sweep.
    pub name: CellName,
    /// Every parameter, defaults included, by key: all grid keys, all `[time]` keys, `seed`. `step` is the η used.
    pub parameters: BTreeMap<String, Value>,
    /// Sample times, ascending.
    pub sample: Vec<f64>,
    /// η actually used; 0 where steps are adaptive.
    pub step: f64,
    /// `step` as written, e.g. `authors(0.1)` or `0.1`; `adaptive` where steps are.
    pub step_rule: String,
    /// `direct` or `bartlett`.
    pub initial_construction: String,
}

impl Cell {
    /// The value of a parameter; null if there is no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> &Value {
        self.parameters.get(key).unwrap_or(&Value::Null)
    }

    /// A numeric parameter; 0 if it is none (a parsed cell has all of them).
    #[must_use]
    pub fn number(&self, key: &str) -> f64 {
        self.get(key).number().unwrap_or(0.0)
    }

    /// A parameter that is a string; empty if it is none.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.get(key).text().unwrap_or("")
    }

    /// A non-negative integer parameter; 0 if it is none.
    #[must_use]
    pub fn count(&self, key: &str) -> usize {
        match self.get(key) {
            Value::Integer(integer) => usize::try_from(*integer).unwrap_or(0),
            _ => 0,
        }
    }

    /// n, the number of tokens.
    #[must_use]
    pub fn n(&self) -> usize {
        self.count("n")
    }

    /// d, the dimension.
    #[must_use]
    pub fn d(&self) -> usize {
        self.count("d")
    }

    /// Coordinates that a token carries: n if the tokens were drawn in their span, else d.
    #[must_use]
    pub fn carried(&self) -> usize {
        if self.initial_construction == "bartlett" { self.n() } else { self.d() }
    }

    /// Attention heads: so many, or as many as are listed.
    #[must_use]
    pub fn heads(&self) -> usize {
        let text = self.text("heads");
        text.parse().unwrap_or_else(|_| text.matches("head(").count().max(1))
    }

    /// β.
    #[must_use]
    pub fn beta(&self) -> f64 {
        self.number("beta")
    }

    /// The last time.
    #[must_use]
    pub fn horizon(&self) -> f64 {
        self.number("horizon")
    }

    /// Whether steps are adaptive.
    #[must_use]
    pub fn is_adaptive(&self) -> bool {
        self.step == 0.0
    }

    /// The step as a value: null where steps are adaptive.
    #[must_use]
    pub fn step_value(&self) -> Value {
        if self.is_adaptive() { Value::Null } else { Value::Number(self.step) }
    }

    /// Steps to the horizon: ⌊horizon/η + 1e-9⌋; where steps are adaptive, about so many.
    #[must_use]
    pub fn steps(&self) -> u64 {
        if self.is_adaptive() {
            return crate::cost::adaptive_steps(self) as u64;
        }
        steps_until(self.horizon(), self.step)
    }

    /// The order of rows: n, d, beta, the other parameters by name, cell name.
    #[must_use]
    pub fn compare(&self, other: &Cell) -> Ordering {
        let first = ["n", "d", "beta"].iter().map(|key| self.get(key).compare(other.get(key)));
        let others = self
            .parameters
            .iter()
            .zip(&other.parameters)
            .filter(|((key, _), _)| !matches!(key.as_str(), "n" | "d" | "beta"))
            .map(|((_, mine), (_, theirs))| mine.compare(theirs));
        first.chain(others).find(|order| order.is_ne()).unwrap_or_else(|| self.name.cmp(&other.name))
    }

    /// The text that the name is the hash of: the parameters that are not at their default, by key, one
    /// `key = value` a line. `step` is the rule where it is one: `step = "authors(0.1)"`.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical(&self.parameters, &self.step_rule)
    }
}

/// See [`Cell::canonical`].
pub(crate) fn canonical(parameters: &BTreeMap<String, Value>, step_rule: &str) -> String {
    let mut text = String::new();
    for (key, value) in parameters {
        let default = registry::parameter(key).and_then(|parameter| parameter.default.value());
        if default.as_ref() == Some(value) {
            continue;
        }
        let _ = if key == "step" && step_rule.parse::<f64>().is_err() {
            writeln!(text, "{key} = {}", quoted(step_rule))
        } else {
            writeln!(text, "{key} = {value}")
        };
    }
    text
}

/// The name of a cell with this canonical text.
pub(crate) fn name_of(canonical: &str) -> CellName {
    let hash = blake3::hash(canonical.as_bytes()).to_hex();
    CellName(hash[..16].to_owned())
}

/// The state whose row stands at time t: the one after ⌊t/η + 1e-9⌋ steps.
#[must_use]
pub fn steps_until(t: f64, step: f64) -> u64 {
    (t / step + 1e-9).floor().max(0.0) as u64
}
