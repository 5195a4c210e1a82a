//! `metasweep show`: one replica without a sweep file: the first picture in a minute.

use std::process::ExitCode;

use metasweep_analysis::figure::draw::draw;
use metasweep_analysis::figure::trajectory_of_states;
use metasweep_dynamics::simd::Isa;
use metasweep_sweep::replay;
use metasweep_sweep::sweep::Sweep;

use crate::arguments::{Show, Verbosity};
use crate::failure::Failure;

/// Times at which it is drawn.
const FRAMES: u32 = 400;

/// Simulates and draws.
pub fn run(options: &Show, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    if !options.until.is_finite() || options.until <= 0.0 {
        return Err(Failure::usage(format!("--until {}: a time above 0", options.until)));
    }
    let isa = Isa::detect().map_err(Failure::usage)?;
    let text = format!(
        "name = \"show\"\nseed = {}\nreplicas = 1\n[[grid]]\nn = 32\nd = 2\nbeta = 9\n[time]\nhorizon = {:?}\n\
         integrator = \"adaptive\"\ntolerance = 1e-8\nsample = {{ count = 2 }}\n[observe]\nseries = []\n",
        options.seed, options.until
    );
    let mut load = |name: &str| std::fs::read(name);
    let sweep = Sweep::parse(&text, "show", &options.set, &mut load).map_err(Failure::usage)?;
    let cell = &sweep.cells[0];
    if sweep.cells.len() > 1 {
        return Err(Failure::usage("show draws one cell: give every key one value"));
    }
    let times: Vec<f64> =
        (0..=FRAMES).map(|frame| options.until * f64::from(frame) / f64::from(FRAMES)).collect();
    let frames = replay::trajectory(&sweep, cell, 0, &times, isa).map_err(Failure::usage)?;
    let states: Vec<(f64, Vec<Vec<f64>>)> = times
        .into_iter()
        .zip(frames)
        .map(|(t, frame)| {
            let d = frame.tokens.len() / (cell.n() as usize).max(1);
            (t, frame.tokens.chunks_exact(d.max(1)).map(<[f64]>::to_vec).collect())
        })
        .collect();
    let title = format!("n = {}, d = {}, β = {}", cell.n(), cell.d(), cell.get("beta"));
    draw(&trajectory_of_states(&title, &states), None, &options.out)?;
    if verbosity > Verbosity::Quiet {
        eprintln!("metasweep: wrote {}", options.out.display());
    }
    Ok(ExitCode::SUCCESS)
}
