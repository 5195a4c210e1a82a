//! Signals to a real process: this test binary, started again as a child that hears signals and otherwise only waits.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use metasweep_cluster::signals::{EXIT_INCOMPLETE, Signals};

const ROLE: &str = "METASWEEP_TEST_ROLE";

/// The child: says when it hears, says when it has heard, and never ends by itself.
#[test]
fn child() {
    if std::env::var(ROLE).is_err() {
        return;
    }
    let signals = Signals::install().unwrap();
    println!("\nhearing");
    let begun = Instant::now();
    while !signals.raised() && begun.elapsed() < Duration::from_secs(30) {
        sleep(Duration::from_millis(5));
    }
    println!("\nraised");
    // As if the disk did not answer.
    sleep(Duration::from_secs(30));
}

fn start() -> (Child, impl FnMut(&str)) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(ROLE, "child")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut wait_for = move |word: &str| {
        let line = lines.find(|line| line.as_ref().is_ok_and(|line| line == word));
        assert!(line.is_some(), "the child never said `{word}`");
    };
    wait_for("hearing");
    (child, wait_for)
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

fn ended_within(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        sleep(Duration::from_millis(5));
    }
    None
}

#[test]
fn a_second_signal_ends_the_process_even_if_nobody_looks() {
    for (signal, pause) in [("INT", 300), ("TERM", 1300)] {
        let (mut child, mut wait_for) = start();
        send(&child, signal);
        wait_for("raised");
        assert!(ended_within(&mut child, Duration::from_millis(pause)).is_none(), "the first only asks");
        send(&child, signal);
        let status = ended_within(&mut child, Duration::from_secs(5)).expect("the second ends it");
        assert_eq!(status.code(), Some(EXIT_INCOMPLETE));
    }
}

#[test]
fn a_request_that_arrives_twice_is_one() {
    let (mut child, mut wait_for) = start();
    send(&child, "TERM");
    wait_for("raised");
    // SIGUSR1 never ends a process, however often; other kinds of signals count for themselves.
    for signal in ["TERM", "USR1", "USR1", "INT"] {
        send(&child, signal);
    }
    assert!(ended_within(&mut child, Duration::from_millis(300)).is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}
