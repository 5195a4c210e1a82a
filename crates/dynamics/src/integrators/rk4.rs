//! `rk4`: the classical Runge–Kutta method on `ẋ_i = P_{x_i} A_i / s_i`, normalized at the end of the step.
//!
//! The stages lie O(η²) off the sphere; there `P_x y = y − ⟨x,y⟩x` with x as it is, and the self score of
//! B = b·I is taken at its value on the sphere: a smooth extension of the field, hence order 4.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::{Integrator, Landing, Rates, Stage, VectorField};
use crate::simd::{Kernel, Lanes, Pack, dispatch, groups};

pub(crate) struct Rk4 {
    /// k_1 … k_4, one after the other.
    slope: Vec<Pack>,
    /// (k_1 + 2k_2 + 2k_3 + k_4)/6.
    mean: Vec<Pack>,
    /// The stage's tokens.
    point: Vec<Pack>,
}

impl Rk4 {
    pub(crate) fn new(size: usize) -> Self {
        Self { slope: vec![Pack::ZERO; size], mean: vec![Pack::ZERO; size], point: vec![Pack::ZERO; size] }
    }
}

impl Integrator for Rk4 {
    fn evaluations(&self) -> u64 {
        4
    }

    fn step(&mut self, field: &mut dyn VectorField, stage: Stage) -> Landing {
        let Stage { clock, state, gram, step, lanes, isa, .. } = stage;
        let half = Pack(step.0.map(|step| 0.5 * step));
        // Weight of each slope in the mean, how far along it the next stage lies, and when the stage is.
        let tableau = [
            (1.0 / 6.0, half, 0.0),
            (1.0 / 3.0, half, 0.5),
            (1.0 / 3.0, step, 0.5),
            (1.0 / 6.0, Pack::ZERO, 1.0),
        ];
        self.mean.fill(Pack::ZERO);
        for (index, (weight, ahead, share)) in tableau.iter().enumerate() {
            let (point, gram) = if index == 0 { (&*state, gram) } else { (&*self.point, None) };
            field.slope(&clock.ahead(*share), point, gram, &mut self.slope);
            let (mean, point, slope) = (&mut self.mean, &mut self.point, &self.slope);
            let next = (index < 3).then_some(&mut **point);
            dispatch(Advance { tokens: state, slope, weight: *weight, ahead, mean, next, lanes }, isa);
        }
        field.land(&clock, state, &self.mean, Rates::Slope, &step)
    }
}

/// `mean += weight·slope`, `next = tokens + ahead·slope`.
struct Advance<'a> {
    tokens: &'a [Pack],
    slope: &'a [Pack],
    weight: f64,
    ahead: &'a Pack,
    mean: &'a mut [Pack],
    next: Option<&'a mut [Pack]>,
    lanes: usize,
}

impl Kernel for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { tokens, slope, weight, ahead, mean, mut next, lanes } = self;
        let weight = L::splat(weight);
        for group in groups::<L>(lanes) {
            for (mean, slope) in mean.iter_mut().zip(slope) {
                weight.mul_add(L::load(slope, group), L::load(mean, group)).store(mean, group);
            }
            let ahead = L::load(ahead, group);
            if let Some(next) = next.as_deref_mut() {
                for ((next, slope), token) in next.iter_mut().zip(slope).zip(tokens) {
                    ahead.mul_add(L::load(slope, group), L::load(token, group)).store(next, group);
                }
            }
        }
    }
}
