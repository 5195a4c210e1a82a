//! The keys of `[observe]` that ask for more than series: whole tokens, attention matrices, histograms, and the parameters of single
//! observables. What they ask for, and how they are read.

use metasweep_metastability::histogram::{Histogram, Quantity};
use metasweep_metastability::watch::Space;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Problem, listed, shown};
use crate::document::{Entry, Kind, Raw, entry};
use crate::expression::Expression;
use crate::setting::{decimal, inside};

/// The separation of Rényi centres if the file gives none (P3 Fig. 3).
pub const SEPARATION: &str = "4/sqrt(beta)";
/// Bins of a histogram, at most.
const MOST_BINS: i64 = 100_000;

/// The first replicas of every cell, and times: what the tables `tokens` and `attention` have rows of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// How many of each cell's replicas, from replica 0 on.
    pub replicas: u32,
    /// The times, ascending.
    pub times: Vec<f64>,
}

impl Moments {
    /// As the sweep file has it.
    #[must_use]
    pub fn canonical(&self) -> String {
        let times: Vec<String> = self.times.iter().map(|t| format!("{t:?}")).collect();
        format!("{{ replicas = {}, times = [{}] }}", self.replicas, times.join(", "))
    }
}

/// Reads `{ replicas = 4, times = [2.5, 18.0, 30.0] }`.
pub(crate) fn read_moments(key: &str, raw: &Raw) -> Result<Moments, Problem> {
    let example = format!("write for instance `{key} = {{ replicas = 4, times = [0.0, 2.5] }}`");
    let entries = raw.table(key).map_err(|problem| problem.help(example.clone()))?;
    known(key, entries, &["replicas", "times"])?;
    let replicas = given(key, raw, entries, "replicas", &example)?;
    let replicas = match replicas.kind {
        Kind::Integer(count) if count >= 1 => u32::try_from(count).unwrap_or(u32::MAX),
        Kind::Integer(count) => {
            let message = format!("`replicas` of `{key}` must be at least 1, not {count}");
            return Err(
                Problem::new(&replicas.at, message).help(format!("leave `{key}` out for no such table"))
            );
        }
        _ => {
            let message = format!("`replicas` of `{key}` must be an integer, not {}", replicas.found());
            return Err(Problem::new(&replicas.at, message)
                .help("it is the number of replicas of each cell, from replica 0 on"));
        }
    };
    let list = given(key, raw, entries, "times", &example)?;
    let Kind::Array(values) = &list.kind else {
        let message = format!("`times` of `{key}` must be a list of times, not {}", list.found());
        return Err(Problem::new(&list.at, message).help(example));
    };
    if values.is_empty() {
        return Err(Problem::new(&list.at, format!("`times` of `{key}` is an empty list"))
            .help(format!("leave `{key}` out for no such table")));
    }
    let mut times = Vec::new();
    for value in values {
        let t = decimal(value, &format!("a time of `{key}`"))?.nearest() + 0.0;
        if t < 0.0 {
            let message = format!("a time of `{key}` must not be negative, and it is {}", shown(t));
            return Err(Problem::new(&value.at, message));
        }
        if times.contains(&t) {
            let message = format!("{} is listed twice among the times of `{key}`", shown(t));
            return Err(Problem::new(&value.at, message));
        }
        times.push(t);
    }
    times.sort_by(f64::total_cmp);
    Ok(Moments { replicas, times })
}

/// Reads `[{ of = "inner_product", bins = 200 }, …]`, or a single one.
pub(crate) fn read_histograms(raw: &Raw) -> Result<Vec<Histogram>, Problem> {
    let all = match &raw.kind {
        Kind::Array(values) => values.as_slice(),
        _ => std::slice::from_ref(raw),
    };
    let mut histograms: Vec<Histogram> = Vec::new();
    for one in all {
        let histogram = read_histogram(one)?;
        if histograms.iter().any(|other| other.of == histogram.of) {
            let message = format!("there are two histograms of `{}`", histogram.of.name());
            return Err(Problem::new(&one.at, message)
                .help("give one, with as many bins as the finer one: coarser ones are sums of its bins"));
        }
        histograms.push(histogram);
    }
    if histograms.is_empty() {
        return Err(
            Problem::new(&raw.at, "`histogram` is an empty list").help("leave it out for no such table")
        );
    }
    Ok(histograms)
}

fn read_histogram(raw: &Raw) -> Result<Histogram, Problem> {
    const EXAMPLE: &str = "write for instance `histogram = [{ of = \"inner_product\", bins = 200 }]`";
    let entries = raw.table("histogram").map_err(|problem| problem.help(EXAMPLE))?;
    known("histogram", entries, &["of", "bins"])?;
    let of = given("histogram", raw, entries, "of", EXAMPLE)?;
    let names: Vec<&str> = Quantity::ALL.iter().map(|quantity| quantity.name()).collect();
    let Kind::Text(name) = &of.kind else {
        return Err(Problem::new(&of.at, format!("`of` must be a string, not {}", of.found()))
            .help(format!("there are histograms of {}", listed(names.iter().copied()))));
    };
    let Some(quantity) = Quantity::ALL.into_iter().find(|quantity| quantity.name() == name) else {
        return Err(Problem::new(&of.at, format!("there is no histogram of `{name}`"))
            .nearest(name, names.iter().copied())
            .help(format!("there are histograms of {}", listed(names.iter().copied()))));
    };
    let bins = given("histogram", raw, entries, "bins", EXAMPLE)?;
    match bins.kind {
        Kind::Integer(count) if (1..=MOST_BINS).contains(&count) => {
            Ok(Histogram { of: quantity, bins: u32::try_from(count).unwrap_or(1) })
        }
        Kind::Integer(count) => {
            Err(Problem::new(&bins.at, format!("`bins` must be from 1 to {MOST_BINS}, not {count}")))
        }
        _ => Err(Problem::new(&bins.at, format!("`bins` must be an integer, not {}", bins.found()))),
    }
}

/// Reads `{ separation = "4/sqrt(beta)" }`: the expression, without blanks. Its keys are looked up in each cell.
pub(crate) fn read_renyi(raw: &Raw) -> Result<String, Problem> {
    let example = format!("write for instance `renyi = {{ separation = \"{SEPARATION}\" }}`");
    let entries = raw.table("renyi").map_err(|problem| problem.help(example.clone()))?;
    known("renyi", entries, &["separation"])?;
    let separation = given("renyi", raw, entries, "separation", &example)?;
    let Kind::Text(text) = &separation.kind else {
        let number = decimal(separation, "`separation`")?.nearest();
        if number <= 0.0 {
            let message = format!("`separation` must be positive, not {}", shown(number));
            return Err(Problem::new(&separation.at, message));
        }
        return Ok(format!("{number:?}"));
    };
    Expression::parse(text).map_err(|malformed| {
        Problem::new(&inside(separation), format!("not an expression: {}", malformed.message))
            .help("an expression has numbers, numeric keys of the cell, + - * /, parentheses, `sqrt`, `log`, `exp` and `pi`")
    })?;
    Ok(text.split_whitespace().collect())
}

/// Reads `leading_eigenspace`: the matrix, or a list of them.
pub(crate) fn read_spaces(raw: &Raw) -> Result<Vec<Space>, Problem> {
    let names: Vec<&str> = Space::ALL.iter().map(|space| space.name()).collect();
    let allowed = format!("`leading_eigenspace` is of {}", listed(names.iter().copied()));
    let all = match &raw.kind {
        Kind::Array(values) if !values.is_empty() => values.as_slice(),
        _ => std::slice::from_ref(raw),
    };
    let mut spaces = Vec::new();
    for one in all {
        let Kind::Text(name) = &one.kind else {
            let message =
                format!("`leading_eigenspace` must be a string or a list of them, not {}", one.found());
            return Err(Problem::new(&one.at, message).help(allowed));
        };
        let Some(space) = Space::ALL.into_iter().find(|space| space.name() == name) else {
            return Err(Problem::new(&one.at, format!("`{name}` is no matrix of a head"))
                .nearest(name, names.iter().copied())
                .help(allowed));
        };
        if spaces.contains(&space) {
            return Err(Problem::new(
                &one.at,
                format!("`{name}` is listed twice: a table has one such column"),
            ));
        }
        spaces.push(space);
    }
    Ok(spaces)
}

/// Refuses keys that an inline table does not have.
fn known(key: &str, entries: &[Entry], allowed: &[&str]) -> Result<(), Problem> {
    match entries.iter().find(|entry| !allowed.contains(&entry.key.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(Problem::new(&unknown.key_at, format!("`{key}` has no key `{}`", unknown.key))
            .nearest(&unknown.key, allowed.iter().copied())
            .help(format!("`{key}` has: {}", listed(allowed.iter().copied())))),
    }
}

fn given<'a>(
    key: &str,
    raw: &Raw,
    entries: &'a [Entry],
    name: &str,
    example: &str,
) -> Result<&'a Raw, Problem> {
    entry(entries, name)
        .map(|entry| &entry.value)
        .ok_or_else(|| Problem::new(&raw.at, format!("`{key}` lacks `{name}`")).help(example.to_owned()))
}
