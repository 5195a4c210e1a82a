//! One replica again: its initial state, and its trajectory, bit for bit the run that made its rows.

use std::sync::Arc;

use metasweep_dynamics::clock::Instant;
use metasweep_dynamics::ensemble::{Ensemble, Start};
use metasweep_dynamics::parameters::Parameters;
use metasweep_dynamics::simd::Isa;
use metasweep_dynamics::trajectory::Trajectory;

use crate::cell::{Cell, steps_until};
use crate::start::Prepared;
use crate::sweep::Sweep;

/// The state of one replica at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The time asked for; of fixed steps the state is the one after ⌊t/η + 1e-9⌋.
    pub t: f64,
    /// Steps taken; of adaptive ones the last may go beyond t.
    pub step: u64,
    /// The tokens, n × [`Cell::carried`], row-major.
    pub tokens: Vec<f64>,
}

/// Where a replica starts.
#[derive(Clone, Debug)]
pub struct Initial {
    /// The tokens, n × [`Cell::carried`], row-major.
    pub tokens: Vec<f64>,
    /// Its matrices.
    pub parameters: Arc<Parameters>,
}

/// The initial tokens and matrices of a replica.
///
/// # Errors
/// If they cannot be drawn; the replica's `status` says the same.
pub fn initial(sweep: &Sweep, cell: &Cell, replica: u32) -> Result<Initial, String> {
    let start = Prepared::new(sweep, cell)?.start(replica)?;
    Ok(Initial { tokens: start.tokens, parameters: start.parameters })
}

/// The states of a replica at `times` (in any order), which may go beyond the cell's horizon.
///
/// # Errors
/// If the replica cannot be drawn, or a time is negative or not finite.
pub fn trajectory(
    sweep: &Sweep,
    cell: &Cell,
    replica: u32,
    times: &[f64],
    isa: Isa,
) -> Result<Vec<Frame>, String> {
    if let Some(wrong) = times.iter().find(|t| !(t.is_finite() && **t >= 0.0)) {
        return Err(format!("{wrong} is not a time: times are finite and not negative"));
    }
    let prepared = Prepared::new(sweep, cell)?;
    let start = prepared.start(replica)?;
    if cell.is_adaptive() {
        return adaptive(&prepared, &start, times, isa);
    }
    let mut ensemble = Ensemble::new(&prepared.model, &[start], isa).map_err(|error| error.to_string())?;
    let mut order: Vec<(u64, usize)> =
        times.iter().enumerate().map(|(position, t)| (steps_until(*t, cell.step), position)).collect();
    order.sort_unstable();
    let mut frames: Vec<Frame> = times.iter().map(|t| Frame { t: *t, step: 0, tokens: Vec::new() }).collect();
    for (step, position) in order {
        // A stationary state stays what it is.
        while ensemble.steps() < step && !ensemble.stationary(0) {
            ensemble.step();
        }
        frames[position].step = step;
        frames[position].tokens = ensemble.lane_tokens(0);
    }
    Ok(frames)
}

/// The same where steps are adaptive: states within a step are those that the recorder was shown.
fn adaptive(prepared: &Prepared<'_>, start: &Start, times: &[f64], isa: Isa) -> Result<Vec<Frame>, String> {
    let mut trajectory = Trajectory::new(&prepared.model, start, prepared.tolerance(), isa)
        .map_err(|error| error.to_string())?;
    let mut order: Vec<(f64, usize)> = times.iter().copied().zip(0..).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut frames: Vec<Frame> = times.iter().map(|t| Frame { t: *t, step: 0, tokens: Vec::new() }).collect();
    let mut points = trajectory.points().to_vec();
    for (time, position) in order {
        let at = Instant::at(time);
        while trajectory.ending().is_none() && at.since(trajectory.time()) > 0.0 {
            trajectory.merge();
            trajectory.advance();
        }
        let share = trajectory.share_at(at);
        trajectory.points_at(share, &mut points);
        let d = points.len() / trajectory.count();
        let row = |member: &u32| &points[*member as usize * d..(*member as usize + 1) * d];
        frames[position].step = trajectory.steps();
        frames[position].tokens = trajectory.members().iter().flat_map(row).copied().collect();
    }
    Ok(frames)
}
