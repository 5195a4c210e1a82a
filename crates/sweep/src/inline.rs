//! `heads` and `frozen` as inline tables: read into the one canonical text that a cell keeps.
//!
//! An inline table is one value of its key, however many lists stand in it: only a list of such tables is an axis.

use metasweep_dynamics::constant;

use crate::diagnostic::{Place, Problem, listed};
use crate::document::{Entry, Kind, Raw, entry};
use crate::families::{Families, Role};
use crate::recipe;
use crate::setting::inside;

/// Refuses keys that the table does not have.
fn only(entries: &[Entry], key: &str, allowed: &[&str]) -> Result<(), Problem> {
    match entries.iter().find(|entry| !allowed.contains(&entry.key.as_str())) {
        None => Ok(()),
        Some(wrong) => {
            Err(Problem::new(&wrong.key_at, format!("a table of `{key}` has no key `{}`", wrong.key))
                .nearest(&wrong.key, allowed.iter().copied())
                .help(format!("its keys: {}", listed(allowed.iter().copied()))))
        }
    }
}

/// The list under a key of a table.
fn list<'a>(entries: &'a [Entry], key: &str, name: &str) -> Result<Option<(&'a [Raw], &'a Place)>, Problem> {
    let Some(found) = entry(entries, name) else { return Ok(None) };
    match &found.value.kind {
        Kind::Array(values) => Ok(Some((values, &found.value.at))),
        _ => Err(Problem::new(
            &found.value.at,
            format!("`{name}` of `{key}` must be a list, not {}", found.value.found()),
        )),
    }
}

/// A number, or a text such as `pi/2`.
fn number(raw: &Raw, key: &str) -> Result<f64, Problem> {
    let value = match &raw.kind {
        Kind::Integer(integer) => *integer as f64,
        Kind::Float(number, _) => *number,
        Kind::Text(text) => constant::evaluate(text, 0)
            .map_err(|error| Problem::new(&inside(raw), format!("`{key}`: {}", error.message)))?,
        _ => return Err(Problem::new(&raw.at, format!("`{key}` takes numbers, not {}", raw.found()))),
    };
    if value.is_finite() {
        return Ok(value);
    }
    Err(Problem::new(&raw.at, format!("`{key}` takes finite numbers")))
}

/// `heads`: a number, a text, or `{ of = [{ query_key, value }, { query, key, value }, …] }`.
pub(crate) fn heads(raw: &Raw, families: &mut Families<'_>) -> Result<String, Problem> {
    let entries = match &raw.kind {
        Kind::Integer(count) => {
            return recipe::read_heads(&count.to_string())
                .map(|(text, _)| text)
                .map_err(|error| Problem::new(&raw.at, format!("`heads`: {}", error.message)));
        }
        Kind::Text(_) => return families.read(Role::Heads, "heads", raw, &raw.at),
        Kind::Table(entries) => entries,
        _ => {
            let message = format!("`heads` must be a number of heads or a table, not {}", raw.found());
            return Err(Problem::new(&raw.at, message)
                .help("for instance `heads = 4`, or `heads = { of = [{ query_key = \"goe\" }, { value = \"goe\" }] }`"));
        }
    };
    only(entries, "heads", &["of"])?;
    let Some((of, _)) = list(entries, "heads", "of")?.filter(|(of, _)| !of.is_empty()) else {
        return Err(Problem::new(&raw.at, "a table of `heads` needs `of`, the list of its heads")
            .help("for instance `heads = { of = [{ query_key = \"goe\" }, { value = \"goe\" }] }`"));
    };
    let texts: Vec<String> = of.iter().map(|head| one_head(head, families)).collect::<Result<_, _>>()?;
    Ok(format!("of({})", texts.join(", ")))
}

fn one_head(raw: &Raw, families: &mut Families<'_>) -> Result<String, Problem> {
    let entries = raw.table("a head")?;
    only(entries, "heads", &["query_key", "query", "key", "value"])?;
    let mut read = |role, key: &str| match entry(entries, key) {
        Some(found) => families.read(role, key, &found.value, &found.value.at).map(Some),
        None => Ok(None),
    };
    let value = read(Role::Value, "value")?.unwrap_or_else(|| "identity".to_owned());
    let joint = read(Role::QueryKey, "query_key")?;
    let (query, key) = (read(Role::Factor, "query")?, read(Role::Factor, "key")?);
    if query.is_none() && key.is_none() {
        let query_key = joint.unwrap_or_else(|| "identity".to_owned());
        return Ok(format!("head({query_key}, {value})"));
    }
    if joint.is_some() {
        return Err(Problem::new(&raw.at, "a head has `query_key`, or `query` and `key`, but not both")
            .help("`query_key` is QᵀK, which Q and K determine"));
    }
    let or_identity = |text: Option<String>| text.unwrap_or_else(|| "identity".to_owned());
    Ok(format!("head({}, {}, {value})", or_identity(query), or_identity(key)))
}

/// `frozen`: a text, `{ angles = […], weights = […] }`, or `{ points = "file(theta.npy)", weights = […] }`.
pub(crate) fn frozen(raw: &Raw, families: &mut Families<'_>) -> Result<String, Problem> {
    let entries = match &raw.kind {
        Kind::Text(_) => return families.read(Role::Frozen, "frozen", raw, &raw.at),
        Kind::Table(entries) => entries,
        _ => {
            let message = format!("`frozen` must be a table or a string, not {}", raw.found());
            return Err(Problem::new(&raw.at, message)
                .help("for instance `frozen = { angles = [0.3, 2.9], weights = [1.5, 4] }`"));
        }
    };
    only(entries, "frozen", &["angles", "points", "weights"])?;
    let numbers = |name: &str| -> Result<Option<(Vec<f64>, &Place)>, Problem> {
        let Some((values, at)) = list(entries, "frozen", name)? else { return Ok(None) };
        let numbers = values.iter().map(|value| number(value, name)).collect::<Result<_, _>>()?;
        Ok(Some((numbers, at)))
    };
    let weights = numbers("weights")?;
    if let Some((weights, at)) = &weights
        && weights.iter().any(|weight| *weight <= 0.0)
    {
        return Err(Problem::new(at, "the weights of frozen tokens must be positive"));
    }
    match (numbers("angles")?, entry(entries, "points")) {
        (Some((angles, at)), None) => {
            if angles.is_empty() {
                return Err(Problem::new(at, "there is no frozen token in this list"));
            }
            if let Some((weights, at)) = weights.as_ref().filter(|(weights, _)| weights.len() != angles.len())
            {
                let (given, needed) = (weights.len(), angles.len());
                let message = format!("there are {given} weights for {needed} frozen tokens");
                return Err(
                    Problem::new(at, message).help("give each its weight, or no `weights`: all are 1 then")
                );
            }
            let weight = |index: usize| weights.as_ref().map_or(1.0, |(weights, _)| weights[index]);
            let texts: Vec<String> = angles
                .iter()
                .enumerate()
                .map(|(index, angle)| format!("{}@{}", constant::text(*angle), constant::text(weight(index))))
                .collect();
            Ok(format!("angles({})", texts.join(", ")))
        }
        (None, Some(points)) => {
            let Kind::Text(text) = &points.value.kind else {
                let message = format!("`points` must be a string, not {}", points.value.found());
                return Err(Problem::new(&points.value.at, message).help("for instance \"file(theta.npy)\""));
            };
            let options = weights
                .map(|(weights, _)| format!("; weights=list({})", constant::list(&weights)))
                .unwrap_or_default();
            let whole =
                Raw { kind: Kind::Text(format!("points({text}{options})")), at: points.value.at.clone() };
            families.read(Role::Frozen, "frozen", &whole, &points.value.at)
        }
        _ => Err(Problem::new(&raw.at, "`frozen` needs `angles` or `points`, one of them")
            .help("for instance `frozen = { angles = [0.3, 2.9], weights = [1.5, 4] }`")),
    }
}
