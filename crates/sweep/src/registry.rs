//! Every parameter of a cell: its key, what it takes, its default, one line about it. The one table to extend.
//!
//! A cell's parameters are all grid keys, all `[time]` keys and `seed`. A default never changes: cells are named by
//! what is *not* at its default, so a changed default would rename cells (and a new key renames none).

use metasweep_dynamics::call::CallError;

use crate::cell::Value;
use crate::choices;
use crate::frozen;

/// Where a key may stand besides a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Only in `[[grid]]`.
    Grid,
    /// In `[time]`; a grid may override it.
    Time,
    /// At the top of the file; a grid may override it.
    Top,
}

/// What a number must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// > 0.
    Positive,
    /// ≥ 0.
    NotNegative,
    /// Any finite number.
    Finite,
}

/// Reads a call such as `mix(5)` and gives it back in canonical form.
pub type CallReader = fn(&str) -> Result<String, CallError>;

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An integer in a range.
    Integer(i64, i64),
    /// A number, or an expression in the other numeric keys.
    Number(Bound),
    /// One of the names in the first list; those in the second are of a later engine.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// A name with arguments, `mix(5)`, in the words of [`metasweep_dynamics::call`].
    Call(CallReader),
    /// `true` or `false`.
    Boolean,
    /// An initial law.
    Initial,
    /// A family of matrices for V.
    ValueMatrix,
    /// A family of matrices for QᵀK.
    QueryKeyMatrix,
    /// A family of matrices for Q or K.
    FactorMatrix,
    /// A number of heads, or a table of them.
    Heads,
    /// A feed-forward layer.
    FeedForward,
    /// Frozen tokens.
    Frozen,
    /// Sample times.
    Sample,
    /// A step: a number, an expression, or `authors(…)`.
    Step,
}

/// The type of a parameter's column in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// 64-bit integers.
    Integer,
    /// 64-bit floats.
    Number,
    /// Strings.
    Text,
    /// Truth values.
    Boolean,
}

/// The value of a key that is not given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// There is none: the key is required.
    Required,
    /// Nothing: a null.
    Null,
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A string.
    Text(&'static str),
    /// A truth value.
    Boolean(bool),
}

impl Default {
    /// As a cell's value; a required key has none.
    #[must_use]
    pub fn value(self) -> Option<Value> {
        Some(match self {
            Default::Required => return None,
            Default::Null => Value::Null,
            Default::Integer(integer) => Value::Integer(integer),
            Default::Number(number) => Value::Number(number),
            Default::Text(text) => Value::Text(text.to_owned()),
            Default::Boolean(truth) => Value::Boolean(truth),
        })
    }
}

/// A parameter of a cell.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its key, which is its column.
    pub key: &'static str,
    /// Where it may stand.
    pub section: Section,
    /// What it takes.
    pub kind: Kind,
    /// Its default.
    pub default: Default,
    /// What it is, in a line.
    pub about: &'static str,
}

impl Parameter {
    /// The type of its column.
    #[must_use]
    pub fn column(&self) -> Column {
        match self.kind {
            Kind::Integer(..) => Column::Integer,
            Kind::Number(_) | Kind::Step => Column::Number,
            Kind::Boolean => Column::Boolean,
            Kind::Choice(..)
            | Kind::Call(_)
            | Kind::Initial
            | Kind::ValueMatrix
            | Kind::QueryKeyMatrix
            | Kind::FactorMatrix
            | Kind::Heads
            | Kind::FeedForward
            | Kind::Frozen
            | Kind::Sample => Column::Text,
        }
    }
    /// Whether expressions may refer to it.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        matches!(self.column(), Column::Integer | Column::Number)
    }
}

/// The parameter of this key.
#[must_use]
pub fn parameter(key: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.key == key)
}

const MOST_TOKENS: i64 = 1_000_000;

const fn grid(key: &'static str, kind: Kind, default: Default, about: &'static str) -> Parameter {
    Parameter { key, section: Section::Grid, kind, default, about }
}

const fn time(key: &'static str, kind: Kind, default: Default, about: &'static str) -> Parameter {
    Parameter { key, section: Section::Time, kind, default, about }
}

/// All parameters, in the order in which they are explained.
pub const PARAMETERS: &[Parameter] = &[
    grid("n", Kind::Integer(1, MOST_TOKENS), Default::Required, "number of tokens"),
    grid(
        "d",
        Kind::Integer(1, MOST_TOKENS),
        Default::Required,
        "dimension: tokens live on the unit sphere of R^d",
    ),
    grid("beta", Kind::Number(Bound::NotNegative), Default::Required, "inverse temperature β"),
    grid("gamma", Kind::Number(Bound::NotNegative), Default::Null, "in place of beta: β = γ log n (P2 §6.3)"),
    grid(
        "normalization",
        Kind::Choice(&["softmax", "unnormalized", "hardmax", "sinkhorn"], &[]),
        Default::Text("softmax"),
        "how scores become weights: SA, USA, hardmax or Sinkhorn's",
    ),
    grid("value", Kind::ValueMatrix, Default::Text("identity"), "V, a family of matrices (docs/models.md)"),
    grid("query_key", Kind::QueryKeyMatrix, Default::Text("identity"), "B = QᵀK, a family of matrices"),
    grid("query", Kind::FactorMatrix, Default::Null, "Q, apart from K, in place of query_key"),
    grid("key", Kind::FactorMatrix, Default::Null, "K, apart from Q, in place of query_key"),
    grid("model", Kind::Call(choices::read_system), Default::Text("attention"), "the particle system"),
    grid(
        "layer_norm",
        Kind::Call(choices::read_layer_norm),
        Default::Text("post"),
        "the layer-norm scheme (P2 §6.2)",
    ),
    grid("radius", Kind::Number(Bound::Positive), Default::Number(1.0), "|x_i(0)| under pre, mix and peri"),
    grid("mask", Kind::Choice(&["full", "causal"], &[]), Default::Text("full"), "which tokens a token sees"),
    grid(
        "geometry",
        Kind::Choice(&["sphere", "euclidean", "rescaled", "circle", "equiangular"], &[]),
        Default::Text("sphere"),
        "where the tokens live",
    ),
    grid("initial", Kind::Initial, Default::Text("uniform_sphere"), "the law of the initial tokens"),
    grid(
        "sharing",
        Kind::Choice(&["replica", "cell", "sweep", "layer"], &[]),
        Default::Text("replica"),
        "how long one draw of random matrices lives",
    ),
    grid("heads", Kind::Heads, Default::Text("1"), "attention heads, summed (P0 (2.7))"),
    grid("feed_forward", Kind::FeedForward, Default::Text("none"), "feed-forward layer (P0 (2.8))"),
    grid("frozen", Kind::Frozen, Default::Null, "fixed tokens (P3 Thm 5.2)"),
    grid("weights", Kind::Call(frozen::read_weights), Default::Null, "masses of the tokens; 1 if not given"),
    grid("noise", Kind::Choice(&["none", "brownian"], &[]), Default::Text("none"), "noise (P2 §7)"),
    grid("kappa", Kind::Number(Bound::Positive), Default::Null, "inverse strength κ of the noise"),
    grid("coupling", Kind::Number(Bound::Finite), Default::Null, "Kuramoto coupling K; 1 if it is not given"),
    grid(
        "frequencies",
        Kind::Call(choices::read_frequencies),
        Default::Null,
        "Kuramoto frequencies ω_i; zero if they are not given",
    ),
    grid(
        "exclude_self",
        Kind::Boolean,
        Default::Boolean(false),
        "no token sees itself: j = i is left out (P2 §5.2)",
    ),
    grid("residual", Kind::Boolean, Default::Boolean(true), "discrete layers: keep x_i in the sum"),
    grid("precision", Kind::Choice(&["f64"], &["f32"]), Default::Text("f64"), "the scalar type"),
    time("horizon", Kind::Number(Bound::Positive), Default::Required, "the last time"),
    time(
        "integrator",
        Kind::Choice(&["projected_euler", "rk4", "discrete", "adaptive", "multiscale"], &[]),
        Default::Required,
        "how time is stepped",
    ),
    time("step", Kind::Step, Default::Null, "η of the fixed-step integrators"),
    time("tolerance", Kind::Number(Bound::Positive), Default::Null, "of the adaptive integrators"),
    time("sample", Kind::Sample, Default::Required, "times of the series"),
    Parameter {
        key: "seed",
        section: Section::Top,
        kind: Kind::Integer(0, i64::MAX),
        default: Default::Required,
        about: "the master seed",
    },
];

/// Position of a key in the order of columns and rows: n, d, beta, then the others by name.
#[must_use]
pub fn rank(key: &str) -> (u8, &str) {
    match key {
        "n" => (0, key),
        "d" => (1, key),
        "beta" => (2, key),
        _ => (3, key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_no_words_of_expressions() {
        for (index, parameter) in PARAMETERS.iter().enumerate() {
            assert!(PARAMETERS[index + 1..].iter().all(|other| other.key != parameter.key));
            assert!(!crate::expression::WORDS.contains(&parameter.key));
        }
    }
}
