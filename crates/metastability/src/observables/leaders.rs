//! `leaders`: the tokens that capture the attention of others (P1 §2: at most three of them as t → ∞, d = 1).
//!
//! Token j captures row i of P(t) if it has more than half of the row's weight, w_ij > ½ Σ_k w_ik; leaders are those that capture a
//! row. Where P(t) has become Boolean these are its nonzero columns. Weight that is shared evenly leads nowhere: clusters of
//! coincident tokens on the sphere have no leader. With several heads a token leads if it does in one of them.

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: true, columns: Columns::One, needs: Needs::Weights, lasting: Lasting::Never };

/// The number of leaders in each lane; NaN where there are no weights, or they are not finite.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    state.each_lane(|lane| {
        let heads = state.scene.system.map_or_else(Vec::new, |system| system.attention_weights(lane));
        if heads.is_empty() || heads.iter().flatten().any(|weight| !weight.is_finite()) {
            return f64::NAN;
        }
        let mut leads = vec![false; state.n];
        for row in heads.iter().flat_map(|weights| weights.chunks_exact(state.n)) {
            let half = 0.5 * row.iter().fold(0.0, |sum, weight| sum + weight);
            if let Some(j) = row.iter().position(|weight| *weight > half) {
                leads[j] = true;
            }
        }
        leads.iter().filter(|leads| **leads).count() as f64
    })
}
