//! The compute threads of one process, seen from its main thread: tasks in, events out.
//!
//! Rows are written by the thread that computed them; only receipts reach the main thread, which makes them
//! durable in batches ([`Pool::durable`]) before anybody else hears of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::scheduler::Ticket;
use crate::work::{Ending, Failure, Work};

/// Receipts that wait for being made durable, at most; they wait no longer than [`Work::patience`].
const SYNC_COUNT: usize = 64;

/// What a compute thread tells the main thread.
#[derive(Debug)]
pub enum Event<R> {
    /// Something of a task is written.
    Receipt(R),
    /// A task has ended, after that many receipts.
    Ended(Ended),
    /// A thread died, or is unfit; nothing is known of its task.
    Died(Failure),
}

/// The end of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Which.
    pub ticket: Ticket,
    /// How.
    pub ending: Ending,
    /// Seconds its thread spent on it.
    pub seconds: f64,
    /// How many receipts it reported.
    pub receipts: u32,
    /// Why the run cannot go on, if it cannot.
    pub failure: Option<Failure>,
}

/// The threads.
pub struct Pool<W: Work> {
    threads: rayon::ThreadPool,
    work: Arc<W>,
    halt: Arc<AtomicBool>,
    sender: Sender<Event<W::Receipt>>,
    events: Receiver<Event<W::Receipt>>,
    in_hand: usize,
    /// Receipts not durable yet, and since when.
    waiting: Vec<W::Receipt>,
    since: Instant,
}

impl<W: Work> Pool<W> {
    /// Starts `threads` threads (at least one), each of which runs `check` first: is it fit for work?
    ///
    /// # Errors
    /// If the system refuses threads.
    pub fn new(threads: usize, work: Arc<W>, check: fn() -> Result<(), String>) -> Result<Self, Failure> {
        let (sender, events) = channel();
        let (panicked, unfit) = (Mutex::new(sender.clone()), Mutex::new(sender.clone()));
        let died = |sender: &Mutex<Sender<Event<W::Receipt>>>, message: String| {
            if let Ok(sender) = sender.lock() {
                drop(sender.send(Event::Died(Failure::new(message))));
            }
        };
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(|index| format!("compute {index}"))
            .start_handler(move |_| {
                if let Err(message) = check() {
                    died(&unfit, message);
                }
            })
            // Reached only where no panic hook of `abort::install` has ended the process before.
            .panic_handler(move |_| died(&panicked, "A compute thread panicked.".to_owned()))
            .build()
            .map_err(|error| Failure::new(format!("The compute threads could not be started: {error}.")))?;
        let halt = Arc::new(AtomicBool::new(false));
        let since = Instant::now();
        Ok(Self { threads, work, halt, sender, events, in_hand: 0, waiting: Vec::new(), since })
    }

    /// Number of threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// Number of tasks begun or waiting.
    #[must_use]
    pub fn in_hand(&self) -> usize {
        self.in_hand
    }

    /// The thread that is free next does `task`.
    pub fn submit(&mut self, ticket: Ticket, task: W::Task) {
        self.in_hand += 1;
        let (work, halt, sender) = (self.work.clone(), self.halt.clone(), self.sender.clone());
        // First come, first served: the prefetched task is the one begun last.
        self.threads.spawn_fifo(move || {
            let begun = Instant::now();
            let halted = || halt.load(Ordering::Relaxed);
            let mut receipts = 0;
            // A send fails only if the main thread has given up on this pool.
            let mut report = |receipt| {
                receipts += 1;
                drop(sender.send(Event::Receipt(receipt)));
            };
            let ending =
                if halted() { Ok(Ending::Interrupted) } else { work.perform(&task, &halted, &mut report) };
            let seconds = begun.elapsed().as_secs_f64();
            let (ending, failure) = match ending {
                Ok(ending) => (ending, None),
                Err(failure) => (Ending::Interrupted, Some(failure)),
            };
            drop(sender.send(Event::Ended(Ended { ticket, ending, seconds, receipts, failure })));
        });
    }

    /// Running tasks are to write what they have and end; waiting ones are not begun.
    pub fn halt(&self) {
        self.halt.store(true, Ordering::Relaxed);
    }

    /// The next end of a task, waiting up to `patience` for it. Receipts are kept for [`Self::durable`].
    ///
    /// # Errors
    /// If a compute thread panicked or is unfit.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Ended>, Failure> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Receipt(receipt)) => {
                    if self.waiting.is_empty() {
                        self.since = Instant::now();
                    }
                    self.waiting.push(receipt);
                }
                Ok(Event::Ended(ended)) => {
                    self.in_hand -= 1;
                    return Ok(Some(ended));
                }
                Ok(Event::Died(failure)) => return Err(failure),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }

    /// The receipts whose rows are durable now. Waits for the disk when there are many, when the oldest has waited
    /// long enough, or when a thread has nothing to do (then somebody may be waiting for what these receipts make possible).
    ///
    /// # Errors
    /// If the disk says no.
    pub fn durable(&mut self) -> Result<Vec<W::Receipt>, Failure> {
        let due = self.waiting.len() >= SYNC_COUNT
            || self.in_hand < self.threads()
            || self.since.elapsed() >= self.work.patience();
        if self.waiting.is_empty() || !due {
            return Ok(Vec::new());
        }
        // Whatever waits was written before it was reported, hence before this sync.
        let waiting = std::mem::take(&mut self.waiting);
        self.work.sync()?;
        Ok(waiting)
    }
}
