//! Time to twice the precision of f64, so that differences of late times are still exact.
//!
//! At t = 5·10^19 neighbouring f64 are 8192 apart, while a merge there may take a time of order one: an
//! [`Instant`] therefore carries what its leading part has lost, and durations (`dt` of a merge, `lifetime`
//! of a plateau) are differences of instants, never of rounded times.

use serde::{Deserialize, Serialize};

/// A time, as the unevaluated sum of two f64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instant {
    high: f64,
    low: f64,
}

impl Instant {
    /// The time of state k of a fixed-step integrator: exactly k·η.
    #[must_use]
    pub fn of_step(k: u64, step: f64) -> Self {
        let k = k as f64;
        let high = k * step;
        Self { high, low: k.mul_add(step, -high) }
    }

    /// The time, rounded.
    #[must_use]
    pub fn time(self) -> f64 {
        self.high
    }

    /// The time that has passed since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> f64 {
        (self.high - earlier.high) + (self.low - earlier.low)
    }

    /// The instant `duration` later.
    #[must_use]
    pub fn after(self, duration: f64) -> Self {
        // Knuth's two-sum, then a renormalization: high stays the rounded time.
        let sum = self.high + duration;
        let back = sum - self.high;
        let lost = (self.high - (sum - back)) + (duration - back) + self.low;
        let high = sum + lost;
        Self { high, low: lost - (high - sum) }
    }

    /// The instant at `share` ∈ [0, 1] of the way to `later`; the ends are hit exactly.
    #[must_use]
    pub fn towards(self, later: Self, share: f64) -> Self {
        if share >= 1.0 { later } else { self.after(share * later.since(self)) }
    }
}

/// The share of a step at which a number that goes linearly from `before` to `now` reaches `level`.
///
/// Clamped to [0, 1]; an infinite or undefined `before` (there is no such cosine) counts as reached at once.
#[must_use]
pub fn crossing(before: f64, now: f64, level: f64) -> f64 {
    let share = (level - before) / (now - before);
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_exact_multiples() {
        let (a, b) = (Instant::of_step(10, 0.1), Instant::of_step(300, 0.1));
        assert_eq!(a.time(), 1.0);
        assert_eq!(b.since(a), 29.0);
    }

    #[test]
    fn durations_survive_where_times_do_not() {
        let late = Instant::default().after(5e19).after(0.25);
        assert_eq!(late.time(), 5e19);
        assert_eq!(late.after(1.5).since(late), 1.5);
        assert_eq!(late.after(8192.5).after(0.25).since(late), 8192.75);
    }

    #[test]
    fn towards_interpolates_and_hits_the_ends() {
        let (a, b) = (Instant::of_step(3, 0.1), Instant::of_step(4, 0.1));
        assert_eq!(a.towards(b, 0.0).time(), a.time());
        assert_eq!(a.towards(b, 1.0), b);
        // One rounding of a number below ½.
        assert!((a.towards(b, 0.5).time() - 0.35).abs() <= f64::EPSILON / 4.0);
    }

    #[test]
    fn crossing_is_linear_and_clamped() {
        assert_eq!(crossing(0.0, 1.0, 0.25), 0.25);
        assert_eq!(crossing(1.0, 0.0, 0.25), 0.75);
        assert_eq!(crossing(0.5, 1.0, 0.25), 0.0);
        assert_eq!(crossing(0.0, 0.5, 0.75), 1.0);
        assert_eq!(crossing(f64::INFINITY, 0.5, 0.75), 0.0);
        assert_eq!(crossing(0.5, 0.5, 0.5), 0.0);
    }
}
