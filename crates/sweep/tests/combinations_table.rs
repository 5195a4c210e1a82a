//! The table of docs/models.md that says what cannot be combined: generated from the rules, and true.
//!
//! `UPDATE_DOCS=1 cargo nextest run -E 'binary(combinations_table)'` rewrites it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use metasweep_sweep::cell::Value;
use metasweep_sweep::choices;
use metasweep_sweep::combinations::{Parameters, Rule, broken, rules};
use metasweep_sweep::registry::{Kind, PARAMETERS, parameter};
use metasweep_sweep::sweep::Sweep;

/// The keys whose combinations are counted, all of them.
const AXES: [&str; 7] = ["model", "geometry", "normalization", "mask", "layer_norm", "noise", "integrator"];
const BEGIN: &str = "<!-- combinations: begin (generated: UPDATE_DOCS=1) -->\n";
const END: &str = "<!-- combinations: end -->\n";

/// What an axis can be, its default first.
fn values(key: &str) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    match (key, parameter(key).expect("a key").kind) {
        (_, Kind::Choice(now, _)) => owned(now),
        ("model", _) => owned(&choices::MODELS),
        ("layer_norm", _) => {
            let number = |name: &&str| name.replace("tau", "5").replace("alpha", "1");
            choices::LAYER_NORMS.iter().map(number).collect()
        }
        (other, kind) => panic!("{other} is {kind:?}: say here what it can be"),
    }
}

/// A value of another key that is not its default, to see whether a rule minds.
fn probes(key: &str) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    match key {
        "value" | "query_key" | "query" | "key" => vec![text("goe")],
        "beta" => vec![Value::Number(0.0)],
        "coupling" => vec![Value::Number(2.0), Value::Number(-1.0)],
        "kappa" | "radius" | "gamma" | "tolerance" => vec![Value::Number(2.0)],
        "step" => vec![Value::Number(0.25), Value::Number(1e-9)],
        "frequencies" | "weights" => vec![text("list(1, 2)"), text("normal(0, 1)")],
        "d" | "n" => vec![Value::Integer(3), Value::Integer(1)],
        "residual" => vec![Value::Boolean(false)],
        "exclude_self" => vec![Value::Boolean(true)],
        "sharing" => vec![text("layer"), text("cell")],
        "heads" => vec![text("2"), text("of(head(goe, goe))")],
        "initial" => vec![text("uniform_sphere"), text("hypercube(5)")],
        "feed_forward" => vec![text("relu")],
        "frozen" => vec![text("{ angles = [0.3], weights = [1.5] }")],
        _ => Vec::new(),
    }
}

/// A cell's parameters at this combination; other keys at their default, or at what the combination needs.
fn cell(combination: &BTreeMap<&str, String>) -> Parameters {
    let mut cell: Parameters = PARAMETERS
        .iter()
        .map(|parameter| (parameter.key.to_owned(), parameter.default.value().unwrap_or(Value::Null)))
        .collect();
    let mut set = |key: &str, value: Value| cell.insert(key.to_owned(), value);
    set("n", Value::Integer(4));
    set("d", Value::Integer(if combination["geometry"] == "circle" { 2 } else { 4 }));
    set("beta", Value::Number(1.0));
    set("horizon", Value::Number(2.0));
    match combination["integrator"].as_str() {
        "adaptive" | "multiscale" => set("tolerance", Value::Number(1e-9)),
        "discrete" => set("step", Value::Number(1.0)),
        _ => set("step", Value::Number(0.1)),
    };
    set("seed", Value::Integer(1));
    if combination["noise"] != "none" {
        set("kappa", Value::Number(10.0));
    }
    if combination["geometry"] == "equiangular" {
        set("initial", Value::Text("orthonormal".to_owned()));
    }
    for (key, value) in combination {
        set(key, Value::Text(value.clone()));
    }
    cell
}

/// The product of the axes.
fn combinations() -> Vec<BTreeMap<&'static str, String>> {
    let mut all = vec![BTreeMap::new()];
    for key in AXES {
        let values = values(key);
        all = all
            .into_iter()
            .flat_map(|combination: BTreeMap<&'static str, String>| {
                values.iter().map(move |value| {
                    let mut longer = combination.clone();
                    longer.insert(key, value.clone());
                    longer
                })
            })
            .collect();
    }
    all
}

/// The combinations of its own axes for which a rule can be broken, other keys being anything.
fn breaking(rule: &Rule, all: &[BTreeMap<&'static str, String>]) -> BTreeSet<Vec<String>> {
    let axes: Vec<&str> = rule.keys.iter().copied().filter(|key| AXES.contains(key)).collect();
    let others: Vec<&str> = rule.keys.iter().copied().filter(|key| !AXES.contains(key)).collect();
    let mut found = BTreeSet::new();
    for combination in all {
        let projected: Vec<String> = axes.iter().map(|key| combination[key].clone()).collect();
        if found.contains(&projected) {
            continue;
        }
        let mut tries = vec![cell(combination)];
        for key in &others {
            let more: Vec<Parameters> = tries
                .iter()
                .flat_map(|parameters| {
                    probes(key).into_iter().chain([Value::Null]).map(|probe| {
                        let mut parameters = parameters.clone();
                        parameters.insert((*key).to_owned(), probe);
                        parameters
                    })
                })
                .collect();
            tries.extend(more);
        }
        if tries.iter().any(|parameters| (rule.broken)(parameters)) {
            found.insert(projected);
        }
    }
    found
}

/// `layer_norm` with values: all (only the key), all but one, or those.
fn described(key: &str, found: &BTreeSet<&String>) -> String {
    let all = values(key);
    if found.len() == all.len() {
        return format!("`{key}`");
    }
    let code = |value: &String| format!("`{value}`");
    let missing: Vec<&String> = all.iter().filter(|value| !found.contains(value)).collect();
    match missing[..] {
        [one] if all.len() > 2 => format!("`{key}` other than {}", code(one)),
        _ => {
            let listed: Vec<String> = all.iter().filter(|value| found.contains(value)).map(code).collect();
            format!("`{key}` {}", listed.join(", "))
        }
    }
}

/// What a rule is about, a line each: values of its axes that go together, then its other keys.
fn subjects(rule: &Rule, found: &BTreeSet<Vec<String>>) -> Vec<String> {
    let axes: Vec<&str> = rule.keys.iter().copied().filter(|key| AXES.contains(key)).collect();
    let others: Vec<String> =
        rule.keys.iter().filter(|key| !AXES.contains(key)).map(|key| format!("`{key}`")).collect();
    // First values with the same rest stand together.
    let mut rests: BTreeMap<&String, BTreeSet<&[String]>> = BTreeMap::new();
    for tuple in found {
        if let [first, rest @ ..] = &tuple[..] {
            rests.entry(first).or_default().insert(rest);
        }
    }
    let mut groups: Vec<(BTreeSet<&String>, BTreeSet<&[String]>)> = Vec::new();
    for (first, rest) in rests {
        match groups.iter_mut().find(|(_, other)| *other == rest) {
            Some((firsts, _)) => {
                firsts.insert(first);
            }
            None => groups.push((BTreeSet::from([first]), rest)),
        }
    }
    let mut lines = Vec::new();
    for (firsts, rest) in groups {
        let mut parts = vec![described(axes[0], &firsts)];
        for (position, key) in axes.iter().enumerate().skip(1) {
            parts.push(described(key, &rest.iter().map(|rest| &rest[position - 1]).collect()));
        }
        parts.extend(others.iter().cloned());
        lines.push(parts.join(" with "));
    }
    if axes.is_empty() {
        lines.push(others.join(" with "));
    }
    lines
}

fn table() -> String {
    let all = combinations();
    let run = all.iter().filter(|combination| broken(&cell(combination)).is_none()).count();
    let axes: Vec<String> = AXES.iter().map(|key| format!("`{key}` ({})", values(key).len())).collect();
    let mut text = format!(
        "{} have {} combinations; {run} run, with d = 2 on the circle, a κ where there is noise and equal cosines for\n\
         `equiangular`, everything else at its default. The others, and what other keys do not go with, break one of these rules;\n\
         what breaks none runs.\n\n\
         | together | cannot be, because | instead |\n|---|---|---|\n",
        axes.join(", "),
        all.len()
    );
    for rule in rules() {
        let found = breaking(rule, &all);
        for subject in subjects(rule, &found) {
            let escape = |text: &str| text.replace('|', "\\|");
            let _ = writeln!(text, "| {subject} | {} | {} |", escape(rule.reason), escape(rule.instead));
        }
    }
    text
}

#[test]
fn the_page_has_the_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/models.md");
    let text = std::fs::read_to_string(&page).expect("docs/models.md");
    let begin = text.find(BEGIN).expect("the marker where the table begins") + BEGIN.len();
    let end = text.find(END).expect("the marker where the table ends");
    let table = table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let new = format!("{}{table}{}", &text[..begin], &text[end..]);
        std::fs::write(&page, new).expect("docs/models.md");
    } else {
        let stale =
            "docs/models.md is stale: UPDATE_DOCS=1 cargo nextest run -E 'binary(combinations_table)'";
        assert_eq!(&text[begin..end], table, "{stale}");
    }
}

/// Every rule can be broken: by some combination, or by another key's value. (One that cannot is no rule, or needs a probe here.)
#[test]
fn every_rule_can_be_broken() {
    let all = combinations();
    for rule in rules() {
        assert!(!breaking(rule, &all).is_empty(), "{:?}: {}", rule.keys, rule.reason);
    }
}

/// Every rule has a file in tests/malformed whose message gives its reason about its keys. (One that another rule always
/// forestalls can have none.)
#[test]
fn every_rule_has_a_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/malformed");
    let messages: Vec<String> = std::fs::read_dir(&folder)
        .expect("tests/malformed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "snap"))
        .map(|path| std::fs::read_to_string(path).expect("a text"))
        .collect();
    assert!(messages.len() >= 200, "{}", messages.len());
    for rule in rules() {
        let reason = format!(" cannot be: {}", rule.reason);
        let about = |line: &str| {
            let mut rest = line;
            rule.keys.iter().all(|key| {
                let named = format!("`{key} = ");
                rest.find(&named).map(|at| rest = &rest[at + named.len()..]).is_some()
            })
        };
        let said =
            |message: &String| message.lines().any(|line| line.strip_suffix(&reason).is_some_and(about));
        assert!(
            messages.iter().any(said),
            "no file in tests/malformed breaks {:?}: {}",
            rule.keys,
            rule.reason
        );
    }
}

/// What breaks no rule is a sweep, and what breaks one is none: the reader knows no other reason.
#[test]
fn what_breaks_no_rule_runs() {
    for combination in combinations() {
        let parameters = cell(&combination);
        let mut text = String::from("name = \"t\"\nseed = 1\nreplicas = 1\n[[grid]]\n");
        for key in ["n", "d", "beta", "kappa", "initial"].into_iter().chain(AXES) {
            if parameters[key] != Value::Null {
                let _ = writeln!(text, "{key} = {}", parameters[key]);
            }
        }
        let length = if parameters["step"] == Value::Null { "tolerance" } else { "step" };
        let value = &parameters[length];
        let _ = write!(text, "[time]\nhorizon = 2.0\n{length} = {value}\nsample = [0.0, 2.0]\n");
        let read = Sweep::parse(&text, "t.toml", &[], &mut |_| Err(std::io::ErrorKind::NotFound.into()));
        match (broken(&parameters), read) {
            (None, Err(error)) => panic!("{combination:?} breaks no rule, and is refused:\n{error}"),
            (Some(rule), Ok(_)) => panic!("{combination:?} breaks {:?}, and is taken", rule.keys),
            _ => {}
        }
    }
}
