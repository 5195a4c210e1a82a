//! Tokens that stand apart: group by group of lanes, registers side by side, where packs are two registers.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::gram::parts;
use crate::simd::{Kernel, LANES, Lanes, Pack, groups};

/// From one token to the next where they stand apart: not a power of two, that would map all tokens to a few sets of the cache.
pub(super) fn stride(d: usize) -> usize {
    d + if d.is_multiple_of(8) { 2 } else { 0 }
}

/// The packs of n tokens of d coordinates group by group of lanes, registers side by side: `[group][token][coordinate]`, tokens
/// [`stride`] apart. Half as many cache lines for each group where a pack is two registers.
#[inline(always)]
pub(super) fn set_apart<L: Lanes<Scalar = f64>>(
    packs: &[Pack],
    n: usize,
    d: usize,
    lanes: usize,
    apart: &mut [Pack],
) {
    let stride = stride(d);
    let registers = &mut L::registers_mut(apart)[..LANES / L::WIDTH * n * stride];
    // A whole pack at a time: each line is read once.
    let whole = groups::<L>(lanes).len() == LANES / L::WIDTH;
    if whole && LANES == 2 * L::WIDTH {
        let (first, second) = registers.split_at_mut(n * stride);
        let tokens = first.chunks_exact_mut(stride).zip(second.chunks_exact_mut(stride));
        for (token, (first, second)) in packs.chunks_exact(d).zip(tokens) {
            for (pack, (first, second)) in token.iter().zip(first.iter_mut().zip(second)) {
                *first = L::load(pack, 0);
                *second = L::load(pack, 1);
            }
        }
        return;
    }
    for (group, registers) in groups::<L>(lanes).zip(registers.chunks_exact_mut(n * stride)) {
        for (token, registers) in packs.chunks_exact(d).zip(registers.chunks_exact_mut(stride)) {
            for (pack, register) in token.iter().zip(registers) {
                *register = L::load(pack, group);
            }
        }
    }
}

/// [`set_apart`], by itself.
pub(super) struct SetApart<'a> {
    /// n × d.
    pub tokens: &'a [Pack],
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    pub apart: &'a mut [Pack],
}

impl Kernel for SetApart<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        set_apart::<L>(self.tokens, self.n, self.d, self.lanes, self.apart);
    }
}

/// The reverse of [`set_apart`]: n × d packs of the tokens that [`Gram`](super::Gram) left apart.
pub(crate) struct Together<'a> {
    /// What [`Gram`](super::Gram) left.
    pub known: &'a [Pack],
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    pub tokens: &'a mut [Pack],
}

impl Kernel for Together<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { known, n, d, lanes, tokens } = self;
        let (_, Some((apart, _))) = parts(known, n) else { return };
        let stride = stride(d);
        let registers = L::registers(apart);
        for (i, token) in tokens.chunks_exact_mut(d).enumerate() {
            for group in groups::<L>(lanes) {
                let registers = &registers[(group * n + i) * stride..][..d];
                for (pack, register) in token.iter_mut().zip(registers) {
                    register.store(pack, group);
                }
            }
        }
    }
}
