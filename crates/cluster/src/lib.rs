//! Who computes what when: threads and MPI ranks, scheduling, walltime, signals.
//!
//! One process leads ([`lead`]): the only one of a local run, rank 0 under MPI. It keeps the dataset's ledger, asks
//! the [`scheduler`] what comes next, and computes itself. The others follow ([`member`]): they take chunks, write
//! their own frames, and report receipts. Only assignments and receipts travel ([`messages`]).
//!
//! Nothing here can change a byte of the data: chunks may be computed by anybody, in any order, twice, or in pieces.

pub mod abort;
pub mod correction;
pub mod dataset;
pub mod forecast;
pub mod host;
pub mod launcher;
pub mod lead;
pub mod leftover;
pub mod links;
pub mod member;
pub mod messages;
pub mod pool;
pub mod progress;
pub mod provenance;
pub mod run;
pub mod scheduler;
pub mod share;
pub mod signals;
pub mod silence;
pub mod slurm;
mod stage;
pub mod tail;
pub mod team;
pub mod work;
#[cfg(feature = "mpi")]
pub mod world;

/// The MPI library that this program was built with, in a line; None without MPI.
#[must_use]
pub fn world_library() -> Option<String> {
    #[cfg(feature = "mpi")]
    {
        let version = mpi::environment::library_version().unwrap_or_default();
        Some(version.lines().next().unwrap_or_default().trim().to_owned())
    }
    #[cfg(not(feature = "mpi"))]
    None
}
