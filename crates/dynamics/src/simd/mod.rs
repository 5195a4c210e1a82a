//! Lanes: replicas side by side in vector registers, the same bits at every width.
//!
//! An [`Ensemble`](crate::ensemble::Ensemble) stores its numbers as [`Pack`]s: one number of each of
//! [`LANES`] replicas. A [`Kernel`] is written once, generic over [`Lanes`], and [`dispatch`] runs it
//! with the widest instructions of the machine ([`Isa`]): eight lanes at a time, four, or one.
//! Lanes never mix, and every operation of [`Lanes`] is exactly the one IEEE 754 defines (fused
//! multiply-add included), so a replica's bits depend neither on the width nor on its neighbours.
//! No approximate reciprocals, no flush-to-zero, no reordered sums.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dispatch;
mod exp;
mod exp2;
mod isa;
mod lanes;
mod portable;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use dispatch::{Kernel, dispatch, groups};
pub use exp::{EXP_FLUSH, EXP_OVERFLOW, exp, exp_below_overflow, exp_scalar, exps_below_overflow};
pub use exp2::{EXP2_FLUSH, EXP2_LARGEST, exps2_below_overflow, exps2_in_range};
pub use isa::{IeeeModeError, Isa, IsaError, assert_ieee_mode};
pub use lanes::Lanes;

/// Replicas per ensemble. Storage always has this many lanes; kernels take 1, 4 or 8 of them at a time.
pub const LANES: usize = 8;

/// One number of each lane.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[repr(C, align(64))]
pub struct Pack(pub [f64; LANES]);

impl Pack {
    /// Zero in every lane.
    pub const ZERO: Self = Self([0.0; LANES]);

    /// The same number in every lane.
    #[must_use]
    pub const fn splat(value: f64) -> Self {
        Self([value; LANES])
    }
}
