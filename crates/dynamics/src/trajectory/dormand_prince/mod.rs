//! Dormand and Prince's Runge–Kutta method of order 8 with embedded orders 5 and 3, and a continuous extension of order 7 (Hairer, Nørsett and
//! Wanner, *Solving Ordinary Differential Equations I*, II.5, II.6 and II.10; their DOP853). Twelve evaluations a step, as the last
//! slope is the first of the next step; three more where the step is looked into.
//!
//! Time is one more number that is integrated along: the flow says how much of it a unit of its own is worth ([`Flow::slope`]).
//!
//! States live on spheres: the new one is put back there before the last slope is evaluated, which changes it by less than its local
//! error.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

mod coefficients;

use super::flow::Flow;
use crate::simd::{Isa, Kernel, LANES, Lanes, Pack, dispatch, groups};
use coefficients::{DENSE, ERROR_3, ERROR_5, NODES, Row, SLOPES, STAGES, WEIGHTS};

/// Evaluations of the right side a step.
pub(super) const EVALUATIONS: u64 = STAGES as u64;
/// What the relative error of a step's duration may be, over the tolerance, where much more time has gone by before.
const PATIENCE: f64 = 100.0;

/// A step, and the room that it takes.
pub(super) struct DormandPrince {
    /// The slopes of the last step; number 12 is the slope at the state it led to.
    slopes: [Vec<Pack>; SLOPES],
    /// dt/dτ at each of them.
    rates: [f64; SLOPES],
    /// Where the last step began, where it led to.
    pub before: Vec<Pack>,
    pub after: Vec<Pack>,
    errors: [Vec<Pack>; 2],
    dense: Dense,
    /// Length of the last step, and what it added to time.
    length: f64,
    duration: f64,
    isa: Isa,
}

/// The coefficients of the continuous extension, of the state and of time, if they are the last step's.
#[derive(Default)]
struct Dense {
    is_current: bool,
    state: [Vec<Pack>; 6],
    time: [f64; 6],
}

impl DormandPrince {
    pub fn new(isa: Isa) -> Self {
        Self {
            slopes: std::array::from_fn(|_| Vec::new()),
            rates: [0.0; SLOPES],
            before: Vec::new(),
            after: Vec::new(),
            errors: [Vec::new(), Vec::new()],
            dense: Dense::default(),
            length: 0.0,
            duration: 0.0,
            isa,
        }
    }

    /// Begins at `after`.
    pub fn begin(&mut self, flow: &mut dyn Flow, t: f64) {
        let size = self.after.len();
        let scratch = self.errors.iter_mut().chain(&mut self.dense.state);
        for numbers in self.slopes.iter_mut().chain(scratch) {
            numbers.resize(size, Pack::ZERO);
        }
        self.before.clone_from(&self.after);
        self.stand();
        self.rates[STAGES] = flow.slope(t, &self.after, &mut self.slopes[STAGES]);
    }

    /// There is no last step to look into.
    fn stand(&mut self) {
        (self.length, self.duration) = (0.0, 0.0);
        self.dense.is_current = false;
    }

    /// The slope at `after`.
    pub fn slope(&self) -> &[Pack] {
        &self.slopes[STAGES]
    }

    /// dt/dτ at `after`.
    pub fn rate(&self) -> f64 {
        self.rates[STAGES]
    }

    /// What the last step added to time.
    pub fn duration(&self) -> f64 {
        self.duration
    }

    /// Goes on from `after`.
    pub fn turn(&mut self) {
        std::mem::swap(&mut self.before, &mut self.after);
        self.slopes.swap(0, STAGES);
        self.rates.swap(0, STAGES);
        self.dense.is_current = false;
    }

    /// Back to before [`turn`](Self::turn).
    pub fn turn_back(&mut self) {
        self.after.copy_from_slice(&self.before);
        self.slopes.swap(0, STAGES);
        self.rates.swap(0, STAGES);
        self.stand();
    }

    /// Tries a step of length h from `before`, which began at t, `since` after the last merge; what its error is worth. NaN or ∞ if
    /// something is not finite.
    ///
    /// A unit's rate may pass through orders of magnitude, and time is only looked at. So the error of what the step adds to it counts
    /// relative to all that has gone by since the last merge, as long as that is not above [`PATIENCE`] times the step's own duration.
    pub fn attempt(&mut self, flow: &mut dyn Flow, t: f64, since: f64, length: f64) -> f64 {
        for (slope, node) in NODES.iter().enumerate().take(STAGES + 1).skip(1) {
            self.place(slope - 1, length);
            if slope == STAGES && !flow.settle(&mut self.after) {
                return f64::NAN;
            }
            let t = t + node * length * self.rates[0];
            self.rates[slope] = flow.slope(t, &self.after, &mut self.slopes[slope]);
        }
        self.length = length;
        self.duration = length * self.rate_along(WEIGHTS[STAGES - 1]);
        for (row, out) in [ERROR_5, ERROR_3].into_iter().zip(&mut self.errors) {
            dispatch(Combine { base: None, slopes: &self.slopes, row, length, out }, self.isa);
        }
        let [fifth, third] = self.errors.each_ref().map(|error| flow.worth(&self.before, error));
        let passed = (since + self.duration).min(PATIENCE * self.duration);
        let of_time = |row| (length * self.rate_along(row) / passed).abs();
        let (of_state, of_time) = (joint(fifth, third), joint(of_time(ERROR_5), of_time(ERROR_3)));
        if of_state.is_nan() || of_time.is_nan() { f64::NAN } else { of_state.max(of_time) }
    }

    /// The state at which slope `row + 1` is taken, into `after`.
    fn place(&mut self, row: usize, length: f64) {
        let (base, slopes, row) = (Some(&self.before[..]), &self.slopes, WEIGHTS[row]);
        dispatch(Combine { base, slopes, row, length, out: &mut self.after }, self.isa);
    }

    fn rate_along(&self, row: Row) -> f64 {
        row.iter().fold(0.0, |sum, (slope, weight)| sum + weight * self.rates[*slope])
    }

    /// Makes sure that the continuous extension is that of the last step.
    fn extend(&mut self, flow: &mut dyn Flow, t: f64) {
        if self.dense.is_current {
            return;
        }
        self.dense.is_current = true;
        let after = self.after.clone();
        for (slope, node) in NODES.iter().enumerate().skip(STAGES + 1) {
            self.place(slope - 1, self.length);
            let t = t + node * self.length * self.rates[0];
            self.rates[slope] = flow.slope(t, &self.after, &mut self.slopes[slope]);
        }
        self.after = after;
        let [second, third, rest @ ..] = &mut self.dense.state;
        let (first, last) = (&self.slopes[0], &self.slopes[STAGES]);
        let ends = self.before.iter().zip(&self.after).zip(first.iter().zip(last));
        for (((from, to), (first, last)), out) in ends.zip(second.iter_mut().zip(third)) {
            for lane in 0..LANES {
                let ends = [from.0[lane], to.0[lane]];
                (out.0.0[lane], out.1.0[lane]) = bend(ends, [first.0[lane], last.0[lane]], self.length);
            }
        }
        for (row, out) in DENSE.into_iter().zip(rest) {
            dispatch(Combine { base: None, slopes: &self.slopes, row, length: self.length, out }, self.isa);
        }
        let (second, third) = bend([0.0, self.duration], [self.rates[0], self.rates[STAGES]], self.length);
        let [a, b, c, d] = DENSE.map(|row| self.length * self.rate_along(row));
        self.dense.time = [second, third, a, b, c, d];
    }

    /// The state at `share` ∈ [0, 1] of the last step, which began at t; not yet put back to where states live.
    pub fn between(&mut self, flow: &mut dyn Flow, t: f64, share: f64, out: &mut [Pack]) {
        self.extend(flow, t);
        for (at, out) in out.iter_mut().enumerate() {
            for lane in 0..LANES {
                let ends = [self.before[at].0[lane], self.after[at].0[lane]];
                out.0[lane] =
                    interpolated(ends, self.dense.state.each_ref().map(|row| row[at].0[lane]), share);
            }
        }
    }

    /// What of the last step's duration has gone by at `share` of its length.
    pub fn elapsed(&mut self, flow: &mut dyn Flow, t: f64, share: f64) -> f64 {
        self.extend(flow, t);
        interpolated([0.0, self.duration], self.dense.time, share)
    }
}

/// What the errors of orders 5 and 3 make together: like h⁸ (II.10 there).
fn joint(fifth: f64, third: f64) -> f64 {
    // Squares of small numbers would vanish.
    if fifth == 0.0 { 0.0 } else { fifth / libm::hypot(1.0, 0.1 * third / fifth) }
}

/// The second and third coefficient of the extension, which give it the slopes of both ends.
fn bend(ends: [f64; 2], slopes: [f64; 2], length: f64) -> (f64, f64) {
    let step = ends[1] - ends[0];
    (length * slopes[0] - step, 2.0 * step - length * (slopes[0] + slopes[1]))
}

fn interpolated([from, to]: [f64; 2], [a, b, c, d, e, f]: [f64; 6], share: f64) -> f64 {
    let rest = 1.0 - share;
    from + share
        * ((to - from) + rest * (a + share * (b + rest * (c + share * (d + rest * (e + share * f))))))
}

/// `base + h Σ_k weight_k slope_k`, number by number.
struct Combine<'a> {
    base: Option<&'a [Pack]>,
    slopes: &'a [Vec<Pack>; SLOPES],
    row: Row,
    length: f64,
    out: &'a mut [Pack],
}

impl Kernel for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { base, slopes, row, length, out } = self;
        let (length, size) = (L::splat(length), out.len());
        let mut terms: [(L, &[Pack]); STAGES] = [(L::splat(0.0), &[]); STAGES];
        for (term, (slope, weight)) in terms.iter_mut().zip(row) {
            *term = (L::splat(*weight), &slopes[*slope][..size]);
        }
        let terms = &terms[..row.len()];
        for (at, out) in out.iter_mut().enumerate() {
            for group in groups::<L>(LANES) {
                let mut sum = L::splat(0.0);
                for (weight, slopes) in terms {
                    sum = weight.mul_add(L::load(&slopes[at], group), sum);
                }
                let base = base.map_or(L::splat(0.0), |base| L::load(&base[at], group));
                length.mul_add(sum, base).store(out, group);
            }
        }
    }
}
