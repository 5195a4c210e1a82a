//! Through the node's own disk: the same rows, one writer towards the dataset, and errors that reach everybody who waits.

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{PLAIN, assert_same, cut, files, folder, open, records, run, sweep};
use metasweep_store::owner::Record;
use metasweep_store::{Courier, Manifest, OpenMode, Receipt, Scratch, Writer, perform};
use metasweep_sweep::sweep::{Level, Sweep};

/// The process whose files the rows end up in.
const COURIER: u32 = 5;

/// Three processes at once, each with its own part of the work; what they report is taken in once it is durable.
fn through(dir: &Path, sweep: &Sweep, root: &Path) -> Manifest {
    let mut dataset = open(dir, sweep, OpenMode::Run).unwrap();
    let scratch = Scratch::new(root, dataset.nonce(), COURIER);
    let writers =
        [5, 6, 70].map(|process| Writer::create(dir, sweep, dataset.nonce(), process).through(&scratch));
    let courier = Courier::start(dir, &scratch, dataset.nonce(), Duration::ZERO).unwrap();
    let chunks = cut(dataset.missing(), 2);
    let together =
        |work: &(dyn Fn(&Writer, usize) -> Option<Receipt> + Sync), count: usize| -> Vec<Receipt> {
            std::thread::scope(|threads| {
                let share = |index: usize| {
                    let writer = &writers[index];
                    threads.spawn(move || {
                        let done: Vec<Receipt> =
                            (index..count).step_by(3).filter_map(|at| work(writer, at)).collect();
                        writer.sync().unwrap();
                        done
                    })
                };
                [0, 1, 2].map(share).into_iter().flat_map(|thread| thread.join().unwrap()).collect()
            })
        };
    let commit = |writer: &Writer, at: usize| {
        Some(writer.commit(sweep, &chunks[at], &records(sweep, &chunks[at]), 0.25).unwrap())
    };
    let receipts = together(&commit, chunks.len());
    let mut jobs: Vec<_> = receipts.iter().flat_map(|receipt| dataset.accept(receipt).unwrap()).collect();
    for (folder, extension) in [("staging", "frames"), ("journal", "journal")] {
        let found = metasweep_store::files_of_processes(&dir.join(folder), extension).unwrap();
        let of_the_courier =
            |path: &std::path::PathBuf| path.to_string_lossy().contains(&format!("-{COURIER}"));
        assert!(found.len() == 1 && found.iter().all(of_the_courier), "{found:?}");
    }
    while !jobs.is_empty() {
        let seal =
            |writer: &Writer, at: usize| Some(perform(dir, sweep, &jobs[at], writer, &|| false).unwrap());
        let receipts = together(&seal, jobs.len());
        jobs = receipts.iter().flat_map(|receipt| dataset.accept(receipt).unwrap()).collect();
    }
    let manifest = dataset.finish(sweep).unwrap();
    drop(courier);
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 0, "scratch is left behind");
    manifest
}

#[test]
fn the_same_bytes_through_scratch() {
    for level in [Level::Cell, Level::Replica] {
        let sweep = sweep(&[0.5, 4.0, 8.0], 7, level, 25);
        let (plain, dir, root) = (folder(), folder(), folder());
        run(plain.path(), &sweep, PLAIN);
        through(dir.path(), &sweep, root.path());
        assert_same(&files(plain.path()), &files(dir.path()), "through scratch");
    }
}

/// A run whose courier was killed before it carried everything: what was carried counts, the rest is computed again.
#[test]
fn what_was_not_carried_is_computed_again() {
    let sweep = sweep(&[0.5, 4.0], 6, Level::Replica, 25);
    let (plain, dir, root) = (folder(), folder(), folder());
    run(plain.path(), &sweep, PLAIN);
    {
        let dataset = open(dir.path(), &sweep, OpenMode::Run).unwrap();
        let scratch = Scratch::new(root.path(), dataset.nonce(), 0);
        let writer = Writer::create(dir.path(), &sweep, dataset.nonce(), 0).through(&scratch);
        let courier =
            Courier::start(dir.path(), &scratch, dataset.nonce(), Duration::from_secs(3600)).unwrap();
        let chunks = cut(dataset.missing(), 2);
        for chunk in &chunks[..3] {
            writer.commit(&sweep, chunk, &records(&sweep, chunk), 0.25).unwrap();
        }
        drop(courier);
        assert!(writer.sync().is_err(), "nobody carries any more");
    }
    assert!(open(dir.path(), &sweep, OpenMode::Run).unwrap().progress().replicas_done == 0);
    run(dir.path(), &sweep, PLAIN);
    assert_same(&files(plain.path()), &files(dir.path()), "after a courier's end");
}

#[test]
fn whoever_waits_for_a_dead_courier_is_told() {
    let sweep = sweep(&[0.5], 4, Level::Cell, 25);
    let (dir, root) = (folder(), folder());
    let dataset = open(dir.path(), &sweep, OpenMode::Run).unwrap();
    let scratch = Scratch::new(root.path(), dataset.nonce(), 0);
    let writer = Writer::create(dir.path(), &sweep, dataset.nonce(), 1).through(&scratch);
    let chunk = &cut(dataset.missing(), 2)[0];
    writer.commit(&sweep, chunk, &records(&sweep, chunk), 0.25).unwrap();
    let here = std::fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
    let dead = Record { started: 1, ..Record::ours(dataset.nonce()) };
    std::fs::write(here.join("owner"), serde_json::to_vec(&dead).unwrap()).unwrap();
    let begun = Instant::now();
    let error = writer.sync().unwrap_err();
    assert!(error.to_string().contains("process 0, which takes what this node computes from"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(error.exit_code(), 1);
    // The next run on this node clears up.
    let next = Scratch::new(root.path(), dataset.nonce() + 1, 0);
    drop(Courier::start(dir.path(), &next, dataset.nonce() + 1, Duration::ZERO).unwrap());
    assert!(!here.exists());
}
