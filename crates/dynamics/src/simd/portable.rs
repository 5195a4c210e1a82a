//! Lanes in plain Rust: the reference, and the path of machines without AVX2. Correct rather than fast,
//! since a fused multiply-add is a library call where the target has no instruction for it.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(unsafe_code, reason = "packs seen as registers")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::lanes::{Lanes, sealed::Sealed};
use super::{LANES, Pack};

/// `W` lanes in an array.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Portable<const W: usize>([f64; W]);

impl<const W: usize> Portable<W> {
    #[inline(always)]
    fn zip(self, other: Self, operation: impl Fn(f64, f64) -> f64) -> Self {
        let mut result = self.0;
        for (value, other) in result.iter_mut().zip(other.0) {
            *value = operation(*value, other);
        }
        Self(result)
    }
    #[inline(always)]
    fn compare(self, other: Self, relation: impl Fn(f64, f64) -> bool) -> [bool; W] {
        let mut result = [false; W];
        for lane in 0..W {
            result[lane] = relation(self.0[lane], other.0[lane]);
        }
        result
    }
}

impl<const W: usize> Sealed for Portable<W> {}

impl<const W: usize> Lanes for Portable<W> {
    type Scalar = f64;
    type Mask = [bool; W];
    const WIDTH: usize = W;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self([value; W])
    }
    #[inline(always)]
    fn load(pack: &Pack, group: usize) -> Self {
        let start = group % (LANES / W) * W;
        let mut lanes = [0.0; W];
        lanes.copy_from_slice(&pack.0[start..start + W]);
        Self(lanes)
    }
    #[inline(always)]
    fn store(self, pack: &mut Pack, group: usize) {
        let start = group % (LANES / W) * W;
        pack.0[start..start + W].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn registers(packs: &[Pack]) -> &[Self] {
        // SAFETY: a pack is eight f64 side by side: 8/W arrays of W of them (W divides 8), and nothing else is in it.
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
        let mut result = self.0;
        for lane in 0..W {
            result[lane] = self.0[lane].mul_add(factor.0[lane], summand.0[lane]);
        }
        Self(result)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.zip(self, |value, _| value.sqrt())
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn less(self, other: Self) -> [bool; W] {
        self.compare(other, |a, b| a < b)
    }
    #[inline(always)]
    fn at_least(self, other: Self) -> [bool; W] {
        self.compare(other, |a, b| a >= b)
    }
    #[inline(always)]
    fn same_bits(self, other: Self) -> [bool; W] {
        self.compare(other, |a, b| a.to_bits() == b.to_bits())
    }
    #[inline(always)]
    fn select(mask: [bool; W], yes: Self, no: Self) -> Self {
        let mut result = no.0;
        for lane in 0..W {
            if mask[lane] {
                result[lane] = yes.0[lane];
            }
        }
        Self(result)
    }
    #[inline(always)]
    fn zero_where(self, mask: [bool; W]) -> Self {
        Self::select(mask, Self([0.0; W]), self)
    }
    #[inline(always)]
    fn bits(mask: [bool; W]) -> u8 {
        let mut bits = 0;
        for (lane, &set) in mask.iter().enumerate() {
            bits |= u8::from(set) << lane;
        }
        bits
    }
    #[inline(always)]
    fn shift_exponent(self, integer: Self) -> Self {
        self.zip(integer, |value, k| f64::from_bits(value.to_bits().wrapping_add(k.to_bits() << 52)))
    }
}

macro_rules! operator {
    ($($operator:ident $method:ident $symbol:tt),*) => {$(
        impl<const W: usize> $operator for Portable<W> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, |a, b| a $symbol b)
            }
        }
    )*};
}
operator!(Add add +, Sub sub -, Mul mul *, Div div /);

impl<const W: usize> Neg for Portable<W> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.zip(self, |value, _| -value)
    }
}
