//! Several processes without MPI and without a lead that share a dataset: a SLURM job array, `srun -n K`, a few terminals.
//!
//! Each begins at its own share of the chunks, which lie most expensive first, then looks at the journals of the others
//! and helps: from the end of what is missing, since the others come from its front. Nobody waits for anybody, and whoever dies
//! leaves its share to the rest; a chunk computed twice has equal rows. When nothing is missing, one of them takes the owner
//! record and seals; the others wait for it, or take over.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metasweep_store::{CheckpointRef, Kind, StoreError, fresh_nonce, prepare, survey};
use metasweep_sweep::chunk::{self, Chunk, Cut, Segment, TARGET_SECONDS};
use metasweep_sweep::cost::Costs;

use crate::dataset::{Desk, Report, Simulation, Task, check_thread};
use crate::host;
use crate::lead::{Finish, Lead};
use crate::leftover::set_apart;
use crate::links::Nobody;
use crate::pool::Pool;
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::run::{self, Outside, RunEnd, RunOptions, Summary};
use crate::scheduler::Walltime;
use crate::stage::{self, Stage};
use crate::team::Team;
use crate::work::{Failure, Ledger, Tally, Todo};

/// Between two looks at a dataset that another process seals.
const LOOK: Duration = Duration::from_secs(1);
/// Chunks that a helper takes for each thread before it looks again …
const HELPING: usize = 2;
/// … or more, if they are done in so many seconds: of very many shares the chunks are small.
const HELPING_SECONDS: f64 = 2.0;

/// Chunks, and replicas that were stopped in the middle.
type Chosen = (Vec<Chunk>, Vec<CheckpointRef>);

/// Which of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    pub index: u32,
    /// How many.
    pub of: u32,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if index < of => Ok(Share { index, of }),
            _ => {
                Err(format!("a share is INDEX/COUNT with INDEX from 0 to COUNT - 1, as in 0/4; not {text:?}"))
            }
        }
    }
}

/// Contributes, then sees the dataset complete.
///
/// # Errors
/// As [`run::run`].
pub fn run(
    team: Team,
    options: &RunOptions,
    share: Share,
    outside: &Outside,
    show: &mut dyn FnMut(&Progress),
) -> Result<RunEnd, Failure> {
    if options.extend {
        return Err(Failure {
            message: "--extend needs a process that leads: run it without --share".to_owned(),
            exit_code: 2,
        });
    }
    stage::check(options.scratch.as_deref())?;
    if team.ranks() > 1 {
        return Err(Failure { message: "--share is for processes without MPI".to_owned(), exit_code: 2 });
    }
    let mut computed = 0;
    let mut guest = Guest::new(options, share, &team)?;
    while let Some((chunks, stopped)) = guest.next()? {
        let finish = guest.compute(chunks, stopped, outside, team.started, show)?;
        computed = guest.computed;
        if finish != Finish::Complete {
            return Ok(RunEnd::Incomplete { why: finish, summary: guest.summary(&team)? });
        }
    }
    drop(guest);
    finish(team, options, outside, show, computed)
}

/// Every chunk is there: seals, or waits for the one who does.
fn finish(
    team: Team,
    options: &RunOptions,
    outside: &Outside,
    show: &mut dyn FnMut(&Progress),
    computed: u64,
) -> Result<RunEnd, Failure> {
    let mut team = Some(team);
    loop {
        let here = team.take().unwrap_or_else(Team::alone);
        let started = here.started;
        let end = run::lead(here, options, outside, show);
        let count = |mut summary: Summary| {
            summary.computed += computed;
            summary
        };
        match end {
            Ok(RunEnd::AlreadyComplete(summary)) if computed > 0 => {
                return Ok(RunEnd::Complete(count(summary)));
            }
            Ok(RunEnd::Complete(summary)) => return Ok(RunEnd::Complete(count(summary))),
            // Another process seals.
            Err(failure) if failure.exit_code == 4 => {}
            other => return other,
        }
        let late = options.walltime.is_some_and(|walltime| started.elapsed() >= walltime);
        if outside.signals.raised() || late {
            let mut team = Team::alone();
            team.started = started;
            let summary = Summary { computed, ..run::all_there(&team, options, 0) };
            let why = if late { Finish::Walltime } else { Finish::Signal };
            return Ok(RunEnd::Incomplete { why, summary });
        }
        let mut next = Team::alone();
        next.started = started;
        team = Some(next);
        std::thread::sleep(LOOK);
    }
}

/// A process that contributes.
struct Guest<'a> {
    options: &'a RunOptions,
    share: Share,
    provenance: Provenance,
    threads: usize,
    simulation: Arc<Simulation>,
    _stage: Stage,
    /// Its own share is done.
    helping: bool,
    computed: u64,
}

impl<'a> Guest<'a> {
    fn new(options: &'a RunOptions, share: Share, team: &Team) -> Result<Self, Failure> {
        let seats = run::seats(&team.present, options.threads);
        let threads = seats[0];
        let nonce = fresh_nonce()?;
        let seat = (share.index, share.index);
        // Each courier serves one process, which does not ask too often.
        let stage = Stage::set_up(options.scratch.as_deref(), &options.out, nonce, seat, 1)?;
        let desk = Desk {
            scratch: stage.scratch.clone(),
            dir: options.out.clone(),
            sweep: options.sweep.clone(),
            nonce,
            process: share.index,
            processes: share.of,
            checkpoint_every: None,
        };
        let simulation = Arc::new(Simulation::new(desk)?);
        let provenance = Provenance::begin(nonce, share.index, &team.present, &seats);
        Ok(Self {
            options,
            share,
            provenance,
            threads,
            simulation,
            _stage: stage,
            helping: false,
            computed: 0,
        })
    }

    /// What to do next; None if nothing is missing.
    fn next(&mut self) -> Result<Option<Chosen>, Failure> {
        if prepare(&self.options.out, &self.options.sweep)? {
            return Ok(None);
        }
        let (missing, checkpoints) = match survey(&self.options.out, &self.options.sweep) {
            // Another process has just finished, and removes what it no longer needs.
            Err(StoreError::Io { .. }) => return Ok(None),
            outcome => outcome?,
        };
        let segments: Vec<Segment> = checkpoints.iter().map(|one| one.segment.clone()).collect();
        let (rest, useful) = set_apart(&missing, &segments);
        let stopped: Vec<CheckpointRef> =
            useful.into_iter().map(|index| checkpoints[index].clone()).collect();
        if rest.is_empty() && stopped.is_empty() {
            return Ok(None);
        }
        let workers = self.threads * self.share.of as usize;
        let how = Cut { target: TARGET_SECONDS, workers, chunk_replicas: self.options.chunk_replicas };
        let chunks = chunk::cut(&rest, &self.options.sweep, &Costs::default(), &how);
        let chosen = choose(self.share, self.helping, self.threads, chunks, stopped);
        self.helping = true;
        Ok(Some(chosen))
    }

    fn compute(
        &mut self,
        chunks: Vec<Chunk>,
        stopped: Vec<CheckpointRef>,
        outside: &Outside,
        started: Instant,
        show: &mut dyn FnMut(&Progress),
    ) -> Result<Finish, Failure> {
        self.provenance.write(&self.options.out)?;
        let pool = Pool::new(self.threads, Arc::clone(&self.simulation), check_thread)?;
        let mut ledger = Contribution { guest: &*self, chunks, stopped, done: 0 };
        let walltime = ledger.guest.options.walltime.map(Walltime::of);
        let mut nobody = Nobody;
        let lead = Lead::new(Some(pool), &[], &mut ledger, &mut nobody, &outside.signals, walltime, started);
        let finish = lead.run(show);
        let done = ledger.done;
        self.computed += done;
        let how = finish.as_ref().map_or("failed", |finish| finish.name());
        self.provenance.end(how, started.elapsed(), host::cpu_seconds());
        self.provenance.write(&self.options.out)?;
        finish
    }

    fn summary(&self, team: &Team) -> Result<Summary, Failure> {
        let status = metasweep_store::status(&self.options.out)?;
        let mut summary = run::all_there(team, self.options, status.replicas_failed);
        summary.tally.replicas_done = status.replicas_done;
        summary.tally.cells_done = status.cells_done;
        summary.computed = self.computed;
        summary.threads = self.threads;
        Ok(summary)
    }
}

/// The own share: every so-manieth of the chunks, most expensive first. A helper's: a few from the end, each helper others.
fn choose(
    share: Share,
    helping: bool,
    threads: usize,
    chunks: Vec<Chunk>,
    stopped: Vec<CheckpointRef>,
) -> Chosen {
    let (index, of) = (share.index as usize, share.of as usize);
    if !helping {
        let own = |position: usize| position % of == index;
        return (
            chunks.into_iter().enumerate().filter(|(at, _)| own(*at)).map(|(_, chunk)| chunk).collect(),
            stopped.into_iter().enumerate().filter(|(at, _)| own(*at)).map(|(_, one)| one).collect(),
        );
    }
    let few = HELPING * threads;
    let total = chunks.len();
    if total > 0 {
        let first = index * few % total;
        let mut seconds = 0.0;
        let enough = |(taken, chunk): &(usize, Chunk)| {
            let more = *taken < few || seconds < HELPING_SECONDS * threads as f64;
            seconds += chunk.cost;
            more
        };
        let others = chunks.into_iter().rev().cycle().skip(first).take(total).enumerate();
        return (others.take_while(enough).map(|(_, chunk)| chunk).collect(), Vec::new());
    }
    let total = stopped.len().max(1);
    (Vec::new(), stopped.into_iter().cycle().skip(index % total).take(1).collect())
}

/// The ledger of a process that contributes: what it was to do, and how much of it is done.
struct Contribution<'a, 'b> {
    guest: &'a Guest<'b>,
    chunks: Vec<Chunk>,
    stopped: Vec<CheckpointRef>,
    done: u64,
}

impl Ledger for Contribution<'_, '_> {
    type Task = Task;
    type Receipt = Report;

    fn todo(&mut self) -> Result<Vec<Todo<Task>>, Failure> {
        let costs = Costs::default();
        let sweep = &self.guest.options.sweep;
        let mut todo = Vec::new();
        for reference in self.stopped.drain(..) {
            let segment = reference.segment.clone();
            let replica = costs.replica(&sweep.cells[segment.cell as usize], &sweep.observe);
            let (cost, class) = (replica * segment.replicas.len() as f64, segment.cell);
            todo.push(Todo::Compute {
                task: Task::Compute { segments: vec![segment], resume: Some(reference) },
                cost,
                class,
            });
        }
        for Chunk { segments, cost } in self.chunks.drain(..) {
            let class = segments.first().map_or(0, |segment| segment.cell);
            todo.push(Todo::Compute { task: Task::Compute { segments, resume: None }, cost, class });
        }
        Ok(todo)
    }

    /// Receipts are in this process's journal, where the others find them.
    fn accept(&mut self, report: Report) -> Result<Vec<Todo<Task>>, Failure> {
        if let Kind::Rows(entries) = &report.receipt.kind {
            self.done += entries.iter().map(|entry| entry.replicas.len() as u64).sum::<u64>();
        }
        Ok(Vec::new())
    }

    fn sync(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn tally(&self) -> Tally {
        let sweep = &self.guest.options.sweep;
        Tally {
            cells_done: 0,
            cells_total: sweep.cells.len() as u64,
            replicas_done: self.guest.computed + self.done,
            replicas_total: sweep.cells.len() as u64 * u64::from(sweep.replicas),
            replicas_failed: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(count: u32) -> Vec<Chunk> {
        (0..count)
            .map(|cell| Chunk {
                segments: vec![Segment { cell, replicas: 0..1 }],
                cost: f64::from(count - cell),
            })
            .collect()
    }

    fn cells(chosen: &Chosen) -> Vec<u32> {
        chosen.0.iter().map(|chunk| chunk.segments[0].cell).collect()
    }

    #[test]
    fn shares_are_read() {
        assert_eq!("1/4".parse(), Ok(Share { index: 1, of: 4 }));
        for text in ["", "4/4", "1", "a/4", "-1/4", "0/0"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn own_shares_are_everything_once_and_helpers_come_from_the_end() {
        let share = |index| Share { index, of: 3 };
        let mut all: Vec<u32> =
            (0..3).flat_map(|index| cells(&choose(share(index), false, 2, chunks(10), vec![]))).collect();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_eq!(cells(&choose(share(0), true, 1, chunks(10), vec![])), [9, 8]);
        assert_eq!(cells(&choose(share(1), true, 1, chunks(10), vec![])), [7, 6]);
        assert_eq!(cells(&choose(share(2), true, 4, chunks(3), vec![])), [1, 0, 2]);
        // Each takes 0.1 s: twenty are two seconds of one thread.
        let mut small = chunks(50);
        for chunk in &mut small {
            chunk.cost = 0.1;
        }
        assert_eq!(choose(share(0), true, 1, small, vec![]).0.len(), 20);
    }
}
