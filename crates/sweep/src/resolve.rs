//! A point of a grid → a [`Cell`]: expressions evaluated, defaults filled in, combinations checked, the name given.

use std::collections::BTreeMap;

use metasweep_dynamics::initial::Construction;
use metasweep_dynamics::random::Stream;

use crate::cell::{Cell, Value, canonical, name_of};
use crate::combinations;
use crate::diagnostic::{Place, Problem, continued, shown};
use crate::families::{Drawn, space};
use crate::frozen;
use crate::grid::Point;
use crate::numbers::Numbers;
use crate::recipe::{Recipe, Texts};
use crate::registry::{self, PARAMETERS};
use crate::sample::compact;
use crate::setting::{Given, out_of_bounds};
use crate::sweep::Input;

/// What decides whether families are possible, and how tokens are drawn.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Families {
    initial: String,
    matrices: Texts,
    geometry: String,
    frozen: String,
    /// Noise leaves the span of the tokens.
    noisy: bool,
    n: usize,
    d: usize,
}

/// Resolves points, remembering what it found out about families.
pub(crate) struct Resolver<'a> {
    inputs: &'a BTreeMap<String, Input>,
    /// Canonical name of each file, by the name in the sweep file.
    names: &'a BTreeMap<String, String>,
    /// For each combination of texts, n and d: the construction, or why it is impossible and whose fault it is.
    checked: BTreeMap<Families, Result<Construction, (&'static str, String)>>,
    /// Times and text, by the place of the rule and the bits of the horizon.
    samples: BTreeMap<(usize, usize, u64), (Vec<f64>, String)>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(inputs: &'a BTreeMap<String, Input>, names: &'a BTreeMap<String, String>) -> Self {
        Resolver { inputs, names, checked: BTreeMap::new(), samples: BTreeMap::new() }
    }

    /// A message with files under the names that the sweep file gives them.
    fn with_names(&self, message: &str) -> String {
        self.names
            .iter()
            .fold(message.to_owned(), |message, (name, canonical)| message.replace(canonical, name))
    }

    /// The cell at a point; `grid_at` is where the point's grid begins.
    pub(crate) fn cell(&mut self, point: &Point<'_>, grid_at: &Place) -> Result<Cell, Problem> {
        contradictions(point)?;
        let mut numbers = Numbers::new(point);
        let mut parameters: BTreeMap<String, Value> = BTreeMap::new();
        for parameter in PARAMETERS {
            let value = match point.get(parameter.key).map(|setting| &setting.given) {
                Some(Given::Text(text)) => Value::Text(text.clone()),
                Some(Given::Boolean(truth)) => Value::Boolean(*truth),
                Some(Given::Sample(_)) => Value::Null,
                Some(_) => numbers.value(parameter)?,
                None if parameter.key == "beta" => Value::Number(numbers.number("beta", grid_at)?),
                None => parameter.default.value().unwrap_or(Value::Null),
            };
            parameters.insert(parameter.key.to_owned(), value);
        }
        let step_rule = step(point, &mut numbers, &mut parameters, grid_at)?;
        let horizon = parameters["horizon"].number().unwrap_or(0.0);
        // 0: steps are adaptive.
        let step = parameters["step"].number().unwrap_or(0.0);
        check_steps(point, step, horizon)?;
        let (sample, text) = self.sample(point, horizon)?;
        parameters.insert("sample".to_owned(), Value::Text(text));
        combinations::check(point, &parameters, grid_at)?;
        let construction = self.check_families(point, &parameters, grid_at)?;
        let name = name_of(&canonical(&parameters, &step_rule));
        let initial_construction = construction.name().to_owned();
        Ok(Cell { name, parameters, sample, step, step_rule, initial_construction })
    }

    /// Sample times and their canonical text; the cells of a sweep have few different ones.
    fn sample(&mut self, point: &Point<'_>, horizon: f64) -> Result<(Vec<f64>, String), Problem> {
        let Some(setting) = point.get("sample") else { return Ok((Vec::new(), String::new())) };
        let Given::Sample(rule) = &setting.given else { return Ok((Vec::new(), String::new())) };
        let key = (setting.at.source, setting.at.span.start, horizon.to_bits());
        if let Some(known) = self.samples.get(&key) {
            return Ok(known.clone());
        }
        let times = rule.times(horizon).map_err(|message| {
            let problem = Problem::new(&setting.at, message);
            match point.get("horizon") {
                Some(horizon) => problem.related(&horizon.at, "the horizon"),
                None => problem,
            }
        })?;
        let text = compact(&times);
        self.samples.insert(key, (times.clone(), text.clone()));
        Ok((times, text))
    }

    fn check_families(
        &mut self,
        point: &Point<'_>,
        parameters: &BTreeMap<String, Value>,
        grid_at: &Place,
    ) -> Result<Construction, Problem> {
        let text = |key: &str| parameters[key].text().unwrap_or("").to_owned();
        let size = |key: &str| match parameters[key] {
            Value::Integer(integer) => usize::try_from(integer).unwrap_or(0),
            _ => 0,
        };
        let key = Families {
            initial: text("initial"),
            matrices: texts(parameters),
            geometry: text("geometry"),
            frozen: text("frozen"),
            noisy: text("noise") != "none",
            n: size("n"),
            d: size("d"),
        };
        let inputs = self.inputs;
        let found = self.checked.entry(key).or_insert_with_key(|families| possible(families, inputs));
        let construction = found.clone().map_err(|(whose, reason)| {
            let at = |key: &str| point.get(key).map(|setting| &setting.at);
            let mut problem = Problem::new(
                at(whose).or(at("d")).unwrap_or(grid_at),
                self.with_names(&format!(
                    "`{whose} = {}` is impossible here: {}",
                    parameters[whose],
                    continued(&reason)
                )),
            );
            for key in ["n", "d"] {
                if let Some(at) = at(key).filter(|_| whose != key) {
                    problem = problem.related(at, format!("{key} = {}", parameters[key]));
                }
            }
            problem
        })?;
        let sharing = text("sharing");
        if sharing != "replica"
            && let Some(setting) = point.get("sharing")
            && !Recipe::parse(&texts(parameters)).is_ok_and(|recipe| recipe.is_random())
        {
            return Err(Problem::new(
                &setting.at,
                format!("`sharing = \"{sharing}\"` says how long a draw of the matrices lives, but none is drawn here"),
            )
            .help(format!("value is `{}` and query_key is `{}`: neither is random", text("value"), text("query_key")))
            .help("leave `sharing` out; in a grid that also has random matrices, use a [[grid]] of its own"));
        }
        Ok(construction)
    }
}

/// What the matrices of a cell are made of.
pub(crate) fn texts(parameters: &BTreeMap<String, Value>) -> Texts {
    let text = |key: &str| parameters.get(key).and_then(Value::text).unwrap_or("").to_owned();
    Texts {
        value: text("value"),
        query_key: text("query_key"),
        query: text("query"),
        key: text("key"),
        heads: text("heads"),
        feed_forward: text("feed_forward"),
    }
}

/// Whether the families can be had at n and d; the files they read are tried.
fn possible(
    families: &Families,
    inputs: &BTreeMap<String, Input>,
) -> Result<Construction, (&'static str, String)> {
    let Families { initial, matrices, geometry, frozen, noisy, n, d } = families;
    let (n, d) = (*n, *d);
    let files = |name: &str| inputs.get(name).map(|input| input.bytes.as_slice());
    let drawn = Drawn::parse(initial, matrices).map_err(|error| ("initial", error.to_string()))?;
    drawn.initial.check(n, d).map_err(|reason| ("initial", reason))?;
    drawn.recipe.check(d, &files)?;
    if geometry == "equiangular" && drawn.initial.common_cosine().is_none() {
        let reason = "equiangular tokens start with one common cosine: `equiangular(rho)` or `orthonormal`";
        return Err(("initial", reason.to_owned()));
    }
    let unit = !matches!(geometry.as_str(), "euclidean" | "rescaled");
    if d < 2 && unit {
        let reason = "the unit sphere of R^1 is two points, and nothing can move on it";
        return Err(("d", reason.to_owned()));
    }
    if !frozen.is_empty() {
        let points = frozen::frozen(frozen).map_err(|error| error.to_string());
        points.and_then(|points| points.tokens(d, unit, &files)).map_err(|reason| ("frozen", reason))?;
    }
    // Noise and frozen tokens lead out of the span of the others.
    let construction = if *noisy || !frozen.is_empty() || geometry == "equiangular" {
        Construction::Direct
    } else {
        drawn.construction(n, d)
    };
    let mut stream = Stream::new([0; 32], 0);
    if !drawn.initial.files().is_empty() {
        drawn
            .initial
            .draw(n, d, construction, space(geometry), &mut stream, &files)
            .map_err(|reason| ("initial", reason))?;
    }
    Ok(construction)
}

/// β twice.
fn contradictions(point: &Point<'_>) -> Result<(), Problem> {
    match (point.get("beta"), point.get("gamma")) {
        (Some(beta), Some(gamma)) => {
            Err(Problem::new(&gamma.at, "`gamma` stands in place of `beta`: β = γ log n")
                .related(&beta.at, "beta is given here")
                .help("give one of them"))
        }
        _ => Ok(()),
    }
}

/// Puts η into `parameters`; the rule's text.
fn step(
    point: &Point<'_>,
    numbers: &mut Numbers<'_>,
    parameters: &mut BTreeMap<String, Value>,
    grid_at: &Place,
) -> Result<String, Problem> {
    let integrator = parameters["integrator"].text().unwrap_or("").to_owned();
    if is_adaptive(&integrator) {
        return tolerance(point, parameters, &integrator, grid_at);
    }
    if let Some(tolerance) = point.get("tolerance") {
        return Err(Problem::new(
            &tolerance.at,
            format!("`{integrator}` has a fixed step: it knows no `tolerance`"),
        )
        .help("`tolerance` is for the adaptive integrators; give `step`"));
    }
    let Some(setting) = point.get("step") else {
        if integrator == "discrete" {
            parameters.insert("step".to_owned(), Value::Number(1.0));
            return Ok("1.0".to_owned());
        }
        return Err(Problem::new(grid_at, format!("`step` is missing: `{integrator}` has a fixed step"))
            .help("write in [time] for instance `step = 0.1`"));
    };
    let Given::Authors(argument) = &setting.given else {
        let eta = parameters["step"].number().unwrap_or(0.0);
        return Ok(format!("{eta:?}"));
    };
    let base = numbers.evaluate(argument, "step", &setting.at)? + 0.0;
    if let Some(message) = registry::parameter("step").and_then(|step| out_of_bounds(step, base)) {
        return Err(Problem::new(&setting.at, message));
    }
    if parameters["normalization"].text() != Some("unnormalized") {
        // The authors rescale the step of USA only; elsewhere theirs is the number itself, and the cell is the same cell.
        parameters.insert("step".to_owned(), Value::Number(base));
        return Ok(format!("{base:?}"));
    }
    let beta = parameters["beta"].number().unwrap_or(0.0);
    if libm::exp(beta).is_infinite() {
        return Err(Problem::new(
            &setting.at,
            format!("at β = {} the authors' step is 0: e^β is no number", shown(beta)),
        )
        .help("USA needs β ≤ 700; at large β take `softmax`"));
    }
    let eta = base / (beta.sqrt() * libm::exp(beta - 0.5)).max(1.0);
    parameters.insert("step".to_owned(), Value::Number(eta));
    Ok(format!("authors({base:?})"))
}

/// Whether an integrator chooses its steps.
fn is_adaptive(integrator: &str) -> bool {
    matches!(integrator, "adaptive" | "multiscale")
}

/// Adaptive steps have a tolerance and no length: the rule's text.
fn tolerance(
    point: &Point<'_>,
    parameters: &BTreeMap<String, Value>,
    integrator: &str,
    grid_at: &Place,
) -> Result<String, Problem> {
    const BOUNDS: (f64, f64) = (1e-13, 1e-3);
    if let Some(step) = point.get("step") {
        let problem = Problem::new(&step.at, format!("`{integrator}` chooses its steps: it knows no `step`"));
        return Err(problem.help("give `tolerance`; a fixed step is for the other integrators"));
    }
    let Some(setting) = point.get("tolerance") else {
        let missing = format!("`tolerance` is missing: `{integrator}` chooses its steps after it");
        return Err(Problem::new(grid_at, missing).help("write in [time] for instance `tolerance = 1e-9`"));
    };
    let given = parameters["tolerance"].number().unwrap_or(f64::NAN);
    if (BOUNDS.0..=BOUNDS.1).contains(&given) {
        return Ok("adaptive".to_owned());
    }
    let message = format!(
        "`tolerance` is the local error of a step, and {} is {}",
        shown(given),
        if given < BOUNDS.0 { "below the rounding error of many steps" } else { "no small error" }
    );
    Err(Problem::new(&setting.at, message).help("give a number from 1e-13 to 1e-3, for instance 1e-9"))
}

/// At least one step, and no more than can be counted.
fn check_steps(point: &Point<'_>, step: f64, horizon: f64) -> Result<(), Problem> {
    const MOST: f64 = 1e15;
    let Some(setting) = point.get("step") else { return Ok(()) };
    let steps = horizon / step;
    let message = if steps + 1e-9 < 1.0 {
        format!(
            "the step {} is longer than the horizon {}: not one step would be taken",
            shown(step),
            shown(horizon)
        )
    } else if steps > MOST || step <= 0.0 {
        format!(
            "to the horizon {} it takes {} steps of {}: more than can be taken",
            shown(horizon),
            shown(steps),
            shown(step)
        )
    } else {
        return Ok(());
    };
    let problem = Problem::new(&setting.at, message);
    Err(match point.get("horizon") {
        Some(horizon) => problem.related(&horizon.at, "the horizon"),
        None => problem,
    })
}
