//! `metasweep verify`: a dataset against its seals, and against the replicas themselves.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::ExitCode;

use metasweep_dynamics::simd::Isa;
use metasweep_store::{Report, StoreError};
use metasweep_sweep::simulate::simulate;

use crate::arguments::{Verbosity, Verify};
use crate::failure::Failure;

/// The dataset is damaged or belongs to another sweep or engine.
const DAMAGED: u8 = 3;
/// Replicas of a recomputed chunk, where it need not be a whole cell.
const REPLICAS: u32 = 16;

/// Checks, and says what is wrong.
pub fn run(options: &Verify, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let isa = Isa::detect().map_err(Failure::usage)?;
    let mut report = metasweep_store::verify(&options.dir, &mut |_, _| {}).map_err(failure)?;
    let mut recomputed = 0;
    if let Some(count) = options.recompute {
        if !report.complete {
            report.problems.push(format!(
                "{} is not complete: only complete datasets can be recomputed.",
                options.dir.display()
            ));
        } else if report.problems.is_empty() {
            recomputed = recompute(&options.dir, count, isa, &mut report)?;
        }
    }
    if !report.problems.is_empty() {
        return Err(Failure::with_code(DAMAGED, report.problems.join("\n")));
    }
    if verbosity > Verbosity::Quiet {
        let state = if report.complete { "complete" } else { "incomplete; what is sealed" };
        let again = if recomputed > 0 {
            format!("; {recomputed} chunks recomputed, rows equal")
        } else {
            String::new()
        };
        eprintln!(
            "metasweep: {} is {state} and whole: {} parts, {} rows, {} bytes match their seals{again}",
            options.dir.display(),
            report.parts,
            report.rows,
            report.bytes
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Computes `count` random chunks again; differences become problems of the report.
fn recompute(dir: &Path, count: u32, isa: Isa, report: &mut Report) -> Result<usize, Failure> {
    let sweep = metasweep_store::sweep_to_repeat(dir).map_err(failure)?;
    // Which chunks is the one thing here that may be random.
    let random = RandomState::new().build_hasher().finish();
    let segments = metasweep_store::segments_to_recompute(&sweep, count as usize, REPLICAS, random);
    for segment in &segments {
        let outcome = simulate(&sweep, segment, None, isa, &|_| false);
        report
            .problems
            .extend(metasweep_store::compare(dir, &sweep, segment, &outcome.records).map_err(failure)?);
    }
    Ok(segments.len())
}

fn failure(error: StoreError) -> Failure {
    Failure::with_code(error.exit_code(), error)
}
