//! Joining: alone, or as one rank of a job; who leads and who follows.
//!
//! The binary calls [`join`] first of all. A member never looks at the sweep file: it hears from the lead what the run
//! is about.
//!
//! ```no_run
//! use metasweep_cluster::team::{Role, join};
//! match join()? {
//!     Role::Member(member) => member.follow(),
//!     // … read the sweep, then `metasweep_cluster::run::run(team, …)`. Dropping `team` dismisses the members.
//!     Role::Lead(team) => println!("{} ranks", team.ranks()),
//! }
//! # Ok::<(), metasweep_cluster::launcher::Mismatch>(())
//! ```

use std::time::{Duration, Instant};

use crate::abort;
use crate::host;
use crate::launcher::{self, Mismatch};
use crate::lead::dismiss;
use crate::links::{Nobody, Peers};
use crate::messages::{Down, Present, Up};
use crate::work::{Cargo, Failure};
#[cfg(feature = "mpi")]
use crate::world::World;

/// How long members may take to say goodbye before a clean end is given up.
const GOODBYE: Duration = Duration::from_secs(20);
/// How often a rank that waits for another looks.
#[cfg(feature = "mpi")]
const LOOK: Duration = Duration::from_millis(1);

/// What this process is to its job.
pub enum Role {
    /// The only process, or rank 0.
    Lead(Team),
    /// Any other rank.
    Member(Member),
}

/// Looks at the environment, joins the other ranks if there are any, and finds out which one this is.
///
/// # Errors
/// If the launcher and this build do not fit: exit code 2. Only the rank that is to say so has `speak` set.
pub fn join() -> Result<Role, Mismatch> {
    let started = Instant::now();
    let Some(launched) = launcher::detect(&|name| std::env::var(name).ok()) else {
        return Ok(Role::Lead(Team::new(Links::Alone(Nobody), started)));
    };
    abort::die_with_launcher();
    #[cfg(not(feature = "mpi"))]
    {
        launcher::without_mpi(&launched)?;
        Ok(Role::Lead(Team::new(Links::Alone(Nobody), started)))
    }
    #[cfg(feature = "mpi")]
    {
        let world = World::join(&launched)?;
        if world.rank() > 0 {
            return Ok(Role::Member(Member { world }));
        }
        let mut team = Team::new(Links::Ranks(world), started);
        team.gather()?;
        Ok(Role::Lead(team))
    }
}

/// The lines to the members, if any.
pub(crate) enum Links {
    Alone(Nobody),
    #[cfg(feature = "mpi")]
    Ranks(World),
    /// The members have been dismissed.
    #[cfg(feature = "mpi")]
    Closed,
}

/// The lead's view of its job. Dropped before a run, it dismisses the members.
pub struct Team {
    pub(crate) links: Links,
    /// This process, then the members in order.
    pub(crate) present: Vec<Present>,
    pub(crate) started: Instant,
}

impl Team {
    /// A team of this process alone, whoever started it.
    #[must_use]
    pub fn alone() -> Self {
        Self::new(Links::Alone(Nobody), Instant::now())
    }

    /// Number of processes, this one included.
    #[must_use]
    pub fn ranks(&self) -> usize {
        self.present.len()
    }

    fn new(links: Links, started: Instant) -> Self {
        Self { links, present: vec![introduce()], started }
    }

    /// Waits until every member has introduced itself.
    #[cfg(feature = "mpi")]
    fn gather(&mut self) -> Result<(), Mismatch> {
        let count = Peers::<(), ()>::count(&self.links);
        let mut present: Vec<Option<Present>> = vec![None; count];
        while present.iter().any(Option::is_none) {
            abort::check();
            let message = Peers::<(), ()>::receive(&mut self.links);
            match message.map_err(|failure| Mismatch { message: failure.message, speak: true })? {
                Some((member, Up::Present(who))) => present[member - 1] = Some(*who),
                Some(_) => {}
                None => std::thread::sleep(LOOK),
            }
        }
        self.present.extend(present.into_iter().flatten());
        let ours = &self.present[0];
        let Some((rank, other)) =
            self.present.iter().enumerate().find(|(_, other)| other.program != ours.program)
        else {
            return Ok(());
        };
        let message = format!(
            "The ranks run different programs: rank 0 on {} is {}, rank {rank} on {} is {}. Install the same one on all \
             nodes.",
            ours.host, ours.program, other.host, other.program
        );
        Err(Mismatch { message, speak: true })
    }

    /// Ends the run on all ranks; the CPU seconds of the members that took their leave. If one does not, MPI is not
    /// finalized: this process ends without, and the launcher ends the rest.
    pub(crate) fn dismiss<T: Cargo, R: Cargo>(&mut self) -> Vec<f64> {
        let seconds = dismiss::<T, R, _>(&mut self.links, GOODBYE).unwrap_or_default();
        #[cfg(feature = "mpi")]
        if let Links::Ranks(world) = std::mem::replace(&mut self.links, Links::Closed)
            && seconds.len() + 1 == world.size()
        {
            let _ = world.leave();
        }
        seconds
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.dismiss::<(), ()>();
    }
}

impl<T: Cargo, R: Cargo> Peers<T, R> for Links {
    fn count(&self) -> usize {
        match self {
            Links::Alone(_) => 0,
            #[cfg(feature = "mpi")]
            Links::Closed => 0,
            #[cfg(feature = "mpi")]
            Links::Ranks(world) => Peers::<T, R>::count(world),
        }
    }
    fn send(&mut self, member: usize, message: &Down<T>) -> Result<(), Failure> {
        match self {
            Links::Alone(nobody) => Peers::<T, R>::send(nobody, member, message),
            #[cfg(feature = "mpi")]
            Links::Closed => Ok(()),
            #[cfg(feature = "mpi")]
            Links::Ranks(world) => Peers::<T, R>::send(world, member, message),
        }
    }
    fn receive(&mut self) -> Result<Option<(usize, Up<R>)>, Failure> {
        match self {
            Links::Alone(nobody) => Peers::<T, R>::receive(nobody),
            #[cfg(feature = "mpi")]
            Links::Closed => Ok(None),
            #[cfg(feature = "mpi")]
            Links::Ranks(world) => Peers::<T, R>::receive(world),
        }
    }
}

/// A rank that follows.
pub struct Member {
    #[cfg(feature = "mpi")]
    world: World,
    /// Without MPI there are no members.
    #[cfg(not(feature = "mpi"))]
    never: std::convert::Infallible,
}

impl Member {
    /// Works until the lead says that the run is over; the exit code of this rank is then 0, whatever that of the run:
    /// the lead's is what the launcher passes on. If this rank cannot go on it says why and ends all of them.
    pub fn follow(self) {
        #[cfg(not(feature = "mpi"))]
        match self.never {}
        #[cfg(feature = "mpi")]
        {
            let mut world = self.world;
            match crate::run::follow_lead(&mut world, introduce()) {
                // If it cannot leave in good order, the launcher sees to the rest.
                Ok(()) => drop(world.leave()),
                Err(failure) => {
                    let rank = world.rank();
                    abort::say(&format!("metasweep: rank {rank} on {}: {failure}\n", host::name()));
                    world.abort(failure.exit_code)
                }
            }
        }
    }
}

/// Who this process is.
fn introduce() -> Present {
    let program = format!("metasweep {}, engine {}", env!("CARGO_PKG_VERSION"), metasweep_dynamics::ENGINE);
    Present {
        host: host::name(),
        pid: std::process::id(),
        processors: host::processors(),
        parallelism: host::parallelism() as u32,
        cpu: host::cpu(),
        isa: crate::dataset::isa_name(),
        program,
    }
}
