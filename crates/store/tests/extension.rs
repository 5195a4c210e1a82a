//! An extended dataset has the files of one that was run at once, wherever it is killed on the way.

mod common;

use common::{Manner, PLAIN, assert_same, drive, fails, files, folder, run, sweep};
use metasweep_store::failpoint::{Action, arm, disarm};
use metasweep_store::{Dataset, OpenMode, Opened, State, layout};
use metasweep_sweep::sweep::Level;

const SMALL: [f64; 2] = [0.5, 4.0];
const LARGE: [f64; 4] = [0.25, 0.5, 1.0, 4.0];

fn manner(seed: u64) -> Manner {
    Manner { chunk: 3, seed, processes: 2, stop_after: usize::MAX }
}

#[test]
fn more_values_and_more_replicas() {
    for level in [Level::Cell, Level::Replica] {
        for replicas in [7, 10] {
            let (small, large) = (sweep(&SMALL, 7, level, 11), sweep(&LARGE, replicas, level, 11));
            let at_once = folder();
            run(at_once.path(), &large, PLAIN);
            let dir = folder();
            run(dir.path(), &small, manner(1));
            let before = files(dir.path());
            let refused = fails(drive(dir.path(), &large, OpenMode::Run, PLAIN));
            assert_eq!(refused.exit_code(), 3);
            assert!(refused.to_string().contains("--extend"), "{refused}");
            let Ok(Opened::Ready(dataset)) = Dataset::open(dir.path(), &large, OpenMode::Extend) else {
                panic!()
            };
            let imported = if level == Level::Replica || replicas == 7 { 4 * 7 } else { 0 };
            assert_eq!(dataset.progress().replicas_done, imported, "old rows are taken over, not computed");
            assert_same(&before, &files(dir.path()), "while it runs the old tables are as they were");
            drop(dataset);
            drive(dir.path(), &large, OpenMode::Extend, manner(2)).unwrap();
            assert_same(&files(at_once.path()), &files(dir.path()), &format!("{level:?} {replicas}"));
            assert!(!layout::staging(dir.path()).exists() && !layout::extension(dir.path()).exists());
        }
    }
}

#[test]
fn what_is_incomplete_is_extended_from_its_frames() {
    for level in [Level::Cell, Level::Replica] {
        let (small, large) = (sweep(&SMALL, 7, level, 11), sweep(&LARGE, 9, level, 11));
        let at_once = folder();
        run(at_once.path(), &large, PLAIN);
        for stop_after in [1, 4, 9, 15, 22] {
            let dir = folder();
            let stopped = Manner { stop_after, ..manner(5) };
            drive(dir.path(), &small, OpenMode::Run, stopped).unwrap();
            drive(dir.path(), &large, OpenMode::Extend, manner(6)).unwrap();
            assert_same(&files(at_once.path()), &files(dir.path()), &format!("{level:?} {stop_after}"));
        }
    }
}

#[test]
fn killed_at_every_failpoint_the_extension_goes_on() {
    let (small, large) = (sweep(&SMALL, 3, Level::Replica, 40), sweep(&LARGE, 4, Level::Replica, 40));
    let (at_once, base) = (folder(), folder());
    run(at_once.path(), &large, PLAIN);
    run(base.path(), &small, PLAIN);
    let (expected, old) = (files(at_once.path()), files(base.path()));
    let places = [
        "extend.begin",
        "extend.write",
        "extend.rename",
        "extend.import",
        "seal.rename",
        "finish.cells",
        "swap.begin",
        "swap.write",
        "swap.rename",
        "swap.old",
        "swap.new",
        "finish.manifest",
        "manifest.write",
        "manifest.rename",
        "finish.staging",
    ];
    for place in places {
        let mut count = 1;
        loop {
            let dir = folder();
            run(dir.path(), &small, PLAIN);
            arm(place, count, Action::Eio);
            let outcome = drive(dir.path(), &large, OpenMode::Extend, PLAIN);
            if disarm() {
                outcome.unwrap();
                break;
            }
            fails(outcome);
            let swapping =
                place.starts_with("swap") || place.starts_with("finish") || place.starts_with("manifest");
            if !swapping {
                assert_same(&old, &files(dir.path()), "before the swap the old dataset is whole");
                if layout::extension(dir.path()).exists() {
                    let narrow = fails(drive(dir.path(), &small, OpenMode::Run, PLAIN));
                    assert_eq!(narrow.exit_code(), 3);
                    assert!(narrow.to_string().contains("being extended"), "{narrow}");
                }
            }
            // The larger sweep goes on without --extend too, once the extension is recorded.
            let mode = if layout::extension(dir.path()).exists() { OpenMode::Run } else { OpenMode::Extend };
            let manifest = drive(dir.path(), &large, mode, PLAIN).unwrap().unwrap();
            assert_eq!(manifest.state, State::Complete);
            assert_same(&expected, &files(dir.path()), &format!("{place} {count}"));
            count += 3;
        }
    }
}

#[test]
fn what_is_no_superset_is_refused() {
    let small = sweep(&SMALL, 7, Level::Cell, 11);
    let dir = folder();
    run(dir.path(), &small, PLAIN);
    let mut observed = sweep(&LARGE, 7, Level::Cell, 11);
    observed.observe.merges = false;
    let others = [
        sweep(&[0.5, 1.0], 7, Level::Cell, 11),
        sweep(&LARGE, 6, Level::Cell, 11),
        sweep(&LARGE, 7, Level::Cell, 12),
        observed,
    ];
    let before = files(dir.path());
    for other in others {
        let error = fails(drive(dir.path(), &other, OpenMode::Extend, PLAIN));
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("not a superset"), "{error}");
        assert_same(&before, &files(dir.path()), "nothing was touched");
    }
}

#[test]
fn a_damaged_part_is_not_carried_over() {
    let (small, large) = (sweep(&SMALL, 7, Level::Replica, 11), sweep(&LARGE, 7, Level::Replica, 11));
    let dir = folder();
    run(dir.path(), &small, PLAIN);
    let part = dir.path().join("replicas/normalization=softmax/value=diag%281%2C%20-1%29/part-00000.parquet");
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let error = fails(drive(dir.path(), &large, OpenMode::Extend, PLAIN));
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("part-00000.parquet"), "{error}");
}
