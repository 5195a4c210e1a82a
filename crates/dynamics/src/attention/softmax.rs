//! `softmax` (SA): `w_ij = e^{s_ij} / Z_i`, `Z_i = Σ_k e^{s_ik}` over the unmasked k (P0 (SA), P3 (CSA)); with masses
//! `α_j e^{s_ij} / Σ_k α_k e^{s_ik}`.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::Weighting;
use super::rows::RowRule;
use crate::simd::{Lanes, Pack, exp_below_overflow};

#[derive(Clone, Copy)]
pub(crate) struct Softmax;

impl Weighting for Softmax {
    const SUMS: bool = true;

    /// Subtracts the row maximum, so that one weight is 1 and nothing overflows.
    #[inline(always)]
    fn weigh<L: Lanes<Scalar = f64>>(scores: &mut [Pack], _shift: L, group: usize) -> L {
        let mut highest = L::splat(f64::NEG_INFINITY);
        for score in &*scores {
            highest = L::load(score, group).max(highest);
        }
        let mut sum = L::splat(0.0);
        for score in scores {
            let weight = exp_below_overflow(L::load(score, group) - highest);
            weight.store(score, group);
            sum = sum + weight;
        }
        sum
    }
}

impl RowRule for Softmax {
    #[inline(always)]
    fn weigh<L: Lanes<Scalar = f64>>(
        scores: &mut [Pack],
        masses: &[Pack],
        excluded: Option<usize>,
        _shift: L,
        group: usize,
    ) -> L {
        let mut highest = L::splat(f64::NEG_INFINITY);
        for (j, score) in scores.iter().enumerate() {
            if excluded != Some(j) {
                highest = L::load(score, group).max(highest);
            }
        }
        let mut sum = L::splat(0.0);
        for (j, (score, mass)) in scores.iter_mut().zip(masses).enumerate() {
            let mut weight = L::splat(0.0);
            if excluded != Some(j) {
                weight = L::load(mass, group) * exp_below_overflow(L::load(score, group) - highest);
            }
            weight.store(score, group);
            sum = sum + weight;
        }
        sum
    }
}
