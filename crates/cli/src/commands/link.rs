//! `metasweep link`: what the batch shell of a job script becomes.

use std::process::ExitCode;

use metasweep_cluster::slurm::link::follow;

use crate::arguments::Link;
use crate::failure::Failure;

/// Does the work, then sees to what follows.
pub fn run(options: &Link) -> Result<ExitCode, Failure> {
    Ok(ExitCode::from(follow(&options.dir, options.chain, &options.command)?))
}
