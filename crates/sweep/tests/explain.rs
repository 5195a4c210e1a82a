//! What `metasweep explain` says, for cells of every kind.

use metasweep_sweep::explain::{one, systems};
use metasweep_sweep::sweep::Sweep;

fn parse(grid: &str, time: &str) -> Sweep {
    let text = format!(
        "name = \"test\"\nseed = 7\nreplicas = 4\n[[grid]]\nn = 8\n{grid}\n[time]\nhorizon = 5.0\nsample = [0.0, 5.0]\n{time}\n"
    );
    Sweep::parse(&text, "test.toml", &[], &mut |_| Err(std::io::ErrorKind::NotFound.into()))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// What there is to read but the parameters, which one test shows.
fn said(sweep: &Sweep) -> String {
    let text = one(&sweep.cells[0], &sweep.observe).to_string();
    text.split("\nParameters").next().unwrap_or("").to_owned()
}

#[test]
fn a_whole_explanation() {
    let sweep = parse("d = 2\nbeta = [1.0, 4.0, 9.0]", "integrator = \"projected_euler\"\nstep = 0.1");
    let explanations = systems(&sweep);
    assert_eq!(explanations.len(), 1);
    insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!(explanations[0].to_string()) });
}

#[test]
fn systems_differ_in_words() {
    let grid = "d = 2\nbeta = [1.0, 4.0]\nnormalization = [\"softmax\", \"unnormalized\"]\nmask = [\"full\", \"causal\"]";
    let explanations = systems(&parse(grid, "integrator = \"rk4\"\nstep = 0.1"));
    assert_eq!(explanations.len(), 4);
    assert!(explanations.iter().all(|explanation| explanation.cells.len() == 2));
}

#[test]
fn systems_of_this_engine() {
    let cases = [
        (
            "USA, causal, peri",
            "d = 3\nbeta = 2.0\nnormalization = \"unnormalized\"\nmask = \"causal\"\nlayer_norm = \"peri\"\nradius = 2",
            "integrator = \"rk4\"\nstep = \"authors(0.1)\"",
        ),
        (
            "noisy rotors",
            "d = 2\nbeta = 0\nmodel = \"kuramoto\"\ngeometry = \"circle\"\ncoupling = 1.5\nfrequencies = \"normal(0, 1)\"\nnoise = \"brownian\"\nkappa = 4",
            "integrator = \"discrete\"\nstep = 0.01",
        ),
        (
            "mean shift",
            "d = 2\nbeta = 9\nmodel = \"mean_shift(blurring)\"",
            "integrator = \"rk4\"\nstep = 0.01",
        ),
        (
            "rescaled",
            "d = 2\nbeta = 1\ngeometry = \"rescaled\"\nvalue = \"diag(1, 0.5)\"",
            "integrator = \"rk4\"\nstep = 0.1",
        ),
        (
            "rescaled layers",
            "d = 2\nbeta = 1\ngeometry = \"rescaled\"\nvalue = \"diag(1, 0.5)\"",
            "integrator = \"discrete\"",
        ),
        (
            "equiangular",
            "d = 8\nbeta = 1\ngeometry = \"equiangular\"\ninitial = \"orthonormal\"\nlayer_norm = \"ngpt(0.5)\"",
            "integrator = \"rk4\"\nstep = 0.1",
        ),
        (
            "one layer",
            "d = 8\ngamma = 1.5\ninitial = \"equiangular(0.5)\"\nresidual = false",
            "integrator = \"discrete\"\nhorizon = 1.0",
        ),
        (
            "noise on the sphere",
            "d = 3\nbeta = 1\nnoise = \"brownian\"\nkappa = 10",
            "integrator = \"projected_euler\"\nstep = 0.01",
        ),
        (
            "mix, goe, shared",
            "d = 3\nbeta = 1\nlayer_norm = \"mix(2)\"\nquery_key = \"goe\"\nvalue = \"-query_key\"\nsharing = \"cell\"",
            "integrator = \"rk4\"\nstep = 0.1",
        ),
        (
            "hardmax without itself",
            "d = 2\nbeta = 4\nnormalization = \"hardmax\"\nexclude_self = true",
            "integrator = \"projected_euler\"\nstep = 0.1",
        ),
        ("sinkhorn", "d = 2\nbeta = 4\nnormalization = \"sinkhorn\"", "integrator = \"rk4\"\nstep = 0.1"),
        (
            "masses and frozen tokens",
            "d = 2\nbeta = 4\nmask = \"causal\"\nweights = \"list(1, 2, 1, 1, 1, 1, 1, 1)\"\nfrozen = { angles = [0.3, 2.9], weights = [1.5, 4] }",
            "integrator = \"rk4\"\nstep = 0.1",
        ),
        (
            "heads, feed-forward, layers of their own",
            "d = 3\nbeta = 4\nheads = 4\nvalue = \"gaussian\"\nquery_key = \"goe\"\nfeed_forward = \"relu\"\nsharing = \"layer\"",
            "integrator = \"discrete\"",
        ),
        (
            "heads one by one",
            "d = 3\nbeta = 4\nheads = \"of(head(identity, -identity), head(gaussian(2), gaussian(2), diag(1, 2, 3)))\"",
            "integrator = \"rk4\"\nstep = 0.1",
        ),
        (
            "Q and K apart",
            "d = 3\nbeta = 4\nquery = \"gaussian(2)\"\nkey = \"gaussian(2)\"\ngeometry = \"euclidean\"",
            "integrator = \"rk4\"\nstep = 0.1",
        ),
        (
            "USA with masses",
            "d = 2\nbeta = 4\nnormalization = \"unnormalized\"\nweights = \"list(1, 2, 1, 1, 1, 1, 1, 1)\"",
            "integrator = \"rk4\"\nstep = 0.1",
        ),
    ];
    let texts: Vec<String> = cases
        .iter()
        .map(|(what, grid, time)| {
            let time =
                if time.contains("horizon") { time.replace("horizon = 1.0", "") } else { (*time).to_owned() };
            format!("════ {what}\n\n{}", said(&parse(grid, &time)))
        })
        .collect();
    insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!(texts.join("\n")) });
}

/// Where it holds of a cell of the system, and nowhere else.
#[test]
fn series_are_mentioned() {
    let said = |n: &str, rest: &str| {
        let text = format!(
            "name = \"test\"\nseed = 7\nreplicas = 4\n[[grid]]\nn = {n}\nd = 2\nbeta = [50.0, 2.0]\n{rest}\n[time]\nhorizon = 5.0\n\
             integrator = \"rk4\"\nstep = 0.1\nsample = [5.0]\n"
        );
        let sweep = Sweep::parse(&text, "test.toml", &[], &mut |_| Err(std::io::ErrorKind::NotFound.into()))
            .unwrap_or_else(|error| panic!("{error}"));
        systems(&sweep)[0].choices.iter().find(|choice| choice.contains("Fourier")).cloned()
    };
    let circle = "geometry = \"circle\"";
    let sentence = said("[32, 4000]", circle).expect("a sentence");
    assert!(sentence.contains("69 orders at n = 4000 and β = 50:"), "{sentence}");
    assert_eq!(said("999", circle), None);
    assert_eq!(said("4000", ""), None);
    for but in [
        "mask = \"causal\"",
        "query_key = \"-identity\"",
        "heads = 2",
        "value = \"diag(1, 2)\"",
        "exclude_self = true",
    ] {
        assert_eq!(said("4000", &format!("{circle}\n{but}")), None, "{but}");
    }
}
