//! With a real sweep: what a dataset knows of its sweep, checkpoints, and rows that are recomputed.

mod common;

use common::{folder, open};
use metasweep_dynamics::simd::Isa;
use metasweep_store::{Dataset, OpenMode, Opened, Writer, compare, perform, read_checkpoint, sweep_of};
use metasweep_sweep::simulate::simulate;
use metasweep_sweep::sweep::Sweep;

const TEXT: &str = r#"
    name = "real"
    seed = 11
    replicas = 6
    [[grid]]
    n = 5
    d = 3
    beta = [1.0, 4.0]
    value = ["identity", "file(v.npy)"]
    [time]
    horizon = 4.0
    integrator = "projected_euler"
    step = 0.02
    sample = { count = 5 }
    [observe]
    series = ["clusters", "energy", "order", "attention_rank", "leaders", "leading_eigenspace_distance", "renyi_centres",
              "strong_renyi_centres", "renyi_drift", "captured_fraction"]
    renyi = { separation = "2/sqrt(beta)" }
    leading_eigenspace = ["value", "value_key_query"]
    snapshots = { replicas = 4, times = [4.0, 0.1] }
    attention = { replicas = 3, times = [0.0, 1.0] }
    histogram = [{ of = "azimuth", bins = 7 }, { of = "inner_product", bins = 10 }]
    level = "replica"
    merges = true
    [output]
    partition_by = ["value"]
    rows_per_part = 20
"#;

/// A 3 × 3 matrix of f64 in NumPy's format.
fn matrix() -> Vec<u8> {
    let mut header = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), }".to_owned();
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for value in [1.0, 0.25, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -0.5_f64] {
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

fn parsed() -> Sweep {
    Sweep::parse(TEXT, "real.toml", &[], &mut |_| Ok(matrix())).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn interrupted_everywhere_and_resumed_from_checkpoints() {
    let sweep = parsed();
    let dir = folder();
    let isa = Isa::detect().unwrap();
    let mut rounds = 0;
    loop {
        let mut dataset = open(dir.path(), &sweep, OpenMode::Run).unwrap();
        let writer = Writer::create(dir.path(), &sweep, dataset.nonce(), 0);
        let mut jobs = dataset.pending_jobs();
        let checkpoints = dataset.checkpoints();
        let Some(segment) = dataset.missing().into_iter().next() else {
            while let Some(job) = jobs.pop() {
                jobs.extend(
                    dataset.accept(&perform(dir.path(), &sweep, &job, &writer, &|| false).unwrap()).unwrap(),
                );
            }
            assert!(dataset.finish(&sweep).is_ok());
            break;
        };
        let reference = checkpoints.iter().find(|checkpoint| {
            checkpoint.segment.replicas.start == segment.replicas.start
                && checkpoint.segment.cell == segment.cell
        });
        assert_eq!(reference.is_some(), rounds % 4 != 0, "a checkpoint is found again");
        let resume = reference.map(|reference| read_checkpoint(dir.path(), reference, &|| false).unwrap());
        // 200 steps in all, looked at every 64.
        let outcome = simulate(&sweep, &segment, resume.as_ref(), isa, &|taken| taken >= 64);
        if let Some(checkpoint) = &outcome.checkpoint {
            let receipt = writer.checkpoint(&sweep, checkpoint, checkpoint.motion.steps()).unwrap();
            dataset.accept(&receipt).unwrap();
            assert_eq!(
                read_checkpoint(dir.path(), &dataset.checkpoints()[0], &|| false).unwrap(),
                *checkpoint
            );
        } else {
            let receipt = writer.commit(&sweep, &[segment], &outcome.records, 0.1).unwrap();
            dataset.accept(&receipt).unwrap();
            assert!(dataset.checkpoints().is_empty());
        }
        rounds += 1;
    }
    assert_eq!(rounds, 16, "four cells, three interruptions each");
    let Ok(Opened::Complete(manifest)) = Dataset::open(dir.path(), &sweep, OpenMode::Run) else { panic!() };
    assert_eq!(manifest.inputs.len(), 1);
    let again = sweep_of(dir.path()).unwrap();
    assert_eq!(again, sweep, "the dataset knows its sweep");
    for cell in 0..4 {
        let segment = metasweep_sweep::chunk::Segment { cell, replicas: 0..6 };
        let records = simulate(&again, &segment, None, isa, &|_| false).records;
        let differences = compare(dir.path(), &again, &segment, &records).unwrap();
        assert!(differences.is_empty(), "{differences:?}");
    }
    let input = std::fs::read_dir(dir.path().join("inputs")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&input, b"x").unwrap();
    assert_eq!(sweep_of(dir.path()).unwrap_err().exit_code(), 3);
    let report = metasweep_store::verify(dir.path(), &mut |_, _| {}).unwrap();
    assert!(report.problems.len() == 1 && report.problems[0].contains("inputs"), "{:?}", report.problems);
}
