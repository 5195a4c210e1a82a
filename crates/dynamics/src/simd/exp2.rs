//! 2^y, the exponential of the weights of pairs: one source for every width, the same bits everywhere.
//!
//! `y = k + f`, k an integer, `|f| ≤ ½`, both exact: no reduction by ln 2, whose multiple is in y already, and a shorter polynomial
//! than that of [`exp`](super::exp). 2^f is the polynomial of degree 11 with the value 1 at 0 that minimizes the largest relative
//! error (its coefficients rounded one after the other; then 0.05 of 2⁻⁵³), then the exponent k is added. Rounding costs at
//! most ½ unit in the last place at the last step and ⅓ at the one before; the largest error seen is below 1 (a test asserts it).
//!
//! By definition of the engine a result below 2⁻¹⁰²² is 0: no weight is ever subnormal.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::Lanes;
use super::exp::ROUNDER;

/// Below this 2^y is 0.
pub const EXP2_FLUSH: f64 = -1022.0;
/// The largest y that has a finite 2^y.
pub const EXP2_LARGEST: f64 = 1024.0_f64.next_down();

/// Coefficients of 2^f, constant first.
const P: [f64; 12] = [
    1.0,
    std::f64::consts::LN_2,
    0.240_226_506_959_101_3,
    0.055_504_108_664_822_26,
    0.009_618_129_107_594_384,
    0.001_333_355_814_638_108_5,
    0.000_154_035_304_568_210_83,
    1.525_273_380_476_684_6e-5,
    1.321_543_541_241_440_4e-6,
    1.017_808_718_261_001e-7,
    7.073_762_845_975_051e-9,
    4.449_883_039_590_533e-10,
];

/// `2^y` in every lane, of several registers side by side, for y ≤ [`EXP2_LARGEST`]: below 1 ulp, and 0 below [`EXP2_FLUSH`].
/// For larger y and NaN the result is arbitrary (but the same at every width).
#[inline(always)]
pub fn exps2_below_overflow<L: Lanes<Scalar = f64>, const N: usize>(y: [L; N]) -> [L; N] {
    let mut values = exps2_in_range(y);
    for i in 0..N {
        values[i] = values[i].zero_where(L::less(y[i], L::splat(EXP2_FLUSH)));
    }
    values
}

/// [`exps2_below_overflow`] for y between [`EXP2_FLUSH`] and [`EXP2_LARGEST`], the same bits in fewer operations. For all else the
/// result is arbitrary.
#[inline(always)]
pub fn exps2_in_range<L: Lanes<Scalar = f64>, const N: usize>(y: [L; N]) -> [L; N] {
    let mut rounded = y;
    let mut f = y;
    for i in 0..N {
        rounded[i] = y[i] + L::splat(ROUNDER);
        f[i] = y[i] - (rounded[i] - L::splat(ROUNDER));
    }
    let mut p = [L::splat(P[11]); N];
    for coefficient in P[..11].iter().rev() {
        let coefficient = L::splat(*coefficient);
        for i in 0..N {
            p[i] = p[i].mul_add(f[i], coefficient).in_turn();
        }
    }
    for i in 0..N {
        p[i] = p[i].shift_exponent(rounded[i]);
    }
    p
}
