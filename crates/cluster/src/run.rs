//! One run, from the sweep to the end of the process: opens the dataset, introduces it to the members, leads, finishes.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metasweep_store::{Dataset, Manifest, OpenMode, Opened};
use metasweep_sweep::chunk::{Cut, TARGET_SECONDS};
use metasweep_sweep::sweep::Sweep;

use crate::dataset::{Books, Desk, Report, Simulation, Task, check_thread};
use crate::host::{self, Seat, fair_threads};
use crate::lead::{Crew, Finish, Lead};
use crate::links::Peers;
use crate::messages::{Down, Hello, Present};
use crate::pool::Pool;
use crate::progress::{Phase, Progress};
use crate::provenance::Provenance;
use crate::scheduler::Walltime;
use crate::share::{self, Share};
use crate::signals::Signals;
use crate::stage::{self, Stage};
use crate::team::Team;
use crate::work::{Failure, Ledger, Tally};

/// Above so many ranks, rank 0 only schedules: answering the others is then work enough.
pub const LEAD_COMPUTES_UP_TO: usize = 64;

/// The environment's name of [`Outside::checkpoint_every`].
const CHECKPOINT_EVERY: &str = "METASWEEP_CHECKPOINT_EVERY";

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The sweep.
    pub sweep: Arc<Sweep>,
    /// The text it was read from: members read it again.
    pub text: String,
    /// `--set`, in order, as applied to the text.
    pub overrides: Vec<String>,
    /// The dataset's folder.
    pub out: PathBuf,
    /// Compute threads of each rank. None: the rank's share of its machine.
    pub threads: Option<usize>,
    /// The sweep is a superset of what the folder holds.
    pub extend: bool,
    /// Replicas of a chunk. None: as the cost model says.
    pub chunk_replicas: Option<u32>,
    /// Time from the start of the process to the end of the run.
    pub walltime: Option<Duration>,
    /// This process is one of several that share the dataset without a lead.
    pub share: Option<Share>,
    /// What is computed goes to this folder of the node's own disk first; `$NAME/…` for one that the environment names.
    pub scratch: Option<String>,
    /// Compute failed replicas again. With the same engine they fail again, so this only says so.
    pub retry_failed: bool,
}

/// How a run ended. Whatever it is, the dataset is consistent.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEnd {
    /// The folder held the whole sweep before.
    AlreadyComplete(Summary),
    /// The dataset is complete.
    Complete(Summary),
    /// A signal or the walltime ended the run: exit code 75, run again to resume.
    Incomplete {
        /// `Signal` or `Walltime`.
        why: Finish,
        /// How far it came.
        summary: Summary,
    },
}

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Done and to do, over all runs.
    pub tally: Tally,
    /// Replicas computed by this run.
    pub computed: u64,
    /// Wall time.
    pub elapsed: Duration,
    /// CPU seconds of all ranks.
    pub cpu_seconds: f64,
    /// Processes.
    pub ranks: usize,
    /// Compute threads of all of them.
    pub threads: usize,
    /// Damage that was found and has been mended.
    pub warnings: Vec<String>,
}

impl Walltime {
    /// The end of a run that may take `walltime`: a tenth of it, but at least one second and at most thirty, is
    /// kept for draining and writing.
    #[must_use]
    pub fn of(walltime: Duration) -> Self {
        let end = walltime.as_secs_f64();
        Self { end, margin: (end / 10.0).clamp(1.0, 30.0) }
    }
}

/// What reaches a run from outside while it runs; a test holds its own.
#[derive(Clone, Debug)]
pub struct Outside {
    /// Signals to this process.
    pub signals: Signals,
    /// Test hook: every ensemble is checkpointed every so many steps, and goes on from what was stored.
    pub checkpoint_every: Option<u64>,
}

impl Outside {
    /// The process's signals and environment.
    ///
    /// # Errors
    /// If a signal handler cannot be installed.
    pub fn install() -> Result<Self, Failure> {
        let signals = Signals::install()
            .map_err(|error| Failure::new(format!("the signal handlers could not be installed: {error}")))?;
        let checkpoint_every = std::env::var(CHECKPOINT_EVERY).ok().and_then(|steps| steps.parse().ok());
        Ok(Self { signals, checkpoint_every })
    }
}

/// Runs the sweep, or what is left of it. On the way out all members have been dismissed.
///
/// # Errors
/// What made it impossible, with the exit code it asks for. What was committed before stays.
pub fn run(team: Team, options: &RunOptions, show: &mut dyn FnMut(&Progress)) -> Result<RunEnd, Failure> {
    run_with(team, options, &Outside::install()?, show)
}

/// [`run`], with signals and hooks of the caller's.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    team: Team,
    options: &RunOptions,
    outside: &Outside,
    show: &mut dyn FnMut(&Progress),
) -> Result<RunEnd, Failure> {
    if let Some(share) = options.share {
        return share::run(team, options, share, outside, show);
    }
    lead(team, options, outside, show)
}

/// Opens the dataset as its owner, and leads.
pub(crate) fn lead(
    mut team: Team,
    options: &RunOptions,
    outside: &Outside,
    show: &mut dyn FnMut(&Progress),
) -> Result<RunEnd, Failure> {
    stage::check(options.scratch.as_deref())?;
    let mode = if options.extend { OpenMode::Extend } else { OpenMode::Run };
    let dataset = match Dataset::open(&options.out, &options.sweep, mode)? {
        Opened::Complete(manifest) => return Ok(RunEnd::AlreadyComplete(already(&team, options, &manifest))),
        Opened::Ready(dataset) => dataset,
    };
    let mut warnings = dataset.warnings().to_vec();
    if options.retry_failed && dataset.progress().replicas_failed > 0 {
        warnings.push("failed replicas were not repeated: the same engine computes the same bits".to_owned());
    }
    let seats = seats(&team.present, options.threads);
    let couriers = stage::couriers(&team.present);
    let nodes = stage::nodes(&couriers);
    let nonce = dataset.nonce();
    // Held until the members have been dismissed.
    let stage = Stage::set_up(options.scratch.as_deref(), &options.out, nonce, (0, 0), nodes)?;
    let desk = Desk {
        dir: options.out.clone(),
        sweep: options.sweep.clone(),
        nonce,
        process: 0,
        processes: if options.scratch.is_some() { nodes } else { team.ranks() as u32 },
        scratch: stage.scratch.clone(),
        checkpoint_every: outside.checkpoint_every,
    };
    let mut provenance = Provenance::begin(desk.nonce, 0, &team.present, &seats);
    provenance.write(&options.out)?;
    introduce(&mut team, options, &desk, (&seats, &couriers))?;
    let pool = match seats[0] {
        0 => None,
        threads => Some(Pool::new(threads, Arc::new(Simulation::new(desk)?), check_thread)?),
    };
    let threads = seats.iter().sum();
    let how = Cut { target: TARGET_SECONDS, workers: threads, chunk_replicas: options.chunk_replicas };
    let mut books = Books::new(dataset, options.sweep.clone(), how);
    let before = books.tally().replicas_done;
    let crews: Vec<Crew> = seats[1..].iter().map(|&threads| Crew { threads: threads as u32 }).collect();
    let walltime = options.walltime.map(Walltime::of);
    let started = team.started;
    let lead = Lead::new(pool, &crews, &mut books, &mut team.links, &outside.signals, walltime, started);
    let called = team.present.iter().enumerate().map(|(rank, who)| format!("rank {rank} on {}", who.host));
    let lost = Cell::new(0.0);
    let lead = lead.calling(called.collect()).noting_loss(&lost);
    let finish = lead.run(show);
    let tally = books.tally();
    provenance.idle_at_the_end = Some(lost.get());
    provenance.count_chunks(|rank, threads| books.chunks_by_thread(rank, threads));
    let finish = finish.and_then(|finish| {
        if finish == Finish::Complete {
            show(&finishing(tally, &team, threads));
            books.finish()?;
        }
        Ok(finish)
    });
    let ranks = team.ranks();
    let members: f64 = team.dismiss::<Task, Report>().iter().sum();
    let cpu_seconds = members + host::cpu_seconds();
    let elapsed = started.elapsed();
    provenance.end(finish.as_ref().map_or("failed", |finish| finish.name()), elapsed, cpu_seconds);
    // The run's own result matters more than its record.
    let recorded = provenance.write(&options.out);
    let why = finish?;
    recorded?;
    let computed = tally.replicas_done.saturating_sub(before);
    let summary = Summary { tally, computed, elapsed, cpu_seconds, ranks, threads, warnings };
    Ok(match why {
        Finish::Complete => RunEnd::Complete(summary),
        Finish::Signal | Finish::Walltime => RunEnd::Incomplete { why, summary },
    })
}

/// Compute threads of each rank.
pub(crate) fn seats(present: &[Present], threads: Option<usize>) -> Vec<usize> {
    let mut seats = match threads {
        Some(threads) => vec![threads.max(1); present.len()],
        None => fair_threads(&present.iter().map(seat).collect::<Vec<_>>()),
    };
    if present.len() > LEAD_COMPUTES_UP_TO {
        seats[0] = 0;
    }
    seats
}

fn seat(who: &Present) -> Seat<'_> {
    Seat { host: &who.host, processors: &who.processors, parallelism: who.parallelism as usize }
}

/// Tells every member what the run is about.
fn introduce(
    team: &mut Team,
    options: &RunOptions,
    desk: &Desk,
    (seats, couriers): (&[usize], &[u32]),
) -> Result<(), Failure> {
    for (process, &threads) in seats.iter().enumerate().skip(1) {
        let inputs = options.sweep.inputs.iter();
        let hello = Hello {
            text: options.text.clone(),
            overrides: options.overrides.clone(),
            inputs: inputs.map(|(name, input)| (name.clone(), input.bytes.clone())).collect(),
            canonical: options.sweep.canonical.clone(),
            out: options.out.clone(),
            nonce: desk.nonce,
            process: process as u32,
            processes: desk.processes,
            scratch: options.scratch.clone().map(|folder| (folder, couriers[process])),
            threads: threads as u32,
            checkpoint_every: desk.checkpoint_every,
        };
        let hello: Down<Task> = Down::Hello(Box::new(hello));
        Peers::<Task, Report>::send(&mut team.links, process, &hello)?;
    }
    Ok(())
}

fn already(team: &Team, options: &RunOptions, manifest: &Manifest) -> Summary {
    all_there(team, options, manifest.replicas_failed)
}

/// Of a run that finds the sweep complete.
pub(crate) fn all_there(team: &Team, options: &RunOptions, replicas_failed: u64) -> Summary {
    let cells = options.sweep.cells.len() as u64;
    let replicas = cells * u64::from(options.sweep.replicas);
    let tally = Tally {
        cells_done: cells,
        cells_total: cells,
        replicas_done: replicas,
        replicas_total: replicas,
        replicas_failed,
    };
    let elapsed = team.started.elapsed();
    let cpu_seconds = host::cpu_seconds();
    Summary {
        tally,
        computed: 0,
        elapsed,
        cpu_seconds,
        ranks: team.ranks(),
        threads: 0,
        warnings: Vec::new(),
    }
}

fn finishing(tally: Tally, team: &Team, threads: usize) -> Progress {
    let elapsed = team.started.elapsed();
    Progress { phase: Phase::Finishing, tally, rate: 0.0, eta: None, elapsed, ranks: team.ranks(), threads }
}

/// The life of a member: introduces itself, hears what the run is about, follows.
///
/// # Errors
/// What makes it impossible to go on here.
#[cfg(feature = "mpi")]
pub(crate) fn follow_lead(world: &mut crate::world::World, who: Present) -> Result<(), Failure> {
    use crate::links::Line;
    use crate::messages::Up;

    type Messages = dyn Line<Task, Report>;
    let outside = Outside::install()?;
    let line: &mut Messages = world;
    line.send(&Up::Present(Box::new(who)))?;
    let hello = loop {
        crate::abort::check();
        match line.receive()? {
            Some(Down::Hello(hello)) => break hello,
            // The lead had nothing to run: a wrong sweep file, or a dataset that is complete.
            Some(Down::Bye) => {
                line.send(&Up::Bye { cpu_seconds: host::cpu_seconds() })?;
                return Ok(());
            }
            Some(_) | None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let load = &mut |name: &str| -> std::io::Result<Vec<u8>> {
        let bytes = hello.inputs.get(name).cloned();
        bytes.ok_or_else(|| std::io::Error::other("the lead did not send this file"))
    };
    let sweep = Sweep::parse(&hello.text, "the sweep sent by rank 0", &hello.overrides, load)
        .map_err(|error| Failure::new(format!("the sweep that rank 0 sent cannot be read: {error}")))?;
    if sweep.canonical != hello.canonical {
        return Err(Failure::new(
            "this rank reads the sweep differently from rank 0: do both run the same program?",
        ));
    }
    let (folder, courier) =
        hello.scratch.clone().map_or((None, 0), |(folder, courier)| (Some(folder), courier));
    let seat = (hello.process, courier);
    let stage = Stage::set_up(folder.as_deref(), &hello.out, hello.nonce, seat, hello.processes)?;
    let desk = Desk {
        scratch: stage.scratch.clone(),
        dir: hello.out.clone(),
        sweep: Arc::new(sweep),
        nonce: hello.nonce,
        process: hello.process,
        processes: hello.processes,
        checkpoint_every: hello.checkpoint_every,
    };
    let work = Arc::new(Simulation::new(desk)?);
    let mut pool = Pool::new(hello.threads as usize, work, check_thread)?;
    crate::member::follow(&mut pool, world, &outside.signals)
}
