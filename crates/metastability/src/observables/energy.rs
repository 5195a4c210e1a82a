//! `energy`: n^{−2} Σ_ij e^{β(⟨x_i, x_j⟩ − 1)} ∈ (0, 1], which is 2βe^{−β} times P0's E_β; of tokens with masses
//! (Σ α_k)^{−2} Σ_ij α_i α_j e^{β(⟨x_i, x_j⟩ − 1)}, so that a token of mass 2 counts like two.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use metasweep_dynamics::simd::{Isa, Kernel, LANES, Lanes, Pack, dispatch, exp};

use crate::observables::mean_cosine::add_in_turn;
use crate::observables::{Columns, Lasting, Nature, Needs, State};
use crate::pairs::{LanePairs, Pairs};
use crate::scene::{LaneMask, lanes_of};

/// What it is.
pub const NATURE: Nature =
    Nature { is_count: false, columns: Columns::One, needs: Needs::Nothing, lasting: Lasting::Never };

/// The energy in each lane.
#[must_use]
pub fn sample(state: &State<'_>, _variant: usize) -> [f64; LANES] {
    of_masses(state.n, &state.pairs, state.masses, state.beta, state.lanes, state.isa)
}

/// The energy in each of these lanes of tokens with these masses; all are 1 if there are none.
#[must_use]
pub fn of_masses(
    n: usize,
    pairs: &Pairs<'_>,
    masses: &[f64],
    beta: f64,
    lanes: LaneMask,
    isa: Isa,
) -> [f64; LANES] {
    let gram = match pairs {
        Pairs::Kept(gram) if masses.is_empty() => return of_gram(n, gram, beta, isa),
        Pairs::Kept(gram) => gram,
        Pairs::Formed(tokens) => {
            let mut energies = [f64::NAN; LANES];
            for lane in lanes_of(lanes) {
                energies[lane] = formed(n, &tokens.lane(lane), masses, beta, isa);
            }
            return energies;
        }
    };
    let total: f64 = masses.iter().sum();
    let own: f64 = masses.iter().map(|mass| mass * mass).sum();
    let pairs: Vec<f64> = masses
        .iter()
        .enumerate()
        .flat_map(|(i, mass)| masses[i + 1..].iter().map(move |other| mass * other))
        .collect();
    dispatch(WeightedSum { gram, pairs: &pairs, beta }, isa).0.map(|sum| (own + 2.0 * sum) / (total * total))
}

/// The energy of one lane whose pairs are formed: the same sums in the same order.
fn formed(n: usize, pairs: &LanePairs, masses: &[f64], beta: f64, isa: Isa) -> f64 {
    if masses.is_empty() {
        let mut four = [0.0; 4];
        pairs.blocks(|block| {
            dispatch(Weights { block, beta }, isa);
            add_in_turn(&mut four, block);
        });
        let (n, sum) = (n as f64, (four[0] + four[1]) + (four[2] + four[3]));
        return (n + 2.0 * sum) / (n * n);
    }
    let total: f64 = masses.iter().sum();
    let own: f64 = masses.iter().map(|mass| mass * mass).sum();
    let mut sum = 0.0_f64;
    pairs.rows(|i, first, row| {
        dispatch(Weights { block: row, beta }, isa);
        for (weight, mass) in row.iter().zip(&masses[first..]) {
            sum = (masses[i] * mass).mul_add(*weight, sum);
        }
        true
    });
    (own + 2.0 * sum) / (total * total)
}

/// Cosines into e^{β(c − 1)}, in place.
struct Weights<'a> {
    block: &'a mut [f64],
    beta: f64,
}

impl Kernel for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let (beta, one) = (L::splat(self.beta), L::splat(1.0));
        for numbers in self.block.chunks_mut(LANES) {
            let mut pack = Pack::ZERO;
            pack.0[..numbers.len()].copy_from_slice(numbers);
            for group in 0..LANES / L::WIDTH {
                exp(beta * (L::load(&pack, group) - one)).store(&mut pack, group);
            }
            numbers.copy_from_slice(&pack.0[..numbers.len()]);
        }
    }
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

/// Σ_{i<j} α_i α_j e^{β(⟨x_i, x_j⟩ − 1)}, in the order of the pairs.
struct WeightedSum<'a> {
    gram: &'a [Pack],
    /// α_i α_j of each pair.
    pairs: &'a [f64],
    beta: f64,
}

impl Kernel for WeightedSum<'_> {
    type Output = Pack;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> Pack {
        let mut result = Pack::ZERO;
        let (beta, one) = (L::splat(self.beta), L::splat(1.0));
        for group in 0..LANES / L::WIDTH {
            let mut sum = L::splat(0.0);
            for (pack, mass) in self.gram.iter().zip(self.pairs) {
                let weight = exp(beta * (L::load(pack, group) - one));
                sum = L::splat(*mass).mul_add(weight, sum);
            }
            sum.store(&mut result, group);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token of mass 2 counts like two coincident ones; the same bits with all instructions.
    #[test]
    fn a_token_of_mass_two_is_two_tokens() {
        let (a, b, c) = (0.3, -0.2, 0.7);
        // Tokens 1, 2, 3 with masses 2, 1, 1; and with the first one twice.
        let weighted = [Pack::splat(a), Pack::splat(b), Pack::splat(c)];
        let doubled = [1.0, a, b, a, b, c].map(Pack::splat);
        for isa in [Isa::Portable, Isa::widest()] {
            let one = of_masses(3, &Pairs::Kept(&weighted), &[2.0, 1.0, 1.0], 1.7, u8::MAX, isa);
            let two = of_gram(4, &doubled, 1.7, isa);
            assert!((one[0] - two[0]).abs() < 4.0 * f64::EPSILON, "{} {}", one[0], two[0]);
            assert_eq!(
                one[0].to_bits(),
                of_masses(3, &Pairs::Kept(&weighted), &[2.0, 1.0, 1.0], 1.7, u8::MAX, Isa::Portable)[7]
                    .to_bits()
            );
        }
    }
}
