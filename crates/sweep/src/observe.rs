//! `[observe]` and `[output]`: what to record and where rows go; the same for every cell.

use metasweep_metastability::observables::Observable;

use crate::diagnostic::{Place, Problem, Problems, listed, shown};
use crate::document::{Entry, Kind, Raw, entry};
use crate::moments::{read_histograms, read_moments, read_renyi, read_spaces};
use crate::registry::{self, Column};
use crate::setting::{choice, decimal};
use crate::sweep::{Level, Observe, Output};

pub(crate) const KEYS: [&str; 14] = [
    "series",
    "level",
    "quantiles",
    "delta",
    "merges",
    "plateaus",
    "min_lifetime",
    "epsilon",
    "renyi",
    "leading_eigenspace",
    "final_state",
    "snapshots",
    "attention",
    "histogram",
];
pub(crate) const OUTPUT_KEYS: [&str; 2] = ["partition_by", "rows_per_part"];
/// Rows of a part, if not said otherwise.
pub(crate) const ROWS_PER_PART: u64 = 2_000_000;

/// Reads `[observe]`; without one everything is at its default.
pub(crate) fn read_observe(section: Option<&Entry>, problems: &mut Problems) -> Observe {
    let mut observe = Observe::default();
    let Some(entries) = section.and_then(|section| problems.keep(section.value.table("observe"))) else {
        return observe;
    };
    for entry in entries {
        let read = read_observe_key(entry, &mut observe);
        problems.keep(read);
    }
    observe.suffixes = suffixes(&observe.deltas, &observe.epsilons);
    if let (false, Some(lifetime)) = (observe.plateaus, entry(entries, "min_lifetime")) {
        problems.push(
            Problem::new(&lifetime.key_at, "`min_lifetime` is for plateaus, and `plateaus` is false")
                .help("leave one of them out"),
        );
    }
    observe
}

fn read_observe_key(entry: &Entry, observe: &mut Observe) -> Result<(), Problem> {
    let value = &entry.value;
    match entry.key.as_str() {
        "series" => observe.series = series(value)?,
        "level" => {
            observe.level = match choice("level", value, &["cell", "replica"], &[])?.as_str() {
                "replica" => Level::Replica,
                _ => Level::Cell,
            };
        }
        "quantiles" => {
            observe.quantiles = numbers(value, "quantiles", |q| (0.0..=1.0).contains(&q), "from 0 to 1")?;
        }
        "delta" => {
            let help = "it is a threshold for 1 − ⟨x_i, x_j⟩; 1e-3 is the papers'";
            observe.deltas = thresholds(value, "delta", is_delta, "above 0 and below 2", help)?;
        }
        "epsilon" => {
            let help = "it is a threshold for ‖x_i − x_j‖ in R^d";
            observe.epsilons = thresholds(value, "epsilon", |epsilon| epsilon > 0.0, "positive", help)?;
        }
        "renyi" => observe.separation = read_renyi(value)?,
        "leading_eigenspace" => observe.spaces = read_spaces(value)?,
        "snapshots" => observe.snapshots = Some(read_moments("snapshots", value)?),
        "attention" => observe.attention = Some(read_moments("attention", value)?),
        "histogram" => observe.histograms = read_histograms(value)?,
        "merges" => observe.merges = truth(value, "merges")?,
        "plateaus" => observe.plateaus = truth(value, "plateaus")?,
        "final_state" => observe.final_state = truth(value, "final_state")?,
        "min_lifetime" => {
            let lifetime = decimal(value, "`min_lifetime`")?.nearest();
            if lifetime < 0.0 {
                return Err(Problem::new(
                    &value.at,
                    format!("`min_lifetime` must not be negative, and it is {}", shown(lifetime)),
                ));
            }
            observe.min_lifetime = Some(lifetime);
        }
        unknown => return Err(unknown_key("[observe]", unknown, &entry.key_at, &KEYS)),
    }
    Ok(())
}

/// The message about a key that a section does not have; it may be one of another section.
pub(crate) fn unknown_key(section: &str, key: &str, at: &Place, keys: &[&str]) -> Problem {
    let problem = Problem::new(at, format!("{section} has no key `{key}`"));
    if registry::parameter(key).is_some_and(|parameter| parameter.section == registry::Section::Grid) {
        return problem.help(format!("`{key}` stands in a [[grid]]"));
    }
    if registry::parameter(key).is_some_and(|parameter| parameter.section == registry::Section::Time) {
        return problem.help(format!("`{key}` stands in [time], or in a [[grid]]"));
    }
    if KEYS.contains(&key) {
        return problem.help(format!("`{key}` stands in [observe]"));
    }
    problem
        .nearest(key, keys.iter().copied())
        .help(format!("{section} has: {}", listed(keys.iter().copied())))
}

/// One threshold or a list of them.
fn thresholds(
    raw: &Raw,
    key: &str,
    allowed: fn(f64) -> bool,
    words: &str,
    help: &str,
) -> Result<Vec<f64>, Problem> {
    if matches!(raw.kind, Kind::Array(_)) {
        return numbers(raw, key, allowed, words);
    }
    let threshold = decimal(raw, &format!("`{key}`"))?.nearest();
    if allowed(threshold) {
        return Ok(vec![threshold]);
    }
    Err(Problem::new(&raw.at, format!("`{key}` must be {words}, not {}", shown(threshold))).help(help))
}

fn is_delta(delta: f64) -> bool {
    delta > 0.0 && delta < 2.0
}

fn series(raw: &Raw) -> Result<Vec<Observable>, Problem> {
    let Kind::Array(values) = &raw.kind else {
        return Err(Problem::new(
            &raw.at,
            format!("`series` must be a list of observables, not {}", raw.found()),
        )
        .help("write for instance `series = [\"clusters\", \"mean_cosine\"]`"));
    };
    let now: Vec<&str> = Observable::ALL.iter().map(|observable| observable.name()).collect();
    let mut series = Vec::new();
    for value in values {
        let Kind::Text(name) = &value.kind else {
            return Err(Problem::new(
                &value.at,
                format!("an observable is named by a string, not {}", value.found()),
            ));
        };
        let Some(observable) = Observable::ALL.iter().find(|observable| observable.name() == name) else {
            return Err(Problem::new(&value.at, format!("there is no observable `{name}`"))
                .nearest(name, now.iter().copied())
                .help(format!("this engine has: {}", listed(now.iter().copied()))));
        };
        if series.contains(observable) {
            return Err(Problem::new(
                &value.at,
                format!("`{name}` is listed twice: a table has one such column"),
            ));
        }
        series.push(*observable);
    }
    Ok(series)
}

/// A list of different numbers that are `allowed`.
fn numbers(raw: &Raw, key: &str, allowed: fn(f64) -> bool, words: &str) -> Result<Vec<f64>, Problem> {
    let Kind::Array(values) = &raw.kind else {
        return Err(Problem::new(&raw.at, format!("`{key}` must be a list of numbers, not {}", raw.found())));
    };
    if values.is_empty() && key != "quantiles" {
        return Err(
            Problem::new(&raw.at, format!("`{key}` is an empty list")).help("leave it out for the default")
        );
    }
    let mut numbers = Vec::new();
    for value in values {
        let number = decimal(value, &format!("a value of `{key}`"))?.nearest();
        if !allowed(number) {
            let problem =
                Problem::new(&value.at, format!("a value of `{key}` must be {words}, not {}", shown(number)));
            let percent = key == "quantiles" && (1.0..=100.0).contains(&number);
            let written = shown(number / 100.0);
            return Err(if percent {
                problem.help(format!("{number} % are written {written}"))
            } else {
                problem
            });
        }
        if numbers.contains(&number) {
            return Err(Problem::new(
                &value.at,
                format!("{} is listed twice: a table has one such column", shown(number)),
            ));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

fn truth(raw: &Raw, key: &str) -> Result<bool, Problem> {
    match raw.kind {
        Kind::Boolean(truth) => Ok(truth),
        _ => Err(Problem::new(&raw.at, format!("`{key}` must be true or false, not {}", raw.found()))),
    }
}

/// "" for the first thresholds, `_delta_1e-4` … for the other δ, `_epsilon_0.2` … for the other ε.
fn suffixes(deltas: &[f64], epsilons: &[f64]) -> Vec<String> {
    let deltas = deltas[1..].iter().map(|delta| format!("_delta_{delta:e}"));
    let epsilons = epsilons.iter().skip(1).map(|epsilon| format!("_epsilon_{}", shown(*epsilon)));
    std::iter::once(String::new()).chain(deltas).chain(epsilons).collect()
}

/// Reads `[output]`.
pub(crate) fn read_output(section: Option<&Entry>, problems: &mut Problems) -> Output {
    let mut output = Output { partition_by: Vec::new(), rows_per_part: ROWS_PER_PART };
    let Some(entries) = section.and_then(|section| problems.keep(section.value.table("output"))) else {
        return output;
    };
    for entry in entries {
        let value = &entry.value;
        let read = match entry.key.as_str() {
            "partition_by" => partition_by(value).map(|keys| output.partition_by = keys),
            "rows_per_part" => rows_per_part(value).map(|rows| output.rows_per_part = rows),
            unknown => Err(unknown_key("[output]", unknown, &entry.key_at, &OUTPUT_KEYS)),
        };
        problems.keep(read);
    }
    output
}

fn rows_per_part(raw: &Raw) -> Result<u64, Problem> {
    match raw.kind {
        Kind::Integer(rows) if rows >= 1 => Ok(rows.unsigned_abs()),
        Kind::Integer(rows) => {
            Err(Problem::new(&raw.at, format!("`rows_per_part` must be at least 1, not {rows}")))
        }
        _ => Err(Problem::new(&raw.at, format!("`rows_per_part` must be an integer, not {}", raw.found()))),
    }
}

fn partition_by(raw: &Raw) -> Result<Vec<String>, Problem> {
    let Kind::Array(values) = &raw.kind else {
        return Err(Problem::new(
            &raw.at,
            format!("`partition_by` must be a list of keys, not {}", raw.found()),
        )
        .help("write for instance `partition_by = [\"normalization\"]`"));
    };
    let strings: Vec<&str> = registry::PARAMETERS
        .iter()
        .filter(|parameter| parameter.column() == Column::Text && parameter.key != "sample")
        .map(|parameter| parameter.key)
        .collect();
    let mut keys: Vec<String> = Vec::new();
    for value in values {
        let Kind::Text(key) = &value.kind else {
            return Err(Problem::new(
                &value.at,
                format!("a partition is named by a string, not {}", value.found()),
            ));
        };
        if !strings.contains(&key.as_str()) {
            let problem = match registry::parameter(key) {
                Some(parameter) if parameter.is_numeric() => Problem::new(
                    &value.at,
                    format!("`{key}` is a number: only string-valued parameters partition"),
                )
                .help("numbers stay real columns, sorted, so that readers skip what they do not need"),
                Some(_) => Problem::new(&value.at, format!("`{key}` cannot partition")),
                None => Problem::new(&value.at, format!("there is no parameter `{key}`"))
                    .nearest(key, strings.iter().copied()),
            };
            return Err(
                problem.help(format!("string-valued parameters: {}", listed(strings.iter().copied())))
            );
        }
        if keys.contains(key) {
            return Err(Problem::new(&value.at, format!("`{key}` is listed twice")));
        }
        keys.push(key.clone());
    }
    Ok(keys)
}
