//! What a kernel may do with a register of lanes.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Pack;

/// A register with one number of each of `WIDTH` replicas. Every operation acts lane by lane and is
/// correctly rounded, so all implementations give the same bits.
///
/// The kernels only ever name this trait; the associated `Scalar` is what single precision
/// (`precision = "f32"`, a later issue) needs: more lanes of another type behind the same kernels.
///
/// The trait is sealed, and its implementations are private: only [`dispatch`](super::dispatch) hands one
/// out, after the machine was asked whether it has the instructions.
pub trait Lanes:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + sealed::Sealed
{
    /// The type of one lane.
    type Scalar: Copy;
    /// One truth value a lane.
    type Mask: Copy;
    /// Number of lanes; divides [`LANES`](super::LANES).
    const WIDTH: usize;

    /// The same number in every lane.
    #[must_use]
    fn splat(value: Self::Scalar) -> Self;
    /// Lanes `group·WIDTH ..` of a pack. `group` counts modulo LANES / WIDTH.
    #[must_use]
    fn load(pack: &Pack, group: usize) -> Self;
    /// Writes lanes `group·WIDTH ..` of a pack.
    fn store(self, pack: &mut Pack, group: usize);
    /// Packs as the registers they are made of: group g of pack p is number `p·(LANES/WIDTH) + g`. Scratch that only one
    /// group at a time needs is kept as registers side by side: half the memory of packs where WIDTH is half of LANES.
    #[must_use]
    fn registers(packs: &[Pack]) -> &[Self];
    /// The same, to be written to.
    #[must_use]
    fn registers_mut(packs: &mut [Pack]) -> &mut [Self];
    /// `self · factor + summand`, rounded once.
    #[must_use]
    fn mul_add(self, factor: Self, summand: Self) -> Self;
    /// The value itself, where the compiler is to keep the order in which the program asks for such values: chains of operations
    /// that are written side by side then stay side by side, and hide each other's latency.
    #[must_use]
    fn in_turn(self) -> Self {
        self
    }
    /// Square root, correctly rounded.
    #[must_use]
    fn sqrt(self) -> Self;
    /// `self > other ? self : other` (so `other` where either is NaN).
    #[must_use]
    fn max(self, other: Self) -> Self;
    /// `self < other ? self : other` (so `other` where either is NaN).
    #[must_use]
    fn min(self, other: Self) -> Self;
    /// `self < other`; false where either is NaN.
    #[must_use]
    fn less(self, other: Self) -> Self::Mask;
    /// `self ≥ other`; false where either is NaN.
    #[must_use]
    fn at_least(self, other: Self) -> Self::Mask;
    /// Equal bits: NaNs can be equal, and 0 is not −0.
    #[must_use]
    fn same_bits(self, other: Self) -> Self::Mask;
    /// `yes` where the mask holds, else `no`.
    #[must_use]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// 0 where the mask holds, else the value itself.
    #[must_use]
    fn zero_where(self, mask: Self::Mask) -> Self;
    /// The mask as bits, lane 0 lowest.
    #[must_use]
    fn bits(mask: Self::Mask) -> u8;
    /// Adds the low 12 bits of `integer`'s representation to the exponent field: multiplies by 2^k if
    /// `integer` = 1.5·2^52 + k and nothing leaves the normal range. What [`exp`](super::exp) needs.
    #[must_use]
    fn shift_exponent(self, integer: Self) -> Self;
}

pub(super) mod sealed {
    /// Implemented in this folder only.
    pub trait Sealed {}
}
