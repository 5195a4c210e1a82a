//! Real sweeps in this process: whatever the threads, the chunks and the interruptions, the same files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metasweep_cluster::lead::Finish;
use metasweep_cluster::progress::{Phase, Progress};
use metasweep_cluster::run::{Outside, RunEnd, RunOptions, run_with};
use metasweep_cluster::signals::Signals;
use metasweep_cluster::team::Team;
use metasweep_sweep::sweep::Sweep;

const SWEEP: &str = r#"
    name = "small"
    seed = 7
    replicas = 20
    [[grid]]
    n = [6, 9]
    d = 2
    beta = [1.0, 4.0]
    normalization = ["softmax", "unnormalized"]
    mask = ["full", "causal"]
    [time]
    horizon = 20.0
    integrator = "projected_euler"
    step = 0.05
    sample = { count = 11 }
    [observe]
    series = ["clusters", "energy"]
    merges = true
    [output]
    partition_by = ["normalization"]
    rows_per_part = 100
"#;

fn options(out: PathBuf) -> RunOptions {
    let sweep = Sweep::parse(SWEEP, "small.toml", &[], &mut |_| unreachable!("it reads no files")).unwrap();
    RunOptions {
        sweep: Arc::new(sweep),
        text: SWEEP.to_owned(),
        overrides: Vec::new(),
        out,
        threads: Some(2),
        extend: false,
        chunk_replicas: None,
        walltime: None,
        retry_failed: false,
        share: None,
        scratch: None,
    }
}

fn outside() -> Outside {
    Outside { signals: Signals::deaf(), checkpoint_every: None }
}

fn run(options: &RunOptions, outside: &Outside) -> RunEnd {
    run_with(Team::alone(), options, outside, &mut |_| {}).unwrap()
}

/// Every file that a reader sees.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.strip_prefix(dir).unwrap().starts_with("journal") {
                files.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn files_do_not_depend_on_threads_chunks_or_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let out = |name: &str| dir.path().join(name);
    let end = run(&options(out("reference")), &outside());
    let RunEnd::Complete(summary) = end else { panic!("{end:?}") };
    assert_eq!((summary.computed, summary.tally.cells_done), (16 * 20, 16));
    let reference = files(&out("reference"));
    let parts = reference.keys().filter(|path| path.starts_with("replicas")).count();
    assert_eq!(parts, 4, "160 replicas a partition in parts of 100");
    assert!(!out("reference").join("staging").exists());

    for (name, threads, chunk_replicas, checkpoint_every) in [
        ("one thread", 1, None, None),
        ("four threads", 4, None, None),
        ("chunks of 3", 2, Some(3), None),
        ("one chunk a cell", 2, Some(20), None),
        ("checkpoints", 2, None, Some(64)),
        ("checkpoints in chunks of 11", 1, Some(11), Some(150)),
    ] {
        let options = RunOptions { threads: Some(threads), chunk_replicas, ..options(out(name)) };
        let outside = Outside { checkpoint_every, ..outside() };
        assert!(matches!(run(&options, &outside), RunEnd::Complete(_)));
        assert!(files(&out(name)) == reference, "{name}");
    }

    let again = run(&options(out("reference")), &outside());
    let RunEnd::AlreadyComplete(summary) = again else { panic!("{again:?}") };
    assert_eq!(summary.computed, 0);
    assert!(files(&out("reference")) == reference);
}

#[test]
fn a_run_that_is_interrupted_again_and_again_ends_with_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let reference = dir.path().join("reference");
    run(&options(reference.clone()), &outside());

    let out = dir.path().join("interrupted");
    let options = RunOptions { threads: Some(1), chunk_replicas: Some(20), ..options(out.clone()) };
    let mut interruptions: u32 = 0;
    let mut done = 0;
    loop {
        let outside = outside();
        // A signal a little later each time, so that the run gets somewhere and is hit in all kinds of states.
        let signals = outside.signals.clone();
        let wait = Duration::from_millis(5 + 5 * u64::from(interruptions));
        let alarm = std::thread::spawn(move || {
            std::thread::sleep(wait);
            signals.raise();
        });
        let end = run(&options, &outside);
        alarm.join().unwrap();
        match end {
            RunEnd::Incomplete { why, summary } => {
                assert_eq!(why, Finish::Signal);
                assert!(summary.tally.replicas_done >= done, "nothing is lost");
                done = summary.tally.replicas_done;
                interruptions += 1;
                assert!(interruptions < 500, "it never ends");
            }
            RunEnd::Complete(_) => break,
            RunEnd::AlreadyComplete(_) => panic!("the run before said that it was incomplete"),
        }
    }
    assert!(interruptions >= 3, "only {interruptions}");
    assert!(files(&out) == files(&reference));
}

#[test]
fn the_walltime_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    // Less than what is kept for writing: nothing is begun at all.
    let options =
        RunOptions { walltime: Some(Duration::from_millis(900)), ..options(dir.path().join("out")) };
    let RunEnd::Incomplete { why, summary } = run(&options, &outside()) else { panic!("it had no time") };
    assert_eq!((why, summary.computed), (Finish::Walltime, 0));
}

#[test]
fn progress_is_told_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen: Vec<Progress> = Vec::new();
    let end = run_with(Team::alone(), &options(dir.path().join("out")), &outside(), &mut |progress| {
        seen.push(*progress);
    });
    assert!(matches!(end, Ok(RunEnd::Complete(_))));
    let last = seen.last().unwrap();
    assert_eq!((last.phase, last.tally.replicas_done, last.tally.cells_done), (Phase::Finishing, 320, 16));
    assert!(seen.windows(2).all(|pair| pair[0].tally.replicas_done <= pair[1].tally.replicas_done));
}

#[test]
fn a_folder_of_something_else_is_refused_with_the_stores_code() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    let options = options(dir.path().to_owned());
    let failure = run_with(Team::alone(), &options, &outside(), &mut |_| {}).unwrap_err();
    assert_eq!(failure.exit_code, 3);
    assert!(failure.message.contains("holds no metasweep dataset"), "{failure}");
}
