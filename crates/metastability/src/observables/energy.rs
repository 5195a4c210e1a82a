//! `energy`: n^{−2} Σ_ij e^{β(⟨x_i, x_j⟩ − 1)} ∈ (0, 1], which is 2βe^{−β} times P0's E_β.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use metasweep_dynamics::simd::{Isa, Kernel, LANES, Lanes, Pack, dispatch, exp};

use crate::observables::State;

/// The energy in each lane.
#[must_use]
pub fn sample(state: &State<'_>) -> [f64; LANES] {
    of_gram(state.n, state.gram, state.beta, state.isa)
}

/// The energy in each lane of a packed Gram matrix of n tokens. The diagonal counts exactly n.
#[must_use]
pub fn of_gram(n: usize, gram: &[Pack], beta: f64, isa: Isa) -> [f64; LANES] {
    let n = n as f64;
    dispatch(Sum { gram, beta }, isa).0.map(|sum| (n + 2.0 * sum) / (n * n))
}

/// Σ_{i<j} e^{β(⟨x_i, x_j⟩ − 1)}, in four accumulators that take turns and are added as (0 + 1) + (2 + 3).
struct Sum<'a> {
    gram: &'a [Pack],
    beta: f64,
}

impl Kernel for Sum<'_> {
    type Output = Pack;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> Pack {
        let mut result = Pack::ZERO;
        let (beta, one) = (L::splat(self.beta), L::splat(1.0));
        let (blocks, rest) = self.gram.as_chunks::<4>();
        for group in 0..LANES / L::WIDTH {
            let mut four = [L::splat(0.0); 4];
            for block in blocks {
                for (sum, pack) in four.iter_mut().zip(block) {
                    *sum = *sum + exp(beta * (L::load(pack, group) - one));
                }
            }
            for (sum, pack) in four.iter_mut().zip(rest) {
                *sum = *sum + exp(beta * (L::load(pack, group) - one));
            }
            ((four[0] + four[1]) + (four[2] + four[3])).store(&mut result, group);
        }
        result
    }
}
