//! Four lanes in an AVX2 register, with FMA.
#![allow(clippy::wildcard_imports, reason = "the intrinsics are the vocabulary of this file")]
#![allow(unsafe_code, reason = "std::arch intrinsics")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

// SAFETY (every `unsafe` block of this file that calls an intrinsic): `Avx2` is private to `simd`, and
// values of it exist only inside kernels started by `dispatch`, which has checked that the machine has AVX2
// and FMA. SAFETY of the loads and stores: `pointer` stays inside the pack, and packs are 64-byte aligned.

use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::lanes::{Lanes, sealed::Sealed};
use super::{Kernel, LANES, Pack};

/// Runs `kernel` four lanes at a time.
///
/// # Safety
/// The machine must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

/// No instruction at all, but one whose order is kept.
#[inline]
#[target_feature(enable = "avx")]
fn pinned(mut value: __m256d) -> __m256d {
    // SAFETY: a comment changes nothing.
    unsafe { std::arch::asm!("/* {0} */", inout(ymm_reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Avx2(__m256d);

impl Sealed for Avx2 {}

impl Lanes for Avx2 {
    type Scalar = f64;
    type Mask = __m256d;
    const WIDTH: usize = 4;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self(unsafe { _mm256_set1_pd(value) })
    }
    #[inline(always)]
    fn load(pack: &Pack, group: usize) -> Self {
        Self(unsafe { _mm256_load_pd(pack.0.as_ptr().add(4 * (group & 1))) })
    }
    #[inline(always)]
    fn store(self, pack: &mut Pack, group: usize) {
        unsafe { _mm256_store_pd(pack.0.as_mut_ptr().add(4 * (group & 1)), self.0) }
    }
    #[inline(always)]
    fn registers(packs: &[Pack]) -> &[Self] {
        // SAFETY: a pack is 64 bytes of f64 at a multiple of 64: two registers of 32 bytes, of which any bits are valid.
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
        Self(unsafe { _mm256_fmadd_pd(self.0, factor.0, summand.0) })
    }
    #[inline(always)]
    fn in_turn(self) -> Self {
        Self(unsafe { pinned(self.0) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(unsafe { _mm256_sqrt_pd(self.0) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(unsafe { _mm256_max_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(unsafe { _mm256_min_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn less(self, other: Self) -> __m256d {
        unsafe { _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn at_least(self, other: Self) -> __m256d {
        unsafe { _mm256_cmp_pd::<_CMP_GE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn same_bits(self, other: Self) -> __m256d {
        unsafe {
            _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_castpd_si256(self.0), _mm256_castpd_si256(other.0)))
        }
    }
    #[inline(always)]
    fn select(mask: __m256d, yes: Self, no: Self) -> Self {
        Self(unsafe { _mm256_blendv_pd(no.0, yes.0, mask) })
    }
    #[inline(always)]
    fn zero_where(self, mask: __m256d) -> Self {
        Self(unsafe { _mm256_andnot_pd(mask, self.0) })
    }
    #[inline(always)]
    fn bits(mask: __m256d) -> u8 {
        unsafe { _mm256_movemask_pd(mask) as u8 }
    }
    #[inline(always)]
    fn shift_exponent(self, integer: Self) -> Self {
        Self(unsafe {
            let shift = _mm256_slli_epi64::<52>(_mm256_castpd_si256(integer.0));
            _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(self.0), shift))
        })
    }
}

macro_rules! operator {
    ($($operator:ident $method:ident $intrinsic:ident),*) => {$(
        impl $operator for Avx2 {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(unsafe { $intrinsic(self.0, other.0) })
            }
        }
    )*};
}
operator!(Add add _mm256_add_pd, Sub sub _mm256_sub_pd, Mul mul _mm256_mul_pd, Div div _mm256_div_pd);

impl Neg for Avx2 {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(unsafe { _mm256_xor_pd(self.0, _mm256_set1_pd(-0.0)) })
    }
}
