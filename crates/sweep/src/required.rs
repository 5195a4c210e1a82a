//! Keys that a sweep cannot do without: what is missing, where it would stand, and an example.

use crate::diagnostic::{Place, Problem, Problems};
use crate::document::{Entry, Kind, entry};
use crate::registry::{Default, PARAMETERS, Parameter, Section};

/// Pushes a problem for each required parameter that a grid has neither itself nor from `[time]`; `seed` is the top's.
pub(crate) fn check(document: &[Entry], problems: &mut Problems) {
    let time = entry(document, "time");
    let time_keys = time.map_or(&[][..], |time| entries_of(&time.value.kind));
    let Some(Kind::Array(grids)) = entry(document, "grid").map(|grid| &grid.value.kind) else { return };
    for grid in grids {
        let Kind::Table(keys) = &grid.kind else { continue };
        let zipped = entry(keys, "zip").map_or(&[][..], |zip| entries_of(&zip.value.kind));
        let given =
            |key: &str| [keys.as_slice(), zipped, time_keys].iter().any(|keys| entry(keys, key).is_some());
        for parameter in PARAMETERS {
            let needed = match parameter.key {
                "beta" => !given("gamma"),
                // Layers have length 1 unless it is given, and adaptive steps none; each cell is asked again. What a misspelt
                // integrator needs is not known.
                "step" => {
                    let integrator = [keys.as_slice(), zipped, time_keys]
                        .into_iter()
                        .find_map(|keys| entry(keys, "integrator"));
                    integrator.is_none_or(|integrator| {
                        let kind = &integrator.value.kind;
                        let names = |names: &[&str]| names.iter().any(|name| mentions(kind, name));
                        names(&["projected_euler", "rk4"]) && !names(&["discrete", "adaptive", "multiscale"])
                    })
                }
                "seed" => false,
                _ => parameter.default == Default::Required,
            };
            if needed && !given(parameter.key) {
                let at = match (parameter.section, time) {
                    (Section::Time, Some(time)) => &time.key_at,
                    _ => &grid.at,
                };
                problems.push(missing(parameter, at));
            }
        }
    }
}

fn entries_of(kind: &Kind) -> &[Entry] {
    match kind {
        Kind::Table(entries) => entries,
        _ => &[],
    }
}

/// Whether a value is this text, or an axis that has it.
fn mentions(kind: &Kind, text: &str) -> bool {
    match kind {
        Kind::Text(found) => found == text,
        Kind::Array(values) => values.iter().any(|value| mentions(&value.kind, text)),
        _ => false,
    }
}

fn missing(parameter: &Parameter, at: &Place) -> Problem {
    let (key, about) = (parameter.key, parameter.about);
    let example = match key {
        "n" => "`n = 32`, or a list or range of integers",
        "d" => "`d = 2`, or a list or range of integers",
        "beta" => "`beta = 4.0` or `beta = { from = 0.1, to = 9.0, count = 90 }`",
        "horizon" => "`horizon = 30.0`",
        "integrator" => "`integrator = \"projected_euler\"` or `\"rk4\"`",
        "step" => "`step = 0.1`",
        _ => "`sample = { count = 200 }`",
    };
    match (key, parameter.section) {
        ("beta", _) => Problem::new(at, "this grid has neither `beta` nor `gamma`")
            .help(format!("write for instance {example}")),
        (_, Section::Time) => Problem::new(at, format!("`{key}` is missing ({about})"))
            .help(format!("write in [time] for instance {example}")),
        _ => Problem::new(at, format!("this grid has no `{key}` ({about})"))
            .help(format!("write for instance {example}")),
    }
}
