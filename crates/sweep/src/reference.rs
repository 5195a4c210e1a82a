//! Every key of a sweep file: where it stands, what it takes, its default, what it means. `metasweep schema` prints it, and docs/sweep-file.md
//! is it. What a cell is made of comes from the [`registry`]; the other sections are listed here, and a test holds the lists to the
//! reader's.

use serde::Serialize;

use crate::diagnostic::shown;
use crate::registry::{Bound, Default, Kind, PARAMETERS, Section};

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// `top`, `grid`, `time`, `observe` or `output`.
    pub section: &'static str,
    /// Its name.
    pub key: String,
    /// What it takes.
    pub takes: String,
    /// Its default; `required` if there is none, `–` if nothing stands for it.
    pub default: String,
    /// What it means.
    pub about: String,
}

/// Keys of one section, in words.
type Words = (&'static str, &'static str, &'static str, &'static str);

const TOP: &[Words] = &[
    (
        "name",
        "letters, digits, `.`, `_`, `-`",
        "required",
        "the sweep's name; the dataset's folder is named after it",
    ),
    ("seed", "integer ≥ 0", "required", "the master seed; a grid may override it"),
    ("replicas", "integer ≥ 1", "required", "realizations of each cell"),
    (
        "grid_keys",
        "list of keys",
        "the keys that a grid gives",
        "grid keys as columns of every table, in this order",
    ),
    (
        "grid",
        "one or more `[[grid]]`",
        "required",
        "cells: the product of a grid's axes; several grids make their union",
    ),
    ("time", "`[time]`", "required", "time: what holds for every grid that does not say otherwise"),
    ("observe", "`[observe]`", "its defaults", "what is recorded"),
    ("output", "`[output]`", "its defaults", "how tables are divided into files"),
];

const OBSERVE: &[Words] = &[
    (
        "series",
        "list of observables",
        "`[\"clusters\", \"pair_fraction\", \"mean_cosine\", \"energy\"]`",
        "what is recorded at the sample times (docs/dataset.md lists the observables)",
    ),
    (
        "level",
        "`cell` or `replica`",
        "`cell`",
        "the mean, deviation and quantiles over a cell's replicas, or every one of them",
    ),
    ("quantiles", "list of numbers from 0 to 1", "`[0.1, 0.5, 0.9]`", "at level `cell`"),
    (
        "delta",
        "number in (0, 2), or a list",
        "`1e-3`",
        "i and j are together if ⟨x_i, x_j⟩ ≥ 1 − δ; further ones give columns of their own",
    ),
    ("epsilon", "number > 0, or a list", "–", "in R^d: i and j are together if ‖x_i − x_j‖ ≤ ε"),
    ("merges", "`true` or `false`", "`false`", "the table `merges`"),
    ("plateaus", "`true` or `false`", "`true`", "the table `plateaus`"),
    (
        "min_lifetime",
        "number ≥ 0",
        "see docs/models.md",
        "how long a number of clusters must last to be a plateau",
    ),
    (
        "renyi",
        "`{ separation = … }`",
        "`4/sqrt(beta)`",
        "how far apart Rényi centres are: a number or an expression",
    ),
    (
        "leading_eigenspace",
        "`\"value\"`, `\"value_key_query\"`, or both",
        "`\"value\"`",
        "of which matrix the leading eigenspace is",
    ),
    (
        "final_state",
        "`true` or `false`",
        "`true`",
        "`min_cosine_final`, `energy_final`; without them, and without observables that measure how close tokens are, a replica ends \
         where all its other rows are certain",
    ),
    (
        "snapshots",
        "`{ replicas = …, times = […] }`",
        "–",
        "the table `tokens`: whole states of the first replicas",
    ),
    ("attention", "`{ replicas = …, times = […] }`", "–", "the table `attention`: their weights"),
    (
        "histogram",
        "list of `{ of = \"inner_product\" | \"azimuth\", bins = … }`",
        "–",
        "the table `histogram`, over all replicas of a cell",
    ),
];

const OUTPUT: &[Words] = &[
    ("partition_by", "list of text keys", "`[]`", "keys that become folders of the tables"),
    ("rows_per_part", "integer ≥ 1", "2000000", "rows of a file, at most"),
];

/// All keys, section by section.
#[must_use]
pub fn keys() -> Vec<Key> {
    let words = |section: &'static str, words: &[Words]| -> Vec<Key> {
        let key = |(key, takes, default, about): &Words| Key {
            section,
            key: (*key).to_owned(),
            takes: (*takes).to_owned(),
            default: (*default).to_owned(),
            about: (*about).to_owned(),
        };
        words.iter().map(key).collect()
    };
    let parameters = |section: Section, name: &'static str| {
        PARAMETERS.iter().filter(move |parameter| parameter.section == section).map(move |parameter| Key {
            section: name,
            key: parameter.key.to_owned(),
            takes: takes(&parameter.kind),
            default: default(parameter.default),
            about: parameter.about.to_owned(),
        })
    };
    let mut keys = words("top", TOP);
    keys.extend(parameters(Section::Grid, "grid"));
    keys.extend(parameters(Section::Time, "time"));
    keys.extend(words("observe", OBSERVE));
    keys.extend(words("output", OUTPUT));
    keys
}

fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Integer(least, most) => format!("integer from {least} to {most}, or an expression"),
        Kind::Number(Bound::Positive) => "number > 0, or an expression".to_owned(),
        Kind::Number(Bound::NotNegative) => "number ≥ 0, or an expression".to_owned(),
        Kind::Number(Bound::Finite) => "number, or an expression".to_owned(),
        Kind::Choice(names, _) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        Kind::Call(_) => "a name with arguments (docs/models.md)".to_owned(),
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::Initial => "a law of initial tokens (docs/models.md)".to_owned(),
        Kind::ValueMatrix | Kind::QueryKeyMatrix | Kind::FactorMatrix => {
            "a family of matrices (docs/models.md)".to_owned()
        }
        Kind::Heads => "a number of heads, or a table of them (docs/models.md)".to_owned(),
        Kind::FeedForward => "a feed-forward layer (docs/models.md)".to_owned(),
        Kind::Frozen => "frozen tokens (docs/models.md)".to_owned(),
        Kind::Sample => "`{ count = … }`, `{ from, to, count, log }`, or a list of times".to_owned(),
        Kind::Step => "number > 0, an expression, or `authors(c)`".to_owned(),
    }
}

fn default(default: Default) -> String {
    match default {
        Default::Required => "required".to_owned(),
        Default::Null => "–".to_owned(),
        Default::Integer(integer) => integer.to_string(),
        Default::Number(number) => shown(number),
        Default::Text(text) => format!("`{text}`"),
        Default::Boolean(truth) => format!("`{truth}`"),
    }
}

const INTRODUCTION: &str = "# The sweep file

Every key, printed by `metasweep schema` (`--json` for programs). Written by that command; a test holds it to what the program reads.

A sweep is TOML. A scalar is fixed, a list is an axis, and so is a range, `{ from = 1.0, to = 9.0, count = 9 }`, geometric with `log = true`. Numbers may be
expressions in the other numeric keys: `beta = \"sqrt(d)\"`. Keys that vary together stand in `zip = { n = [16, 64], d = [4, 8] }`. Every key of
`[time]` may stand in a grid instead, and be an axis there. A default never changes: cells are named by what is not at its default.
What cannot be combined is refused with the reason ([models.md](models.md)). `metasweep new NAME` writes a commented file, `metasweep explain` says
what one means.
";

/// The page.
#[must_use]
pub fn page() -> String {
    let mut text = INTRODUCTION.to_owned();
    let sections = [
        ("top", "At the top"),
        ("grid", "`[[grid]]`"),
        ("time", "`[time]`"),
        ("observe", "`[observe]`"),
        ("output", "`[output]`"),
    ];
    let keys = keys();
    for (section, heading) in sections {
        text += &format!("\n## {heading}\n\n| key | takes | default | is |\n|---|---|---|---|\n");
        for key in keys.iter().filter(|key| key.section == section) {
            // A bar would end the cell.
            let [takes, about] = [&key.takes, &key.about].map(|text| text.replace('|', "\\|"));
            text += &format!("| `{}` | {takes} | {} | {about} |\n", key.key, key.default);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[Words]) -> Vec<&'static str> {
        let mut names: Vec<&str> = words.iter().map(|(key, ..)| *key).collect();
        names.sort_unstable();
        names
    }

    fn sorted(keys: &[&'static str]) -> Vec<&'static str> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn every_key_that_is_read_is_listed_and_no_other() {
        assert_eq!(names(TOP), sorted(&crate::parse::TOP));
        assert_eq!(names(OBSERVE), sorted(&crate::observe::KEYS));
        assert_eq!(names(OUTPUT), sorted(&crate::observe::OUTPUT_KEYS));
    }

    #[test]
    fn the_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sweep-file.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, page()).expect("docs can be written");
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page(), "UPDATE_DOCS=1 writes it");
    }
}
