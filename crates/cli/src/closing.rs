//! What a run says at its beginning and at its end.

use std::path::Path;

use metasweep_cluster::lead::Finish;
use metasweep_cluster::run::{RunEnd, Summary};
use metasweep_sweep::sweep::{Level, Sweep};

use crate::arguments::Verbosity;
use crate::duration::show_duration;
use crate::output::count;
use crate::progress::show_rate;

/// What is about to run, and where the rows go.
pub fn opening(sweep: &Sweep, out: &Path, ranks: usize, verbosity: Verbosity) {
    if verbosity == Verbosity::Quiet {
        return;
    }
    let on = if ranks > 1 { format!(" on {ranks} ranks") } else { String::new() };
    say(&format!(
        "metasweep: {} · {} × {}{on} → {}\n",
        sweep.name,
        count(sweep.cells.len() as u64, "cell"),
        count(u64::from(sweep.replicas), "replica"),
        out.display()
    ));
}

/// How it ended, where the data is, and how to open it.
pub fn closing(end: &RunEnd, sweep: &Sweep, out: &Path, verbosity: Verbosity) {
    let (RunEnd::Complete(summary) | RunEnd::AlreadyComplete(summary) | RunEnd::Incomplete { summary, .. }) =
        end;
    for warning in &summary.warnings {
        say(&format!("warning: {warning}\n"));
    }
    if summary.tally.replicas_failed > 0 {
        say(&format!(
            "warning: {} failed; `metasweep status {} --failed` says which and why\n",
            count(summary.tally.replicas_failed, "replica"),
            out.display()
        ));
    }
    if verbosity == Verbosity::Quiet {
        return;
    }
    say(&match end {
        RunEnd::Complete(summary) => format!("{}{}", complete(summary), how_to_open(sweep, out)),
        RunEnd::AlreadyComplete(_) => format!(
            "metasweep: {} is complete: it holds this sweep already, nothing to do\n{}",
            out.display(),
            how_to_open(sweep, out)
        ),
        RunEnd::Incomplete { why, summary } => incomplete(*why, summary, out),
    });
}

fn complete(summary: &Summary) -> String {
    let seconds = summary.elapsed.as_secs_f64().max(1e-3);
    let workers = match summary.ranks {
        1 => count(summary.threads as u64, "thread"),
        ranks => format!("{ranks} ranks, {}", count(summary.threads as u64, "thread")),
    };
    format!(
        "metasweep: complete in {}: {} computed ({}/s, {workers})\n",
        show_duration(summary.elapsed),
        count(summary.computed, "replica"),
        show_rate(summary.computed as f64 / seconds),
    )
}

fn incomplete(why: Finish, summary: &Summary, out: &Path) -> String {
    let reason = match why {
        Finish::Walltime => "the walltime",
        Finish::Signal | Finish::Complete => "a signal",
    };
    format!(
        "metasweep: stopped by {reason} after {}: {} of {} replicas are done and safe in {}\n  run the same command again to go on\n",
        show_duration(summary.elapsed),
        summary.tally.replicas_done,
        summary.tally.replicas_total,
        out.display()
    )
}

/// Three lines of Python that open the series.
fn how_to_open(sweep: &Sweep, out: &Path) -> String {
    let folder = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    // A Python string literal: the path may hold quotes and backslashes.
    let glob = serde_json::Value::from(format!("{}/series/**/*.parquet", folder.display()));
    let series = match sweep.observe.level {
        Level::Cell => "series (means and quantiles over replicas)",
        Level::Replica => "series (of every replica)",
    };
    let more = [
        (sweep.observe.plateaus, ", plateaus"),
        (sweep.observe.merges, ", merges"),
        (sweep.observe.snapshots.is_some(), ", tokens"),
        (sweep.observe.attention.is_some(), ", attention"),
        (!sweep.observe.histograms.is_empty(), ", histogram"),
    ];
    let more: String = more.iter().filter(|(written, _)| *written).map(|(_, name)| *name).collect();
    format!(
        "  {}: {series}, replicas, cells{more}. In polars:\n\n    import polars as pl\n    series = pl.read_parquet({glob})\n    \
         print(series)\n",
        out.display()
    )
}

/// One write, so that nothing comes in between.
fn say(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}
