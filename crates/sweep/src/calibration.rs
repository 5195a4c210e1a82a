//! The constants of [`Costs`], measured on this machine by timing small ensembles through the real kernels.

use std::time::{Duration, Instant};

use metasweep_dynamics::ensemble::Ensemble;
use metasweep_dynamics::simd::{Isa, LANES};
use metasweep_metastability::recorder::Recorder;
use serde::{Deserialize, Serialize};

use crate::cost::Costs;
use crate::start::Prepared;
use crate::sweep::Sweep;

/// Coordinates of the tokens that are timed. Of two it would be a Fourier series, and not pairs.
const FEW: usize = 3;
const MANY: usize = 16;

/// Measured constants and what they were measured with; `metasweep plan --calibration FILE` reads it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The vector instructions, in Rust's words.
    pub isa: String,
    /// The constants.
    pub costs: Costs,
}

/// Seconds that pieces of work took, for one lane.
#[derive(Clone, Copy)]
struct Times {
    /// One step.
    step: f64,
    /// One state observed.
    observe: f64,
    /// One start drawn.
    start: f64,
}

impl Calibration {
    /// Measures for about `budget`; whatever cannot be measured stays at its default.
    #[must_use]
    pub fn measure(isa: Isa, budget: Duration) -> Calibration {
        let mut costs = Costs::default();
        let each = budget / 4;
        let flat = time(32, FEW, "identity", &[], isa, each);
        let wide = time(32, MANY, "identity", &[], isa, each);
        let full = time(16, 16, "gaussian", &[], isa, each);
        let sampled =
            time(32, FEW, "identity", &["clusters", "pair_fraction", "mean_cosine", "energy"], isa, each);
        if let (Some(flat), Some(wide)) = (flat, wide) {
            let (narrow, broad) =
                ((flat.step - costs.evaluation) / pairs(32.0), (wide.step - costs.evaluation) / pairs(32.0));
            costs.pair_coordinate = at_least((broad - narrow) / (MANY - FEW) as f64, costs.pair_coordinate);
            costs.pair = at_least(narrow - FEW as f64 * costs.pair_coordinate, costs.pair);
            costs.observed_pair = at_least(flat.observe / pairs(32.0), costs.observed_pair);
            costs.drawn_number =
                at_least((wide.start - flat.start) / (32.0 * (MANY - FEW) as f64), costs.drawn_number);
            if let Some(sampled) = sampled {
                // Weights of the four: 1 + 1 + 1 + 4.
                let extra = (sampled.observe - flat.observe) / (7.0 * pairs(32.0));
                costs.sampled_pair = at_least(extra, costs.sampled_pair);
            }
        }
        if let Some(full) = full {
            let in_pairs = 2.0 * pairs(16.0) * (costs.pair + 16.0 * costs.pair_coordinate);
            costs.matrix_entry = at_least((full.step - in_pairs) / (2.0 * 16.0 * 256.0), costs.matrix_entry);
        }
        Calibration { isa: format!("{isa:?}"), costs }
    }
}

fn pairs(n: f64) -> f64 {
    n * (n - 1.0) / 2.0
}

/// A difference of timings, kept above a twentieth of what is usual: noise must not make work free.
fn at_least(measured: f64, usual: f64) -> f64 {
    measured.max(usual / 20.0)
}

/// The sweep of which one kind of ensemble is timed.
fn timed(n: usize, d: usize, family: &str, series: &[&str]) -> Option<Sweep> {
    let text = format!(
        "name = \"calibration\"\nseed = 1\nreplicas = 8\n\
         [[grid]]\nn = {n}\nd = {d}\nbeta = 2.0\nvalue = \"{family}\"\nquery_key = \"{family}\"\n\
         [time]\nhorizon = 1.6\nintegrator = \"projected_euler\"\nstep = 0.1\nsample = {{ count = 17 }}\n\
         [observe]\nseries = {series:?}\n"
    );
    let no_files = |_: &str| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    Sweep::parse(&text, "calibration", &[], &mut { no_files }).ok()
}

/// Times one kind of ensemble, the median of several runs.
fn time(n: usize, d: usize, family: &str, series: &[&str], isa: Isa, budget: Duration) -> Option<Times> {
    const STEPS: u32 = 16;
    let sweep = timed(n, d, family, series)?;
    let prepared = Prepared::new(&sweep, sweep.cells.first()?).ok()?;
    let deadline = Instant::now() + budget;
    let (mut starts_took, mut steps_took, mut observed_took) = (Vec::new(), Vec::new(), Vec::new());
    while starts_took.len() < 3 || (Instant::now() < deadline && starts_took.len() < 1000) {
        let begin = Instant::now();
        let starts =
            (0..LANES as u32).map(|replica| prepared.start(replica)).collect::<Result<Vec<_>, _>>().ok()?;
        starts_took.push(begin.elapsed().as_secs_f64());
        let mut ensemble = Ensemble::new(&prepared.model, &starts, isa).ok()?;
        let mut recorder = Recorder::new(&prepared.watch, n, LANES);
        recorder.observe(&prepared.watch, &mut ensemble);
        let (mut stepping, mut observing) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..STEPS {
            let begin = Instant::now();
            ensemble.step();
            let between = Instant::now();
            recorder.observe(&prepared.watch, &mut ensemble);
            stepping += between - begin;
            observing += between.elapsed();
        }
        steps_took.push(stepping.as_secs_f64() / f64::from(STEPS));
        observed_took.push(observing.as_secs_f64() / f64::from(STEPS));
    }
    let lane = |mut seconds: Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2] / LANES as f64
    };
    Some(Times { step: lane(steps_took), observe: lane(observed_took), start: lane(starts_took) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series;

    /// What is timed as pairs is pairs.
    #[test]
    fn no_series_is_timed() {
        let by_series = |d: usize| {
            let sweep = timed(32, d, "identity", &[]).expect("it is a sweep");
            series::abreast(&sweep.cells[0]).is_some()
        };
        assert!(by_series(2) && !by_series(FEW) && !by_series(MANY));
    }
}
