//! `strong_renyi_centres`: how many tokens of t = 0 are farther than δ_R from all earlier tokens (P3 §5.1).

use metasweep_dynamics::simd::LANES;

use super::renyi_centres;
use crate::observables::{Columns, Lasting, Nature, Needs, State};
use crate::renyi::Which;

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: true, columns: Columns::One, needs: Needs::Centres, lasting: Lasting::Never };

/// The number in each lane; constant in time.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    renyi_centres::number(state, Which::Strong)
}
