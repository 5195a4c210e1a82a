//! `leading_eigenspace_distance`: the mean over the tokens of their distance to a leading eigenspace.
//!
//! E_max is the generalized eigenspace of the eigenvalues with the largest real part, of V (P3 Lemma 3.1) or of V KᵀQ (P4 Prop. 3.4), as
//! `[observe] leading_eigenspace` says. The distance is ‖x − P x‖, the sine of P3's geodesic distance for tokens on the sphere. For
//! V = c·I every direction leads, and it is 0.

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: false, columns: Columns::Spaces, needs: Needs::Spectrum, lasting: Lasting::Never };

/// The mean distance in each lane, to the space number `space` of the watch.
#[must_use]
pub fn sample(state: &State<'_>, space: usize) -> [f64; LANES] {
    state.each_lane(|lane| {
        let complement = state.fixed[lane].and_then(|fixed| fixed.matrices.complements.get(space)?.as_ref());
        let Some(complement) = complement else { return f64::NAN };
        let tokens = state.scene.lane_tokens(lane);
        let d = tokens.len() / state.n;
        let sum = tokens.chunks_exact(d).fold(0.0, |sum, x| sum + complement.distance(x));
        sum / state.n as f64
    })
}
