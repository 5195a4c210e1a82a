//! What a cell is, in words: the equation that is integrated, the time unit, the scheme, what is watched, every parameter.
//!
//! `metasweep explain` prints it. [`equation`] writes the equation, one function a part of it, [`notes`] has a sentence for each choice of the sweep file;
//! the mathematics is that of docs/models.md. Adding a choice: an arm in the function of its key.

mod equation;
mod notes;

use serde::Serialize;

use crate::cell::{Cell, Value};
use crate::registry::{self, PARAMETERS};
use crate::sweep::{Observe, Sweep};

/// A parameter and its value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Given {
    /// Its key in the sweep file.
    pub key: String,
    /// Its values, in canonical form: one, or as many as the cells have.
    pub values: Vec<String>,
    /// Whether that is what holds where a sweep file says nothing.
    pub default: bool,
    /// What it is.
    pub about: String,
}

/// A line of an equation, as text and in LaTeX.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Readable on a terminal.
    pub text: String,
    /// The same for a paper, without dollars.
    pub latex: String,
}

/// One system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Names of the cells that it is about.
    pub cells: Vec<String>,
    /// The equation: what moves first, then what stands in it.
    pub equation: Vec<Line>,
    /// Where the papers have it.
    pub sources: Vec<String>,
    /// What a unit of time is.
    pub time: String,
    /// How time is stepped.
    pub scheme: String,
    /// What the choices mean, a sentence each.
    pub choices: Vec<String>,
    /// Collapse, plateaus, `min_lifetime`.
    pub watched: Vec<String>,
    /// Every parameter.
    pub parameters: Vec<Given>,
}

/// The different systems of a sweep, in the order of their first cells. Cells are of one system if they differ in numbers alone.
#[must_use]
pub fn systems(sweep: &Sweep) -> Vec<Explanation> {
    let mut groups: Vec<(String, Vec<&Cell>)> = Vec::new();
    for cell in &sweep.cells {
        let system = signature(cell);
        match groups.iter_mut().find(|(other, _)| *other == system) {
            Some((_, cells)) => cells.push(cell),
            None => groups.push((system, vec![cell])),
        }
    }
    groups.iter().map(|(_, cells)| explain(cells, &sweep.observe)).collect()
}

/// One cell.
#[must_use]
pub fn one(cell: &Cell, observe: &Observe) -> Explanation {
    explain(&[cell], observe)
}

/// What makes a system: all words and truth values, not the times of the series; and for numbers whether they are given.
fn signature(cell: &Cell) -> String {
    let of = |parameter: &registry::Parameter| match cell.get(parameter.key) {
        _ if parameter.key == "sample" => String::new(),
        Value::Integer(_) | Value::Number(_) => format!("{}\n", parameter.key),
        value => format!("{} = {value}\n", parameter.key),
    };
    PARAMETERS.iter().map(of).collect()
}

/// Cells of one system, at least one.
fn explain(cells: &[&Cell], observe: &Observe) -> Explanation {
    let Some(first) = cells.first() else {
        let (equation, sources) = (Vec::new(), Vec::new());
        let (time, scheme) = (String::new(), String::new());
        let (choices, watched, parameters) = (Vec::new(), Vec::new(), Vec::new());
        return Explanation {
            cells: Vec::new(),
            equation,
            sources,
            time,
            scheme,
            choices,
            watched,
            parameters,
        };
    };
    let (equation, sources) = equation::equation(first);
    Explanation {
        cells: cells.iter().map(|cell| cell.name.0.clone()).collect(),
        equation,
        sources,
        time: notes::time(first),
        scheme: notes::scheme(first),
        choices: notes::choices(first).into_iter().chain(notes::series(cells)).collect(),
        watched: notes::watched(first, observe),
        parameters: PARAMETERS.iter().map(|parameter| given(parameter, cells)).collect(),
    }
}

fn given(parameter: &registry::Parameter, cells: &[&Cell]) -> Given {
    let key = parameter.key;
    let mut values: Vec<String> = Vec::new();
    for cell in cells {
        // The rule says more than the η that it gives.
        let is_rule = key == "step" && !cell.is_adaptive() && cell.step_rule.parse::<f64>().is_err();
        let value = if is_rule {
            format!("{} = {}", cell.step_rule, cell.get(key))
        } else {
            cell.get(key).to_string()
        };
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let default = parameter.default.value().is_some_and(|default| values == [default.to_string()]);
    Given { key: key.to_owned(), values, default, about: parameter.about.to_owned() }
}

/// As text for a terminal.
impl std::fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.cells[..] {
            [one] => writeln!(formatter, "cell {one}")?,
            [first, .., last] => writeln!(formatter, "{} cells, {first} to {last}", self.cells.len())?,
            [] => {}
        }
        writeln!(formatter, "\nEquation ({})\n", self.sources.join("; "))?;
        for line in &self.equation {
            writeln!(formatter, "    {}", line.text)?;
        }
        writeln!(formatter, "\nIn LaTeX\n")?;
        for line in &self.equation {
            writeln!(formatter, "    {}", line.latex)?;
        }
        writeln!(formatter, "\nTime\n    {}\n\nScheme\n    {}", self.time, self.scheme)?;
        for (title, sentences) in [("Choices", &self.choices), ("What is watched", &self.watched)] {
            writeln!(formatter, "\n{title}")?;
            for sentence in sentences {
                writeln!(formatter, "    {sentence}")?;
            }
        }
        writeln!(formatter, "\nParameters (· is a default)")?;
        let keys = self.parameters.iter().map(|given| given.key.len()).max().unwrap_or(0);
        for given in &self.parameters {
            let mark = if given.default { '·' } else { ' ' };
            let values = match &given.values[..] {
                [one] => one.clone(),
                [first, .., last] => format!("{} values, {first} to {last}", given.values.len()),
                [] => String::new(),
            };
            writeln!(formatter, "  {mark} {:keys$}  {values}   # {}", given.key, given.about)?;
        }
        Ok(())
    }
}
