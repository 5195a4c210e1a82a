//! `clusters`: the number of connected components of the graph ⟨x_i, x_j⟩ ≥ 1 − δ.

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: true, columns: Columns::Deltas, needs: Needs::Nothing, lasting: Lasting::AllClose };

/// Number of clusters in each lane.
#[must_use]
pub fn sample(state: &State<'_>, delta: usize) -> [f64; LANES] {
    state.levels.clusters(delta).map(f64::from)
}
