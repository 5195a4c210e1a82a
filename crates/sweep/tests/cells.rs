//! Cells and their names: what makes them, and what must not.

use std::collections::BTreeMap;

use metasweep_sweep::cell::Value;
use metasweep_sweep::sweep::Sweep;

mod npy;

/// A sweep file with this grid and nothing special.
fn file(grids: &str) -> String {
    format!(
        r#"
name = "test"
seed = 7
replicas = 16
{grids}
[time]
horizon = 5.0
integrator = "projected_euler"
step = 0.1
sample = {{ count = 11 }}
"#
    )
}

fn parse(text: &str) -> Sweep {
    parse_with(text, &[])
}

fn parse_with(text: &str, overrides: &[&str]) -> Sweep {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Sweep::parse(text, "test.toml", &overrides, &mut load).unwrap_or_else(|error| panic!("{error}"))
}

/// Files of the tests.
fn load(name: &str) -> std::io::Result<Vec<u8>> {
    match name {
        "v.npy" | "again/v.npy" => Ok(npy::of("(2, 2)", &[1.0, 0.5, -0.5, 1.0])),
        "w.npy" => Ok(npy::of("(2, 2)", &[1.0, 0.25, -0.25, 1.0])),
        _ => Err(std::io::Error::new(std::io::ErrorKind::NotFound, "no such file")),
    }
}

fn names(sweep: &Sweep) -> Vec<String> {
    sweep.cells.iter().map(|cell| cell.name.0.clone()).collect()
}

const PRODUCT: &str =
    "[[grid]]\nn = 8\nd = [2, 4]\nbeta = [1.0, 2.5]\nnormalization = [\"softmax\", \"unnormalized\"]\n";

/// Names are for ever: they are in every dataset that was written.
#[test]
fn golden_cell_names() {
    let sweep = parse(&file("[[grid]]\nn = 8\nd = 2\nbeta = 1.0"));
    assert_eq!(
        sweep.cells[0].canonical(),
        "beta = 1.0\nd = 2\nhorizon = 5.0\nintegrator = \"projected_euler\"\nn = 8\n\
         sample = \"{ from = 0.0, to = 5.0, count = 11 }\"\nseed = 7\nstep = 0.1\n"
    );
    let text = sweep.cells[0].canonical();
    assert_eq!(sweep.cells[0].name.0, blake3::hash(text.as_bytes()).to_hex()[..16]);
    insta::assert_debug_snapshot!("golden_names", names(&parse(&file(PRODUCT))));
}

#[test]
fn the_same_cells_however_they_are_written() {
    let reference = parse(&file(PRODUCT));
    for other in [
        "[[grid]]\nnormalization = [\"unnormalized\", \"softmax\"]\nbeta = [2.5, 1]\nd = [4, 2]\nn = 8 # a comment\n",
        "[[grid]]\nn = [8]\nd = [2, 4, 2]\nbeta = { from = 1, to = 2.5, count = 2 }\nnormalization = \"softmax\"\n\
         [[grid]]\nn = 8\nd = 4\nbeta = [1.0, 2.5]\nnormalization = \"unnormalized\"\n\
         [[grid]]\nn = 8\nd = 2\nbeta = [\"d/2\", \"2.5\"]\nnormalization = \"unnormalized\"\n",
        "[[grid]]\nzip = { n = [8, 8], d = [2, 4] }\nbeta = [1.0, 2.5]\nnormalization = [\"softmax\", \"unnormalized\"]\nvalue = \"identity\"\nheads = 1\n",
    ] {
        let sweep = parse(&file(other));
        assert_eq!(names(&sweep), names(&reference), "{other}");
        if !other.contains("heads") {
            assert_eq!(sweep, reference, "{other}");
        }
    }
}

#[test]
fn adding_values_changes_no_other_cell() {
    let small = parse(&file(PRODUCT));
    let large = parse(&file(
        "[[grid]]\nn = [8, 9]\nd = [2, 3, 4]\nbeta = [0.5, 1.0, 2.5]\nnormalization = [\"softmax\", \"unnormalized\"]\nmask = [\"full\", \"causal\"]\n",
    ));
    let by_name: BTreeMap<_, _> = large.cells.iter().map(|cell| (cell.name.clone(), cell)).collect();
    for cell in &small.cells {
        assert_eq!(by_name.get(&cell.name).copied(), Some(cell));
    }
    // `mask` is a column now, so the tables are others; without it the large sweep extends the small one.
    assert!(!large.is_superset_of(&small.identity()));
    let larger = parse(&file(&PRODUCT.replace("[1.0, 2.5]", "[1.0, 2.5, 3.0]")).replace("16", "17"));
    assert!(larger.is_superset_of(&small.identity()));
    assert!(!small.is_superset_of(&larger.identity()));
}

#[test]
fn rows_are_in_order() {
    let sweep = parse(&file(
        "[[grid]]\nn = [16, 8]\nd = [10, 2]\nbeta = [10.0, 9.0]\nnormalization = [\"unnormalized\", \"softmax\"]\n",
    ));
    let key = |index: usize| {
        let cell = &sweep.cells[index];
        (cell.n(), cell.d(), cell.beta(), cell.text("normalization").to_owned())
    };
    for index in 1..sweep.cells.len() {
        assert!(key(index - 1) < key(index), "{index}");
    }
    assert_eq!(sweep.grid_keys, ["n", "d", "beta", "normalization"]);
}

#[test]
fn beta_from_gamma() {
    let sweep = parse(&file("[[grid]]\nn = [8, 64]\nd = 2\ngamma = 1.5"));
    assert_eq!(sweep.cells[1].get("beta"), &Value::Number(1.5 * libm::log(64.0)));
    assert_eq!(sweep.cells[1].get("gamma"), &Value::Number(1.5));
    assert_eq!(sweep.grid_keys, ["n", "d", "beta", "gamma"]);
    assert_eq!(parse(&sweep.canonical), sweep);
}

#[test]
fn the_step_of_the_authors() {
    let sweep = parse(&file(
        "[[grid]]\nn = 8\nd = 2\nbeta = [0.1, 4.0]\nnormalization = \"unnormalized\"\nstep = \"authors(0.1)\"",
    ));
    assert_eq!(sweep.cells[0].step, 0.1);
    assert_eq!(sweep.cells[1].step, 0.1 / (2.0 * libm::exp(3.5)));
    assert_eq!(sweep.cells[1].get("step"), &Value::Number(sweep.cells[1].step));
    assert_eq!(sweep.cells[1].step_rule, "authors(0.1)");
    assert_eq!(parse(&sweep.canonical), sweep);
}

#[test]
fn a_file_counts_by_its_content() {
    let of =
        |name: &str| parse(&file(&format!("[[grid]]\nn = 8\nd = 2\nbeta = 1\nvalue = \"file({name})\"")));
    assert_eq!(of("v.npy"), of("again/v.npy"));
    assert_ne!(names(&of("v.npy")), names(&of("w.npy")));
    let sweep = of("v.npy");
    let (name, input) = sweep.inputs.first_key_value().expect("one input");
    assert_eq!(sweep.cells[0].text("value"), format!("file({name})"));
    assert!(input.hash.starts_with(name.trim_end_matches(".npy")));
    // From its canonical text and its inputs alone the sweep is itself again.
    let again =
        Sweep::parse(&sweep.canonical, "canonical", &[], &mut |file| Ok(sweep.inputs[file].bytes.clone()));
    assert_eq!(again.expect("canonical text parses"), sweep);
}

#[test]
fn high_dimensions_are_drawn_in_the_span() {
    let sweep = parse(&file("[[grid]]\nn = 8\nd = [8, 9]\nbeta = 1\nvalue = [\"identity\", \"goe\"]"));
    let found: Vec<_> = sweep
        .cells
        .iter()
        .map(|cell| (cell.d(), cell.text("value"), cell.initial_construction.as_str(), cell.carried()))
        .collect();
    assert_eq!(
        found,
        [
            (8, "goe", "direct", 8),
            (8, "identity", "direct", 8),
            (9, "goe", "direct", 9),
            (9, "identity", "bartlett", 8)
        ]
    );
}

#[test]
fn canonical_text_reads_back() {
    for grids in [
        PRODUCT,
        "[[grid]]\nn = 8\nd = [2, 4, 6]\nbeta = \"sqrt(d)\"\n[[grid]]\nn = 9\nd = 2\nbeta = { from = 0.1, to = 1000.0, count = 20, log = true }\n",
        "[[grid]]\nn = 8\nd = 2\nbeta = 1\nhorizon = [1.0, 2.0]\nseed = [1, 2, 3]\n",
        "[[grid]]\nn = 8\nd = 2\nbeta = 1\nnormalization = \"unnormalized\"\nstep = [\"authors(0.1)\", 0.05]\nsample = [0.0, 0.7, 1.1]\n",
        "[[grid]]\nn = 8\nd = 2\ngamma = [1.0, 2.0]\n[[grid]]\nn = 8\nd = 2\nbeta = [1.0, 2.0]\nvalue = \"-query_key\"\nquery_key = [\"goe\", \"diag(1, -0.5)\"]\n",
    ] {
        let sweep = parse(&file(grids));
        let again = parse(&sweep.canonical);
        assert_eq!(again, sweep, "{grids}\n{}", sweep.canonical);
    }
    insta::assert_snapshot!("canonical_text", parse(&file(PRODUCT)).canonical);
}

#[test]
fn overrides() {
    let text = file(PRODUCT);
    let sweep = parse_with(
        &text,
        &["replicas=3", "time.horizon=2", "beta=sqrt(d)", "observe.delta=[1e-3, 1e-4]", "name=other"],
    );
    assert_eq!((sweep.replicas, sweep.name.as_str()), (3, "other"));
    assert_eq!(sweep.cells.len(), 4);
    assert_eq!(sweep.cells[0].beta(), 2.0_f64.sqrt());
    assert_eq!(sweep.cells[0].horizon(), 2.0);
    assert_eq!(sweep.observe.suffixes, ["", "_delta_1e-4"]);
    assert_eq!(parse_with(&text, &["horizon=[1.0, 2.0]"]).cells.len(), 16);
    assert_eq!(parse_with(&text, &["gamma=2"]).cells[0].beta(), 2.0 * libm::log(8.0));
    assert_eq!(parse_with(&text, &["grid.0.mask=\"causal\""]).grid_keys.len(), 5);
    assert_eq!(parse_with(&text, &["seed=[1,2]"]).cells.len(), 16);
    assert_eq!(parse_with(&text, &["sample=[0.5, 1.0]"]).cells[0].sample, [0.5, 1.0]);
    assert_eq!(parse_with(&text, &["value=-identity"]).cells[0].text("value"), "-identity");
}

#[test]
fn the_sweeps_of_the_repository_parse() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sweeps");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("sweeps/") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let sweep = parse(&std::fs::read_to_string(&path).expect("a sweep file"));
            assert_eq!(path.file_stem().and_then(|name| name.to_str()), Some(sweep.name.as_str()));
            assert_eq!(parse(&sweep.canonical), sweep);
            count += 1;
        }
    }
    assert!(count >= 3);
}

#[test]
fn figure_2_has_its_cells_and_times() {
    let text = include_str!("../../../sweeps/p0-fig2.toml");
    let sweep = parse(text);
    assert_eq!((sweep.cells.len(), sweep.replicas), (540, 1024));
    let cell = &sweep.cells[0];
    let row = cell.sample.iter().position(|t| (t - 18.09).abs() < 0.005).expect("a row at t = 18.09");
    assert_eq!(metasweep_sweep::cell::steps_until(cell.sample[row], cell.step), 180);
    assert_eq!(metasweep_sweep::cell::steps_until(18.0, cell.step), 180);
    assert_eq!(cell.steps(), 300);
}
