//! The numeric keys of a point of a grid: numbers, and expressions in the others.
//!
//! [`crate::resolve`] asks for them, one key after the other.

use std::collections::BTreeMap;

use crate::cell::Value;
use crate::diagnostic::{Place, Problem, listed, shown};
use crate::grid::Point;
use crate::registry::{self, Kind, PARAMETERS, Parameter};
use crate::setting::{Formula, Given, out_of_bounds, out_of_range};

/// The numeric keys of a point, each evaluated once.
pub(crate) struct Numbers<'a> {
    point: &'a Point<'a>,
    values: BTreeMap<String, f64>,
    /// Keys whose expressions are being evaluated, outermost first.
    open: Vec<String>,
}

impl<'a> Numbers<'a> {
    /// Those of this point, none evaluated yet.
    pub(crate) fn new(point: &'a Point<'a>) -> Self {
        Self { point, values: BTreeMap::new(), open: Vec::new() }
    }

    /// The value of a numeric key that the point gives.
    pub(crate) fn value(&mut self, parameter: &Parameter) -> Result<Value, Problem> {
        let Some(setting) = self.point.get(parameter.key) else { return Ok(Value::Null) };
        match setting.given {
            Given::Integer(integer) => return Ok(Value::Integer(integer)),
            // The rule is worked out by `step`, which knows β.
            Given::Authors(_) => return Ok(Value::Null),
            _ => {}
        }
        let value = self.number(parameter.key, &setting.at)?;
        if !matches!(parameter.kind, Kind::Integer(..)) {
            return Ok(Value::Number(value));
        }
        let key = parameter.key;
        if value.fract() != 0.0 || value.abs() > 9e15 {
            return Err(Problem::new(
                &setting.at,
                format!("`{key}` must be an integer, and this expression is {}", shown(value)),
            ));
        }
        match out_of_range(parameter, value as i64) {
            None => Ok(Value::Integer(value as i64)),
            Some(message) => Err(Problem::new(&setting.at, message)),
        }
    }

    /// The number of a key; `at` is where it is asked for.
    pub(crate) fn number(&mut self, key: &str, at: &Place) -> Result<f64, Problem> {
        if let Some(value) = self.values.get(key) {
            return Ok(*value);
        }
        if let Some(start) = self.open.iter().position(|open| open == key) {
            let circle: Vec<&str> = self.open[start..].iter().map(String::as_str).chain([key]).collect();
            return Err(Problem::new(at, format!("the expressions go in a circle: {}", circle.join(" → "))));
        }
        let setting = self.point.get(key);
        let value = match setting.map(|setting| &setting.given) {
            Some(Given::Integer(integer)) => *integer as f64,
            Some(Given::Number(number)) => *number,
            Some(Given::Expression(expression)) => {
                let expression_at = setting.map_or(at, |setting| &setting.at);
                self.open.push(key.to_owned());
                let value = self.evaluate(expression, key, expression_at)?;
                self.open.pop();
                value
            }
            None if key == "beta" && self.point.contains_key("gamma") => {
                self.open.push(key.to_owned());
                let (gamma, n) = (self.number("gamma", at)?, self.number("n", at)?);
                self.open.pop();
                gamma * libm::log(n)
            }
            _ => {
                let default = registry::parameter(key).and_then(|parameter| parameter.default.value());
                match default.and_then(|value| value.number()) {
                    Some(number) if setting.is_none() => number,
                    _ => {
                        return Err(Problem::new(
                            at,
                            format!("`{key}` has no number here that an expression could use"),
                        ));
                    }
                }
            }
        };
        self.values.insert(key.to_owned(), value);
        Ok(value)
    }

    /// The value of the expression of `key`, within its bounds.
    pub(crate) fn evaluate(&mut self, formula: &Formula, key: &str, at: &Place) -> Result<f64, Problem> {
        let value = formula.expression.evaluate(&mut |name, part| {
            let here = formula.place(part);
            match registry::parameter(name) {
                Some(parameter) if parameter.is_numeric() => self.number(name, &here),
                other => {
                    let numeric: Vec<&str> =
                        PARAMETERS.iter().filter(|key| key.is_numeric()).map(|key| key.key).collect();
                    let message = match other {
                        Some(_) => format!("`{name}` is no number: an expression cannot use it"),
                        None => format!("`{name}` is no numeric key of the cell"),
                    };
                    Err(Problem::new(&here, message)
                        .nearest(name, numeric.iter().copied())
                        .help(format!("numeric keys: {}", listed(numeric.iter().copied()))))
                }
            }
        })?;
        let value = value + 0.0;
        match registry::parameter(key).and_then(|parameter| out_of_bounds(parameter, value)) {
            Some(message) => Err(Problem::new(at, message)),
            None if !value.is_finite() => {
                Err(Problem::new(at, format!("`{key}` must be finite, not {value}")))
            }
            None => Ok(value),
        }
    }
}
