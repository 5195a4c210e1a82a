//! `metasweep logs`: the end of the newest job's log.

use std::process::ExitCode;

use metasweep_cluster::slurm::report::newest_log;

use crate::arguments::Logs;
use crate::failure::Failure;
use crate::output::print;

/// Prints its path (stderr) and its last lines (stdout).
pub fn run(options: &Logs) -> Result<ExitCode, Failure> {
    let Some(path) = newest_log(&options.dir) else {
        return Err(Failure::failed(format!(
            "{}: there is no log; no job was submitted for it, or none has begun",
            options.dir.display()
        )));
    };
    eprintln!("metasweep: {}", path.display());
    let bytes = std::fs::read(&path)
        .map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    print(&lines[lines.len().saturating_sub(options.lines)..].join("\n"))?;
    Ok(ExitCode::SUCCESS)
}
