//! How far a run is, on stderr: a bar on a terminal, one plain line a minute elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use metasweep_cluster::progress::{Phase, Progress};

use crate::arguments::Verbosity;
use crate::duration::show_duration;

/// Between two lines where stderr is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(60);

/// Shows progress as it comes in.
pub struct Reporter {
    shown: Shown,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines { last: Instant },
}

impl Reporter {
    /// A bar on a terminal, lines elsewhere, nothing when asked to be quiet.
    pub fn new(verbosity: Verbosity) -> Self {
        let shown = if verbosity == Verbosity::Quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            bar.set_style(
                // Both templates are constants that indicatif accepts; its own default is the fallback.
                ProgressStyle::with_template("{bar:16} {percent:>3}%  {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("█▉▊▋▌▍▎▏ "),
            );
            Shown::Bar(bar)
        } else {
            Shown::Lines { last: Instant::now() }
        };
        Reporter { shown }
    }

    /// Takes in the latest.
    pub fn update(&mut self, progress: &Progress) {
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_length(progress.tally.replicas_total);
                bar.set_position(progress.tally.replicas_done);
                bar.set_message(describe(progress));
            }
            Shown::Lines { last } => {
                if last.elapsed() >= PLAIN_INTERVAL {
                    *last = Instant::now();
                    let line = format!("metasweep: {}\n", describe(progress));
                    let _ = std::io::stderr().write_all(line.as_bytes());
                }
            }
        }
    }

    /// Takes the bar away.
    pub fn close(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// One line: what it is busy with, cells, replicas, rate, time left, failures.
fn describe(progress: &Progress) -> String {
    let tally = &progress.tally;
    let mut line = match progress.phase {
        Phase::Computing => String::new(),
        Phase::Sealing => "sealing · ".to_owned(),
        Phase::Draining => "stopping: writing what is done · ".to_owned(),
        Phase::Finishing => "finishing · ".to_owned(),
    };
    line += &format!(
        "{}/{} cells · {}/{} replicas",
        tally.cells_done, tally.cells_total, tally.replicas_done, tally.replicas_total,
    );
    if progress.rate > 0.0 {
        line += &format!(" · {}/s", show_rate(progress.rate));
    }
    if let Some(eta) = progress.eta.filter(|_| progress.phase == Phase::Computing) {
        line += &format!(" · {} left", show_duration(eta));
    }
    if tally.replicas_failed > 0 {
        line += &format!(" · {} failed", tally.replicas_failed);
    }
    line
}

/// Three digits are enough.
pub fn show_rate(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.2}") } else { format!("{rate:.0}") }
}

#[cfg(test)]
mod tests {
    use metasweep_cluster::work::Tally;

    use super::*;

    fn progress(phase: Phase) -> Progress {
        Progress {
            phase,
            tally: Tally {
                cells_done: 3,
                cells_total: 12,
                replicas_done: 310,
                replicas_total: 1200,
                replicas_failed: 0,
            },
            rate: 41.26,
            eta: Some(Duration::from_secs(200)),
            elapsed: Duration::from_secs(7),
            ranks: 1,
            threads: 2,
        }
    }

    #[test]
    fn a_line_says_how_far() {
        assert_eq!(
            describe(&progress(Phase::Computing)),
            "3/12 cells · 310/1200 replicas · 41/s · 3 min 20 s left"
        );
    }

    #[test]
    fn failures_are_said() {
        let mut failing = progress(Phase::Draining);
        failing.tally.replicas_failed = 2;
        failing.rate = 0.5;
        assert_eq!(
            describe(&failing),
            "stopping: writing what is done · 3/12 cells · 310/1200 replicas · 0.50/s · 2 failed"
        );
    }
}
