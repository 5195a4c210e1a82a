//! A segment's records: the same bits however replicas are cut, interrupted, resumed, or vectorized.

use std::cell::Cell as Counter;

use metasweep_dynamics::simd::Isa;
use metasweep_metastability::record::{End, ReplicaRecord};
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::replay;
use metasweep_sweep::simulate::{Checkpoint, simulate};
use metasweep_sweep::sweep::Sweep;

/// The vector instructions of this machine.
fn isa() -> Isa {
    Isa::detect().expect("METASWEEP_SIMD is not wrong")
}

const TEXT: &str = r#"
name = "test"
seed = 7
replicas = 19
[[grid]]
n = 6
d = [2, 9]
beta = [1.0, 5.0]
normalization = ["softmax", "unnormalized"]
mask = ["full", "causal"]
integrator = ["projected_euler", "rk4"]
[[grid]]
n = 5
d = 4
beta = 2.0
value = ["goe", "-query_key"]
query_key = ["gaussian", "wishart"]
sharing = ["replica", "cell", "sweep"]
integrator = "projected_euler"
[time]
horizon = 20.0
integrator = "rk4"
step = 0.1
sample = { count = 21 }
[observe]
series = ["clusters", "threshold_rank", "pair_fraction", "mean_cosine", "min_cosine", "energy", "span_dimension"]
delta = [1e-3, 1e-2]
merges = true
"#;

fn sweep() -> Sweep {
    Sweep::parse(TEXT, "test.toml", &[], &mut |_| unreachable!()).unwrap_or_else(|error| panic!("{error}"))
}

fn run(sweep: &Sweep, cell: u32, replicas: std::ops::Range<u32>, isa: Isa) -> Vec<ReplicaRecord> {
    let outcome = simulate(sweep, &Segment { cell, replicas }, None, isa, &|_| false);
    assert!(outcome.checkpoint.is_none());
    outcome.records
}

/// Equal bits, nulls (NaNs of series) included: the text of a record has every bit of every number.
fn assert_same(found: &[ReplicaRecord], expected: &[ReplicaRecord], of: &str) {
    assert_eq!(found.len(), expected.len(), "{of}");
    for (replica, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
        let at = found.bytes().zip(expected.bytes()).position(|(a, b)| a != b);
        let near = |text: &str| at.map(|at| text[at.saturating_sub(60)..text.len().min(at + 40)].to_owned());
        assert!(found == expected, "record {replica} of {of}: {:?} for {:?}", near(&found), near(&expected));
    }
}

#[test]
fn a_record_does_not_depend_on_the_segment() {
    let sweep = sweep();
    let mut ok = 0;
    for cell in 0..sweep.cells.len() as u32 {
        let whole = run(&sweep, cell, 0..19, isa());
        assert_eq!(whole.len(), 19);
        // Too long a step blows some of them up: that too is the same everywhere.
        ok += whole.iter().filter(|record| record.status == "ok").count();
        let mut parts = Vec::new();
        for range in [0..1, 1..4, 4..15, 15..19] {
            parts.extend(run(&sweep, cell, range, isa()));
        }
        assert_same(&parts, &whole, &sweep.cells[cell as usize].canonical());
    }
    assert!(ok > 19 * sweep.cells.len() / 2, "{ok}");
}

#[test]
fn nor_on_the_vector_instructions() {
    let sweep = sweep();
    for cell in 0..sweep.cells.len() as u32 {
        let portable = run(&sweep, cell, 3..6, Isa::Portable);
        assert_same(&run(&sweep, cell, 3..6, isa()), &portable, &sweep.cells[cell as usize].canonical());
    }
}

/// The replicas 0..count of a cell, stopped whenever it is asked for the second time, and in how many calls.
fn in_pieces(sweep: &Sweep, cell: u32, count: u32) -> (Vec<ReplicaRecord>, u32) {
    let mut records = Vec::new();
    let mut checkpoint: Option<Checkpoint> = None;
    let mut calls = 0;
    while records.len() < count as usize {
        calls += 1;
        assert!(calls < 1000, "no progress");
        let start = records.len() as u32;
        let asked = Counter::new(0);
        let interrupted = |_| {
            asked.set(asked.get() + 1);
            asked.get() > 1
        };
        let segment = Segment { cell, replicas: start..count };
        let outcome = simulate(sweep, &segment, checkpoint.as_ref(), isa(), &interrupted);
        records.extend(outcome.records);
        // What is kept is what a checkpoint frame holds.
        checkpoint = outcome.checkpoint.map(|kept| {
            let configuration = bincode::config::standard();
            let bytes = bincode::serde::encode_to_vec(&kept, configuration).expect("a checkpoint is plain");
            bincode::serde::decode_from_slice(&bytes, configuration).expect("and reads back").0
        });
    }
    (records, calls)
}

#[test]
fn an_interrupted_replica_goes_on_bit_equal() {
    let sweep = sweep();
    let mut checkpoints = 0;
    for cell in (0..sweep.cells.len() as u32).step_by(5) {
        let whole = run(&sweep, cell, 0..19, isa());
        let (records, calls) = in_pieces(&sweep, cell, 19);
        checkpoints += calls;
        assert_same(&records, &whole, &sweep.cells[cell as usize].canonical());
    }
    assert!(checkpoints > 20, "{checkpoints}");
}

const MANY: &str = r#"
name = "many"
seed = 7
replicas = 1
[[grid]]
n = 2100
d = 2
beta = 2.0
geometry = ["sphere", "circle"]
initial = "wrapped_normal_mixture(1@0; sigma=0.05)"
[time]
horizon = 3.2
integrator = "discrete"
step = 0.2
sample = [0, 1, 3.2]
[observe]
series = ["clusters", "pair_fraction", "mean_cosine", "min_cosine", "energy"]
delta = [1e-3, 1e-1]
plateaus = false
"#;

/// More tokens than pairs are kept of: a collapse is located from a state that nobody looked at before, across a checkpoint too.
#[test]
fn many_tokens_go_on_bit_equal() {
    for text in [MANY.to_owned(), MANY.replace("plateaus = false", "merges = true")] {
        let sweep = Sweep::parse(&text, "test.toml", &[], &mut |_| unreachable!())
            .unwrap_or_else(|error| panic!("{error}"));
        for cell in 0..2 {
            let whole = run(&sweep, cell, 0..1, isa());
            assert!(whole.iter().all(|record| record.collapse_time.iter().all(Option::is_some)));
            let (records, calls) = in_pieces(&sweep, cell, 1);
            assert!(calls > 10, "{calls}");
            assert_same(&records, &whole, &sweep.cells[cell as usize].canonical());
        }
    }
}

#[test]
fn a_checkpoint_of_other_replicas_is_not_used() {
    let sweep = sweep();
    let segment = Segment { cell: 0, replicas: 0..8 };
    let outcome = simulate(&sweep, &segment, None, isa(), &|steps| steps > 0);
    let checkpoint = outcome.checkpoint.expect("interrupted");
    let other = Segment { cell: 0, replicas: 8..16 };
    let records = simulate(&sweep, &other, Some(&checkpoint), isa(), &|_| false).records;
    assert_same(&records, &run(&sweep, 0, 8..16, isa()), "cell 0");
}

#[test]
fn a_replay_is_the_run() {
    let sweep = sweep();
    for (index, cell) in sweep.cells.iter().enumerate() {
        let record = &run(&sweep, index as u32, 5..6, isa())[0];
        let frames =
            replay::trajectory(&sweep, cell, 5, &[cell.horizon(), 0.0], Isa::Portable).expect("drawn");
        assert_eq!(frames[1].tokens, replay::initial(&sweep, cell, 5).expect("drawn").tokens);
        if record.end == End::Horizon || record.end == End::Collapsed {
            let smallest = min_cosine(&frames[0].tokens, cell.n(), cell.carried());
            let recorded = record.min_cosine_final.expect("not failed");
            // The recorder sums in lanes by fused multiply-adds: one rounding a coordinate apart.
            assert!((smallest - recorded).abs() <= 1e-14, "{smallest} {recorded}");
        }
    }
}

fn min_cosine(tokens: &[f64], n: usize, d: usize) -> f64 {
    let row = |i: usize| &tokens[i * d..(i + 1) * d];
    let cosine = |i, j| row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum::<f64>();
    (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| cosine(i, j)).fold(1.0, f64::min)
}

#[test]
fn cells_that_differ_in_beta_alone_start_alike() {
    let sweep = sweep();
    let of = |beta: f64| {
        let cell = sweep.cells.iter().find(|cell| cell.d() == 2 && cell.beta() == beta).expect("a cell");
        replay::initial(&sweep, cell, 3).expect("drawn").tokens
    };
    assert_eq!(of(1.0), of(5.0));
}

#[test]
fn sharing_says_which_replicas_share_matrices() {
    let sweep = sweep();
    let of = |cell: usize, replica| {
        replay::initial(&sweep, &sweep.cells[cell], replica).expect("drawn").parameters
    };
    let with = |sharing: &str| {
        let found: Vec<usize> = (0..sweep.cells.len())
            .filter(|&index| {
                sweep.cells[index].text("sharing") == sharing && sweep.cells[index].text("value") == "goe"
            })
            .filter(|&index| sweep.cells[index].text("query_key") == "wishart")
            .collect();
        found[0]
    };
    assert_ne!(of(with("replica"), 0), of(with("replica"), 1));
    assert_eq!(of(with("cell"), 0), of(with("cell"), 1));
    assert_eq!(of(with("sweep"), 0), of(with("sweep"), 1));
    assert_ne!(of(with("sweep"), 0), of(with("cell"), 0));
}
