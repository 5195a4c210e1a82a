//! `hyperplanes`: the number of parallel hyperplanes that the tokens lie on (P1 Thm 4.2: at most three as t → ∞, in the rescaled
//! dynamics).
//!
//! The hyperplanes are perpendicular to ψ, the unit left eigenvector of V's leading eigenvalue (P1's φ_1 where V is symmetric). The
//! numbers ⟨ψ, x_i⟩ are sorted, and a gap of more than the first `epsilon` separates two hyperplanes.

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: true, columns: Columns::One, needs: Needs::Spectrum, lasting: Lasting::Never };

/// The number in each lane; NaN where V has no real, positive, simple leading eigenvalue.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    state.each_lane(|lane| {
        let normal = state.fixed[lane].and_then(|fixed| fixed.matrices.normal.as_ref());
        let Some(normal) = normal else { return f64::NAN };
        let tokens = state.scene.lane_tokens(lane);
        let height = |x: &[f64]| x.iter().zip(normal).fold(0.0, |sum, (a, b)| sum + a * b);
        let mut heights: Vec<f64> = tokens.chunks_exact(normal.len()).map(height).collect();
        heights.sort_unstable_by(f64::total_cmp);
        let gaps = heights.windows(2).filter(|pair| pair[1] - pair[0] > state.watch.epsilon);
        1.0 + gaps.count() as f64
    })
}
