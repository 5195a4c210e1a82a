//! `hardmax`: `w_ij = 1/|C_i|` for j in `C_i`, the set of the j with the largest score, else 0 (P0 (8.5), (8.6)); with masses
//! `α_j / Σ_{k ∈ C_i} α_k`, the limit β → ∞ of softmax with the same masses.
//!
//! A score is among the largest if it falls short of the largest by no more than [`TIE`] times the largest modulus of the
//! row: ties survive the rounding of the scores. So β, which multiplies all of them, does not matter; but for β = 0, where
//! all scores are equal and every weight is the same.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::rows::RowRule;
use crate::simd::{Lanes, Pack};

/// 2⁻⁴⁰, about 9·10⁻¹³: scores closer than this, relative to the largest modulus of the row, are equal.
pub(crate) const TIE: f64 = f64::from_bits((1023 - 40) << 52);

#[derive(Clone, Copy)]
pub(crate) struct Hardmax;

impl RowRule for Hardmax {
    #[inline(always)]
    fn weigh<L: Lanes<Scalar = f64>>(
        scores: &mut [Pack],
        masses: &[Pack],
        excluded: Option<usize>,
        _shift: L,
        group: usize,
    ) -> L {
        let mut highest = L::splat(f64::NEG_INFINITY);
        let mut modulus = L::splat(0.0);
        for (j, score) in scores.iter().enumerate() {
            if excluded != Some(j) {
                let score = L::load(score, group);
                highest = score.max(highest);
                modulus = score.max(modulus).max(-score);
            }
        }
        let threshold = modulus.mul_add(L::splat(-TIE), highest);
        let mut sum = L::splat(0.0);
        for (j, (score, mass)) in scores.iter_mut().zip(masses).enumerate() {
            let mut weight = L::splat(0.0);
            if excluded != Some(j) {
                let largest = L::at_least(L::load(score, group), threshold);
                weight = L::select(largest, L::load(mass, group), weight);
            }
            weight.store(score, group);
            sum = sum + weight;
        }
        sum
    }
}
