//! Where formulas degenerate, from a sweep file to the records: one token, two, one dimension, coincident and antipodal tokens, β = 0
//! and 700, for every combination of choices, with every observable that the cell may have. Each is refused with a reason or computed
//! to its end; and what is not null is a number.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use metasweep_dynamics::simd::Isa;
use metasweep_metastability::observables::Observable;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::simulate::simulate;
use metasweep_sweep::sweep::Sweep;

const AXES: [(&str, &[&str]); 7] = [
    ("model", &["attention", "kuramoto", "mean_shift", "mean_shift(blurring)"]),
    ("geometry", &["sphere", "circle", "euclidean", "rescaled", "equiangular"]),
    ("normalization", &["softmax", "unnormalized", "hardmax", "sinkhorn"]),
    ("mask", &["full", "causal"]),
    ("layer_norm", &["post", "pre", "mix(0.2)", "peri", "ngpt(1)", "sqrt"]),
    ("noise", &["none", "brownian"]),
    ("integrator", &["projected_euler", "rk4", "discrete"]),
];

/// n, d, β and where the tokens are.
const SHAPES: [(u32, u32, f64, &str); 10] = [
    (1, 2, 1.0, "angles(0.3)"),
    (1, 3, 0.0, "uniform_sphere"),
    (2, 1, 1.0, "gaussian"),
    (2, 2, 0.0, "angles(0, pi)"),
    (2, 2, 1.0, "angles(0.3, 0.3)"),
    (2, 2, 700.0, "equiangular(-1)"),
    (4, 2, 700.0, "angles(0, pi, 0, pi)"),
    (3, 2, 700.0, "angles(1, 1, 1)"),
    (3, 3, 700.0, "orthonormal"),
    (3, 3, 0.0, "equiangular(1)"),
];

/// Observables of one column that are numbers in every state that has not failed: the first of the series.
const NUMBERS: [&str; 7] = [
    "clusters",
    "threshold_rank",
    "energy",
    "span_dimension",
    "order",
    "renyi_centres",
    "strong_renyi_centres",
];
/// What else can be asked for.
const EXTRAS: [&str; 4] = [
    "snapshots = { replicas = 1, times = [0.0, END] }",
    "attention = { replicas = 1, times = [0.0, END] }",
    "histogram = [{ of = \"inner_product\", bins = 7 }]",
    "histogram = [{ of = \"azimuth\", bins = 7 }]",
];

fn product() -> Vec<BTreeMap<&'static str, &'static str>> {
    let mut all = vec![BTreeMap::new()];
    for (key, values) in AXES {
        all = all
            .into_iter()
            .flat_map(|one: BTreeMap<&'static str, &'static str>| {
                values.iter().map(move |value| {
                    let mut longer = one.clone();
                    longer.insert(key, *value);
                    longer
                })
            })
            .collect();
    }
    all
}

/// The sweep file of a combination, and its horizon: five steps.
fn file(choices: &BTreeMap<&str, &str>, shape: (u32, u32, f64, &str)) -> (String, f64) {
    let (n, d, beta, initial) = shape;
    let mut text =
        format!("name = \"t\"\nseed = 3\nreplicas = 2\n[[grid]]\nn = {n}\nd = {d}\nbeta = {beta}\n");
    let _ = writeln!(text, "initial = \"{initial}\"");
    for (key, value) in choices {
        let _ = writeln!(text, "{key} = \"{value}\"");
    }
    if choices["noise"] != "none" {
        text += "kappa = 10\n";
    }
    // The authors' step.
    let scale = if choices["normalization"] == "unnormalized" && beta > 1.0 {
        1.0 / (beta.sqrt() * libm::exp(beta - 0.5))
    } else {
        1.0
    };
    let _ = write!(
        text,
        "[time]\nhorizon = {:e}\nstep = {:e}\nsample = {{ count = 3 }}\n",
        0.5 * scale,
        0.1 * scale
    );
    (text, 0.5 * scale)
}

fn parse(text: &str) -> Result<Sweep, String> {
    Sweep::parse(text, "t.toml", &[], &mut |_| Err(std::io::ErrorKind::NotFound.into()))
        .map_err(|error| error.to_string())
}

/// A refusal says what cannot be, in a sentence, and where.
fn assert_has_a_reason(refusal: &str, text: &str) {
    assert!(refusal.starts_with("error: ") && refusal.contains("t.toml:"), "{refusal}\nof\n{text}");
    assert!(!refusal.contains("not part of engine"), "{refusal}\nof\n{text}");
}

/// `[observe]` with everything that the cell may have: what is refused has a reason.
fn observe(text: &str, end: f64) -> String {
    let others = Observable::ALL.iter().map(|observable| observable.name());
    let others = others.filter(|name| !NUMBERS.contains(name));
    let series: Vec<&str> = NUMBERS
        .into_iter()
        .chain(others)
        .filter(|name| may_have(text, &format!("series = [\"{name}\"]")))
        .collect();
    let mut lines = format!("[observe]\nmerges = true\nlevel = \"replica\"\nseries = {series:?}\n");
    let mut has_histogram = false;
    for extra in EXTRAS {
        let extra = extra.replace("END", &format!("{end:e}"));
        let is_second = has_histogram && extra.starts_with("histogram");
        if !is_second && may_have(text, &extra) {
            has_histogram |= extra.starts_with("histogram");
            let _ = writeln!(lines, "{extra}");
        }
    }
    lines
}

fn may_have(text: &str, line: &str) -> bool {
    let text = format!("{text}[observe]\n{line}\n");
    parse(&text).map_err(|refusal| assert_has_a_reason(&refusal, &text)).is_ok()
}

#[test]
fn degenerate_cells_are_refused_or_computed() {
    let mut observed: BTreeMap<(String, usize), String> = BTreeMap::new();
    let (mut computed, mut failed, mut refused) = (0, 0, 0);
    for choices in product() {
        for (index, shape) in SHAPES.into_iter().enumerate() {
            let (text, end) = file(&choices, shape);
            if let Err(refusal) = parse(&text) {
                assert_has_a_reason(&refusal, &text);
                refused += 1;
                // The rules know no shapes but these.
                if index == 0 && !refusal.contains("initial") {
                    break;
                }
                continue;
            }
            // What a cell may have depends on these, and on the shape.
            let kind = ["model", "geometry", "noise", "integrator"].map(|key| choices[key]).join(" ");
            let kind = (kind, index);
            let lines = observed.entry(kind).or_insert_with(|| observe(&text, 0.5));
            let whole = format!("{text}{}", lines.replace("5e-1", &format!("{end:e}")));
            let sweep = parse(&whole).unwrap_or_else(|refusal| panic!("{refusal}\nof\n{whole}"));
            let outcome =
                simulate(&sweep, &Segment { cell: 0, replicas: 0..2 }, None, Isa::widest(), &|_| false);
            assert_eq!(outcome.records.len(), 2, "{whole}");
            let numbers = NUMBERS.iter().filter(|name| whole.contains(&format!("\"{name}\""))).count();
            for record in outcome.records {
                if record.status != "ok" {
                    // No direction where A vanishes; and ẋ = e^{β‖x‖²} x ends in finite time: from ‖x‖ = 1 at β = 1 at E₁(1)/2 = 0.11.
                    let divides =
                        choices["layer_norm"] == "peri" || choices["layer_norm"].starts_with("ngpt");
                    let is_in_space = matches!(choices["geometry"], "euclidean" | "rescaled");
                    let is_large = is_in_space && choices["normalization"] == "unnormalized";
                    assert!(divides || is_large, "{}\nof\n{whole}", record.status);
                    failed += 1;
                    continue;
                }
                computed += 1;
                let first = &record.series[..3 * numbers];
                assert!(first.iter().all(|value| value.is_finite()), "{first:?}\nof\n{whole}");
                assert!(record.energy_final.is_some_and(f64::is_finite), "{whole}");
                assert_eq!(record.min_cosine_final.is_some(), shape.0 > 1, "{whole}");
            }
        }
    }
    println!("{computed} replicas computed, {failed} failed, {refused} cells refused");
    assert!(computed > 3000 && failed < computed / 10, "{computed} {failed} {refused}");
}

/// One dimension: on the sphere it is two points and nothing can move, which is refused; in R^d it is a line.
#[test]
fn one_dimension_is_for_lines() {
    let text = |geometry: &str| {
        format!(
            "name = \"t\"\nseed = 1\nreplicas = 1\n[[grid]]\nn = 2\nd = 1\nbeta = 1\ngeometry = \"{geometry}\"\n[time]\n\
             horizon = 1\nintegrator = \"discrete\"\nsample = {{ count = 2 }}\n"
        )
    };
    assert_has_a_reason(&parse(&text("circle")).expect_err("the circle is in the plane"), "");
    assert!(parse(&text("euclidean")).is_ok() && parse(&text("rescaled")).is_ok());
}
