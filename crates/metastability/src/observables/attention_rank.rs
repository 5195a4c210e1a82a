//! `attention_rank`: the numerical rank of the attention matrix P(t) = (w_ij) (P1 §2, Figs. 3 and 10).
//!
//! Singular values above n·ε·σ_max count, ε = 2⁻⁵², as in `numpy.linalg.matrix_rank`. With several heads the largest of their ranks.

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};
use crate::spectrum::rank::numerical_rank;

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: true, columns: Columns::One, needs: Needs::Weights, lasting: Lasting::Never };

/// The rank in each lane; NaN where there are no weights, or they are not finite.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    state.each_lane(|lane| {
        let heads = state.scene.system.map_or_else(Vec::new, |system| system.attention_weights(lane));
        let ranks: Option<Vec<usize>> =
            heads.iter().map(|weights| numerical_rank(weights, state.n)).collect();
        ranks.and_then(|ranks| ranks.into_iter().max()).map_or(f64::NAN, |rank| rank as f64)
    })
}
