//! Dormand and Prince's Runge–Kutta pair of orders 5 and 4 (*J. Comp. Appl. Math.* 6 (1980) 19), with the continuous extension of order 4 of
//! Hairer, Nørsett and Wanner (*Solving Ordinary Differential Equations I*, II.6; their DOPRI5). Six evaluations a step, as the last
//! slope is the first of the next step.
//!
//! States live on spheres: the new one is put back there before the last slope is evaluated, which changes it by less than its local
//! error.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::flow::Flow;
use crate::simd::{Isa, Kernel, LANES, Lanes, Pack, dispatch, groups};

/// Slopes a step.
pub(super) const STAGES: usize = 7;
/// Evaluations of the right side a step.
pub(super) const EVALUATIONS: u64 = 6;

/// How far along the step each stage is.
const NODES: [f64; STAGES] = [0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0];
/// Weights of the slopes before, for stages 2 to 7; the last are those of the new state.
const WEIGHTS: [&[f64]; STAGES - 1] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// Order 5 less order 4.
const ERROR: [f64; STAGES] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339_200.0, 22.0 / 525.0, -1.0 / 40.0];
/// Of the continuous extension.
const DENSE: [f64; STAGES] = [
    -12_715_105_075.0 / 11_282_082_432.0,
    0.0,
    87_487_479_700.0 / 32_700_410_799.0,
    -10_690_763_975.0 / 1_880_347_072.0,
    701_980_252_875.0 / 199_316_789_632.0,
    -1_453_857_185.0 / 822_651_844.0,
    69_997_945.0 / 29_380_423.0,
];

/// A step, and the room that it takes.
pub(super) struct DormandPrince {
    /// The slopes of the last step; the last one is the slope at the state it led to.
    slopes: [Vec<Pack>; STAGES],
    /// Where the last step began, where it led to.
    pub before: Vec<Pack>,
    pub after: Vec<Pack>,
    error: Vec<Pack>,
    /// The coefficients of the continuous extension, if the last step's are there.
    dense: [Vec<Pack>; 3],
    dense_is_current: bool,
    /// Length of the last step.
    length: f64,
    isa: Isa,
}

impl DormandPrince {
    pub fn new(isa: Isa) -> Self {
        Self {
            slopes: std::array::from_fn(|_| Vec::new()),
            before: Vec::new(),
            after: Vec::new(),
            error: Vec::new(),
            dense: std::array::from_fn(|_| Vec::new()),
            dense_is_current: false,
            length: 0.0,
            isa,
        }
    }

    /// Begins at `after`.
    pub fn begin(&mut self, flow: &mut dyn Flow, t: f64) {
        let size = self.after.len();
        for slope in &mut self.slopes {
            slope.resize(size, Pack::ZERO);
        }
        for numbers in [&mut self.before, &mut self.error] {
            numbers.resize(size, Pack::ZERO);
        }
        for coefficients in &mut self.dense {
            coefficients.resize(size, Pack::ZERO);
        }
        self.before.copy_from_slice(&self.after);
        self.length = 0.0;
        self.dense_is_current = false;
        flow.slope(t, &self.after, &mut self.slopes[STAGES - 1]);
    }

    /// The slope at `after`.
    pub fn slope(&self) -> &[Pack] {
        &self.slopes[STAGES - 1]
    }

    /// Goes on from `after`.
    pub fn turn(&mut self) {
        std::mem::swap(&mut self.before, &mut self.after);
        self.slopes.swap(0, STAGES - 1);
        self.dense_is_current = false;
    }

    /// Back to before [`turn`](Self::turn).
    pub fn turn_back(&mut self) {
        self.after.copy_from_slice(&self.before);
        let (first, last) = self.slopes.split_at_mut(STAGES - 1);
        last[0].copy_from_slice(&first[0]);
        self.length = 0.0;
        self.dense_is_current = false;
    }

    /// Tries a step of length h from `before`; what its error is worth. NaN or ∞ if something is not finite.
    pub fn attempt(&mut self, flow: &mut dyn Flow, t: f64, length: f64) -> f64 {
        for stage in 1..STAGES {
            let (known, rest) = self.slopes.split_at_mut(stage);
            let (base, out, isa) = (Some(&self.before[..]), &mut self.after[..], self.isa);
            dispatch(Combine { base, slopes: known, weights: WEIGHTS[stage - 1], length, out }, isa);
            if stage == STAGES - 1 && !flow.settle(&mut self.after) {
                return f64::NAN;
            }
            flow.slope(t + NODES[stage] * length * flow.unit(), &self.after, &mut rest[0]);
        }
        self.length = length;
        let (slopes, isa) = (&self.slopes[..], self.isa);
        dispatch(Combine { base: None, slopes, weights: &ERROR, length, out: &mut self.error }, isa);
        flow.worth(&self.before, &self.error)
    }

    /// The state at `share` ∈ [0, 1] of the last step, not yet put back to where states live.
    pub fn between(&mut self, share: f64, out: &mut [Pack]) {
        let (slopes, isa, length) = (&self.slopes[..], self.isa, self.length);
        if !self.dense_is_current {
            self.dense_is_current = true;
            let [third, fourth, fifth] = &mut self.dense;
            dispatch(Combine { base: None, slopes, weights: &DENSE, length, out: fifth }, isa);
            for at in 0..third.len() {
                for lane in 0..LANES {
                    let step = self.after[at].0[lane] - self.before[at].0[lane];
                    let bend = length * slopes[0][at].0[lane] - step;
                    third[at].0[lane] = bend;
                    fourth[at].0[lane] = step - length * slopes[STAGES - 1][at].0[lane] - bend;
                }
            }
        }
        let rest = 1.0 - share;
        for (at, out) in out.iter_mut().enumerate() {
            for lane in 0..LANES {
                let (from, to) = (self.before[at].0[lane], self.after[at].0[lane]);
                let [third, fourth, fifth] = self.dense.each_ref().map(|numbers| numbers[at].0[lane]);
                out.0[lane] = from + share * ((to - from) + rest * (third + share * (fourth + rest * fifth)));
            }
        }
    }
}

/// `base + h Σ_k weight_k slope_k`, number by number.
struct Combine<'a> {
    base: Option<&'a [Pack]>,
    slopes: &'a [Vec<Pack>],
    weights: &'a [f64],
    length: f64,
    out: &'a mut [Pack],
}

impl Kernel for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { base, slopes, weights, length, out } = self;
        let length = L::splat(length);
        for (at, out) in out.iter_mut().enumerate() {
            for group in groups::<L>(LANES) {
                let mut sum = L::splat(0.0);
                for (slope, weight) in slopes.iter().zip(weights) {
                    sum = L::splat(*weight).mul_add(L::load(&slope[at], group), sum);
                }
                let base = base.map_or(L::splat(0.0), |base| L::load(&base[at], group));
                length.mul_add(sum, base).store(out, group);
            }
        }
    }
}
