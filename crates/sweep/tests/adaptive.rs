//! Sweeps with `adaptive` and `multiscale`: what holds for fixed steps holds for them, and their rows are what theory says.

use std::cell::Cell as Counter;

use metasweep_dynamics::model::Normalization;
use metasweep_dynamics::simd::Isa;
use metasweep_metastability::record::{End, ReplicaRecord};
use metasweep_metastability::theory::equiangular::Equiangular;
use metasweep_metastability::theory::pair_collapse::pair_collapse_time;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::replay;
use metasweep_sweep::simulate::{Checkpoint, simulate};
use metasweep_sweep::sweep::Sweep;

fn parse(text: &str) -> Sweep {
    Sweep::parse(text, "t.toml", &[], &mut |_| Err(std::io::ErrorKind::NotFound.into())).expect("a sweep")
}

fn run(sweep: &Sweep, cell: u32, replicas: std::ops::Range<u32>, isa: Isa) -> Vec<ReplicaRecord> {
    simulate(sweep, &Segment { cell, replicas }, None, isa, &|_| false).records
}

/// Many kinds of cells: both integrators, SA and USA, masses, d > n, several heads, layer norms, R^d, circle.
fn mixed() -> Sweep {
    parse(
        r#"
name = "adaptive"
seed = 3
replicas = 6

[[grid]]
n = [1, 9]
d = [2, 3, 12]
beta = [0, 30]
normalization = ["softmax", "unnormalized"]
horizon = 1e40
integrator = "multiscale"
sample = { from = 1e-3, to = 1e40, count = 60, log = true }

[[grid]]
n = 5
d = 2
beta = 20
weights = "list(1, 2, 0.5, 3, 1)"
horizon = 1e30
integrator = "multiscale"
sample = [0.0, 0.5, 1e3, 1e30]

[[grid]]
n = 4
d = 3
beta = 1
value = ["goe", "identity"]
query_key = ["goe", "identity"]
heads = 2
layer_norm = ["post", "pre", "sqrt", "peri"]
horizon = 4
integrator = "adaptive"
sample = { count = 5 }

[[grid]]
n = 4
d = 2
beta = 1
geometry = ["circle", "euclidean", "rescaled", "sphere"]
horizon = 4
integrator = "adaptive"
sample = { count = 5 }

[time]
tolerance = 1e-7

[observe]
series = ["clusters", "mean_cosine", "min_cosine", "energy", "order", "leaders"]
merges = true
snapshots = { replicas = 1, times = [0.0, 1.0, 3.5] }
attention = { replicas = 1, times = [2.0] }
"#,
    )
}

fn same(found: &[ReplicaRecord], expected: &[ReplicaRecord], what: &str) {
    // NaN is null in a series: compared by what is printed.
    assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{what}");
}

#[test]
fn rows_depend_neither_on_segments_nor_on_instructions_nor_on_interruptions() {
    let sweep = mixed();
    let mut stops = 0;
    for cell in 0..sweep.cells.len() as u32 {
        let name = sweep.cells[cell as usize].canonical();
        let whole = run(&sweep, cell, 0..6, Isa::widest());
        assert!(whole.iter().all(|record| record.status == "ok"), "{name}: {whole:?}");
        same(&run(&sweep, cell, 0..6, Isa::Portable), &whole, &name);
        same(&run(&sweep, cell, 4..5, Isa::widest()), &whole[4..5], &name);
        let (mut records, mut checkpoint): (_, Option<Checkpoint>) = (Vec::new(), None);
        for call in 0_u64.. {
            assert!(call < 4000, "no progress");
            let asked = Counter::new(0);
            // Stops at the second to fourth time it is asked.
            let interrupted = |_| {
                asked.set(asked.get() + 1);
                asked.get() > 1 + call % 3
            };
            let segment = Segment { cell, replicas: records.len() as u32..6 };
            let outcome = simulate(&sweep, &segment, checkpoint.as_ref(), Isa::widest(), &interrupted);
            records.extend(outcome.records);
            stops += u32::from(outcome.checkpoint.is_some());
            checkpoint = outcome.checkpoint.map(|kept| {
                let configuration = bincode::config::standard();
                let bytes = bincode::serde::encode_to_vec(&kept, configuration).expect("plain");
                bincode::serde::decode_from_slice(&bytes, configuration).expect("reads back").0
            });
            if records.len() == 6 {
                break;
            }
        }
        // The tokens' portraits of an interrupted replica are in the recorder, and the records alike.
        same(&records, &whole, &name);
    }
    assert!(stops > 50, "{stops}");
}

#[test]
fn a_replay_is_the_run() {
    let sweep = mixed();
    for (index, cell) in sweep.cells.iter().enumerate() {
        let record = &run(&sweep, index as u32, 0..1, Isa::widest())[0];
        let frames = replay::trajectory(&sweep, cell, 0, &[3.5, 0.0, 1.0], Isa::Portable).expect("drawn");
        let shown: Vec<f64> = [1, 2, 0].iter().flat_map(|at: &usize| frames[*at].tokens.clone()).collect();
        assert_eq!(record.tokens, shown, "{}", cell.canonical());
    }
}

/// Two tokens at right angles: the exact time, through a sweep file; δ_lo and δ_hi are crossed when they are.
#[test]
fn two_tokens_take_the_time_that_they_take() {
    let sweep = parse(
        r#"
name = "pair"
seed = 1
replicas = 1
[[grid]]
n = 2
d = [2, 9]
beta = [1, 9, 60, 150, 300]
initial = "orthonormal"
normalization = ["softmax", "unnormalized"]
[time]
horizon = 1e300
integrator = "multiscale"
tolerance = 1e-9
sample = [0.0, 1e300]
[observe]
series = ["clusters", "min_cosine"]
delta = [1e-3, 1e-5]
merges = true
"#,
    );
    for (index, cell) in sweep.cells.iter().enumerate() {
        let normalization = match cell.text("normalization") {
            "softmax" => Normalization::Softmax,
            _ => Normalization::Unnormalized,
        };
        let record = &run(&sweep, index as u32, 0..1, Isa::widest())[0];
        let exact = |delta| pair_collapse_time(cell.beta(), normalization, 0.0, delta);
        for (found, delta) in record.collapse_time.iter().zip([1e-3, 1e-5]) {
            let found = found.expect("collapsed");
            assert!((found / exact(delta) - 1.0).abs() < 1e-7, "{} {delta}: {found}", cell.canonical());
        }
        assert_eq!(record.end, End::Collapsed);
        // Clusters at both δ; the cosine of right angles to the rounding of 1 − cos.
        assert_eq!(record.series[..4], [2.0, 1.0, 2.0, 1.0]);
        assert!(record.series[4].abs() <= f64::EPSILON && record.series[5] == 1.0);
        // One plateau of two clusters up to δ_hi, one of one from δ_lo to the horizon.
        let high = f64::min(1e-2, 2.0 / cell.beta());
        let [first, last] = &record.plateaus[..] else { panic!("{:?}", record.plateaus) };
        assert!((first.until / exact(high) - 1.0).abs() < 1e-7, "{first:?}");
        assert_eq!((first.clusters, last.clusters), (2, 1));
        assert_eq!((last.until, last.censored), (1e300, true));
        // What lies between is of order one, however late it is, and known as well.
        let (found, exact) = (record.merges[0].t, exact(1e-4 * high));
        assert!((found / exact - 1.0).abs() < 1e-7, "{found} {exact}");
    }
}

/// Equal cosines by `adaptive`, against the scalar equation's integral; and tokens with the same cosines.
#[test]
fn equal_cosines_follow_their_equation() {
    let sweep = parse(
        "name = \"cosines\"\nseed = 1\nreplicas = 1\n[[grid]]\nn = [2, 5]\nd = 6\nbeta = [0, 4]\n\
         geometry = [\"equiangular\", \"sphere\"]\ninitial = \"orthonormal\"\n\
         normalization = [\"softmax\", \"unnormalized\"]\n\
         [time]\nhorizon = 60\nintegrator = \"adaptive\"\ntolerance = 1e-10\nsample = { count = 4 }\n\
         [observe]\nseries = [\"mean_cosine\"]\n",
    );
    for (index, cell) in sweep.cells.iter().enumerate() {
        let normalization = match cell.text("normalization") {
            "softmax" => Normalization::Softmax,
            _ => Normalization::Unnormalized,
        };
        let record = &run(&sweep, index as u32, 0..1, Isa::widest())[0];
        let exact = Equiangular::new(cell.n(), cell.beta(), normalization).time(1.0, 1e-3);
        let found = record.collapse_time[0].expect("collapsed");
        // A local error of 1e-10 in each of some hundred steps, worth 1e-10/δ of the last time unit.
        assert!((found / exact - 1.0).abs() < 1e-6, "{} {found} {exact}", cell.canonical());
    }
}

/// The text that a dataset keeps of its sweep reads back as the same cells, fixed and adaptive steps side by side.
#[test]
fn the_canonical_text_reads_back() {
    let sweep = parse(
        "name = \"both\"\nseed = 1\nreplicas = 1\n\
         [[grid]]\nn = [4, 5]\nd = 2\nbeta = [1, 2]\nintegrator = [\"adaptive\", \"multiscale\"]\n\
         tolerance = [1e-8, 1e-9]\n\
         [[grid]]\nn = 4\nd = 2\nbeta = 1\nintegrator = [\"rk4\", \"projected_euler\"]\nstep = [0.1, 0.2]\n\
         [time]\nhorizon = 60\nsample = { count = 4 }\n[observe]\nseries = [\"mean_cosine\"]\n",
    );
    assert_eq!(sweep.cells.len(), 16 + 4);
    let again = parse(&sweep.canonical);
    assert_eq!(again.cells, sweep.cells);
    for sweep in [parse(&mixed().canonical), mixed()] {
        assert_eq!(parse(&sweep.canonical).cells, sweep.cells);
    }
}

#[test]
fn ends() {
    let sweep = |grid: &str| {
        parse(&format!(
            "name = \"ends\"\nseed = 1\nreplicas = 1\n[[grid]]\n{grid}\n[time]\nhorizon = 1e300\n\
             integrator = \"multiscale\"\ntolerance = 1e-9\nsample = [0.0, 1.0, 1e300]\n\
             [observe]\nseries = [\"clusters\"]\nmerges = true\n"
        ))
    };
    let end = |grid: &str| run(&sweep(grid), 0, 0..1, Isa::widest()).remove(0);
    let antipodal = end("n = 2\nd = 2\nbeta = 3\ninitial = \"angles(0, pi)\"");
    assert_eq!((antipodal.end, antipodal.status.as_str()), (End::Stationary, "ok"));
    assert_eq!(antipodal.series, [2.0; 3]);
    assert_eq!((antipodal.plateaus[0].until, antipodal.plateaus[0].censored), (1e300, true));
    let turned = end("n = 2\nd = 2\nbeta = 3\ninitial = \"angles(0.4, 0.4 + pi)\"");
    assert_eq!(turned.end, End::Stationary);
    let alone = end("n = 1\nd = 2\nbeta = 3");
    assert_eq!((alone.end, alone.collapse_time[0]), (End::Collapsed, Some(0.0)));
    let deep = end("n = 2\nd = 2\nbeta = 400\ninitial = \"angles(0, 3)\"");
    assert_eq!(deep.end, End::Underflow);
    assert!(deep.status.contains("e^-700"), "{}", deep.status);
    assert_eq!(deep.collapse_time, [None]);
    assert_eq!(deep.series[0], 2.0);
    assert!(deep.series[1].is_nan() && deep.series[2].is_nan());
    // e^β is no number: USA has no unit of time.
    let large =
        end("n = 2\nd = 2\nbeta = 720\ninitial = \"angles(0, 0.1)\"\nnormalization = \"unnormalized\"");
    assert_eq!(large.end, End::Underflow);
    let near = end("n = 2\nd = 2\nbeta = 720\ninitial = \"angles(0, 0.1)\"");
    assert_eq!(near.end, End::Collapsed);
}

#[test]
fn a_short_horizon_censors_and_is_hit() {
    let sweep = parse(
        "name = \"short\"\nseed = 1\nreplicas = 8\n[[grid]]\nn = 16\nd = 2\nbeta = 40\nhorizon = [1e5, 1e9]\n\
         [time]\nintegrator = \"multiscale\"\ntolerance = 1e-8\nsample = [0.0, 1.0, 1e4, 1e5]\n\
         [observe]\nseries = [\"clusters\", \"min_cosine\", \"energy\"]\nlevel = \"replica\"\nmerges = true\n",
    );
    let (short, long) = (run(&sweep, 0, 0..8, Isa::widest()), run(&sweep, 1, 0..8, Isa::widest()));
    for (short, long) in short.iter().zip(&long) {
        assert_eq!(short.end, End::Horizon);
        // The same trajectory, whatever the horizon.
        assert_eq!(short.series, long.series);
        let last = short.plateaus.last().expect("a plateau");
        assert_eq!((last.until, last.censored), (1e5, true));
        assert_eq!(short.min_cosine_final, Some(short.series[7]));
        assert!(long.merges.starts_with(&short.merges));
        let pairs = |at: usize| short.series[8 + at..].windows(2).take(3);
        assert!(pairs(0).all(|energies| energies[1] >= energies[0] - 1e-15));
    }
}
