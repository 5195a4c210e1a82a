//! Which parameters go together: what is refused, and the mathematical reason.
//!
//! Each parameter alone is checked by its [registry](crate::registry) entry; here stand the rules about several, all of them
//! in [`rules`](fn@rules). A rule says of which keys it is, when a cell breaks it, and why no such system exists. docs/models.md prints the
//! table. [`crate::resolve`] asks [`check`] of every cell.
//!
//! Adding one: an entry in `rules.rs` (of `multiscale`: in `multiscale.rs`), and a file in `tests/malformed` with its message, which `tests/combinations_table.rs`
//! looks for. A cell is answered with the first rule that it breaks.

use std::collections::BTreeMap;

use crate::cell::Value;
use crate::diagnostic::{Place, Problem};
use crate::grid::Point;

mod conditions;
mod multiscale;
mod rules;

/// The parameters of a cell, defaults included, by key.
pub type Parameters = BTreeMap<String, Value>;

/// Something that cannot be combined.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The keys that it is about; the first that a sweep file names is pointed at.
    pub keys: &'static [&'static str],
    /// Whether a cell breaks it.
    pub broken: fn(&Parameters) -> bool,
    /// Why there is no such system: a sentence without its first capital.
    pub reason: &'static str,
    /// What to do instead; may be empty.
    pub instead: &'static str,
}

/// All rules, in the order in which a cell is held to them.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    rules::RULES.iter().chain(multiscale::RULES)
}

/// A text parameter; empty where it is null.
#[must_use]
pub fn text<'a>(parameters: &'a Parameters, key: &str) -> &'a str {
    parameters.get(key).and_then(Value::text).unwrap_or("")
}

/// The name in a call: `mix` of `mix(5)`.
#[must_use]
pub fn name<'a>(parameters: &'a Parameters, key: &str) -> &'a str {
    text(parameters, key).split('(').next().unwrap_or("")
}

/// The rule that a cell breaks, if it breaks one.
#[must_use]
pub fn broken(parameters: &Parameters) -> Option<&'static Rule> {
    rules().find(|rule| (rule.broken)(parameters))
}

/// Refuses a cell that breaks a rule.
pub(crate) fn check(point: &Point<'_>, parameters: &Parameters, grid_at: &Place) -> Result<(), Problem> {
    let Some(rule) = broken(parameters) else { return Ok(()) };
    let mut named = rule.keys.iter().filter_map(|key| point.get(key).map(|setting| (key, &setting.at)));
    let together: Vec<String> = rule
        .keys
        .iter()
        .map(|key| format!("`{key} = {}`", parameters.get(*key).unwrap_or(&Value::Null)))
        .collect();
    let first = named.next();
    let at = first.map_or(grid_at, |(_, at)| at);
    let mut problem = Problem::new(at, format!("{} cannot be: {}", together.join(" with "), rule.reason));
    for (key, at) in named {
        problem = problem.related(at, format!("`{key}` is given here"));
    }
    Err(if rule.instead.is_empty() { problem } else { problem.help(rule.instead) })
}
