//! Observables and tables that are asked for: canonical text, identity, the bits of everything else, and what is refused.

use metasweep_dynamics::simd::Isa;
use metasweep_metastability::record::ReplicaRecord;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::simulate::{Checkpoint, simulate};
use metasweep_sweep::sweep::Sweep;

fn parse(text: &str) -> Sweep {
    Sweep::parse(text, "requests.toml", &[], &mut |_| unreachable!())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn text(grid: &str, integrator: &str, observe: &str) -> String {
    format!(
        "name = \"requests\"\nseed = 7\nreplicas = 5\n[[grid]]\nn = 6\n{grid}\n[time]\nhorizon = 3.0\n\
         integrator = \"{integrator}\"\nstep = 0.1\nsample = {{ count = 4 }}\n[observe]\n{observe}\n"
    )
}

const SPHERE: &str = "d = 3\nbeta = [2.0, 9.0]\nvalue = \"diag(1, 0.5, -0.8)\"";

const ALL: &str = "series = [\"clusters\", \"energy\", \"order\", \"attention_rank\", \"leaders\", \"hyperplanes\", \
    \"leading_eigenspace_distance\", \"renyi_centres\", \"strong_renyi_centres\", \"renyi_drift\", \"captured_fraction\"]\n\
    level = \"replica\"\nmerges = true\nepsilon = [0.2, 0.05]\nrenyi = { separation = \"3 / sqrt( beta )\" }\n\
    leading_eigenspace = [\"value_key_query\", \"value\"]\nsnapshots = { replicas = 2, times = [3.0, 0.0] }\n\
    attention = { replicas = 1, times = [1.5] }\n\
    histogram = [{ of = \"inner_product\", bins = 20 }, { of = \"azimuth\", bins = 36 }]";

fn records(sweep: &Sweep, isa: Isa, at_most: u64) -> Vec<Vec<ReplicaRecord>> {
    let cell = |cell| {
        let mut left = Segment { cell, replicas: 0..sweep.replicas };
        let (mut records, mut resume): (Vec<ReplicaRecord>, Option<Checkpoint>) = (Vec::new(), None);
        while !left.replicas.is_empty() {
            let outcome = simulate(sweep, &left, resume.as_ref(), isa, &|taken| taken >= at_most);
            left.replicas.start += outcome.records.len() as u32;
            records.extend(outcome.records);
            resume = outcome.checkpoint;
        }
        records
    };
    (0..sweep.cells.len() as u32).map(cell).collect()
}

/// NaN is null in a series, and no null equals another; as text they do.
fn shown(records: &[Vec<ReplicaRecord>]) -> String {
    format!("{records:?}")
}

#[test]
fn canonical_text_reads_back() {
    let sweep = parse(&text(SPHERE, "rk4", ALL));
    for line in [
        "epsilon = [0.2, 0.05]",
        "renyi = { separation = \"3/sqrt(beta)\" }",
        "leading_eigenspace = [\"value_key_query\", \"value\"]",
        "snapshots = { replicas = 2, times = [0.0, 3.0] }",
        "attention = { replicas = 1, times = [1.5] }",
        "histogram = [{ of = \"inner_product\", bins = 20 }, { of = \"azimuth\", bins = 36 }]",
    ] {
        assert!(sweep.canonical.contains(line), "{line}\n{}", sweep.canonical);
    }
    let again = parse(&sweep.canonical);
    assert_eq!(again.canonical, sweep.canonical);
    assert_eq!(again.identity(), sweep.identity());
    let json = serde_json::to_string(&sweep.observe).unwrap();
    assert_eq!(serde_json::from_str::<metasweep_sweep::sweep::Observe>(&json).unwrap(), sweep.observe);
}

#[test]
fn what_is_not_asked_for_is_not_written() {
    // As it was before there were these keys: a dataset of then is the dataset of now.
    let sweep = parse(&text(SPHERE, "rk4", "delta = [1e-3, 1e-4]"));
    let json = serde_json::to_string(&sweep.observe).unwrap();
    assert_eq!(
        json,
        "{\"series\":[\"Clusters\",\"PairFraction\",\"MeanCosine\",\"Energy\"],\"level\":\"Cell\",\"quantiles\":[0.1,0.5,0.9],\
         \"deltas\":[0.001,0.0001],\"suffixes\":[\"\",\"_delta_1e-4\"],\"merges\":false,\"plateaus\":true,\"min_lifetime\":null}"
    );
}

#[test]
fn asking_for_more_changes_no_bit_of_the_rest() {
    let few = "series = [\"clusters\", \"energy\"]\nlevel = \"replica\"\nmerges = true";
    for (grid, all) in [
        (SPHERE, ALL.to_owned()),
        ("d = 2\nbeta = 4.0\nmask = \"causal\"\nvalue = \"diag(1, 0.5)\"", ALL.to_owned()),
    ] {
        for integrator in ["projected_euler", "rk4"] {
            let with = records(&parse(&text(grid, integrator, &all)), Isa::widest(), u64::MAX);
            let without = records(&parse(&text(grid, integrator, few)), Isa::widest(), u64::MAX);
            for (more, less) in with.iter().flatten().zip(without.iter().flatten()) {
                assert_eq!(more.tokens.is_empty(), more.attention.is_empty() && more.tokens.is_empty());
                // Four samples of `clusters`, of its column for the other ε, of `energy`.
                let mut more = more.clone();
                let series = [&more.series[..4], &more.series[8..12]].concat();
                more.collapse_time.truncate(1);
                more.clusters_final.truncate(1);
                more.series = series;
                (more.tokens, more.attention, more.histograms) = (vec![], vec![], vec![]);
                assert_eq!(format!("{more:?}"), format!("{less:?}"));
            }
        }
    }
}

#[test]
fn interruptions_and_instructions_change_no_bit() {
    let sweep = parse(&text(SPHERE, "rk4", ALL));
    let expected = shown(&records(&sweep, Isa::widest(), u64::MAX));
    // 64 steps lie between two looks: here each ensemble is stopped once or not at all, and every one of them before it begins.
    assert_eq!(shown(&records(&sweep, Isa::Portable, u64::MAX)), expected);
    let long = text(SPHERE, "rk4", ALL).replace("step = 0.1", "step = 0.01");
    let sweep = parse(&long);
    assert_eq!(shown(&records(&sweep, Isa::widest(), 64)), shown(&records(&sweep, Isa::widest(), u64::MAX)));
}

#[test]
fn thresholds_in_space_are_distances() {
    let grid = "d = 2\nbeta = 1.0\ngeometry = [\"sphere\", \"euclidean\"]\ninitial = \"equiangular(0.0)\"";
    let grid = grid.replace("initial = \"equiangular(0.0)\"", "value = \"diag(1, 0.5)\"");
    let observe = "series = [\"clusters\"]\nlevel = \"replica\"\ndelta = [1e-3, 1e-2]\nepsilon = [0.5, 1e9]";
    let sweep = parse(&text(&grid, "rk4", observe));
    assert_eq!(sweep.observe.suffixes, ["", "_delta_1e-2", "_epsilon_1000000000"]);
    let records = records(&sweep, Isa::widest(), u64::MAX);
    for (cell, records) in sweep.cells.iter().zip(&records) {
        let flat = cell.text("geometry") == "euclidean";
        for record in records {
            // Columns of the other geometry are null; within 1e9 of each other all are one.
            assert_eq!(record.series[4..8].iter().all(|x| x.is_nan()), flat);
            assert_eq!(record.series[8..12].iter().all(|x| x.is_nan()), !flat);
            assert_eq!(record.clusters_final[1].is_none(), flat);
            assert_eq!(record.clusters_final[2], flat.then_some(1));
            assert!(!record.series[0].is_nan());
        }
    }
}
