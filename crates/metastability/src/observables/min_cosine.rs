//! `min_cosine`: the smallest ⟨x_i, x_j⟩.

use metasweep_dynamics::simd::LANES;

use crate::adjacency::smallest;
use crate::observables::{Columns, Lasting, Nature, Needs, State};

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: false, columns: Columns::One, needs: Needs::Nothing, lasting: Lasting::Never };

/// The smallest cosine in each lane; NaN for one token.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    let least = smallest(&state.pairs, state.lanes, state.isa);
    least.map(|cosine| if cosine == f64::INFINITY { f64::NAN } else { cosine })
}
