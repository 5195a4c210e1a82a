//! SLURM: from a sweep to a job script, from a job that ran out of time to the one that goes on.
//!
//! `metasweep submit` makes a [`request::JobRequest`] of flags and [`site::Settings`], [`script::render`]s it, and hands it to
//! sbatch ([`queue`]). In the job, the batch shell becomes `metasweep link` ([`link`]): it starts the work, passes signals on, writes
//! down how it ended ([`submissions`]), and does what the [`chain`] says. The records are all that connects the links of a
//! chain: any of them can be killed at any instant.

pub mod chain;
pub mod doctor;
mod last_words;
pub mod limits;
pub mod link;
pub mod login_node;
pub mod queue;
mod quota;
pub mod quoting;
pub mod report;
pub mod request;
pub mod script;
pub mod site;
pub mod submissions;

use crate::work::Failure;

/// What was typed or set cannot go into a job script: exit code 2.
pub(crate) fn refused(message: impl Into<String>) -> Failure {
    Failure { message: message.into(), exit_code: 2 }
}
