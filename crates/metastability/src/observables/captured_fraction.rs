//! `captured_fraction`: the share of tokens near some Rényi centre's current position (P3 Fig. 3).
//!
//! P3 does not say how near. Columns: within half the separation of a Rényi centre, `_separation` within the separation, `_beta`
//! within β^{−1/2}, and the same of the strong centres, `_strong`, `_strong_separation`, `_strong_beta`. Geodesic distances; centres
//! count themselves.

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};
use crate::renyi::Which;

/// Suffixes of the columns, in the order of the variants.
pub const SUFFIXES: [&str; 6] = ["", "_separation", "_beta", "_strong", "_strong_separation", "_strong_beta"];

/// What it is.
pub const NATURE: Nature = Nature {
    is_count: false,
    columns: Columns::Own(&SUFFIXES),
    needs: Needs::Centres,
    lasting: Lasting::Never,
};

/// The share in each lane.
#[must_use]
pub fn sample(state: &State<'_>, variant: usize) -> [f64; LANES] {
    let which = if variant < 3 { Which::Renyi } else { Which::Strong };
    let radius = match variant % 3 {
        0 => 0.5 * state.watch.separation,
        1 => state.watch.separation,
        // Infinite at β = 0, where every token is that near.
        _ => 1.0 / state.beta.sqrt(),
    };
    state.each_lane(|lane| {
        let centres = state.centres(lane);
        centres.map_or(f64::NAN, |centres| centres.captured(which, state.scene, lane, radius))
    })
}
