//! The sweeps of the byte-comparing tests (tests/python/test_systems.py) have everything that there is in them: each key with
//! two values, each name of each choice, each observable and table. Whatever is added to the registry must be added there.

use std::collections::BTreeSet;
use std::path::Path;

use metasweep_metastability::observables::Observable;
use metasweep_sweep::choices;
use metasweep_sweep::combinations::name;
use metasweep_sweep::registry::{Kind, PARAMETERS};
use metasweep_sweep::sweep::Sweep;

/// Keys that take one value in this engine, or that no row depends on but through others.
const CONSTANT: [&str; 3] = ["precision", "seed", "sample"];

fn read(file: &str) -> Sweep {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/sweeps").join(file);
    let text = std::fs::read_to_string(&path).expect("a sweep file");
    let mut load = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    Sweep::parse(&text, file, &[], &mut load).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_key_has_two_values() {
    let sweep = read("every-system.toml");
    for parameter in PARAMETERS.iter().filter(|parameter| !CONSTANT.contains(&parameter.key)) {
        let found: BTreeSet<String> =
            sweep.cells.iter().map(|cell| cell.parameters[parameter.key].to_string()).collect();
        assert!(found.len() >= 2, "every-system.toml has no {} but {found:?}", parameter.key);
    }
}

#[test]
fn every_choice_is_made() {
    let sweep = read("every-system.toml");
    for parameter in PARAMETERS {
        let names: Vec<&str> = match (parameter.key, parameter.kind) {
            (_, Kind::Choice(now, _)) => now.to_vec(),
            ("model", _) => choices::MODELS.to_vec(),
            ("layer_norm", _) => choices::LAYER_NORMS.to_vec(),
            _ => continue,
        };
        let found: BTreeSet<&str> =
            sweep.cells.iter().map(|cell| name(&cell.parameters, parameter.key)).collect();
        for one in names {
            let one = one.split('(').next().unwrap_or(one);
            assert!(found.contains(one), "every-system.toml lacks {} = {one}", parameter.key);
        }
    }
}

#[test]
fn everything_is_observed() {
    let observe = read("every-observable.toml").observe;
    for observable in Observable::ALL {
        assert!(
            observe.series.contains(observable),
            "every-observable.toml lacks the series {}",
            observable.name()
        );
    }
    assert!(observe.merges && observe.plateaus);
    assert!(observe.snapshots.is_some() && observe.attention.is_some() && observe.histograms.len() == 2);
    assert!(observe.deltas.len() == 2 && observe.spaces.len() == 2);
}
