//! Eight lanes in an AVX-512 register (AVX-512F alone).
#![allow(clippy::wildcard_imports, reason = "the intrinsics are the vocabulary of this file")]
#![allow(unsafe_code, reason = "std::arch intrinsics")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

// SAFETY (every `unsafe` block of this file that calls an intrinsic): `Avx512` is private to `simd`, and
// values of it exist only inside kernels started by `dispatch`, which has checked that the machine has AVX-512F.
// SAFETY of the loads and stores: `pointer` stays inside the pack, and packs are 64-byte aligned.

use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::lanes::{Lanes, sealed::Sealed};
use super::{Kernel, LANES, Pack};

/// Runs `kernel` eight lanes at a time.
///
/// # Safety
/// The machine must have AVX-512F.
#[target_feature(enable = "avx512f")]
pub unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

/// No instruction at all, but one whose order is kept.
#[inline]
#[target_feature(enable = "avx512f")]
fn pinned(mut value: __m512d) -> __m512d {
    // SAFETY: a comment changes nothing.
    unsafe { std::arch::asm!("/* {0} */", inout(zmm_reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Avx512(__m512d);

impl Sealed for Avx512 {}

impl Lanes for Avx512 {
    type Scalar = f64;
    type Mask = __mmask8;
    const WIDTH: usize = 8;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self(unsafe { _mm512_set1_pd(value) })
    }
    #[inline(always)]
    fn load(pack: &Pack, _group: usize) -> Self {
        Self(unsafe { _mm512_load_pd(pack.0.as_ptr()) })
    }
    #[inline(always)]
    fn store(self, pack: &mut Pack, _group: usize) {
        unsafe { _mm512_store_pd(pack.0.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn registers(packs: &[Pack]) -> &[Self] {
        // SAFETY: a pack is 64 bytes of f64 at a multiple of 64: one register, of which any bits are valid.
        unsafe { std::slice::from_raw_parts(packs.as_ptr().cast(), packs.len() * (LANES / Self::WIDTH)) }
    }
    #[inline(always)]
    fn registers_mut(packs: &mut [Pack]) -> &mut [Self] {
        let length = packs.len() * (LANES / Self::WIDTH);
        // SAFETY: as above, and the packs are borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(packs.as_mut_ptr().cast(), length) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        Self(unsafe { _mm512_fmadd_pd(self.0, factor.0, summand.0) })
    }
    #[inline(always)]
    fn in_turn(self) -> Self {
        Self(unsafe { pinned(self.0) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(unsafe { _mm512_sqrt_pd(self.0) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(unsafe { _mm512_max_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(unsafe { _mm512_min_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn less(self, other: Self) -> __mmask8 {
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn at_least(self, other: Self) -> __mmask8 {
        unsafe { _mm512_cmp_pd_mask::<_CMP_GE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn same_bits(self, other: Self) -> __mmask8 {
        unsafe { _mm512_cmpeq_epi64_mask(_mm512_castpd_si512(self.0), _mm512_castpd_si512(other.0)) }
    }
    #[inline(always)]
    fn select(mask: __mmask8, yes: Self, no: Self) -> Self {
        Self(unsafe { _mm512_mask_blend_pd(mask, no.0, yes.0) })
    }
    #[inline(always)]
    fn zero_where(self, mask: __mmask8) -> Self {
        Self(unsafe { _mm512_maskz_mov_pd(!mask, self.0) })
    }
    #[inline(always)]
    fn bits(mask: __mmask8) -> u8 {
        mask
    }
    #[inline(always)]
    fn shift_exponent(self, integer: Self) -> Self {
        Self(unsafe {
            let shift = _mm512_slli_epi64::<52>(_mm512_castpd_si512(integer.0));
            _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(self.0), shift))
        })
    }
}

macro_rules! operator {
    ($($operator:ident $method:ident $intrinsic:ident),*) => {$(
        impl $operator for Avx512 {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(unsafe { $intrinsic(self.0, other.0) })
            }
        }
    )*};
}
operator!(Add add _mm512_add_pd, Sub sub _mm512_sub_pd, Mul mul _mm512_mul_pd, Div div _mm512_div_pd);

impl Neg for Avx512 {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(unsafe {
            let sign = _mm512_castpd_si512(_mm512_set1_pd(-0.0));
            _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(self.0), sign))
        })
    }
}
