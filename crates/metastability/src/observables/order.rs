//! `order`: ‖(1/n) Σ_i x_i‖, the order parameter of the oscillators (P0 §6, P2 §7).

use metasweep_dynamics::simd::LANES;

use crate::observables::{Columns, Lasting, Nature, Needs, State};

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: false, columns: Columns::One, needs: Needs::Nothing, lasting: Lasting::Never };

/// The length of the mean token in each lane: 1 if all are in one place.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    let n = state.n;
    let d = state.scene.d();
    let mut square = [0.0; LANES];
    for coordinate in 0..d {
        let mut sum = [0.0; LANES];
        for token in state.scene.tokens.packs().chunks_exact(d) {
            for (sum, x) in sum.iter_mut().zip(token[coordinate].0) {
                *sum += x;
            }
        }
        for (square, sum) in square.iter_mut().zip(sum) {
            let mean = sum / n as f64;
            *square += mean * mean;
        }
    }
    square.map(f64::sqrt)
}
