//! Parts are a function of the rows: not of chunks, order, processes, or kills.

mod common;

use common::{Manner, Numbers, PLAIN, assert_same, drive, files, folder, run, sweep};
use metasweep_store::{Dataset, OpenMode, Opened, layout};
use metasweep_sweep::sweep::Level;

const BETAS: [f64; 3] = [0.5, 1.0, 4.0];

#[test]
fn chunks_order_and_processes_change_no_byte() {
    for level in [Level::Cell, Level::Replica] {
        let sweep = sweep(&BETAS, 23, level, 17);
        let first = folder();
        run(first.path(), &sweep, PLAIN);
        let expected = files(first.path());
        assert!(expected.len() > 20, "the sweep has many parts: {}", expected.len());
        for (seed, chunk) in [(2, 1), (3, 3), (4, 7), (5, 16), (6, 0)] {
            let dir = folder();
            let manner = Manner { chunk, seed, processes: 1 + seed as u32 % 3, stop_after: usize::MAX };
            run(dir.path(), &sweep, manner);
            assert_same(&expected, &files(dir.path()), &format!("{level:?} {manner:?}"));
            assert!(!layout::staging(dir.path()).exists(), "no staging is left");
            assert!(!layout::owner(dir.path()).exists(), "no owner is left");
            assert!(matches!(Dataset::open(dir.path(), &sweep, OpenMode::Run), Ok(Opened::Complete(_))));
        }
    }
}

#[test]
fn stopped_anywhere_and_resumed_with_other_chunks_the_bytes_are_the_same() {
    for level in [Level::Cell, Level::Replica] {
        let sweep = sweep(&BETAS, 9, level, 11);
        let first = folder();
        run(first.path(), &sweep, PLAIN);
        let expected = files(first.path());
        let mut numbers = Numbers(7);
        for attempt in 0..12 {
            let dir = folder();
            let mut stops = 0;
            loop {
                let manner = Manner {
                    chunk: numbers.below(5) as u32,
                    seed: numbers.next(),
                    processes: 1 + numbers.below(3) as u32,
                    stop_after: 1 + numbers.below(14) as usize,
                };
                if drive(dir.path(), &sweep, OpenMode::Run, manner).unwrap().is_some() {
                    break;
                }
                stops += 1;
            }
            assert_same(
                &expected,
                &files(dir.path()),
                &format!("{level:?} attempt {attempt}, {stops} stops"),
            );
        }
    }
}
