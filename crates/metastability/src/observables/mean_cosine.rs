//! `mean_cosine`: the mean of ⟨x_i, x_j⟩ over i ≠ j (ρ of P2 Figs. 1 and 4).
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use metasweep_dynamics::simd::{Kernel, LANES, Lanes, Pack, dispatch};

use crate::observables::{Columns, Lasting, Nature, Needs, State};
use crate::pairs::Pairs;

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: false, columns: Columns::One, needs: Needs::Nothing, lasting: Lasting::Never };

/// The mean in each lane; NaN for one token.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    let pairs = state.pairs.count() as f64;
    match &state.pairs {
        Pairs::Kept(gram) => dispatch(Sum(gram), state.isa).0.map(|sum| sum / pairs),
        Pairs::Formed(tokens) => state.each_lane(|lane| {
            let mut four = [0.0; 4];
            tokens.lane(lane).blocks(|block| add_in_turn(&mut four, block));
            ((four[0] + four[1]) + (four[2] + four[3])) / pairs
        }),
    }
}

/// Adds numbers to accumulators that take turns, as [`Sum`] does.
pub(super) fn add_in_turn(four: &mut [f64; 4], numbers: &[f64]) {
    let (fours, rest) = numbers.as_chunks::<4>();
    for numbers in fours {
        for (sum, number) in four.iter_mut().zip(numbers) {
            *sum += number;
        }
    }
    for (sum, number) in four.iter_mut().zip(rest) {
        *sum += number;
    }
}

/// The sum over the pairs, in four accumulators that take turns and are added as (0 + 1) + (2 + 3).
struct Sum<'a>(&'a [Pack]);

impl Kernel for Sum<'_> {
    type Output = Pack;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> Pack {
        let mut result = Pack::ZERO;
        let (blocks, rest) = self.0.as_chunks::<4>();
        for group in 0..LANES / L::WIDTH {
            let mut four = [L::splat(0.0); 4];
            for block in blocks {
                for (sum, pack) in four.iter_mut().zip(block) {
                    *sum = *sum + L::load(pack, group);
                }
            }
            for (sum, pack) in four.iter_mut().zip(rest) {
                *sum = *sum + L::load(pack, group);
            }
            ((four[0] + four[1]) + (four[2] + four[3])).store(&mut result, group);
        }
        result
    }
}
