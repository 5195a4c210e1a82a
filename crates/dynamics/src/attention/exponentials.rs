//! Weights of pairs, before any division: `e^{κc − shift}` of inner products c, with no more operations than their range asks for.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::f64::consts::LOG2_E;

use crate::simd::{EXP2_FLUSH, EXP2_LARGEST, Lanes, exps2_below_overflow, exps2_in_range};

/// Exponentials taken together.
pub(super) const TOGETHER: usize = 6;

/// `e^{κc − shift}` as `2^{κ′c − shift′}` with κ′ = κ log₂ e and shift′ = shift·log₂ e, each rounded, and the exponent rounded once.
/// Off the sphere (stages of rk4) it could exceed the largest that is finite.
/// `IN_RANGE`: [`in_range`] says that none does, and that no weight is 0.
#[inline(always)]
pub(super) fn exponentials<L: Lanes<Scalar = f64>, const N: usize, const IN_RANGE: bool>(
    kappa: L,
    cosines: [L; N],
    minus_shift: L,
) -> [L; N] {
    // Of one head: out of every loop over pairs.
    let (kappa, minus_shift) = (kappa * L::splat(LOG2_E), minus_shift * L::splat(LOG2_E));
    let mut exponents = cosines;
    for exponent in &mut exponents {
        *exponent = kappa.mul_add(*exponent, minus_shift);
    }
    if IN_RANGE {
        return exps2_in_range(exponents);
    }
    for exponent in &mut exponents {
        *exponent = exponent.min(L::splat(EXP2_LARGEST));
    }
    exps2_below_overflow(exponents)
}

/// Whether all `e^{κc − shift}` are neither 0 nor infinite, in all lanes, where no |c| is above the longest token's square, or 1.
/// Changes no bit: the operations that it spares would do nothing.
#[inline(always)]
pub(super) fn in_range<L: Lanes<Scalar = f64>>(longest: Option<L>, kappa: L, minus_shift: L) -> bool {
    let Some(longest) = longest else { return false };
    // Rounding of the products and of what follows here is far below a part in 10⁹. A NaN stays one.
    let longest = L::splat(1.0).max(longest) * L::splat(1.0 + 1e-9);
    let most = kappa.max(-kappa) * longest;
    let above = L::at_least((minus_shift - most) * L::splat(LOG2_E), L::splat(EXP2_FLUSH));
    let below = L::at_least(L::splat(EXP2_LARGEST), (minus_shift + most) * L::splat(LOG2_E));
    L::bits(above) & L::bits(below) == u8::MAX >> (8 - L::WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{EXP_FLUSH, EXP_OVERFLOW, Isa, Kernel, Pack, dispatch};

    /// Whether it is in range, and the exponentials of products from end to end, checked and spared.
    struct Both {
        kappa: f64,
        shift: f64,
        longest: f64,
    }

    impl Kernel for Both {
        type Output = (bool, bool);

        fn run<L: Lanes<Scalar = f64>>(self) -> (bool, bool) {
            let Self { kappa, shift, longest } = self;
            let ends = longest.max(1.0);
            let (kappa, minus_shift) = (L::splat(kappa), L::splat(-shift));
            let same = (-8..=8).all(|share| {
                let product = L::splat(ends * f64::from(share) / 8.0);
                let [checked] = exponentials::<L, 1, false>(kappa, [product], minus_shift);
                let [spared] = exponentials::<L, 1, true>(kappa, [product], minus_shift);
                L::bits(L::same_bits(checked, spared)) == u8::MAX >> (8 - L::WIDTH)
            });
            (in_range(Some(L::splat(longest)), kappa, minus_shift), same)
        }
    }

    /// On both sides of every limit: where it says that all is in range, the spared operations do nothing.
    #[test]
    fn what_is_in_range_has_the_same_bits() {
        let mut seen = [false; 2];
        for (kappa, shift, longest) in [
            (9.0, 9.0, 1.0),
            (354.1, 354.1, 1.0),
            (354.2, 354.2, 1.0),
            (354.1, 354.1, 1.001),
            (-354.1, 354.1, 1.0),
            (-354.2, 354.2, 1.0),
            (9.0, 0.0, 78.7),
            (9.0, 0.0, 78.8),
            (-9.0, 0.0, 78.7),
            (704.7, -5.0, 1.0),
            (704.8, -5.0, 1.0),
            (709.0, 0.0, 0.1),
            (f64::NAN, 1.0, 1.0),
            (1.0, 1.0, f64::NAN),
            (1.0, 1.0, f64::INFINITY),
        ] {
            let ends: f64 = if longest < 1.0 { 1.0 } else { longest };
            let fits = [1.0, -1.0].iter().all(|sign| {
                let exponent = sign * kappa * ends - shift;
                (EXP_FLUSH..=EXP_OVERFLOW).contains(&exponent)
            });
            seen[usize::from(fits)] = true;
            for isa in [Isa::PortableNarrow, Isa::Portable, Isa::widest()] {
                let (is_in_range, same) = dispatch(Both { kappa, shift, longest }, isa);
                let case = format!("κ = {kappa}, shift = {shift}, longest = {longest}, {}", isa.name());
                // None of these is so near a limit that the margin hides it.
                assert_eq!(is_in_range, fits, "{case}");
                assert!(same || !is_in_range, "{case}");
            }
        }
        assert_eq!(seen, [true; 2]);
    }

    /// Of a register, every lane must be.
    #[test]
    fn one_lane_out_of_range_is_enough() {
        struct Ask;
        impl Kernel for Ask {
            type Output = bool;
            fn run<L: Lanes<Scalar = f64>>(self) -> bool {
                let mut kappa = Pack::splat(2.0);
                kappa.0[0] = 400.0;
                let (one, few, kappa) = (L::splat(1.0), L::splat(2.0), L::load(&kappa, 0));
                assert!(!in_range(None, few, -few), "nothing is known");
                in_range(Some(one), few, -few) && !in_range(Some(one), kappa, -kappa)
            }
        }
        for isa in [Isa::PortableNarrow, Isa::Portable, Isa::widest()] {
            assert!(dispatch(Ask, isa), "{}", isa.name());
        }
    }
}
