//! `min_cosine`: the smallest ⟨x_i, x_j⟩.

use metasweep_dynamics::simd::LANES;

use crate::adjacency::smallest;
use crate::observables::State;

/// The smallest cosine in each lane; NaN for one token.
#[must_use]
pub fn sample(state: &State<'_>) -> [f64; LANES] {
    smallest(state.gram, state.isa).map(|cosine| if cosine == f64::INFINITY { f64::NAN } else { cosine })
}
