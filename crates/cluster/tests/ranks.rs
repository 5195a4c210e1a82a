//! The lead and its members in one process: threads stand for ranks, channels for MPI, numbers for chunks. Every message
//! passes through its bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use metasweep_cluster::lead::{Crew, Finish, Lead, dismiss};
use metasweep_cluster::links::{Line, Nobody, Peers};
use metasweep_cluster::member::follow;
use metasweep_cluster::messages::{Down, Up, decode, encode};
use metasweep_cluster::pool::Pool;
use metasweep_cluster::scheduler::Walltime;
use metasweep_cluster::signals::Signals;
use metasweep_cluster::work::{Ending, Failure, Ledger, Tally, Todo, Work};
use serde::{Deserialize, Serialize};

/// Compute `number` in some pieces, or add up what was computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Task {
    Compute { number: u32 },
    AddUp { tens: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Receipt {
    Computed { number: u32, process: u32 },
    AddedUp { tens: u32 },
}

/// Works on memory; fails at one number if told to.
struct Sums {
    process: u32,
    fails_at: Option<u32>,
    pause: Duration,
    unsynced: AtomicU32,
}

impl Work for Sums {
    type Task = Task;
    type Receipt = Receipt;

    fn perform(
        &self,
        task: &Task,
        halt: &dyn Fn() -> bool,
        report: &mut dyn FnMut(Receipt),
    ) -> Result<Ending, Failure> {
        let until = Instant::now() + self.pause;
        while Instant::now() < until {
            if halt() {
                return Ok(Ending::Interrupted);
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        self.unsynced.fetch_add(1, Ordering::Relaxed);
        match *task {
            Task::Compute { number } if self.fails_at == Some(number) => {
                return Err(Failure { message: format!("The disk is full at {number}."), exit_code: 3 });
            }
            Task::Compute { number } => report(Receipt::Computed { number, process: self.process }),
            Task::AddUp { tens } => report(Receipt::AddedUp { tens }),
        }
        Ok(Ending::Complete)
    }

    fn sync(&self) -> Result<(), Failure> {
        self.unsynced.store(0, Ordering::Relaxed);
        Ok(())
    }
}

/// Numbers 0 … count − 1; each full ten makes one task of upkeep.
#[derive(Default)]
struct Book {
    count: u32,
    computed: BTreeMap<u32, u32>,
    added_up: Vec<u32>,
    unsynced: u32,
    fails_at: Option<u32>,
}

impl Ledger for Book {
    type Task = Task;
    type Receipt = Receipt;

    fn todo(&mut self) -> Result<Vec<Todo<Task>>, Failure> {
        let missing = (0..self.count).filter(|number| !self.computed.contains_key(number));
        let todo = |number| Todo::Compute {
            task: Task::Compute { number },
            cost: f64::from(number),
            class: number % 3,
        };
        Ok(missing.map(todo).collect())
    }

    fn accept(&mut self, receipt: Receipt) -> Result<Vec<Todo<Task>>, Failure> {
        self.unsynced += 1;
        match receipt {
            Receipt::Computed { number, .. } if self.fails_at == Some(number) => {
                Err(Failure::new("The journal cannot be written."))
            }
            Receipt::Computed { number, process } => {
                assert_eq!(self.computed.insert(number, process), None, "computed twice");
                let tens = number / 10;
                let full = (tens * 10..tens * 10 + 10).all(|number| self.computed.contains_key(&number));
                Ok(if full { vec![Todo::Upkeep { task: Task::AddUp { tens } }] } else { Vec::new() })
            }
            Receipt::AddedUp { tens } => {
                self.added_up.push(tens);
                Ok(Vec::new())
            }
        }
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.unsynced = 0;
        Ok(())
    }

    fn tally(&self) -> Tally {
        Tally {
            replicas_done: self.computed.len() as u64,
            replicas_total: u64::from(self.count),
            ..Tally::default()
        }
    }
}

struct Members {
    to: Vec<Sender<Vec<u8>>>,
    from: Receiver<(usize, Vec<u8>)>,
    /// How often the lead looked for a message.
    looks: u32,
}

impl Peers<Task, Receipt> for Members {
    fn count(&self) -> usize {
        self.to.len()
    }
    fn send(&mut self, member: usize, message: &Down<Task>) -> Result<(), Failure> {
        drop(self.to[member - 1].send(encode(message)?));
        Ok(())
    }
    fn receive(&mut self) -> Result<Option<(usize, Up<Receipt>)>, Failure> {
        self.looks += 1;
        let Ok((member, bytes)) = self.from.try_recv() else { return Ok(None) };
        Ok(Some((member, decode(&bytes)?)))
    }
}

struct Wire {
    member: usize,
    to: Sender<(usize, Vec<u8>)>,
    from: Receiver<Vec<u8>>,
}

impl Line<Task, Receipt> for Wire {
    fn send(&mut self, message: &Up<Receipt>) -> Result<(), Failure> {
        drop(self.to.send((self.member, encode(message)?)));
        Ok(())
    }
    fn receive(&mut self) -> Result<Option<Down<Task>>, Failure> {
        self.from.try_recv().ok().map(|bytes| decode(&bytes)).transpose()
    }
}

/// A job of several ranks, as a test wants it.
struct Job {
    members: usize,
    threads: usize,
    lead_computes: bool,
    pause: Duration,
    fails_at: Option<u32>,
    walltime: Option<Walltime>,
    /// Signals of the lead, then of each member.
    signals: Vec<Signals>,
}

impl Job {
    fn new(members: usize, threads: usize) -> Self {
        let signals = (0..=members).map(|_| Signals::deaf()).collect();
        let pause = Duration::from_micros(300);
        Self { members, threads, lead_computes: true, pause, fails_at: None, walltime: None, signals }
    }

    fn pool(&self, process: u32) -> Pool<Sums> {
        let work = Sums { process, fails_at: self.fails_at, pause: self.pause, unsynced: AtomicU32::new(0) };
        Pool::new(self.threads, Arc::new(work), || Ok(())).unwrap()
    }

    /// Runs to the end.
    fn run(&self, book: &mut Book) -> Result<Finish, Failure> {
        let begun = Instant::now();
        let (to_lead, from_members) = channel();
        std::thread::scope(|scope| {
            let mut to = Vec::new();
            for member in 1..=self.members {
                let (sender, from) = channel();
                to.push(sender);
                let mut wire = Wire { member, to: to_lead.clone(), from };
                scope.spawn(move || {
                    let mut pool = self.pool(member as u32);
                    follow(&mut pool, &mut wire, &self.signals[member]).unwrap();
                });
            }
            let mut peers = Members { to, from: from_members, looks: 0 };
            let crews = vec![Crew { threads: self.threads as u32 }; self.members];
            let pool = self.lead_computes.then(|| self.pool(0));
            let lead =
                Lead::new(pool, &crews, book, &mut peers, &self.signals[0], self.walltime, Instant::now());
            let result = lead.run(&mut |_| {});
            let ends = dismiss::<_, Receipt, _>(&mut peers, Duration::from_secs(10)).unwrap();
            assert_eq!(ends.len(), self.members, "every member says goodbye");
            let looks = peers.looks;
            assert!(
                looks < 2000 + 1000 * begun.elapsed().as_secs() as u32,
                "the lead spins: it looked {looks} times"
            );
            result
        })
    }
}

fn book(count: u32) -> Book {
    Book { count, ..Book::default() }
}

fn assert_complete(book: &Book) {
    assert_eq!(book.computed.len(), book.count as usize);
    let mut tens = book.added_up.clone();
    tens.sort_unstable();
    assert_eq!(tens, (0..book.count / 10).collect::<Vec<_>>());
    assert_eq!(book.unsynced, 0, "the ledger is durable at the end");
}

#[test]
fn one_process_does_everything_once() {
    for threads in [1, 2, 4] {
        let mut book = book(100);
        let result = Job::new(0, threads).run(&mut book);
        assert_eq!(result, Ok(Finish::Complete));
        assert_complete(&book);
    }
}

#[test]
fn all_ranks_take_part() {
    let mut book = book(200);
    let result = Job::new(3, 2).run(&mut book);
    assert_eq!(result, Ok(Finish::Complete));
    assert_complete(&book);
    let processes: std::collections::BTreeSet<u32> = book.computed.values().copied().collect();
    assert_eq!(processes.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_lead_may_only_schedule() {
    let mut book = book(100);
    let job = Job { lead_computes: false, ..Job::new(2, 2) };
    assert_eq!(job.run(&mut book), Ok(Finish::Complete));
    assert_complete(&book);
    assert!(book.computed.values().all(|&process| process != 0));
}

#[test]
fn a_signal_to_any_rank_drains_all_and_a_second_run_completes() {
    for signalled in 0..3 {
        let mut book = book(300);
        let job = Job { pause: Duration::from_millis(2), ..Job::new(2, 1) };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(60));
                job.signals[signalled].raise();
            });
            assert_eq!(job.run(&mut book), Ok(Finish::Signal));
        });
        assert!(!book.computed.is_empty() && book.computed.len() < 300);
        assert_eq!(book.unsynced, 0);
        // Resumed, only the rest is computed. (Upkeep that was not done is the store's to find again.)
        assert_eq!(Job::new(1, 2).run(&mut book), Ok(Finish::Complete));
        assert_eq!(book.computed.len(), 300);
    }
}

#[test]
fn the_walltime_ends_a_run_in_time() {
    let mut book = book(1000);
    let walltime = Some(Walltime { end: 0.3, margin: 0.1 });
    let job = Job { pause: Duration::from_millis(5), walltime, ..Job::new(1, 2) };
    let begun = Instant::now();
    assert_eq!(job.run(&mut book), Ok(Finish::Walltime));
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(!book.computed.is_empty() && book.computed.len() < 1000);
}

#[test]
fn a_failure_in_any_rank_ends_the_run_with_its_message_and_code() {
    for members in [0, 2] {
        let mut book = book(100);
        let job = Job { fails_at: Some(50), ..Job::new(members, 2) };
        let failure = job.run(&mut book).unwrap_err();
        assert_eq!(failure.exit_code, 3);
        assert!(failure.message.contains("full at 50"), "{failure}");
    }
}

#[test]
fn a_failing_ledger_ends_the_run() {
    let mut book = Book { fails_at: Some(60), ..book(100) };
    let failure = Job::new(2, 2).run(&mut book).unwrap_err();
    assert_eq!(failure, Failure::new("The journal cannot be written."));
}

#[test]
fn nothing_to_do_is_complete_at_once() {
    let mut book = book(0);
    let begun = Instant::now();
    let (mut nobody, signals) = (Nobody, Signals::deaf());
    let pool = Job::new(0, 1).pool(0);
    let lead = Lead::new(Some(pool), &[], &mut book, &mut nobody, &signals, None, Instant::now());
    assert_eq!(lead.run(&mut |_| {}), Ok(Finish::Complete));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[test]
fn waiting_is_sleeping() {
    // `Job::run` counts how often the lead looks for messages; 1.5 s of spinning would be millions of times.
    let mut book = book(2);
    let job = Job { pause: Duration::from_millis(1500), ..Job::new(1, 1) };
    assert_eq!(job.run(&mut book), Ok(Finish::Complete));
}
