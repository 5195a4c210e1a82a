//! Collapse: the first time at which all tokens are close to one another (docs/models.md, `collapse_time`).

use metasweep_dynamics::simd::LANES;
use serde::{Deserialize, Serialize};

use crate::clock::{Instant, crossing};
use crate::scene::{LaneMask, Scene, lanes_of};
use crate::watch::Watch;

/// For each lane and δ, the first t with min_ij ⟨x_i, x_j⟩ ≥ 1 − δ.
///
/// The minimum is taken as linear within the step. A state that starts collapsed, and a single token, have
/// t = 0. What happens afterwards changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collapse {
    /// `[lane][δ]`.
    times: Vec<Vec<Option<f64>>>,
    /// The smallest cosine of each lane, and the time, of the state before.
    before: [f64; LANES],
    time_before: [Instant; LANES],
}

impl Collapse {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(watch: &Watch, lanes: usize) -> Self {
        Self {
            times: vec![vec![None; watch.deltas.len()]; lanes],
            before: [-1.0; LANES],
            time_before: [Instant::default(); LANES],
        }
    }

    /// Takes in a state whose smallest cosines are `smallest`; `first` says that there is none before it.
    pub fn observe(
        &mut self,
        watch: &Watch,
        scene: &Scene<'_>,
        smallest: [f64; LANES],
        active: LaneMask,
        first: bool,
    ) {
        for lane in lanes_of(active) {
            for (time, delta) in self.times[lane].iter_mut().zip(&watch.deltas) {
                let level = 1.0 - delta;
                if time.is_none() && smallest[lane] >= level {
                    let share = if first { 1.0 } else { crossing(self.before[lane], smallest[lane], level) };
                    *time = Some(self.time_before[lane].towards(scene.time[lane], share).time());
                }
            }
        }
        self.before = smallest;
        self.time_before = scene.time;
    }

    /// The lowest of the levels 1 − δ that this lane has not reached; a δ that is no number is never reached.
    #[must_use]
    pub fn next_level(&self, watch: &Watch, lane: usize) -> Option<f64> {
        let missing = self.times[lane].iter().zip(&watch.deltas).filter(|(time, _)| time.is_none());
        missing.map(|(_, delta)| 1.0 - delta).filter(|level| !level.is_nan()).reduce(f64::min)
    }

    /// The smallest cosine of the state before, where it had not been looked for.
    pub fn remember(&mut self, lane: usize, smallest: f64) {
        self.before[lane] = smallest;
    }

    /// Whether every δ has been reached in all of these lanes.
    #[must_use]
    pub fn complete(&self, lanes: LaneMask) -> bool {
        lanes_of(lanes).all(|lane| self.times[lane].iter().all(Option::is_some))
    }

    /// The collapse times of a lane, one for each δ.
    #[must_use]
    pub fn times(&self, lane: usize) -> &[Option<f64>] {
        &self.times[lane]
    }
}
