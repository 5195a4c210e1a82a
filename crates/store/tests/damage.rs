//! Nothing damaged goes unnoticed, and nothing that can be computed again is lost.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{Manner, PLAIN, assert_same, drive, fails, files, folder, open, records, run, sweep};
use metasweep_store::{Dataset, OpenMode, Opened, compare, segments_to_recompute, verify};
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::{Level, Sweep};

const BETAS: [f64; 2] = [0.5, 4.0];

fn small(level: Level) -> Sweep {
    sweep(&BETAS, 4, level, 9)
}

fn stopped(dir: &Path, sweep: &Sweep, stop_after: usize) {
    let manner = Manner { chunk: 2, seed: 3, processes: 1, stop_after };
    drive(dir, sweep, OpenMode::Run, manner).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn with_extension(dir: &Path, folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Changes each file of a kind in every way `damage` offers; every time it opens, goes on, and ends the same.
fn survives(kind: (&str, &str), damage: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    for (level, stop_after) in [(Level::Cell, 3), (Level::Replica, 4)] {
        let sweep = sweep(&[0.5], 3, level, 9);
        let whole = folder();
        run(whole.path(), &sweep, PLAIN);
        let expected = files(whole.path());
        let base = folder();
        stopped(base.path(), &sweep, stop_after);
        let paths = with_extension(base.path(), kind.0, kind.1);
        assert!(!paths.is_empty());
        for path in paths {
            let bytes = std::fs::read(&path).unwrap();
            for (index, damaged) in damage(&bytes).into_iter().enumerate() {
                let dir = folder();
                copy(base.path(), dir.path());
                let target = dir.path().join(path.strip_prefix(base.path()).unwrap());
                std::fs::write(target, damaged).unwrap();
                let dataset = open(dir.path(), &sweep, OpenMode::Run).unwrap();
                assert!(dataset.progress().replicas_done <= 6);
                drop(dataset);
                // To the end only now and then: opening is what reads.
                if index % 16 == 0 {
                    run(dir.path(), &sweep, PLAIN);
                    assert_same(
                        &expected,
                        &files(dir.path()),
                        &format!("{level:?} {} {index}", path.display()),
                    );
                }
            }
        }
    }
}

fn cuts(bytes: &[u8]) -> Vec<Vec<u8>> {
    (0..bytes.len()).map(|length| bytes[..length].to_vec()).collect()
}

fn flips(bytes: &[u8]) -> Vec<Vec<u8>> {
    let flip = |position: usize| {
        let mut flipped = bytes.to_vec();
        flipped[position] ^= 1 << (position % 8);
        flipped
    };
    (0..bytes.len()).step_by(7).map(flip).collect()
}

#[test]
fn a_journal_cut_at_every_byte() {
    survives(("journal", "journal"), cuts);
}

#[test]
fn a_journal_with_a_flipped_bit() {
    survives(("journal", "journal"), flips);
}

#[test]
fn staging_cut_at_every_byte() {
    survives(("staging", "frames"), cuts);
}

#[test]
fn staging_with_a_flipped_bit() {
    survives(("staging", "frames"), flips);
}

#[test]
fn a_damaged_frame_is_told_of() {
    let sweep = small(Level::Replica);
    let dir = folder();
    stopped(dir.path(), &sweep, 3);
    let path = with_extension(dir.path(), "staging", "frames").pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let dataset = open(dir.path(), &sweep, OpenMode::Run).unwrap();
    let [warning] = dataset.warnings() else { panic!("{:?}", dataset.warnings()) };
    assert!(warning.contains(".frames") && warning.contains("recomputed"), "{warning}");
}

#[test]
fn without_any_frame_or_journal_everything_is_computed_again() {
    for lost in ["staging", "journal"] {
        let sweep = small(Level::Cell);
        let (whole, dir) = (folder(), folder());
        run(whole.path(), &sweep, PLAIN);
        stopped(dir.path(), &sweep, 9);
        std::fs::remove_dir_all(dir.path().join(lost)).unwrap();
        run(dir.path(), &sweep, PLAIN);
        assert_same(&files(whole.path()), &files(dir.path()), lost);
    }
}

fn parts(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut parts = files(dir);
    parts.remove("manifest.json");
    parts
}

#[test]
fn verify_names_every_damaged_part() {
    let sweep = small(Level::Replica);
    let dir = folder();
    run(dir.path(), &sweep, PLAIN);
    let report = verify(dir.path(), &mut |_, _| {}).unwrap();
    assert!(report.complete && report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.parts as usize, parts(dir.path()).len());
    for (name, bytes) in parts(dir.path()) {
        let path = dir.path().join(&name);
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 4;
        for damaged in [Some(flipped), Some(bytes[..bytes.len() - 1].to_vec()), None] {
            match &damaged {
                Some(damaged) => std::fs::write(&path, damaged).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let report = verify(dir.path(), &mut |_, _| {}).unwrap();
            assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
            assert!(report.problems[0].contains(&name), "{:?}", report.problems);
            let same_size = damaged.is_some_and(|damaged| damaged.len() == bytes.len());
            if !same_size {
                let error = Dataset::open(dir.path(), &sweep, OpenMode::Run).map(|_| ()).unwrap_err();
                assert_eq!(error.exit_code(), 3);
                assert!(error.to_string().contains(&name), "{error}");
                assert_eq!(
                    metasweep_store::status(dir.path()).unwrap().state,
                    metasweep_store::status::Condition::Damaged
                );
            }
            std::fs::write(&path, &bytes).unwrap();
        }
    }
    let stray = dir.path().join("series/normalization=softmax/part-00099.parquet");
    std::fs::write(&stray, b"x").unwrap();
    let report = verify(dir.path(), &mut |_, _| {}).unwrap();
    assert!(report.problems.len() == 1 && report.problems[0].contains("part-00099"), "{:?}", report.problems);
}

#[test]
fn what_the_error_advises_mends_a_lost_part() {
    for level in [Level::Cell, Level::Replica] {
        let sweep = small(level);
        let dir = folder();
        run(dir.path(), &sweep, PLAIN);
        let expected = files(dir.path());
        for name in parts(dir.path()).keys() {
            std::fs::remove_file(dir.path().join(name)).unwrap();
            std::fs::remove_file(dir.path().join("manifest.json")).unwrap();
            run(dir.path(), &sweep, PLAIN);
            assert_same(&expected, &files(dir.path()), name);
        }
    }
}

#[test]
fn recomputed_rows_are_compared_bit_by_bit() {
    for level in [Level::Cell, Level::Replica] {
        let sweep = small(level);
        let dir = folder();
        run(dir.path(), &sweep, PLAIN);
        let mut segments = segments_to_recompute(&sweep, 6, 3, 42);
        segments.push(Segment { cell: 1, replicas: 1..3 });
        for segment in segments {
            let mut again = records(&sweep, std::slice::from_ref(&segment));
            let differences = compare(dir.path(), &sweep, &segment, &again).unwrap();
            assert!(differences.is_empty(), "{differences:?}");
            again[0].steps += 1;
            // The third column is the energy.
            again[0].series[2 * 5] += 1e-9;
            let whole = level == Level::Replica || segment.replicas == (0..4);
            let differences = compare(dir.path(), &sweep, &segment, &again).unwrap();
            assert_eq!(differences.len(), 1 + usize::from(whole), "{differences:?}");
            assert!(differences[0].starts_with("replicas of cell"), "{differences:?}");
            let one_more =
                (0..40).find_map(|replica| common::record(&sweep, 0, replica).plateaus.pop()).unwrap();
            again[0].plateaus.push(one_more);
            let differences = compare(dir.path(), &sweep, &segment, &again).unwrap();
            assert!(differences.iter().any(|what| what.starts_with("plateaus of cell")), "{differences:?}");
        }
    }
}

#[test]
fn another_sweep_another_engine_another_folder() {
    let first = small(Level::Cell);
    let dir = folder();
    run(dir.path(), &first, PLAIN);
    let other = sweep(&[1.0], 4, Level::Cell, 9);
    let error = fails(drive(dir.path(), &other, OpenMode::Run, PLAIN));
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("another sweep"), "{error}");
    let path = dir.path().join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let ours = format!("\"engine\": {}", metasweep_dynamics::ENGINE);
    assert!(text.contains(&ours));
    std::fs::write(&path, text.replace(&ours, "\"engine\": 1")).unwrap();
    let error = fails(drive(dir.path(), &first, OpenMode::Run, PLAIN));
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("engine 1"), "{error}");
    for broken in ["", "{", "null", "[]", "{\"engine\": 1}", "\0\0"] {
        std::fs::write(&path, broken).unwrap();
        let error = fails(drive(dir.path(), &first, OpenMode::Run, PLAIN));
        assert_eq!(error.exit_code(), 3, "{broken:?}: {error}");
        assert!(error.to_string().contains("manifest.json"), "{error}");
    }
    let strange = folder();
    std::fs::write(strange.path().join("photo.jpg"), b"sea").unwrap();
    let error = fails(drive(strange.path(), &first, OpenMode::Run, PLAIN));
    assert!(error.to_string().contains("holds no metasweep dataset"), "{error}");
    assert_eq!(std::fs::read_dir(strange.path()).unwrap().count(), 1);
    assert!(matches!(
        Dataset::open(&strange.path().join("new"), &first, OpenMode::Run),
        Ok(Opened::Ready(_))
    ));
}
