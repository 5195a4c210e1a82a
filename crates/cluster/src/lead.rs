//! The loop of the process that leads a run: hands out tasks, listens, keeps the ledger.
//!
//! [`crate::run`] calls it on the only process of a local run and on rank 0 of an MPI job. Its own compute threads
//! are worker 0 of the scheduler, member i is worker i. It sleeps whenever there is nothing to do: on the channel of
//! its own threads, for at most as long as a message of a member or a signal may wait.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::abort;
use crate::links::Peers;
use crate::messages::{Down, Up};
use crate::pool::{Ended, Pool};
use crate::progress::{Phase, Progress};
use crate::scheduler::{Scheduler, Walltime, Worker};
use crate::signals::Signals;
use crate::silence::Silence;
use crate::tail::Tail;
use crate::work::{Ending, Failure, Ledger, Todo, Work};

/// How long a signal may wait to be noticed when nobody else can call.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a member's message may wait; shorter while messages keep coming.
const PROBE_MOST: Duration = Duration::from_millis(2);
const PROBE_LEAST: Duration = Duration::from_micros(100);
/// The ledger is made durable at least this often, or after so many receipts.
const SYNC_AFTER: Duration = Duration::from_secs(1);
const SYNC_COUNT: usize = 64;
const SHOW_EVERY: Duration = Duration::from_millis(100);
/// After a failure, tasks that are still out are waited for this long.
const LAST_WAIT: Duration = Duration::from_secs(60);

/// How the computing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Nothing is left to do but to finish the dataset.
    Complete,
    /// A signal ended it before.
    Signal,
    /// The walltime ended it before.
    Walltime,
}

impl Finish {
    /// One word, for provenance.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Finish::Complete => "complete",
            Finish::Signal => "signal",
            Finish::Walltime => "walltime",
        }
    }
}

/// One worker as the lead starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crew {
    /// Its compute threads.
    pub threads: u32,
}

impl Crew {
    /// Upkeep needs memory for a part and mostly waits for the disk: two at once, or half of the threads.
    fn upkeep_limit(self) -> u32 {
        (self.threads / 2).max(2)
    }
}

/// The lead of one run.
pub struct Lead<'a, W: Work, L, P> {
    scheduler: Scheduler<W::Task>,
    /// None where the lead only schedules.
    pool: Option<Pool<W>>,
    ledger: &'a mut L,
    peers: &'a mut P,
    signals: &'a Signals,
    walltime: Option<Walltime>,
    started: Instant,
    threads: usize,
    /// Receipts announced by the ends of tasks, minus receipts taken down.
    owed: i64,
    taken_down: usize,
    synced: Instant,
    ending: Option<Finish>,
    failure: Option<(Failure, Instant)>,
    probe: Duration,
    shown: Option<Instant>,
    done_before: u64,
    silence: Silence,
    tail: Tail,
    lost: Option<&'a Cell<f64>>,
}

impl<'a, W, L, P> Lead<'a, W, L, P>
where
    W: Work,
    L: Ledger<Task = W::Task, Receipt = W::Receipt>,
    P: Peers<W::Task, W::Receipt>,
{
    /// A lead with its own `pool`, or without one if it only schedules; `crews` are the members', in order.
    pub fn new(
        pool: Option<Pool<W>>,
        crews: &[Crew],
        ledger: &'a mut L,
        peers: &'a mut P,
        signals: &'a Signals,
        walltime: Option<Walltime>,
        started: Instant,
    ) -> Self {
        let mut scheduler = Scheduler::new(walltime);
        let own = Crew { threads: pool.as_ref().map_or(0, |pool| pool.threads() as u32) };
        let threads: Vec<u32> = std::iter::once(&own).chain(crews).map(|crew| crew.threads).collect();
        for crew in std::iter::once(&own).chain(crews) {
            scheduler.add_worker(crew.threads, crew.upkeep_limit());
        }
        let done_before = ledger.tally().replicas_done;
        Self {
            scheduler,
            pool,
            ledger,
            peers,
            signals,
            walltime,
            started,
            threads: threads.iter().map(|threads| *threads as usize).sum(),
            owed: 0,
            taken_down: 0,
            synced: started,
            ending: None,
            failure: None,
            probe: PROBE_LEAST,
            shown: None,
            done_before,
            silence: Silence::new(1 + crews.len()),
            tail: Tail::new(threads),
            lost: None,
        }
    }

    /// What the ranks are called in the log, its own included.
    #[must_use]
    pub fn calling(mut self, names: Vec<String>) -> Self {
        self.silence.call(names);
        self
    }

    /// At the end the thread seconds go there that were lost since every thread had work for the last time.
    #[must_use]
    pub fn noting_loss(mut self, lost: &'a Cell<f64>) -> Self {
        self.lost = Some(lost);
        self
    }

    /// Leads until nothing is left to do, or nothing more is to be done; then everything is durable.
    ///
    /// # Errors
    /// The first failure of any process. What was durable before stays so.
    pub fn run(mut self, show: &mut dyn FnMut(&Progress)) -> Result<Finish, Failure> {
        match self.ledger.todo() {
            Ok(todo) => self.take_up(todo),
            Err(failure) => self.fail(failure)?,
        }
        loop {
            abort::check();
            self.end_if_asked()?;
            self.hand_out()?;
            self.listen()?;
            self.settle()?;
            self.look_around();
            self.show(show);
            if let Some(result) = self.result() {
                self.lost.inspect(|place| place.set(self.tail.lost()));
                return result;
            }
        }
    }

    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn take_up(&mut self, todo: Vec<Todo<W::Task>>) {
        for todo in todo {
            match todo {
                Todo::Compute { task, cost, class } => self.scheduler.add_compute(task, cost, class),
                Todo::Upkeep { task } => self.scheduler.add_upkeep(task),
            }
        }
    }

    /// Signals and the end of the walltime stop the handing out.
    fn end_if_asked(&mut self) -> Result<(), Failure> {
        if self.ending.is_some() {
            return Ok(());
        }
        if self.signals.raised() {
            self.drain(Finish::Signal)
        } else if self.walltime.is_some_and(|walltime| self.now() >= walltime.last_call()) {
            self.drain(Finish::Walltime)
        } else {
            Ok(())
        }
    }

    fn drain(&mut self, why: Finish) -> Result<(), Failure> {
        self.ending.get_or_insert(why);
        if self.scheduler.draining() {
            return Ok(());
        }
        self.scheduler.drain();
        if let Some(pool) = &self.pool {
            pool.halt();
        }
        for member in 1..=self.peers.count() {
            self.peers.send(member, &Down::Drain)?;
        }
        Ok(())
    }

    /// Remembers the first failure and drains: others may still write what they have.
    fn fail(&mut self, failure: Failure) -> Result<(), Failure> {
        self.failure.get_or_insert((failure, Instant::now()));
        self.drain(Finish::Signal)
    }

    fn hand_out(&mut self) -> Result<(), Failure> {
        let now = self.now();
        while let Some(assignment) = self.scheduler.assign(now) {
            let (ticket, task) = (assignment.ticket, assignment.task);
            self.silence.heard(assignment.worker, now);
            self.tail.given(assignment.worker, now);
            match (assignment.worker, &mut self.pool) {
                (0, Some(pool)) => pool.submit(ticket, task),
                (member, _) => self.peers.send(member, &Down::Assign { ticket, task })?,
            }
        }
        Ok(())
    }

    /// Waits for the next event, then takes all that have come.
    fn listen(&mut self) -> Result<(), Failure> {
        let mut patience = if self.peers.count() == 0 { PATIENCE } else { self.probe };
        if self.scheduler.out() == 0 {
            // The last receipts are on their way, or it is over.
            patience = PROBE_LEAST;
        }
        match &mut self.pool {
            None => std::thread::sleep(patience),
            Some(_) => {
                while let Some(ended) = self.next_of_own(patience)? {
                    patience = Duration::ZERO;
                    self.ended(0, ended)?;
                }
            }
        }
        self.probe = (self.probe * 2).min(PROBE_MOST);
        while let Some((member, message)) = self.peers.receive()? {
            self.probe = PROBE_LEAST;
            self.hear(member, message)?;
        }
        Ok(())
    }

    fn next_of_own(&mut self, patience: Duration) -> Result<Option<Ended>, Failure> {
        self.pool.as_mut().map_or(Ok(None), |pool| pool.next(patience))
    }

    fn hear(&mut self, member: Worker, message: Up<W::Receipt>) -> Result<(), Failure> {
        match message {
            Up::Receipts(receipts) => self.take_down(receipts),
            Up::Ended { ticket, ending, seconds, receipts } => {
                self.ended(member, Ended { ticket, ending, seconds, receipts, failure: None })
            }
            Up::Failed(failure) => self.fail(failure),
            Up::Signalled if self.ending.is_none() => self.drain(Finish::Signal),
            Up::Signalled | Up::Present(_) | Up::Bye { .. } => Ok(()),
        }
    }

    fn ended(&mut self, worker: Worker, ended: Ended) -> Result<(), Failure> {
        let now = self.now();
        self.silence.heard(worker, now);
        self.tail.ended(worker, now);
        self.owed += i64::from(ended.receipts);
        let known = match ended.ending {
            Ending::Complete => self.scheduler.finished(worker, ended.ticket, ended.seconds),
            Ending::Interrupted => self.scheduler.returned(worker, ended.ticket),
        };
        known.map_err(|error| Failure::new(format!("The ranks disagree: {error}.")))?;
        ended.failure.map_or(Ok(()), |failure| self.fail(failure))
    }

    /// Names members that seem to hang.
    fn look_around(&mut self) {
        let now = self.now();
        if self.peers.count() > 0 && self.silence.is_due(now) {
            for sentence in self.silence.look(now, &self.scheduler.in_hand()) {
                eprintln!("metasweep: {sentence}");
            }
        }
    }

    /// Takes down what has become durable, and makes the ledger durable when it is time.
    fn settle(&mut self) -> Result<(), Failure> {
        match self.pool.as_mut().map_or(Ok(Vec::new()), Pool::durable) {
            Ok(receipts) => self.take_down(receipts)?,
            Err(failure) => self.fail(failure)?,
        }
        let over = self.scheduler.out() == 0 && self.taken_down > 0;
        let due = over || self.taken_down >= SYNC_COUNT || self.synced.elapsed() >= SYNC_AFTER;
        if due && self.failure.is_none() {
            self.taken_down = 0;
            self.synced = Instant::now();
            if let Err(failure) = self.ledger.sync() {
                self.fail(failure)?;
            }
        }
        Ok(())
    }

    fn take_down(&mut self, receipts: Vec<W::Receipt>) -> Result<(), Failure> {
        for receipt in receipts {
            self.owed -= 1;
            // After a failure of the ledger itself nothing more can be taken down.
            match self.ledger.accept(receipt) {
                Ok(todo) => self.take_up(todo),
                Err(failure) => return self.fail(failure),
            }
            self.taken_down += 1;
        }
        Ok(())
    }

    /// The end, once nothing is out and nothing on its way.
    fn result(&mut self) -> Option<Result<Finish, Failure>> {
        if let Some((failure, since)) = &self.failure {
            let over = self.scheduler.out() == 0 || since.elapsed() > LAST_WAIT;
            return over.then(|| Err(failure.clone()));
        }
        if self.owed != 0 || self.taken_down != 0 {
            return None;
        }
        if self.scheduler.done() {
            return Some(Ok(Finish::Complete));
        }
        let stopped = self.scheduler.stopped(self.now());
        stopped.then(|| Ok(self.ending.unwrap_or(Finish::Walltime)))
    }

    fn show(&mut self, show: &mut dyn FnMut(&Progress)) {
        if self.shown.is_some_and(|shown| shown.elapsed() < SHOW_EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        show(&self.progress());
    }

    fn progress(&self) -> Progress {
        let tally = self.ledger.tally();
        let elapsed = self.started.elapsed();
        let computed = tally.replicas_done.saturating_sub(self.done_before);
        let left = self.scheduler.expected_seconds();
        let phase = if self.scheduler.draining() {
            Phase::Draining
        } else if tally.replicas_done == tally.replicas_total {
            Phase::Sealing
        } else {
            Phase::Computing
        };
        // Before the first replica is done, the cost model is all there is: no rate, no promise.
        let eta = (computed > 0).then(|| Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX));
        Progress {
            phase,
            tally,
            rate: computed as f64 / elapsed.as_secs_f64().max(1e-3),
            eta,
            elapsed,
            ranks: self.peers.count() + 1,
            threads: self.threads,
        }
    }
}

/// Tells all members that the run is over, and waits, but not for ever, until each has taken its leave. Returns the CPU
/// seconds of those that did.
///
/// # Errors
/// If a message makes no sense.
pub fn dismiss<T, R, P: Peers<T, R>>(peers: &mut P, patience: Duration) -> Result<Vec<f64>, Failure> {
    for member in 1..=peers.count() {
        peers.send(member, &Down::Bye)?;
    }
    let until = Instant::now() + patience;
    let mut cpu_seconds = Vec::new();
    while cpu_seconds.len() < peers.count() && Instant::now() < until {
        abort::check();
        match peers.receive()? {
            Some((_, Up::Bye { cpu_seconds: seconds })) => cpu_seconds.push(seconds),
            // After a failure some may still be on their way; what they say no longer counts.
            Some(_) => {}
            None => std::thread::sleep(PROBE_MOST),
        }
    }
    Ok(cpu_seconds)
}
