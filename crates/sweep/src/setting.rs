//! One value of one parameter, as a grid or `[time]` gives it: checked as far as it can be without the other parameters.

use std::ops::Range;
use std::rc::Rc;

use crate::diagnostic::{Place, Problem, listed, nearest, shown};
use crate::document::{Kind as RawKind, Raw};
use crate::expression::Expression;
use crate::families::{self, Families, Role};
use crate::inline;
use crate::ranges::Decimal;
use crate::registry::{self, Kind, Parameter};
use crate::sample::SampleRule;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) given: Given,
    pub(crate) at: Place,
}

/// What is given; expressions wait for the cell.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    Integer(i64),
    Number(f64),
    Expression(Rc<Formula>),
    /// `authors(…)`: the argument.
    Authors(Rc<Formula>),
    Text(String),
    Boolean(bool),
    Sample(SampleRule),
}

/// An expression and where its text stands.
#[derive(Debug)]
pub(crate) struct Formula {
    pub(crate) expression: Expression,
    at: Place,
    /// The text stands there byte for byte, so that its parts can be pointed at.
    exact: bool,
}

impl Formula {
    fn parse(text: &str, at: Place) -> Result<Formula, Problem> {
        let exact = at.span.len() == text.len();
        match Expression::parse(text) {
            Ok(expression) => Ok(Formula { expression, at, exact }),
            Err(malformed) => {
                let place = if exact { at.part(malformed.at) } else { at };
                Err(Problem::new(&place, format!("not an expression: {}", malformed.message))
                    .help("an expression has numbers, numeric keys of the cell, + - * /, parentheses, `sqrt`, `log`, `exp` and `pi`"))
            }
        }
    }

    /// The place of a part of the text.
    pub(crate) fn place(&self, part: &Range<usize>) -> Place {
        if self.exact { self.at.part(part.clone()) } else { self.at.clone() }
    }
}

/// Reads one value of `parameter`.
pub(crate) fn read(parameter: &Parameter, raw: &Raw, families: &mut Families) -> Result<Setting, Problem> {
    let given = match parameter.kind {
        Kind::Integer(..) | Kind::Number(_) => numeric(parameter, raw)?,
        Kind::Step => step(parameter, raw)?,
        Kind::Choice(now, later) => Given::Text(choice(parameter.key, raw, now, later)?),
        Kind::Call(reader) => Given::Text(families::read_call(parameter.key, text(parameter, raw)?, reader)?),
        Kind::Boolean => Given::Boolean(truth(parameter, raw)?),
        Kind::Initial => {
            Given::Text(families.read(Role::Initial, parameter.key, text(parameter, raw)?, &raw.at)?)
        }
        Kind::ValueMatrix => {
            Given::Text(families.read(Role::Value, parameter.key, text(parameter, raw)?, &raw.at)?)
        }
        Kind::QueryKeyMatrix => {
            Given::Text(families.read(Role::QueryKey, parameter.key, text(parameter, raw)?, &raw.at)?)
        }
        Kind::FactorMatrix => {
            Given::Text(families.read(Role::Factor, parameter.key, text(parameter, raw)?, &raw.at)?)
        }
        Kind::FeedForward => {
            Given::Text(families.read(Role::FeedForward, parameter.key, text(parameter, raw)?, &raw.at)?)
        }
        Kind::Heads => Given::Text(inline::heads(raw, families)?),
        Kind::Frozen => Given::Text(inline::frozen(raw, families)?),
        Kind::Sample => Given::Sample(SampleRule::read(raw)?),
    };
    Ok(Setting { given, at: raw.at.clone() })
}

/// The exact decimal of a number, where a value stands for a plain number (ends of ranges, times).
pub(crate) fn decimal(raw: &Raw, what: &str) -> Result<Decimal, Problem> {
    match &raw.kind {
        RawKind::Integer(integer) => Decimal::read(&integer.to_string()),
        RawKind::Float(value, _) if !value.is_finite() => {
            return Err(Problem::new(&raw.at, format!("{what} must be a finite number")));
        }
        // The tree's text may be a fragment if the place was unknown; the value then speaks for itself.
        RawKind::Float(value, text) => Decimal::read(text).or_else(|| Decimal::shortest(*value)),
        _ => None,
    }
    .ok_or_else(|| Problem::new(&raw.at, format!("{what} must be a number, not {}", raw.found())))
}

/// Whether a number is what its parameter takes; `None` if it is.
pub(crate) fn out_of_bounds(parameter: &Parameter, value: f64) -> Option<String> {
    let key = parameter.key;
    let bound = match parameter.kind {
        Kind::Number(bound) => bound,
        Kind::Step => registry::Bound::Positive,
        _ => return None,
    };
    if !value.is_finite() {
        return Some(format!("`{key}` must be finite, not {value}"));
    }
    match bound {
        registry::Bound::Positive if value <= 0.0 => {
            Some(format!("`{key}` must be positive, not {}", shown(value)))
        }
        registry::Bound::NotNegative if value < 0.0 => {
            Some(format!("`{key}` must not be negative, and it is {}", shown(value)))
        }
        _ => None,
    }
}

/// Whether an integer is in its parameter's range; `None` if it is.
pub(crate) fn out_of_range(parameter: &Parameter, value: i64) -> Option<String> {
    let Kind::Integer(low, high) = parameter.kind else { return None };
    let key = parameter.key;
    match key {
        _ if value > high => Some(format!("`{key}` is at most {high}, and here it is {value}")),
        _ if value >= low => None,
        "seed" => Some(format!("`seed` is an integer from 0 on, not {value}")),
        _ => Some(format!("`{key}` is at least {low}, and here it is {value}")),
    }
}

fn checked_integer(parameter: &Parameter, raw: &Raw, value: i64) -> Result<Given, Problem> {
    match out_of_range(parameter, value) {
        None => Ok(Given::Integer(value)),
        Some(message) => Err(Problem::new(&raw.at, message)),
    }
}

fn checked_number(parameter: &Parameter, raw: &Raw, value: f64) -> Result<Given, Problem> {
    match out_of_bounds(parameter, value) {
        // −0 is 0: one value, one text.
        None => Ok(Given::Number(value + 0.0)),
        Some(message) => {
            let problem = Problem::new(&raw.at, message);
            Err(if parameter.key == "beta" && value < 0.0 {
                problem.help("tokens that repel each other have `value = \"-identity\"`, not a negative β")
            } else {
                problem
            })
        }
    }
}

fn numeric(parameter: &Parameter, raw: &Raw) -> Result<Given, Problem> {
    let key = parameter.key;
    let integer = matches!(parameter.kind, Kind::Integer(..));
    match &raw.kind {
        RawKind::Integer(value) if integer => checked_integer(parameter, raw, *value),
        RawKind::Integer(value) => checked_number(parameter, raw, *value as f64),
        RawKind::Float(value, text) if integer => {
            let problem =
                Problem::new(&raw.at, format!("`{key}` must be an integer, and `{text}` is a float"));
            Err(if value.fract() == 0.0 && value.abs() < 1e15 {
                problem.help(format!("write `{value:.0}`"))
            } else {
                problem
            })
        }
        RawKind::Float(value, _) => checked_number(parameter, raw, *value),
        RawKind::Text(text) => Ok(Given::Expression(Rc::new(Formula::parse(text, inside(raw))?))),
        _ => {
            let what = if integer { "an integer" } else { "a number" };
            Err(Problem::new(&raw.at, format!("`{key}` must be {what}, not {}", raw.found()))
                .help("or an expression in the other numeric keys, in quotes: \"2*sqrt(d)\""))
        }
    }
}

fn step(parameter: &Parameter, raw: &Raw) -> Result<Given, Problem> {
    if let RawKind::Text(text) = &raw.kind
        && let Some((name, rest)) = text.split_once('(')
        && name.trim() == "authors"
    {
        let whole = inside(raw);
        let Some(argument) = rest.trim_end().strip_suffix(')') else {
            return Err(
                Problem::new(&whole, "`authors(` is not closed").help("write for instance `authors(0.1)`")
            );
        };
        let exact = whole.span.len() == text.len();
        let start = name.len() + 1;
        let at = if exact { whole.part(start..start + argument.len()) } else { whole };
        return Ok(Given::Authors(Rc::new(Formula::parse(argument, at)?)));
    }
    let is_text = matches!(raw.kind, RawKind::Text(_));
    numeric(parameter, raw).map_err(|problem| {
        if is_text {
            problem.help("a step may also be the authors' for USA, `authors(0.1)`")
        } else {
            problem
        }
    })
}

/// The place of a string's contents, if it is written without escapes: within the quotes.
pub(crate) fn inside(raw: &Raw) -> Place {
    match &raw.kind {
        RawKind::Text(text) if raw.at.span.len() == text.len() + 2 => {
            Place { source: raw.at.source, span: raw.at.span.start + 1..raw.at.span.end - 1 }
        }
        _ => raw.at.clone(),
    }
}

fn truth(parameter: &Parameter, raw: &Raw) -> Result<bool, Problem> {
    if let RawKind::Boolean(truth) = raw.kind {
        return Ok(truth);
    }
    Err(Problem::new(&raw.at, format!("`{}` must be true or false, not {}", parameter.key, raw.found())))
}

fn text<'a>(parameter: &Parameter, raw: &'a Raw) -> Result<&'a Raw, Problem> {
    match &raw.kind {
        RawKind::Text(_) => Ok(raw),
        _ => Err(Problem::new(&raw.at, format!("`{}` must be a string, not {}", parameter.key, raw.found()))),
    }
}

/// One of the names `now`; those of `later` are told apart from typos.
pub(crate) fn choice(key: &str, raw: &Raw, now: &[&str], later: &[&str]) -> Result<String, Problem> {
    let RawKind::Text(text) = &raw.kind else {
        return Err(Problem::new(&raw.at, format!("`{key}` must be a string, not {}", raw.found()))
            .help(format!("`{key}` is one of {}", listed(now.iter().copied()))));
    };
    if now.contains(&text.as_str()) {
        return Ok(text.clone());
    }
    let name = text.split('(').next().unwrap_or(text).trim();
    if later.contains(&name) {
        return Err(not_yet(&raw.at, &format!("{key} = \"{text}\""))
            .help(format!("this engine has: {}", listed(now.iter().copied()))));
    }
    let mut problem =
        Problem::new(&raw.at, format!("`{text}` is no {key}")).nearest(name, now.iter().copied());
    if let (true, Some(later)) = (problem.help.is_empty(), nearest(name, later.iter().copied())) {
        let engine = metasweep_dynamics::ENGINE;
        problem = problem.help(format!("did you mean `{later}`? It is not part of engine {engine} yet"));
    }
    Err(problem.help(format!("`{key}` is one of {}", listed(now.iter().copied()))))
}

/// The message about what is in the format, but not in this engine.
pub(crate) fn not_yet(at: &Place, what: &str) -> Problem {
    let engine = metasweep_dynamics::ENGINE;
    Problem::new(at, format!("`{what}` is not part of engine {engine} yet"))
}
