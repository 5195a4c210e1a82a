//! `renyi_drift`: how far the Rényi centres have moved since t = 0 (P3 Lemma 5.1: strong ones nearly stand still).
//!
//! Columns: the mean over the Rényi centres, `_max` the largest, and the same of the strong ones, `_strong`, `_strong_max`. Geodesic
//! distances; a token's way back and forth does not count, only where it is.

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};
use crate::renyi::Which;

/// Suffixes of the columns, in the order of the variants.
pub const SUFFIXES: [&str; 4] = ["", "_max", "_strong", "_strong_max"];

/// What it is.
pub const NATURE: Nature = Nature {
    is_count: false,
    columns: Columns::Own(&SUFFIXES),
    needs: Needs::Centres,
    lasting: Lasting::Never,
};

/// The drift in each lane. The first token is always a centre of both kinds, so there is one.
#[must_use]
pub fn sample(state: &State<'_>, variant: usize) -> [f64; LANES] {
    let which = if variant < 2 { Which::Renyi } else { Which::Strong };
    state.each_lane(|lane| {
        let Some(centres) = state.centres(lane) else { return f64::NAN };
        let drifts = centres.drifts(which, state.scene, lane);
        if variant.is_multiple_of(2) {
            drifts.iter().fold(0.0, |sum, drift| sum + drift) / drifts.len() as f64
        } else {
            drifts.iter().copied().fold(0.0, f64::max)
        }
    })
}
