//! Wherever a write, sync or rename fails, the next run goes on and ends with the same bytes.

mod common;

use common::{Manner, PLAIN, assert_same, drive, fails, files, folder, run, sweep};
use metasweep_store::failpoint::{Action, arm, disarm};
use metasweep_store::{OpenMode, Writer};
use metasweep_sweep::sweep::Level;

const PLACES: [&str; 15] = [
    "frame.write",
    "frame.sync",
    "journal.write",
    "journal.sync",
    "seal.write",
    "seal.sync",
    "seal.rename",
    "seal.record",
    "manifest.write",
    "manifest.sync",
    "manifest.rename",
    "owner.link",
    "finish.cells",
    "finish.manifest",
    "finish.staging",
];

#[test]
fn at_every_failpoint() {
    for level in [Level::Cell, Level::Replica] {
        let sweep = sweep(&[0.5, 4.0], 4, level, 25);
        let whole = folder();
        run(whole.path(), &sweep, PLAIN);
        let expected = files(whole.path());
        for place in PLACES {
            let mut count = 1;
            loop {
                let dir = folder();
                let manner =
                    Manner { chunk: 2, seed: u64::from(count), processes: 2, stop_after: usize::MAX };
                arm(place, count, Action::Eio);
                let outcome = drive(dir.path(), &sweep, OpenMode::Run, manner);
                if disarm() {
                    outcome.unwrap();
                    assert!(count > 1, "{place} is never reached");
                    break;
                }
                let error = fails(outcome);
                assert_eq!(error.exit_code(), 1, "{place}: {error}");
                assert!(error.to_string().contains("nput/output error"), "{place}: {error}");
                run(dir.path(), &sweep, manner);
                assert_same(&expected, &files(dir.path()), &format!("{level:?} {place} {count}"));
                count += 4;
            }
        }
    }
}

#[test]
fn a_writer_whose_sync_failed_refuses_everything() {
    let sweep = sweep(&[0.5], 4, Level::Replica, 9);
    let dir = folder();
    let dataset = common::open(dir.path(), &sweep, OpenMode::Run).unwrap();
    let writer = Writer::create(dir.path(), &sweep, dataset.nonce(), 0);
    let segments = dataset.missing();
    let rows = common::records(&sweep, &segments[..1]);
    writer.commit(&sweep, &segments[..1], &rows, 0.0).unwrap();
    arm("frame.sync", 1, Action::Eio);
    assert!(writer.sync().unwrap_err().to_string().contains("did not confirm"));
    assert!(writer.sync().is_err(), "an fsync that failed is never tried again");
    assert!(writer.commit(&sweep, &segments[..1], &rows, 0.0).is_err());
}
