//! `renyi_centres`, `strong_renyi_centres`: how many there are (P3 §5.1). Chosen at t = 0, so constant in time.

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};
use crate::renyi::Which;

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: true, columns: Columns::One, needs: Needs::Centres, lasting: Lasting::Never };

/// The number in each lane; constant in time.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    number(state, Which::Renyi)
}

/// The number of centres in each lane.
#[must_use]
pub(super) fn number(state: &State<'_>, which: Which) -> [f64; LANES] {
    state.each_lane(|lane| state.centres(lane).map_or(f64::NAN, |centres| centres.tokens(which).len() as f64))
}
