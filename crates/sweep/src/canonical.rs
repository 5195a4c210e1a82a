//! The sweep in canonical TOML: equal sweeps have equal text, and the text reads back as the sweep.
//!
//! It is a function of the sorted cells alone, not of how grids made them: every expression evaluated, every range
//! resolved; then the cells are folded into products again, key by key. `grid_keys` says which columns the tables have,
//! since a fold does not tell which keys the grids named.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use metasweep_metastability::histogram::Histogram;

use crate::cell::{Cell, Value, quoted};
use crate::fitting::is_flat;
use crate::registry::{self, PARAMETERS, Section};
use crate::sample::compact;
use crate::sweep::{Level, Observe, Sweep};

/// Values of a key in a box of cells, in row order; each is its canonical text.
type Values = Vec<String>;

/// The canonical text of a sweep (its own `canonical` is not looked at).
pub(crate) fn text(sweep: &Sweep) -> String {
    let mut text = String::new();
    let seeds: Vec<&Value> = sweep.cells.iter().map(|cell| cell.get("seed")).collect();
    let master = seeds.iter().copied().min_by(|a, b| a.compare(b)).cloned().unwrap_or(Value::Integer(0));
    let keys: Vec<String> = sweep.grid_keys.iter().map(|key| quoted(key)).collect();
    let _ = writeln!(text, "name = {}", quoted(&sweep.name));
    let _ = writeln!(text, "seed = {master}");
    let _ = writeln!(text, "replicas = {}", sweep.replicas);
    let _ = writeln!(text, "grid_keys = [{}]", keys.join(", "));
    let (shared, varying) = split_keys(&sweep.cells);
    for fold in fold(&sweep.cells, &varying) {
        text.push_str("\n[[grid]]\n");
        for (key, value) in shared.iter().filter(|(key, _)| !is_time(key)) {
            let _ = writeln!(text, "{key} = {value}");
        }
        for (key, values) in varying.iter().zip(&fold) {
            if values.iter().all(|value| value == "null") {
                continue;
            }
            let _ = writeln!(text, "{key} = {}", axis(key, values));
        }
    }
    text.push_str("\n[time]\n");
    for (key, value) in shared.iter().filter(|(key, _)| is_time(key)) {
        let _ = writeln!(text, "{key} = {value}");
    }
    text.push_str(&observe_text(sweep));
    text
}

fn is_time(key: &str) -> bool {
    registry::parameter(key).is_some_and(|parameter| parameter.section == Section::Time)
}

/// What a cell says of a key, as TOML reads it: the rule of `step`, the list of `sample`; β only if there is no γ.
fn written(cell: &Cell, key: &str) -> String {
    match key {
        "step" if !cell.is_adaptive() && cell.step_rule.parse::<f64>().is_err() => quoted(&cell.step_rule),
        "sample" => cell.text("sample").to_owned(),
        "beta" if *cell.get("gamma") != Value::Null => "null".to_owned(),
        _ => cell.get(key).to_string(),
    }
}

/// Keys that all cells agree in and that are not at their default, with their value; and the keys they differ in.
fn split_keys(cells: &[Cell]) -> (Vec<(&'static str, String)>, Vec<&'static str>) {
    let (mut shared, mut varying) = (Vec::new(), Vec::new());
    let mut keys: Vec<_> = PARAMETERS.iter().collect();
    keys.sort_by_key(|parameter| registry::rank(parameter.key));
    for parameter in keys {
        let key = parameter.key;
        let mut values = cells.iter().map(|cell| written(cell, key));
        let Some(first) = values.next() else { continue };
        if values.any(|value| value != first) {
            varying.push(key);
        } else {
            let default = parameter.default.value().map(|value| value.to_string());
            if default.as_ref() != Some(&first) && first != "null" && key != "seed" {
                shared.push((key, first));
            }
        }
    }
    (shared, varying)
}

/// The cells as a union of products over `keys`: starting from single cells, boxes that differ in one key alone are
/// joined, for each key in turn, the last first.
fn fold(cells: &[Cell], keys: &[&'static str]) -> Vec<Vec<Values>> {
    let mut boxes: Vec<Vec<Values>> =
        cells.iter().map(|cell| keys.iter().map(|key| vec![written(cell, key)]).collect()).collect();
    for position in (0..keys.len()).rev() {
        let mut places: BTreeMap<Vec<Values>, usize> = BTreeMap::new();
        let mut joined: Vec<Vec<Values>> = Vec::new();
        for mut cell in boxes {
            let values = std::mem::take(&mut cell[position]);
            // `null` cannot stand in a list: such boxes are joined with their like only.
            let mut group = cell.clone();
            group[position] = if values == ["null"] { values.clone() } else { Vec::new() };
            if let Some(place) = places.get(&group) {
                if values != ["null"] {
                    joined[*place][position].extend(values);
                }
            } else {
                places.insert(group, joined.len());
                cell[position] = values;
                joined.push(cell);
            }
        }
        boxes = joined;
    }
    boxes
}

/// A key's values as an axis: ranges where they give the same numbers.
fn axis(key: &str, values: &[String]) -> String {
    let numbers: Option<Vec<f64>> = values
        .iter()
        .map(|value| value.parse::<f64>().ok().filter(|number| format!("{number:?}") == *value))
        .collect();
    match (values, numbers) {
        ([value], _) => value.clone(),
        (_, Some(numbers)) if registry::parameter(key).is_some_and(registry::Parameter::is_numeric) => {
            compact(&numbers)
        }
        _ => format!("[{}]", values.join(", ")),
    }
}

fn observe_text(sweep: &Sweep) -> String {
    let observe = &sweep.observe;
    let names: Vec<String> = observe.series.iter().map(|observable| quoted(observable.name())).collect();
    let numbers =
        |values: &[f64]| values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ");
    let mut text = String::from("\n[observe]\n");
    let _ = writeln!(text, "series = [{}]", names.join(", "));
    let _ = match observe.level {
        Level::Cell => writeln!(text, "level = \"cell\"\nquantiles = [{}]", numbers(&observe.quantiles)),
        Level::Replica => writeln!(text, "level = \"replica\""),
    };
    // Where all tokens live in R^d and ε is given there is no δ.
    if observe.epsilons.is_empty() || !sweep.cells.iter().all(is_flat) {
        let _ = writeln!(text, "delta = [{}]", numbers(&observe.deltas));
    }
    let _ = writeln!(text, "merges = {}\nplateaus = {}", observe.merges, observe.plateaus);
    if let Some(lifetime) = observe.min_lifetime {
        let _ = writeln!(text, "min_lifetime = {lifetime:?}");
    }
    text.push_str(&more_observe_text(observe));
    let keys: Vec<String> = sweep.output.partition_by.iter().map(|key| quoted(key)).collect();
    let _ = writeln!(
        text,
        "\n[output]\npartition_by = [{}]\nrows_per_part = {}",
        keys.join(", "),
        sweep.output.rows_per_part
    );
    text
}

/// The keys that are not at their default, of those that came later.
fn more_observe_text(observe: &Observe) -> String {
    let (mut text, default) = (String::new(), Observe::default());
    if observe.epsilons != default.epsilons {
        let epsilons: Vec<String> = observe.epsilons.iter().map(|epsilon| format!("{epsilon:?}")).collect();
        let _ = writeln!(text, "epsilon = [{}]", epsilons.join(", "));
    }
    if observe.separation != default.separation {
        let _ = writeln!(text, "renyi = {{ separation = {} }}", quoted(&observe.separation));
    }
    if observe.spaces != default.spaces {
        let spaces: Vec<String> = observe.spaces.iter().map(|space| quoted(space.name())).collect();
        let _ = writeln!(text, "leading_eigenspace = [{}]", spaces.join(", "));
    }
    if !observe.final_state {
        text.push_str("final_state = false\n");
    }
    for (key, moments) in [("snapshots", &observe.snapshots), ("attention", &observe.attention)] {
        if let Some(moments) = moments {
            let _ = writeln!(text, "{key} = {}", moments.canonical());
        }
    }
    if !observe.histograms.is_empty() {
        let one = |histogram: &Histogram| {
            format!("{{ of = {}, bins = {} }}", quoted(histogram.of.name()), histogram.bins)
        };
        let all: Vec<String> = observe.histograms.iter().map(one).collect();
        let _ = writeln!(text, "histogram = [{}]", all.join(", "));
    }
    text
}
