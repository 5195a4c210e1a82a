//! One run at a time, and none that waits for the dead.

mod common;

use std::path::Path;
use std::process::{Child, Command};

use common::{PLAIN, drive, fails, folder, open, run, sweep};
use metasweep_store::owner::{LEASE, Record, host};
use metasweep_store::status::Condition;
use metasweep_store::{OpenMode, layout, status};
use metasweep_sweep::sweep::Level;

fn record(dir: &Path, change: impl FnOnce(&mut Record)) {
    let mut record = Record::ours(7);
    change(&mut record);
    std::fs::create_dir_all(layout::journal(dir)).unwrap();
    std::fs::write(layout::owner(dir), serde_json::to_vec(&record).unwrap()).unwrap();
}

fn sleeper() -> Child {
    Command::new("sleep").arg("60").spawn().unwrap()
}

fn started(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
}

#[test]
fn two_at_once_are_one_too_many() {
    let sweep = sweep(&[0.5], 3, Level::Cell, 9);
    let dir = folder();
    let first = open(dir.path(), &sweep, OpenMode::Run).unwrap();
    assert_eq!(status(dir.path()).unwrap().state, Condition::Running);
    let error = fails(drive(dir.path(), &sweep, OpenMode::Run, PLAIN));
    assert_eq!(error.exit_code(), 4);
    let text = error.to_string();
    assert!(text.contains(&host()) && text.contains(&std::process::id().to_string()), "{text}");
    drop(first);
    assert_eq!(status(dir.path()).unwrap().state, Condition::Incomplete);
    run(dir.path(), &sweep, PLAIN);
    assert_eq!(status(dir.path()).unwrap().state, Condition::Complete);
}

#[test]
fn another_process_that_lives_is_respected_and_a_dead_one_is_not() {
    let sweep = sweep(&[0.5], 3, Level::Cell, 9);
    let dir = folder();
    let mut child = sleeper();
    let (pid, birth) = (child.id(), started(child.id()));
    record(dir.path(), |record| (record.pid, record.started) = (pid, birth));
    assert_eq!(fails(drive(dir.path(), &sweep, OpenMode::Run, PLAIN)).exit_code(), 4);
    // The same number, another process: the one of the record is dead.
    record(dir.path(), |record| (record.pid, record.started) = (pid, birth + 1));
    drop(open(dir.path(), &sweep, OpenMode::Run).unwrap());
    // Another boot: process ids mean nothing.
    record(dir.path(), |record| {
        (record.pid, record.started) = (pid, birth);
        record.boot = "another".to_owned();
    });
    drop(open(dir.path(), &sweep, OpenMode::Run).unwrap());
    record(dir.path(), |record| (record.pid, record.started) = (pid, birth));
    child.kill().unwrap();
    // Not waited for yet: a zombie is dead too.
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z")) {
        std::thread::yield_now();
    }
    drop(open(dir.path(), &sweep, OpenMode::Run).unwrap());
    child.wait().unwrap();
}

#[test]
fn on_another_host_silence_is_death() {
    let sweep = sweep(&[0.5], 3, Level::Cell, 9);
    let dir = folder();
    let elsewhere = |record: &mut Record| record.host = "another-host".to_owned();
    record(dir.path(), elsewhere);
    let error = fails(drive(dir.path(), &sweep, OpenMode::Run, PLAIN));
    assert_eq!(error.exit_code(), 4);
    assert!(error.to_string().contains("another-host"), "{error}");
    let file = std::fs::File::options().write(true).open(layout::owner(dir.path())).unwrap();
    file.set_modified(std::time::SystemTime::now() - LEASE - LEASE).unwrap();
    drop(open(dir.path(), &sweep, OpenMode::Run).unwrap());
}

#[test]
fn whoever_lives_here_and_says_nothing_for_a_lease_is_taken_over_and_learns_it() {
    let sweep = sweep(&[0.5], 3, Level::Cell, 9);
    let dir = folder();
    let mut hung = open(dir.path(), &sweep, OpenMode::Run).unwrap();
    let file = std::fs::File::options().write(true).open(layout::owner(dir.path())).unwrap();
    file.set_modified(std::time::SystemTime::now() - LEASE - LEASE).unwrap();
    assert_eq!(status(dir.path()).unwrap().state, Condition::Incomplete);
    let second = open(dir.path(), &sweep, OpenMode::Run).unwrap();
    // It is asked again when a heartbeat is due.
    std::thread::sleep(std::time::Duration::from_millis(5100));
    let error = hung.heartbeat().unwrap_err();
    assert_eq!(error.exit_code(), 4);
    drop(hung);
    assert_eq!(status(dir.path()).unwrap().state, Condition::Running, "the record is the second one's");
    drop(second);
}

#[test]
fn a_torn_record_is_taken_over() {
    let sweep = sweep(&[0.5], 3, Level::Cell, 9);
    let dir = folder();
    std::fs::create_dir_all(layout::journal(dir.path())).unwrap();
    std::fs::write(layout::owner(dir.path()), b"{ \"nonce\": 1").unwrap();
    drop(open(dir.path(), &sweep, OpenMode::Run).unwrap());
}
