//! Brownian paths that can be refined: halving the step halves every increment's interval and changes nothing else.
//!
//! A path is fixed on intervals of a *base* length h = η·2^m with 1024 ≤ h < 2048; within one, midpoints are drawn by Lévy's
//! construction, level by level, down to the step η. Steps that differ by a power of two have the same h, hence the same
//! path, seen more or less closely; other steps have their own. Numbers are looked up, not drawn in turn: that of a
//! node of the tree stands at its own place of the key stream, so a step needs no step before it.
//!
//! [`Ensemble`](crate::ensemble::Ensemble) adds `√(2/κ)` times an increment to each step: generator (1/κ)Δ (P2 §7).

use crate::random::Stream;

/// Base intervals are at least this long.
const BASE: f64 = 1024.0;
/// Deepest level: steps down to 1024·2^−32.
const DEEPEST: u32 = 32;

/// The noise of one replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// The key of its stream (purpose `noise`).
    pub key: [u8; 32],
    /// The stream: the replica.
    pub stream: u64,
    /// κ > 0.
    pub kappa: f64,
}

/// The base length and the depth of the tree for a step; `None` if the step is too long or too short.
#[must_use]
pub fn base(step: f64) -> Option<(f64, u32)> {
    let (mut length, mut depth) = (step, 0);
    while length < BASE && depth <= DEEPEST {
        length *= 2.0;
        depth += 1;
    }
    (depth <= DEEPEST && length < 2.0 * BASE).then_some((length, depth))
}

/// The increments of a replica's path over step number `number`, one a coordinate; `None` if the step is out of range.
///
/// ```
/// use metasweep_dynamics::noise::{Noise, increment};
/// let noise = Noise { key: [1; 32], stream: 0, kappa: 1.0 };
/// let whole = increment(&noise, 1, 0.5, 7).unwrap()[0];
/// let halves = [14, 15].map(|half| increment(&noise, 1, 0.25, half).unwrap()[0]);
/// assert!((whole - halves[0] - halves[1]).abs() < 1e-15);
/// ```
#[must_use]
pub fn increment(noise: &Noise, coordinates: usize, step: f64, number: u64) -> Option<Vec<f64>> {
    Path::new(noise, coordinates, step).map(|mut path| path.increment(number).to_vec())
}

/// A path of so many independent Brownian motions, one a coordinate.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    stream: Stream,
    coordinates: usize,
    base: f64,
    depth: u32,
    /// By level: the increment over the interval that holds the current step.
    levels: Vec<Vec<f64>>,
    /// The step that `levels` is of.
    at: Option<u64>,
}

impl Path {
    /// `None` if the step is out of range.
    pub(crate) fn new(noise: &Noise, coordinates: usize, step: f64) -> Option<Self> {
        let (base, depth) = base(step)?;
        let levels = vec![vec![0.0; coordinates]; depth as usize + 1];
        Some(Self {
            stream: Stream::new(noise.key, noise.stream),
            coordinates,
            base,
            depth,
            levels,
            at: None,
        })
    }

    /// The increments over step number `step`.
    pub(crate) fn increment(&mut self, step: u64) -> &[f64] {
        // Levels whose interval is still the same are kept: two numbers a step and coordinate on average.
        let common = self.at.map_or(0, |at| {
            let differing = u64::BITS - (at ^ step).leading_zeros();
            (self.depth + 1).saturating_sub(differing)
        });
        for level in common..=self.depth {
            self.descend(step, level);
        }
        self.at = Some(step);
        &self.levels[self.depth as usize]
    }

    /// Fills one level from the one above.
    fn descend(&mut self, step: u64, level: u32) {
        let interval = step >> self.depth;
        if level == 0 {
            self.look_up(interval, 0);
            let root = self.base.sqrt();
            self.levels[0].fill_with(|| root * self.stream.normal());
            return;
        }
        let within = step & ((1 << self.depth) - 1);
        let parent = within >> (self.depth - level + 1);
        let is_right = within >> (self.depth - level) & 1 == 1;
        self.look_up(interval, (1 << (level - 1)) + parent);
        let spread = 0.5 * libm::ldexp(self.base, 1 - level.cast_signed()).sqrt();
        let (above, below) = self.levels.split_at_mut(level as usize);
        for (whole, part) in above[level as usize - 1].iter().zip(&mut below[0]) {
            let left = 0.5 * whole + spread * self.stream.normal();
            *part = if is_right { whole - left } else { left };
        }
    }

    /// Goes to the numbers of a node: 2³² nodes an interval, whole blocks of 16 words each.
    fn look_up(&mut self, interval: u64, node: u64) {
        let blocks = (2 * self.coordinates).div_ceil(16) as u128;
        let place = (u128::from(interval) << DEEPEST) + u128::from(node);
        self.stream.seek(place * blocks * 16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(step: f64) -> Path {
        Path::new(&Noise { key: [3; 32], stream: 5, kappa: 1.0 }, 3, step).unwrap()
    }

    #[test]
    fn a_step_is_the_sum_of_its_halves() {
        for step in [0.1, 0.7, 3.0, 700.0] {
            let (mut coarse, mut fine) = (path(step), path(step / 2.0));
            for number in [0, 1, 2, 3, 1000, 4, 123_456] {
                let whole = coarse.increment(number).to_vec();
                let left = fine.increment(2 * number).to_vec();
                let right = fine.increment(2 * number + 1);
                for ((whole, left), right) in whole.iter().zip(&left).zip(right) {
                    // right = whole − left, rounded once.
                    assert!((whole - (left + right)).abs() <= f64::EPSILON * (whole.abs() + left.abs()));
                }
            }
        }
    }

    #[test]
    fn a_step_needs_none_before_it() {
        let mut one = path(0.1);
        let in_turn: Vec<Vec<f64>> = (0..5000).map(|step| one.increment(step).to_vec()).collect();
        for step in [4999, 17, 0, 4096, 4095] {
            assert_eq!(path(0.1).increment(step as u64), in_turn[step]);
        }
    }

    /// 3·20,000 increments of variance η; covariances of neighbours. Each mean of m squares of unit normals deviates by more
    /// than 5.6·√(2/m) with probability 2e-8; of products, 5.6/√m.
    #[test]
    fn increments_are_independent_and_have_the_right_variance() {
        let (step, count) = (0.1, 20_000_u64);
        let mut walk = path(step);
        let all: Vec<Vec<f64>> = (0..count).map(|number| walk.increment(number).to_vec()).collect();
        let numbers = 3.0 * count as f64;
        let mean = |f: &dyn Fn(usize, usize) -> f64| {
            (0..count as usize - 1)
                .flat_map(|k| (0..3).map(move |c| (k, c)))
                .map(|(k, c)| f(k, c))
                .sum::<f64>()
                / numbers
        };
        assert!((mean(&|k, c| all[k][c] * all[k][c]) / step - 1.0).abs() < 5.6 * (2.0 / numbers).sqrt());
        assert!((mean(&|k, c| all[k][c] * all[k + 1][c]) / step).abs() < 5.6 / numbers.sqrt());
        assert!((mean(&|k, c| all[k][c] * all[k][(c + 1) % 3]) / step).abs() < 5.6 / numbers.sqrt());
    }

    #[test]
    fn steps_out_of_range() {
        assert_eq!(base(0.1), Some((1638.4, 14)));
        assert_eq!(base(1024.0), Some((1024.0, 0)));
        assert_eq!(base(5000.0), None);
        assert_eq!(base(1e-9), None);
        assert_eq!(base(0.0), None);
    }
}
