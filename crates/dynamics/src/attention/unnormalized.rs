//! `unnormalized` (USA): `w_ij = e^{s_ij} / n` (P0 (USA)). Under the causal mask token i, counted from 1, sees i
//! tokens and divides by i: each row is then an average over what it sees, as with the full mask, and token 1
//! moves under itself alone at the speed it would have for n = 1. With masses `α_j e^{s_ij} / Σ_k α_k`, k over all that
//! the token sees, frozen ones included.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::Weighting;
use super::rows::RowRule;
use crate::simd::{Lanes, Pack, exp};

#[derive(Clone, Copy)]
pub(crate) struct Unnormalized;

impl Weighting for Unnormalized {
    const SUMS: bool = false;

    /// The weights without their common factor `e^shift`, which the step multiplies in.
    #[inline(always)]
    fn weigh<L: Lanes<Scalar = f64>>(scores: &mut [Pack], shift: L, group: usize) -> L {
        let seen = scores.len() as f64;
        for score in scores {
            exp(L::load(score, group) - shift).store(score, group);
        }
        L::splat(seen)
    }
}

impl RowRule for Unnormalized {
    #[inline(always)]
    fn weigh<L: Lanes<Scalar = f64>>(
        scores: &mut [Pack],
        masses: &[Pack],
        excluded: Option<usize>,
        shift: L,
        group: usize,
    ) -> L {
        let mut sum = L::splat(0.0);
        for (j, (score, mass)) in scores.iter_mut().zip(masses).enumerate() {
            let mut weight = L::splat(0.0);
            if excluded != Some(j) {
                let mass = L::load(mass, group);
                weight = mass * exp(L::load(score, group) - shift);
                sum = sum + mass;
            }
            weight.store(score, group);
        }
        sum
    }
}
