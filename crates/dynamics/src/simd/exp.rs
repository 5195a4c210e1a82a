//! The engine's exponential: one source for every width, the same bits everywhere.
//!
//! `x = k·ln 2 + r`, `|r| ≤ ½ ln 2` (Cody–Waite, exact but for one rounding thanks to FMA), then
//! `e^r = 1 + r + r²·q(r)` with q the polynomial of degree 10 that minimizes the largest relative error of `e^r`
//! (8·10⁻⁴ of 2⁻⁵³, its coefficients rounded one after the other), then the exponent k is added.
//! Rounding r, r + r²q and the result costs at most ¼ + ¼ + ½ units in the last place, r² and q a little more; the
//! largest error seen is below 1 (a test says how large, and asserts it).
//!
//! By definition of the engine a result below 2⁻¹⁰²² is 0: no weight is ever subnormal.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::Lanes;
use super::Pack;
use super::portable::Portable;

/// Below this the exponential is 0: the first number above −1022·ln 2 = −708.39641853226410622.
pub const EXP_FLUSH: f64 = -708.396_418_532_264;
/// Above this the exponential is infinite: the logarithm of the largest finite number.
pub const EXP_OVERFLOW: f64 = 709.782_712_893_384;

/// 1.5·2⁵²: adding it rounds to an integer, which then stands in the low bits.
pub(super) const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// ln 2 − (ln 2 rounded to f64).
const LN_2_LOW: f64 = 2.319_046_813_846_299_6e-17;
/// Coefficients of q, constant first.
const Q: [f64; 11] = [
    0.5,
    0.166_666_666_666_666_88,
    0.041_666_666_666_666_824,
    0.008_333_333_333_313_904,
    0.001_388_888_888_877_878_4,
    0.000_198_412_699_033_202_14,
    2.480_158_755_618_403_3e-5,
    2.755_722_874_799_119_6e-6,
    2.755_707_165_247_289e-7,
    2.511_390_564_301_617_3e-8,
    2.097_611_453_219_558e-9,
];

/// `e^x` in every lane: below 1 ulp for x ∈ [−708, 709], 0 below [`EXP_FLUSH`], ∞ above [`EXP_OVERFLOW`], NaN for NaN.
#[inline(always)]
pub fn exp<L: Lanes<Scalar = f64>>(x: L) -> L {
    let value = L::select(L::less(L::splat(EXP_OVERFLOW), x), L::splat(f64::INFINITY), exp_below_overflow(x));
    L::select(L::less(x, L::splat(f64::INFINITY)), value, x)
}

/// [`exp`] for x ≤ [`EXP_OVERFLOW`], the same bits in fewer operations. For larger x and NaN the result is arbitrary
/// (but the same at every width).
#[inline(always)]
pub fn exp_below_overflow<L: Lanes<Scalar = f64>>(x: L) -> L {
    let [result] = exps_below_overflow([x]);
    result
}

/// [`exp_below_overflow`] of several registers side by side: they share the constants and hide each other's latency.
#[inline(always)]
pub fn exps_below_overflow<L: Lanes<Scalar = f64>, const N: usize>(x: [L; N]) -> [L; N] {
    let mut values = exps_in_range(x);
    for i in 0..N {
        values[i] = values[i].zero_where(L::less(x[i], L::splat(EXP_FLUSH)));
    }
    values
}

/// [`exps_below_overflow`] for x between [`EXP_FLUSH`] and [`EXP_OVERFLOW`], the same bits in fewer operations. For all else the
/// result is arbitrary.
#[inline(always)]
pub fn exps_in_range<L: Lanes<Scalar = f64>, const N: usize>(x: [L; N]) -> [L; N] {
    let mut rounded = x;
    let mut r = x;
    for i in 0..N {
        rounded[i] = x[i].mul_add(L::splat(std::f64::consts::LOG2_E), L::splat(ROUNDER));
        let k = rounded[i] - L::splat(ROUNDER);
        r[i] = k.mul_add(L::splat(-std::f64::consts::LN_2), x[i]);
        r[i] = k.mul_add(L::splat(-LN_2_LOW), r[i]);
    }
    let mut q = [L::splat(Q[10]); N];
    for coefficient in Q[..10].iter().rev() {
        let coefficient = L::splat(*coefficient);
        for i in 0..N {
            q[i] = q[i].mul_add(r[i], coefficient).in_turn();
        }
    }
    for i in 0..N {
        let value = L::splat(1.0) + q[i].mul_add(r[i] * r[i], r[i]);
        q[i] = value.shift_exponent(rounded[i]);
    }
    q
}

/// [`exp`] of one number, for wherever the engine needs one outside a kernel.
///
/// ```
/// use metasweep_dynamics::simd::exp_scalar;
/// assert_eq!(exp_scalar(0.0), 1.0);
/// assert_eq!(exp_scalar(-709.0), 0.0);
/// assert!((exp_scalar(1.0) - std::f64::consts::E).abs() < 4.5e-16);
/// ```
#[must_use]
pub fn exp_scalar(x: f64) -> f64 {
    let mut result = Pack::ZERO;
    exp(Portable::<1>::splat(x)).store(&mut result, 0);
    result.0[0]
}
