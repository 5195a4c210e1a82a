//! `metasweep doctor`: what this machine or cluster supports.

use std::process::ExitCode;

use metasweep_cluster::slurm::doctor::{Verdict, examine};

use crate::arguments::Doctor;
use crate::failure::Failure;
use crate::output::print;

/// Prints the checks; exit code 1 if something will not work.
pub fn run(options: &Doctor) -> Result<ExitCode, Failure> {
    let checks = examine(&options.dir);
    let wrong = checks.iter().any(|check| check.verdict == Verdict::Wrong);
    if options.json {
        print(&serde_json::to_string_pretty(&checks).map_err(Failure::failed)?)?;
    } else {
        let width = checks.iter().map(|check| check.what.chars().count()).max().unwrap_or(0);
        let mut text = format!("metasweep {}\n", env!("CARGO_PKG_VERSION"));
        for check in &checks {
            let mark = match check.verdict {
                Verdict::Ok => "ok",
                Verdict::Note => "–",
                Verdict::Wrong => "WRONG",
            };
            text += &format!("  {mark:<5}  {:<width$}  {}\n", check.what, check.found);
        }
        print(&text)?;
    }
    Ok(ExitCode::from(u8::from(wrong)))
}
