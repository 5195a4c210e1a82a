//! The loop of a process that follows: takes tasks, reports what came of them.
//!
//! Ranks 1, 2, … of an MPI job run it; the main thread speaks with the lead and sleeps, the pool computes.

use std::time::Duration;

use crate::abort;
use crate::host;
use crate::links::Line;
use crate::messages::{Down, Up};
use crate::pool::{Ended, Pool};
use crate::signals::Signals;
use crate::work::Failure;
use crate::work::Work;

/// How long the lead's message may wait; shorter while messages keep coming.
const PROBE_MOST: Duration = Duration::from_millis(2);
const PROBE_LEAST: Duration = Duration::from_micros(100);

/// Works until the lead says that the run is over.
///
/// # Errors
/// If the messages make no sense or a compute thread panicked. What fails in a task is the lead's to report.
pub fn follow<W: Work>(
    pool: &mut Pool<W>,
    line: &mut impl Line<W::Task, W::Receipt>,
    signals: &Signals,
) -> Result<(), Failure> {
    let mut signalled = false;
    let mut patience = PROBE_LEAST;
    loop {
        abort::check();
        if signals.raised() && !signalled {
            signalled = true;
            // The lead will say so too, but launchers do not wait long between SIGTERM and SIGKILL.
            pool.halt();
            line.send(&Up::Signalled)?;
        }
        while let Some(message) = line.receive()? {
            patience = PROBE_LEAST;
            match message {
                Down::Assign { ticket, task } => pool.submit(ticket, task),
                Down::Drain => pool.halt(),
                Down::Bye => {
                    report_durable(pool, line)?;
                    line.send(&Up::Bye { cpu_seconds: host::cpu_seconds() })?;
                    return Ok(());
                }
                Down::Hello(_) => return Err(Failure::new("The lead introduced the run twice.")),
            }
        }
        let mut wait = patience;
        while let Some(ended) = pool.next(wait)? {
            wait = Duration::ZERO;
            report_end(line, ended)?;
        }
        report_durable(pool, line)?;
        patience = (patience * 2).min(PROBE_MOST);
    }
}

fn report_end<T, R>(line: &mut impl Line<T, R>, ended: Ended) -> Result<(), Failure> {
    let Ended { ticket, ending, seconds, receipts, failure } = ended;
    if let Some(failure) = failure {
        line.send(&Up::Failed(failure))?;
    }
    line.send(&Up::Ended { ticket, ending, seconds, receipts })
}

fn report_durable<W: Work>(
    pool: &mut Pool<W>,
    line: &mut impl Line<W::Task, W::Receipt>,
) -> Result<(), Failure> {
    match pool.durable() {
        Ok(receipts) if receipts.is_empty() => Ok(()),
        Ok(receipts) => line.send(&Up::Receipts(receipts)),
        Err(failure) => line.send(&Up::Failed(failure)),
    }
}
