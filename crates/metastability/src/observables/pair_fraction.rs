//! `pair_fraction`: the share of ordered pairs i ≠ j with ⟨x_i, x_j⟩ ≥ 1 − δ (P0 Fig. 2).

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: false, columns: Columns::Deltas, needs: Needs::Nothing, lasting: Lasting::AllClose };

/// The share in each lane; NaN for one token.
#[must_use]
pub fn sample(state: &State<'_>, delta: usize) -> [f64; LANES] {
    // Ordered or not, the share is the same: each unordered pair counts twice above and below.
    let pairs = state.pairs.count() as f64;
    state.levels.close_pairs(delta).map(|close| close as f64 / pairs)
}
