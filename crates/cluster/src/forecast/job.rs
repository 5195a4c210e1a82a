//! One job of the chain, event by event.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::run::LEAD_COMPUTES_UP_TO;
use crate::scheduler::{Scheduler, Ticket, Walltime};

use super::Conditions;

/// A chunk.
#[derive(Clone, Copy)]
pub(super) struct Task {
    /// Seconds of a thread, as the lead believes.
    pub predicted: f64,
    /// And in truth.
    pub seconds: f64,
    pub class: u32,
}

/// What is done in a task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Compute,
    /// Cut off by the walltime: the rest waits for the next job.
    Interrupted,
    Upkeep,
}

/// A task in somebody's hands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    worker: u32,
    ticket: Ticket,
    index: u32,
    kind: Kind,
}

/// What happens at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// An assignment reaches a worker.
    Arrives(Piece),
    /// A worker's thread ends a task.
    Ends(Piece),
    /// The lead may take the news of an end.
    Heard(Piece),
}

#[derive(Default, Clone)]
struct Rank {
    running: u32,
    prefetched: VecDeque<Piece>,
}

/// A job that is under way.
pub(super) struct Job<'a> {
    conditions: &'a Conditions,
    /// When computing has to stop.
    last_call: f64,
    scheduler: Scheduler<(u32, Kind)>,
    tasks: Vec<Task>,
    done: Vec<bool>,
    upkeep: Vec<f64>,
    upkeep_given: usize,
    upkeep_done: Vec<bool>,
    ended: usize,
    ranks: Vec<Rank>,
    /// Times as bits: times are not negative, and their bits are in their order.
    events: BinaryHeap<Reverse<(u64, Event)>>,
    /// When the lead is free.
    free: f64,
    busy: f64,
    messages: u64,
    longest_wait: f64,
    /// When the first thread found nothing more to do.
    first_idle: Option<f64>,
    last_end: f64,
    /// Seconds that threads computed after that.
    computed_after: f64,
}

/// How it ended.
pub(super) struct Outcome {
    pub makespan: f64,
    pub messages: u64,
    pub lead_busy: f64,
    pub longest_wait: f64,
    pub idle_at_the_end: f64,
    pub left: Vec<Task>,
    pub upkeep_left: Vec<f64>,
}

impl<'a> Job<'a> {
    pub(super) fn new(conditions: &'a Conditions, tasks: Vec<Task>, upkeep: Vec<f64>) -> Self {
        let walltime = conditions.walltime.map(Walltime::of);
        let mut scheduler = Scheduler::new(walltime);
        for rank in 0..conditions.ranks {
            // As in a real run.
            let threads =
                if rank == 0 && conditions.ranks > LEAD_COMPUTES_UP_TO { 0 } else { conditions.threads };
            scheduler.add_worker(threads, (threads / 2).max(2));
        }
        for (index, task) in tasks.iter().enumerate() {
            scheduler.add_compute((index as u32, Kind::Compute), task.predicted, task.class);
        }
        Job {
            conditions,
            last_call: walltime.map_or(f64::INFINITY, |walltime| walltime.last_call()),
            scheduler,
            done: vec![false; tasks.len()],
            tasks,
            upkeep_given: 0,
            upkeep_done: vec![false; upkeep.len()],
            upkeep,
            ended: 0,
            ranks: vec![Rank::default(); conditions.ranks],
            events: BinaryHeap::new(),
            free: 0.0,
            busy: 0.0,
            messages: 0,
            longest_wait: 0.0,
            first_idle: None,
            last_end: 0.0,
            computed_after: 0.0,
        }
    }

    pub(super) fn run(mut self) -> Outcome {
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
                Event::Arrives(piece) => self.arrives(now, piece),
                Event::Ends(piece) => self.ends(now, piece),
                Event::Heard(piece) => self.heard(now, piece),
            }
        }
        let idle_from = self.first_idle.unwrap_or(self.last_end);
        let threads = self.conditions.ranks as f64 * f64::from(self.conditions.threads);
        let left = self.tasks.iter().zip(&self.done).filter(|(_, done)| !**done).map(|(task, _)| *task);
        let upkeep = self.upkeep.iter().zip(&self.upkeep_done).filter(|(_, done)| !**done);
        Outcome {
            makespan: self.last_end.max(self.free),
            messages: self.messages,
            lead_busy: self.busy,
            longest_wait: self.longest_wait,
            idle_at_the_end: ((self.last_end - idle_from) * threads - self.computed_after).max(0.0),
            left: left.collect(),
            upkeep_left: upkeep.map(|(seconds, _)| *seconds).collect(),
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

    /// Until a message is noticed; the lead's own threads are beside it.
    fn way(&self, worker: u32) -> f64 {
        if worker == 0 { 0.0 } else { self.conditions.latency }
    }

    fn hand_out(&mut self, now: f64) {
        // The lead's own clock goes on while it hands out.
        while let Some(assignment) = self.scheduler.assign(self.free.max(now)) {
            let sent = self.handle(now);
            let (index, kind) = assignment.task;
            let piece = Piece { worker: assignment.worker as u32, ticket: assignment.ticket, index, kind };
            self.at(sent + self.way(piece.worker), Event::Arrives(piece));
        }
    }

    fn arrives(&mut self, now: f64, piece: Piece) {
        let rank = &mut self.ranks[piece.worker as usize];
        if rank.running < self.conditions.threads {
            self.begin(now, piece);
        } else {
            rank.prefetched.push_back(piece);
        }
    }

    fn begin(&mut self, now: f64, piece: Piece) {
        let index = piece.index as usize;
        if piece.kind == Kind::Upkeep {
            self.ranks[piece.worker as usize].running += 1;
            self.at(now + self.upkeep[index], Event::Ends(piece));
            return;
        }
        // What waits when the time is over is not begun.
        if now >= self.last_call {
            return;
        }
        self.ranks[piece.worker as usize].running += 1;
        let task = &mut self.tasks[index];
        let end = now + task.seconds;
        if end <= self.last_call {
            self.at(end, Event::Ends(piece));
            return;
        }
        // The rest is another job's.
        let rest = end - self.last_call;
        task.predicted *= rest / task.seconds;
        task.seconds = rest;
        self.at(self.last_call, Event::Ends(Piece { kind: Kind::Interrupted, ..piece }));
    }

    fn ends(&mut self, now: f64, piece: Piece) {
        self.last_end = now;
        let seconds = self.seconds(piece);
        if let Some(first) = self.first_idle {
            self.computed_after += seconds.min(now - first);
        }
        let rank = &mut self.ranks[piece.worker as usize];
        rank.running -= 1;
        if let Some(next) = rank.prefetched.pop_front() {
            self.begin(now, next);
        } else if self.scheduler.waiting() == 0 && self.first_idle.is_none() {
            self.first_idle = Some(now);
        }
        self.at(now + self.way(piece.worker), Event::Heard(piece));
    }

    fn seconds(&self, piece: Piece) -> f64 {
        match piece.kind {
            Kind::Upkeep => self.upkeep[piece.index as usize],
            Kind::Compute => self.tasks[piece.index as usize].seconds,
            // It has no tail: others are cut off at the same time.
            Kind::Interrupted => 0.0,
        }
    }

    fn heard(&mut self, now: f64, piece: Piece) {
        // The end of the task, and a moment later its receipt.
        self.handle(now);
        self.handle(now);
        let index = piece.index as usize;
        // A ticket that the scheduler does not know would be a fault of this simulation: the task would stay undone.
        let worker = piece.worker as usize;
        let known = match piece.kind {
            Kind::Interrupted => self.scheduler.returned(worker, piece.ticket),
            _ => self.scheduler.finished(worker, piece.ticket, self.seconds(piece)),
        };
        debug_assert!(known.is_ok(), "{known:?}");
        match piece.kind {
            Kind::Compute => {
                self.done[index] = true;
                self.ended += 1;
            }
            Kind::Upkeep => self.upkeep_done[index] = true,
            Kind::Interrupted => {}
        }
        self.release_upkeep();
        self.hand_out(now);
    }

    /// Parts become complete as the sweep goes on.
    fn release_upkeep(&mut self) {
        let all = self.upkeep.len();
        let due = match self.tasks.len() {
            0 => all,
            tasks => (all as u64 * self.ended as u64 / tasks as u64) as usize,
        };
        while self.upkeep_given < due {
            self.scheduler.add_upkeep((self.upkeep_given as u32, Kind::Upkeep));
            self.upkeep_given += 1;
        }
    }
}
