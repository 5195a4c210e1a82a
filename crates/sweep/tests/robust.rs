//! Whatever the text, an answer; and what a sweep means does not depend on how it is written.

use metasweep_sweep::sweep::Sweep;
use metasweep_sweep::template;
use proptest::prelude::*;
use proptest::sample::select;

/// Parses and, if that fails, renders the message: neither may panic.
fn answer(text: &str, overrides: &[String]) -> Option<Sweep> {
    let mut load = |name: &str| match name {
        "v.npy" => Ok(b"\x93NUMPY\x01\x00".to_vec()),
        _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
    };
    match Sweep::parse(text, "fuzz.toml", overrides, &mut load) {
        Ok(sweep) => Some(sweep),
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.contains("error: "), "{shown}");
            assert!(!error.problems().is_empty() && error.position().is_some());
            None
        }
    }
}

/// Pieces of sweep files, right ones and wrong ones.
const PIECES: [&str; 40] = [
    "[[grid]]",
    "[grid]",
    "[time]",
    "[observe]",
    "[output]",
    "n = ",
    "d = ",
    "beta = ",
    "gamma = ",
    "zip = { n = [1], d = [2] }",
    "{ from = 0.1, to = 9, count = 3 }",
    "{ count = 1000000000000 }",
    "log = true",
    "[]",
    "[1, 2]",
    "[[1]]",
    "\"sqrt(d)\"",
    "\"authors(0.1)\"",
    "\"file(v.npy)\"",
    "\"diag(1, -1)\"",
    "\"equiangular(0.3)\"",
    "nan",
    "-inf",
    "1e-320",
    "1e308",
    "9223372036854775807",
    "-1",
    "0x10",
    "\"\"\"",
    "'",
    "\"",
    "\\u00e9",
    "β",
    "\u{202e}",
    "\r\n",
    "\n",
    "=",
    ",",
    "1979-05-27",
    "#",
];

fn mutated() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, select(&PIECES[..])), 1..6);
    edits.prop_map(|edits| {
        let mut text = template::sweep_file("fuzz").expect("a name");
        // Without comments most edits hit what is read.
        text = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or("").trim_end())
            .collect::<Vec<_>>()
            .join("\n");
        for (place, length, piece) in edits {
            let boundaries: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
            let start = place.index(boundaries.len());
            let end = (start + length).min(boundaries.len() - 1);
            text.replace_range(boundaries[start]..boundaries[end], piece);
        }
        text
    })
}

/// A blank of two bytes before a bare value made its place one byte off on each side, inside a character.
#[test]
fn a_no_break_space_before_a_bare_value() {
    let text = template::sweep_file("fuzz").expect("a name");
    assert!(answer(&text, &["beta=\u{a0}𞓐".to_owned()]).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        answer(&text, &[]);
    }

    #[test]
    fn any_change_of_a_file_is_answered(text in mutated()) {
        answer(&text, &[]);
    }

    #[test]
    fn any_override_is_answered(key in "[a-z_.0-9]{0,12}|beta|n|time.step|sample|value|initial|observe.series|zip|grid", value in "\\PC{0,20}|[-0-9.e\\[\\]{}\"=, a-z()]{0,24}") {
        let text = template::sweep_file("fuzz").expect("a name");
        answer(&text, &[format!("{key}={value}")]);
        answer(&text, &[value]);
    }
}

/// One axis of a random grid: its key and some of its values.
fn axis(
    key: &'static str,
    values: &'static [&'static str],
) -> impl Strategy<Value = Option<(String, Vec<String>)>> {
    let some = prop::sample::subsequence(values, 1..=values.len()).prop_shuffle();
    prop::option::of(some).prop_map(move |chosen| {
        chosen.map(|chosen| (key.to_owned(), chosen.into_iter().map(str::to_owned).collect()))
    })
}

/// A random grid with its axes in random order.
fn grid() -> impl Strategy<Value = Vec<(String, Vec<String>)>> {
    let always = |axis: Option<(String, Vec<String>)>, key: &str, value: &str| {
        axis.unwrap_or_else(|| (key.to_owned(), vec![value.to_owned()]))
    };
    let axes = (
        axis("n", &["4", "6", "\"2*3\"", "9"]),
        axis("d", &["2", "3", "12"]),
        axis("beta", &["0.5", "1", "\"sqrt(n)\"", "2.0", "\"d/2\"", "0.1"]),
        axis("normalization", &["\"softmax\"", "\"unnormalized\""]),
        axis("mask", &["\"causal\"", "\"full\""]),
        axis("value", &["\"identity\"", "\"goe\"", "\"-query_key\""]),
        axis("horizon", &["1.0", "2", "\"n/2\""]),
        axis("seed", &["1", "2", "3"]),
        axis("step", &["0.1", "0.05"]),
    );
    axes.prop_map(move |(n, d, beta, normalization, mask, value, horizon, seed, step)| {
        let mut axes = vec![always(n, "n", "4"), always(d, "d", "2"), always(beta, "beta", "1.0")];
        axes.extend([normalization, mask, value, horizon, seed, step].into_iter().flatten());
        axes
    })
    .prop_shuffle()
}

fn write(grids: &[Vec<(String, Vec<String>)>]) -> String {
    let mut text = "name = \"t\"\nseed = 5\nreplicas = 2\n".to_owned();
    for grid in grids {
        text.push_str("[[grid]]\n");
        for (key, values) in grid {
            let written =
                if values.len() == 1 { values[0].clone() } else { format!("[{}]", values.join(", ")) };
            text.push_str(&format!("{key} = {written}\n"));
        }
    }
    text + "[time]\nhorizon = 1.5\nintegrator = \"rk4\"\nstep = 0.1\nsample = { count = 4 }\n"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn canonical_text_is_the_sweep(grids in prop::collection::vec(grid(), 1..4)) {
        let sweep = answer(&write(&grids), &[]).expect("a right sweep");
        let again = answer(&sweep.canonical, &[]).expect("canonical text is right");
        prop_assert_eq!(&again, &sweep, "{}", sweep.canonical);
        prop_assert_eq!(again.identity(), sweep.identity());
    }

    #[test]
    fn the_order_of_axes_values_and_grids_and_splitting_do_not_matter(grids in prop::collection::vec(grid(), 1..3), at in any::<prop::sample::Index>(), axis in any::<prop::sample::Index>()) {
        let reference = answer(&write(&grids), &[]).expect("a right sweep");
        let mut other: Vec<Vec<(String, Vec<String>)>> = grids.iter().rev().cloned().collect();
        for grid in &mut other {
            grid.reverse();
            for (_, values) in grid {
                values.reverse();
            }
        }
        // Split one grid in two along one of its axes.
        let split = at.index(other.len());
        let axis = axis.index(other[split].len());
        let mut second = other[split].clone();
        let half = second[axis].1.len() / 2;
        if half > 0 {
            other[split][axis].1.truncate(half);
            second[axis].1.drain(..half);
            other.push(second);
        }
        let rewritten = answer(&write(&other), &[]).expect("a right sweep");
        prop_assert_eq!(&rewritten, &reference);
        prop_assert_eq!(&rewritten.canonical, &reference.canonical);
    }
}
