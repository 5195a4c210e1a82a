//! Who computes what next: a pure state machine, without I/O and without a clock of its own.
//!
//! The lead ([`crate::lead`]) drives it with what really happens; tests and simulations drive it with
//! what might. Times are seconds since the run began, and come in as arguments. `T` is whatever a
//! worker needs to know of a task; the scheduler never looks into it.
//!
//! Rules
//! * *Upkeep* (aggregating, sealing) goes before computing, because it frees staging; a worker does no
//!   more than a given number of them at once, because each needs memory for a whole part.
//! * Computing goes most expensive first, so that the last tasks of a run are short ones.
//! * Each worker has at most as many tasks in hand as threads, and one more, prefetched, once no worker
//!   anywhere has an idle thread.
//! * Near the end of the walltime only what would still finish is handed out. A task that would not
//!   finish in a whole walltime is handed out all the same: it is checkpointed and goes on next time.
//! * Predicted costs are corrected by what tasks really took. That changes the order of work, never a result.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::correction::Correction;

/// Names a task from when it is handed out until it has ended; never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// A worker: a process with threads. Numbered from 0 in the order of [`Scheduler::add_worker`].
pub type Worker = usize;

/// A task, handed to a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment<T> {
    /// Who does it.
    pub worker: Worker,
    /// Its name while it is out.
    pub ticket: Ticket,
    /// What to do.
    pub task: T,
}

/// An ending was reported for a task that this worker does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("worker {worker} reported task {}, which it was not given or has already ended", ticket.0)]
pub struct UnknownTask {
    /// Who reported.
    pub worker: Worker,
    /// What it reported.
    pub ticket: Ticket,
}

/// When the run has to end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Walltime {
    /// Seconds from the start of the run at which everything must have been written.
    pub end: f64,
    /// Seconds before `end` that draining and writing may take.
    pub margin: f64,
}

impl Walltime {
    /// When handing out stops altogether.
    #[must_use]
    pub fn last_call(&self) -> f64 {
        self.end - self.margin
    }
}

/// A compute task that waits.
struct Queued<T> {
    ticket: Ticket,
    task: T,
    /// As the cost model says, in seconds of one thread.
    predicted: f64,
    class: u32,
    /// Corrected when it was put in; the order of the queue.
    expected: f64,
}

impl<T> PartialEq for Queued<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<T> Eq for Queued<T> {}
impl<T> PartialOrd for Queued<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Queued<T> {
    /// Most expensive first; of equals the one that was added first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.expected.total_cmp(&other.expected).then(other.ticket.cmp(&self.ticket))
    }
}

/// A task that is out.
struct Out<T> {
    worker: Worker,
    task: T,
    work: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Compute { predicted: f64, class: u32 },
    Upkeep,
}

struct Hands {
    threads: u32,
    upkeep_limit: u32,
    in_hand: u32,
    upkeep: u32,
    gone: bool,
}

/// Order in which workers are served: idle threads before prefetching, the emptiest first.
type Turn = (bool, u32, Worker);

/// The state machine. See the module's rules.
pub struct Scheduler<T> {
    compute: BinaryHeap<Queued<T>>,
    /// Tasks that would not finish before the walltime ends.
    deferred: Vec<Queued<T>>,
    upkeep: VecDeque<(Ticket, T)>,
    out: BTreeMap<Ticket, Out<T>>,
    workers: Vec<Hands>,
    /// Workers that can take another task; those that can take upkeep.
    open: BTreeSet<Turn>,
    open_for_upkeep: BTreeSet<Turn>,
    correction: Correction,
    walltime: Option<Walltime>,
    draining: bool,
    tickets: u64,
    ended: u64,
    /// Predicted seconds not finished yet: queued, deferred and out.
    unfinished: f64,
}

impl<T: Clone> Scheduler<T> {
    /// Nothing to do and nobody to do it.
    #[must_use]
    pub fn new(walltime: Option<Walltime>) -> Self {
        Self {
            compute: BinaryHeap::new(),
            deferred: Vec::new(),
            upkeep: VecDeque::new(),
            out: BTreeMap::new(),
            workers: Vec::new(),
            open: BTreeSet::new(),
            open_for_upkeep: BTreeSet::new(),
            correction: Correction::default(),
            walltime,
            draining: false,
            tickets: 0,
            ended: 0,
            unfinished: 0.0,
        }
    }

    /// A worker of `threads` threads (0: it never gets a task), `upkeep_limit` of which may do upkeep at once.
    pub fn add_worker(&mut self, threads: u32, upkeep_limit: u32) -> Worker {
        let worker = self.workers.len();
        self.workers.push(Hands { threads, upkeep_limit, in_hand: 0, upkeep: 0, gone: false });
        self.reopen(worker);
        worker
    }

    /// A task that computes, predicted to take `cost` seconds of one thread. Tasks of one `class` (a cell) are
    /// expected to be mispredicted alike.
    pub fn add_compute(&mut self, task: T, cost: f64, class: u32) {
        let ticket = self.new_ticket();
        self.enqueue(ticket, task, cost.max(0.0), class);
    }

    /// A task that frees staging.
    pub fn add_upkeep(&mut self, task: T) {
        let ticket = self.new_ticket();
        self.upkeep.push_back((ticket, task));
    }

    /// The next task to hand out at time `now`, and to whom; ask until it says None.
    pub fn assign(&mut self, now: f64) -> Option<Assignment<T>> {
        if self.draining || self.walltime.is_some_and(|walltime| now >= walltime.last_call()) {
            return None;
        }
        if let (Some(&(_, _, worker)), false) = (self.open_for_upkeep.first(), self.upkeep.is_empty()) {
            let (ticket, task) = self.upkeep.pop_front()?;
            return Some(self.give(worker, ticket, task, Kind::Upkeep));
        }
        let &(_, _, worker) = self.open.first()?;
        let Queued { ticket, task, predicted, class, .. } = self.next_compute(now)?;
        Some(self.give(worker, ticket, task, Kind::Compute { predicted, class }))
    }

    /// `worker` finished `ticket`; a compute task took `seconds` of one thread.
    ///
    /// # Errors
    /// If the worker does not have that task.
    pub fn finished(&mut self, worker: Worker, ticket: Ticket, seconds: f64) -> Result<(), UnknownTask> {
        let out = self.take(worker, ticket)?;
        self.ended += 1;
        if let Kind::Compute { predicted, class } = out.work {
            self.unfinished = (self.unfinished - predicted).max(0.0);
            self.correction.learn(class, predicted, seconds);
            // Reordering costs as much as the queue is long, so it is done ever more rarely.
            if self.ended >= 8 && self.ended.is_power_of_two() {
                self.reorder();
            }
        }
        Ok(())
    }

    /// `worker` gives `ticket` back, not done or done in part: it waits again.
    ///
    /// # Errors
    /// If the worker does not have that task.
    pub fn returned(&mut self, worker: Worker, ticket: Ticket) -> Result<(), UnknownTask> {
        let out = self.take(worker, ticket)?;
        self.put_back(ticket, out);
        Ok(())
    }

    /// `worker` is gone, and all it had in hand waits again.
    pub fn lost(&mut self, worker: Worker) {
        let tickets: Vec<Ticket> =
            self.out.iter().filter(|(_, out)| out.worker == worker).map(|(&ticket, _)| ticket).collect();
        for ticket in tickets {
            if let Ok(out) = self.take(worker, ticket) {
                self.put_back(ticket, out);
            }
        }
        self.close(worker);
        self.workers[worker].gone = true;
    }

    /// Hands out nothing more, ever.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether handing out was stopped by [`Self::drain`].
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining
    }

    /// Nothing waits and nothing is out.
    #[must_use]
    pub fn done(&self) -> bool {
        self.waiting() == 0 && self.out.is_empty()
    }

    /// Nothing is out, and nothing of what waits will be handed out any more: end, and resume later.
    #[must_use]
    pub fn stopped(&self, now: f64) -> bool {
        let over = self.draining || self.walltime.is_some_and(|walltime| now >= walltime.last_call());
        self.out.is_empty() && (over || (self.compute.is_empty() && self.upkeep.is_empty()))
    }

    /// Number of tasks that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.compute.len() + self.deferred.len() + self.upkeep.len()
    }

    /// Number of tasks that are out.
    #[must_use]
    pub fn out(&self) -> usize {
        self.out.len()
    }

    /// Seconds until all computing is done, as far as the corrected costs know.
    #[must_use]
    pub fn expected_seconds(&self) -> f64 {
        let threads: u32 = self.workers.iter().filter(|hands| !hands.gone).map(|hands| hands.threads).sum();
        self.unfinished * self.correction.overall() / f64::from(threads.max(1))
    }

    /// Seconds that the longest task which each worker has in hand is expected to take; of those that have any. Upkeep counts nothing.
    #[must_use]
    pub fn in_hand(&self) -> BTreeMap<Worker, f64> {
        let mut longest = BTreeMap::new();
        for out in self.out.values() {
            let expected = match out.work {
                Kind::Compute { predicted, class } => predicted * self.correction.factor(class),
                Kind::Upkeep => 0.0,
            };
            let entry = longest.entry(out.worker).or_insert(0.0_f64);
            *entry = entry.max(expected);
        }
        longest
    }

    fn new_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn enqueue(&mut self, ticket: Ticket, task: T, predicted: f64, class: u32) {
        let expected = predicted * self.correction.factor(class);
        self.unfinished += predicted;
        self.compute.push(Queued { ticket, task, predicted, class, expected });
    }

    /// The most expensive task that may be begun now; what would not finish is deferred.
    fn next_compute(&mut self, now: f64) -> Option<Queued<T>> {
        let Some(walltime) = self.walltime else { return self.compute.pop() };
        while let Some(queued) = self.compute.pop() {
            let expected = queued.predicted * self.correction.factor(queued.class);
            let fits = now + expected <= walltime.last_call();
            if fits || expected > walltime.last_call() {
                return Some(queued);
            }
            self.deferred.push(queued);
        }
        None
    }

    fn give(&mut self, worker: Worker, ticket: Ticket, task: T, work: Kind) -> Assignment<T> {
        self.close(worker);
        let hands = &mut self.workers[worker];
        hands.in_hand += 1;
        hands.upkeep += u32::from(matches!(work, Kind::Upkeep));
        self.reopen(worker);
        self.out.insert(ticket, Out { worker, task: task.clone(), work });
        Assignment { worker, ticket, task }
    }

    fn take(&mut self, worker: Worker, ticket: Ticket) -> Result<Out<T>, UnknownTask> {
        let owned = self.out.get(&ticket).is_some_and(|out| out.worker == worker);
        let out = if owned { self.out.remove(&ticket) } else { None };
        let out = out.ok_or(UnknownTask { worker, ticket })?;
        self.close(worker);
        let hands = &mut self.workers[worker];
        hands.in_hand -= 1;
        hands.upkeep -= u32::from(matches!(out.work, Kind::Upkeep));
        self.reopen(worker);
        Ok(out)
    }

    fn put_back(&mut self, ticket: Ticket, out: Out<T>) {
        match out.work {
            Kind::Upkeep => self.upkeep.push_front((ticket, out.task)),
            Kind::Compute { predicted, class } => {
                self.unfinished -= predicted;
                self.enqueue(ticket, out.task, predicted, class);
            }
        }
    }

    /// Puts the queue into the order of what has been learned, and looks again at what was deferred.
    fn reorder(&mut self) {
        let mut queued = std::mem::take(&mut self.compute).into_vec();
        queued.append(&mut self.deferred);
        for queued in &mut queued {
            queued.expected = queued.predicted * self.correction.factor(queued.class);
        }
        self.compute = BinaryHeap::from(queued);
    }

    fn turn(&self, worker: Worker) -> Turn {
        let hands = &self.workers[worker];
        (hands.in_hand >= hands.threads, hands.in_hand, worker)
    }

    fn close(&mut self, worker: Worker) {
        let turn = self.turn(worker);
        self.open.remove(&turn);
        self.open_for_upkeep.remove(&turn);
    }

    fn reopen(&mut self, worker: Worker) {
        let hands = &self.workers[worker];
        if hands.gone || hands.threads == 0 || hands.in_hand > hands.threads {
            return;
        }
        let turn = self.turn(worker);
        self.open.insert(turn);
        if hands.upkeep < hands.upkeep_limit && hands.in_hand < hands.threads {
            self.open_for_upkeep.insert(turn);
        }
    }
}
