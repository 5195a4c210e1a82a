//! `renyi_centres`, `strong_renyi_centres`: how many there are (P3 §5.1). Chosen at t = 0, so constant in time.

use metasweep_dynamics::simd::LANES;

use crate::observables::State;
use crate::renyi::Which;

/// The number of centres in each lane.
#[must_use]
pub fn sample(state: &State<'_>, which: Which) -> [f64; LANES] {
    state.each_lane(|lane| state.centres(lane).map_or(f64::NAN, |centres| centres.tokens(which).len() as f64))
}
