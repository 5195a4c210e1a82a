//! A run on paper: the same scheduler, driven by a discrete-event simulation of ranks, threads, messages and the lead.
//!
//! The lead takes one message at a time, each for [`Conditions::handling`] seconds; messages travel for `latency`; a thread that has
//! nothing prefetched idles until its next task has come. Tasks take their predicted cost times a factor that the lead does not know. What a
//! walltime cuts off goes to the next link, with a start-up of its own.
//!
//! ```
//! use metasweep_cluster::forecast::{Conditions, forecast};
//! // 8000 chunks of two seconds on 100 ranks.
//! let chunks = vec![(2.0, 0); 8000];
//! let forecast = forecast(&chunks, &[], &Conditions::of(100, 1, None));
//! assert!(forecast.efficiency > 0.9 && forecast.makespan > 160.0);
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use crate::run::LEAD_COMPUTES_UP_TO;
use crate::scheduler::{Scheduler, Ticket, Walltime};

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
    /// As measured (docs/scale.md): 0.5 s to start, 40 µs a message (an upper bound), half of the longest sleep between looks on both sides, chunks that take
    /// 10% more or less than predicted.
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
    let computing: f64 = left.iter().map(|task| task.seconds).sum();
    let total = computing + upkeep.iter().sum::<f64>();
    let mut upkeep: VecDeque<f64> = upkeep.iter().copied().collect();
    let mut all = Forecast::default();
    let mut busy = 0.0;
    while all.links < LINKS && (!left.is_empty() || !upkeep.is_empty() || all.links == 0) {
        let before = left.len() + upkeep.len();
        let link = Link::new(conditions, std::mem::take(&mut left), std::mem::take(&mut upkeep));
        let end = link.run();
        all.links += 1;
        all.makespan += end.makespan;
        all.messages += end.messages;
        all.longest_wait = all.longest_wait.max(end.longest_wait);
        all.tail += end.idle_at_the_end;
        busy += end.lead_busy;
        (left, upkeep) = (end.left, end.upkeep_left);
        if left.len() + upkeep.len() == before {
            // Nothing fits into a job: a replica is longer than it, and goes on from its checkpoint.
            all.links += ((computing / (conditions.ranks as f64)) / all.makespan.max(1.0)) as u32;
            break;
        }
    }
    let threads = conditions.ranks as f64 * f64::from(conditions.threads);
    all.efficiency = total / (all.makespan * threads).max(f64::MIN_POSITIVE);
    all.messages_per_second = all.messages as f64 / all.makespan.max(f64::MIN_POSITIVE);
    all.lead_busy = busy / all.makespan.max(f64::MIN_POSITIVE);
    all.tail /= (all.makespan * threads).max(f64::MIN_POSITIVE);
    all
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

#[derive(Clone, Copy)]
struct Task {
    predicted: f64,
    seconds: f64,
    class: u32,
}

/// What happens at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// An assignment reaches a worker.
    Arrives { worker: u32, ticket: Ticket, index: u32, upkeep: bool },
    /// A worker's thread ends a task.
    Ends { worker: u32, ticket: Ticket, index: u32, upkeep: bool },
    /// The lead may take the news of an end.
    Heard { worker: u32, ticket: Ticket, index: u32, upkeep: bool },
}

#[derive(Default, Clone)]
struct Rank {
    running: u32,
    prefetched: VecDeque<(Ticket, u32, bool)>,
}

/// One job.
struct Link<'a> {
    conditions: &'a Conditions,
    scheduler: Scheduler<(u32, bool)>,
    tasks: Vec<Task>,
    upkeep: Vec<f64>,
    upkeep_given: usize,
    ranks: Vec<Rank>,
    /// Times as bits: times are not negative, and their bits are in their order.
    events: BinaryHeap<Reverse<(u64, Event)>>,
    done: Vec<bool>,
    upkeep_done: usize,
    ended: usize,
    /// When the lead is free.
    free: f64,
    busy: f64,
    messages: u64,
    longest_wait: f64,
    /// When the last task of each ended, as a sum and a count: for the tail.
    first_idle: Option<f64>,
    last_end: f64,
    computed_after: f64,
}

struct Outcome {
    makespan: f64,
    messages: u64,
    lead_busy: f64,
    longest_wait: f64,
    idle_at_the_end: f64,
    left: Vec<Task>,
    upkeep_left: VecDeque<f64>,
}

impl<'a> Link<'a> {
    fn new(conditions: &'a Conditions, tasks: Vec<Task>, upkeep: VecDeque<f64>) -> Self {
        let mut scheduler = Scheduler::new(conditions.walltime.map(Walltime::of));
        for rank in 0..conditions.ranks {
            // As in a real run.
            let threads =
                if rank == 0 && conditions.ranks > LEAD_COMPUTES_UP_TO { 0 } else { conditions.threads };
            scheduler.add_worker(threads, (threads / 2).max(2));
        }
        for (index, task) in tasks.iter().enumerate() {
            scheduler.add_compute((index as u32, false), task.predicted, task.class);
        }
        Link {
            conditions,
            scheduler,
            done: vec![false; tasks.len()],
            tasks,
            upkeep: upkeep.into(),
            upkeep_given: 0,
            ranks: vec![Rank::default(); conditions.ranks],
            events: BinaryHeap::new(),
            upkeep_done: 0,
            ended: 0,
            free: 0.0,
            busy: 0.0,
            messages: 0,
            longest_wait: 0.0,
            first_idle: None,
            last_end: 0.0,
            computed_after: 0.0,
        }
    }

    fn at(&mut self, time: f64, event: Event) {
        self.events.push(Reverse((time.to_bits(), event)));
    }

    /// The lead works for one message; when it is done with it.
    fn handle(&mut self, now: f64) -> f64 {
        self.longest_wait = self.longest_wait.max(self.free - now);
        self.free = self.free.max(now) + self.conditions.handling;
        self.busy += self.conditions.handling;
        self.messages += 1;
        self.free
    }

    fn run(mut self) -> Outcome {
        // Every rank introduces itself and is told what the run is about.
        let start = self.conditions.startup;
        for _ in 1..self.conditions.ranks {
            self.handle(start);
            self.handle(start);
        }
        self.release_upkeep();
        self.free = self.free.max(start);
        self.hand_out(self.free);
        while let Some(Reverse((time, event))) = self.events.pop() {
            let now = f64::from_bits(time);
            match event {
                Event::Arrives { worker, ticket, index, upkeep } => {
                    self.arrives(now, worker, ticket, index, upkeep);
                }
                Event::Ends { worker, ticket, index, upkeep } => {
                    self.ends(now, worker, ticket, index, upkeep);
                }
                Event::Heard { worker, ticket, index, upkeep } => {
                    self.heard(now, worker, ticket, index, upkeep);
                }
            }
        }
        let idle_from = self.first_idle.unwrap_or(self.last_end);
        let threads = self.conditions.ranks as f64 * f64::from(self.conditions.threads);
        let left = self.tasks.iter().zip(&self.done).filter(|(_, done)| !**done).map(|(task, _)| *task);
        Outcome {
            makespan: self.last_end.max(self.free),
            messages: self.messages,
            lead_busy: self.busy,
            longest_wait: self.longest_wait,
            idle_at_the_end: ((self.last_end - idle_from) * threads - self.computed_after).max(0.0),
            left: left.collect(),
            upkeep_left: self.upkeep[self.upkeep_done.min(self.upkeep.len())..].iter().copied().collect(),
        }
    }

    fn hand_out(&mut self, now: f64) {
        // The lead's own clock goes on while it hands out.
        while let Some(assignment) = self.scheduler.assign(self.free.max(now)) {
            let sent = self.handle(now);
            let (index, upkeep) = assignment.task;
            let way = if assignment.worker == 0 { 0.0 } else { self.conditions.latency };
            let worker = assignment.worker as u32;
            self.at(sent + way, Event::Arrives { worker, ticket: assignment.ticket, index, upkeep });
        }
    }

    fn arrives(&mut self, now: f64, worker: u32, ticket: Ticket, index: u32, upkeep: bool) {
        let rank = &mut self.ranks[worker as usize];
        if rank.running < self.conditions.threads {
            self.begin(now, worker, ticket, index, upkeep);
        } else {
            rank.prefetched.push_back((ticket, index, upkeep));
        }
    }

    fn begin(&mut self, now: f64, worker: u32, ticket: Ticket, index: u32, upkeep: bool) {
        self.ranks[worker as usize].running += 1;
        let seconds = if upkeep { self.upkeep[index as usize] } else { self.tasks[index as usize].seconds };
        self.at(now + seconds, Event::Ends { worker, ticket, index, upkeep });
    }

    fn ends(&mut self, now: f64, worker: u32, ticket: Ticket, index: u32, upkeep: bool) {
        self.last_end = now;
        let seconds = if upkeep { self.upkeep[index as usize] } else { self.tasks[index as usize].seconds };
        if let Some(first) = self.first_idle {
            self.computed_after += seconds.min(now - first);
        }
        let rank = &mut self.ranks[worker as usize];
        rank.running -= 1;
        if let Some((ticket, index, upkeep)) = rank.prefetched.pop_front() {
            self.begin(now, worker, ticket, index, upkeep);
        } else if self.scheduler.waiting() == 0 && self.first_idle.is_none() {
            self.first_idle = Some(now);
        }
        let way = if worker == 0 { 0.0 } else { self.conditions.latency };
        self.at(now + way, Event::Heard { worker, ticket, index, upkeep });
    }

    fn heard(&mut self, now: f64, worker: u32, ticket: Ticket, index: u32, upkeep: bool) {
        // The end of the task, and a moment later its receipt.
        self.handle(now);
        self.handle(now);
        let seconds = if upkeep { 0.0 } else { self.tasks[index as usize].seconds };
        // A ticket that it does not know would be a fault of this simulation; the task then stays undone.
        if self.scheduler.finished(worker as usize, ticket, seconds).is_ok() {
            self.ended += 1;
            if upkeep {
                self.upkeep_done += 1;
            } else {
                self.done[index as usize] = true;
            }
        }
        self.release_upkeep();
        self.hand_out(now);
    }

    /// Parts become complete as the sweep goes on.
    fn release_upkeep(&mut self) {
        let due = if self.tasks.is_empty() {
            self.upkeep.len()
        } else {
            let computed = self.ended.saturating_sub(self.upkeep_done);
            (self.upkeep.len() as u64 * computed as u64 / self.tasks.len() as u64) as usize
        };
        while self.upkeep_given < due.min(self.upkeep.len()) {
            self.scheduler.add_upkeep((self.upkeep_given as u32, true));
            self.upkeep_given += 1;
        }
    }
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
        // Ten seconds of each job, the rest is kept for writing.
        assert_eq!(forecast.links, 10);
        assert!((forecast.makespan - 95.0).abs() < 1.0, "{forecast:?}");
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
