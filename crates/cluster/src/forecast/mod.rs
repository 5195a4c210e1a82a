//! A run on paper: the same scheduler, driven by a discrete-event simulation of ranks, threads, messages and the lead.
//!
//! The lead takes one message at a time, each for [`Conditions::handling`] seconds; messages travel for `latency`; a thread that has
//! nothing prefetched idles until its next task has come. Tasks take their predicted cost times a factor that the lead does not know. What a
//! walltime cuts off is checkpointed and goes on in the next link, which has a start-up of its own.
//!
//! ```
//! use metasweep_cluster::forecast::{Conditions, forecast};
//! // 8000 chunks of two seconds on 100 ranks.
//! let chunks = vec![(2.0, 0); 8000];
//! let forecast = forecast(&chunks, &[], &Conditions::of(100, 1, None));
//! assert!(forecast.efficiency > 0.9 && forecast.makespan > 160.0);
//! ```

mod job;

use std::time::Duration;

use serde::Serialize;

use self::job::{Job, Task};

/// Links of a chain that are simulated, at most.
const LINKS: u32 = 1000;

/// Where the run takes place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Processes.
    pub ranks: usize,
    /// Compute threads of each.
    pub threads: u32,
    /// Of one job.
    pub walltime: Option<Duration>,
    /// Seconds from the start of a job to the first task, plus what each rank's introduction takes at the lead.
    pub startup: f64,
    /// Seconds of the lead for each message, sent or received, and what it makes of it.
    pub handling: f64,
    /// Seconds from sending to being noticed: the network, and sleeping between two looks.
    pub latency: f64,
    /// Standard deviation of the logarithm of true over predicted cost, chunk by chunk.
    pub spread: f64,
}

impl Conditions {
    /// As measured (docs/scale.md): 0.5 s to start, 40 µs a message (an upper bound), half of the longest sleep between looks on both sides,
    /// chunks that take 10% more or less than predicted.
    #[must_use]
    pub fn of(ranks: usize, threads: u32, walltime: Option<Duration>) -> Self {
        Conditions { ranks, threads, walltime, startup: 0.5, handling: 40e-6, latency: 2e-3, spread: 0.1 }
    }
}

/// What would happen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Forecast {
    /// Seconds from the start to the last end of a task, all links together, without waiting in the queue.
    pub makespan: f64,
    /// Share of all threads' time until then in which they compute.
    pub efficiency: f64,
    /// Jobs.
    pub links: u32,
    /// Whether they are enough: no walltime is too short for anything to be done in it, or for the thousandth job to be the last.
    pub finishes: bool,
    /// Messages that the lead sends and receives.
    pub messages: u64,
    /// Of them each second.
    pub messages_per_second: f64,
    /// Share of the makespan in which the lead handles messages.
    pub lead_busy: f64,
    /// Share of all threads' time that is lost between the moment when the first thread finds no further task and the end.
    pub tail: f64,
    /// Longest time that the lead's messages wait for it, seconds.
    pub longest_wait: f64,
}

/// Runs `compute` (cost in seconds of a thread, class) and `upkeep` (seconds) on paper. Upkeep appears evenly while computing goes on.
#[must_use]
pub fn forecast(compute: &[(f64, u32)], upkeep: &[f64], conditions: &Conditions) -> Forecast {
    let mut left: Vec<Task> = compute
        .iter()
        .enumerate()
        .map(|(index, (cost, class))| Task {
            predicted: *cost,
            seconds: cost * libm::exp(conditions.spread * normal(index as u64)),
            class: *class,
        })
        .collect();
    let mut upkeep = upkeep.to_vec();
    let total = seconds(&left) + upkeep.iter().sum::<f64>();
    let mut all = Forecast::default();
    let mut busy = 0.0;
    while all.links < LINKS && !all.finishes {
        let before = seconds(&left) + upkeep.iter().sum::<f64>();
        let end = Job::new(conditions, std::mem::take(&mut left), std::mem::take(&mut upkeep)).run();
        all.links += 1;
        all.makespan += end.makespan;
        all.messages += end.messages;
        all.longest_wait = all.longest_wait.max(end.longest_wait);
        all.tail += end.idle_at_the_end;
        busy += end.lead_busy;
        (left, upkeep) = (end.left, end.upkeep_left);
        all.finishes = left.is_empty() && upkeep.is_empty();
        if !all.finishes && seconds(&left) + upkeep.iter().sum::<f64>() >= before {
            break;
        }
    }
    let threads = conditions.ranks as f64 * f64::from(conditions.threads);
    let computed = total - seconds(&left) - upkeep.iter().sum::<f64>();
    all.efficiency = computed / (all.makespan * threads).max(f64::MIN_POSITIVE);
    all.messages_per_second = all.messages as f64 / all.makespan.max(f64::MIN_POSITIVE);
    all.lead_busy = busy / all.makespan.max(f64::MIN_POSITIVE);
    all.tail /= (all.makespan * threads).max(f64::MIN_POSITIVE);
    all
}

fn seconds(tasks: &[Task]) -> f64 {
    tasks.iter().map(|task| task.seconds).sum()
}

/// A number as from a normal distribution, always the same for an index: SplitMix64, then Box and Muller.
fn normal(index: u64) -> f64 {
    let uniform = |state: u64| {
        let mut z = state.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let (radius, angle) = (1.0 - uniform(2 * index + 1), uniform(2 * index + 2));
    libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(2.0 * std::f64::consts::PI * angle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ideal(ranks: usize, threads: u32, walltime: Option<f64>) -> Conditions {
        let walltime = walltime.map(Duration::from_secs_f64);
        Conditions {
            startup: 0.0,
            handling: 0.0,
            latency: 0.0,
            spread: 0.0,
            ..Conditions::of(ranks, threads, walltime)
        }
    }

    #[test]
    fn without_overheads_it_is_list_scheduling_with_one_task_prefetched() {
        let costs: Vec<(f64, u32)> = [4.0, 7.0, 3.0, 6.0, 5.0].iter().map(|cost| (*cost, 0)).collect();
        // Two ranks: 7 then 5, prefetched | 6, 4, 3. One rank with two threads: 7, 4 | 6, 5, then 3.
        for (ranks, threads, makespan) in [(2, 1, 13.0), (1, 2, 14.0)] {
            let forecast = forecast(&costs, &[], &ideal(ranks, threads, None));
            assert_eq!(forecast.makespan, makespan);
            assert!((forecast.efficiency - 25.0 / (2.0 * makespan)).abs() < 1e-12);
            assert_eq!(forecast.links, 1);
        }
    }

    #[test]
    fn a_walltime_makes_links_and_loses_nothing() {
        let costs = vec![(1.0, 0); 95];
        let forecast = forecast(&costs, &[], &ideal(1, 1, Some(11.0)));
        // 9.9 seconds of each job, the rest is kept for writing. The tenth task was prefetched: it is begun, and checkpointed.
        assert_eq!((forecast.links, forecast.finishes), (10, true));
        assert!((forecast.makespan - 95.0).abs() < 1e-9, "{forecast:?}");
    }

    #[test]
    fn what_is_longer_than_a_walltime_is_checkpointed_and_goes_on() {
        // 9.9 s of each job: 35 s take four of them, and nothing is computed twice.
        let forecast_of = |walltime| forecast(&[(35.0, 0)], &[], &ideal(1, 1, Some(walltime)));
        let long = forecast_of(11.0);
        assert_eq!((long.links, long.finishes), (4, true));
        assert!((long.makespan - 35.0).abs() < 1e-9 && (long.efficiency - 1.0).abs() < 1e-9, "{long:?}");
        // A second is kept for writing: nothing is left of it.
        let never = forecast_of(1.0);
        assert_eq!((never.links, never.finishes, never.efficiency), (1, false, 0.0));
    }

    #[test]
    fn a_lead_that_is_too_slow_is_what_it_waits_for() {
        let costs = vec![(0.1, 0); 10_000];
        let slow = Conditions { handling: 1e-3, ..ideal(100, 1, None) };
        let forecast = forecast(&costs, &[], &slow);
        // Three messages a task: 30 s instead of 10.
        assert!(forecast.makespan > 29.0 && forecast.lead_busy > 0.95, "{forecast:?}");
        assert!(forecast.efficiency < 0.35);
    }

    #[test]
    fn upkeep_is_done_and_the_tail_is_what_is_lost_at_the_end() {
        let forecast_of = |upkeep: &[f64]| forecast(&[(10.0, 0), (5.0, 0)], upkeep, &ideal(2, 1, None));
        assert_eq!(forecast_of(&[]).makespan, 10.0);
        assert!((forecast_of(&[]).tail - 0.25).abs() < 1e-12);
        // One part is complete when half of the chunks are, the other at the end.
        assert_eq!(forecast_of(&[1.0, 1.0]).makespan, 11.0);
    }

    #[test]
    fn numbers_are_as_from_a_normal_distribution() {
        let numbers: Vec<f64> = (0..10_000).map(normal).collect();
        let mean = numbers.iter().sum::<f64>() / 1e4;
        let variance = numbers.iter().map(|number| number * number).sum::<f64>() / 1e4;
        // Four standard errors of each.
        assert!(mean.abs() < 0.04 && (variance - 1.0).abs() < 4.0 * 1.42e-2, "{mean} {variance}");
    }
}
