//! Time to more than twice the precision of f64, so that differences of late times are still exact.
//!
//! At t = 5·10^19 neighbouring f64 are 8192 apart, while a merge there may take a time of order one: an
//! [`Instant`] therefore carries what its leading part has lost, and durations (`dt` of a merge, `lifetime`
//! of a plateau) are differences of instants, never of rounded times.
//!
//! The times of fixed steps are products k·η, for which two f64 are enough. Adaptive steps add up, from 10^100 down to 10^−16 where a
//! metastable state ends: their instants are sums of up to eight f64 (Shewchuk's expansions, *Discrete & Computational Geometry* 18
//! (1997) 305), which hold 400 bits, or more where there is a gap between them.

use serde::{Deserialize, Serialize};

/// Numbers of an instant beyond the first two.
const REST: usize = 6;

/// A time, as the unevaluated sum of numbers that fall fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instant {
    high: f64,
    low: f64,
    /// All zero where fixed steps are taken.
    rest: [f64; REST],
}

impl Instant {
    /// This time.
    #[must_use]
    pub fn at(time: f64) -> Self {
        Self { high: time, ..Self::default() }
    }

    /// The time of state k of a fixed-step integrator: exactly k·η.
    #[must_use]
    pub fn of_step(k: u64, step: f64) -> Self {
        let k = k as f64;
        let high = k * step;
        Self { high, low: k.mul_add(step, -high), ..Self::default() }
    }

    /// The time, rounded.
    #[must_use]
    pub fn time(self) -> f64 {
        self.high
    }

    /// The time that has passed since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> f64 {
        if self.is_short() && earlier.is_short() {
            return (self.high - earlier.high) + (self.low - earlier.low);
        }
        let mut difference = Expansion::of(self);
        for part in [earlier.high, earlier.low].into_iter().chain(earlier.rest) {
            difference.add(-part);
        }
        difference.parts[..difference.len].iter().sum()
    }

    /// The instant `duration` later, to twice the precision of f64 at least.
    #[must_use]
    pub fn after(self, duration: f64) -> Self {
        if !self.is_short() {
            return self.later(duration);
        }
        // Knuth's two-sum, then a renormalization: high stays the rounded time.
        let sum = self.high + duration;
        let back = sum - self.high;
        let lost = (self.high - (sum - back)) + (duration - back) + self.low;
        let high = sum + lost;
        Self { high, low: lost - (high - sum), ..Self::default() }
    }

    /// The instant `duration` later; exact unless it takes more than eight numbers. Times and durations are finite.
    ///
    /// ```
    /// use metasweep_dynamics::clock::Instant;
    ///
    /// let merged = Instant::at(1e48).later(1e31).later(0.25);
    /// assert_eq!(merged.later(1.5).later(2e-9).since(merged), 1.500000002);
    /// ```
    #[must_use]
    pub fn later(self, duration: f64) -> Self {
        let mut sum = Expansion::of(self);
        sum.add(duration);
        sum.compressed()
    }

    /// The instant at `share` ∈ [0, 1] of the way to `later`; the ends are hit exactly.
    #[must_use]
    pub fn towards(self, later: Self, share: f64) -> Self {
        if share >= 1.0 { later } else { self.after(share * later.since(self)) }
    }

    fn is_short(&self) -> bool {
        self.rest == [0.0; REST]
    }
}

/// Numbers that do not overlap, the smallest first.
struct Expansion {
    parts: [f64; 2 * (REST + 2) + 1],
    len: usize,
}

/// a + b and its rounding error (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let back = sum - a;
    (sum, (a - (sum - back)) + (b - back))
}

impl Expansion {
    fn of(instant: Instant) -> Self {
        let mut expansion = Self { parts: [0.0; 2 * (REST + 2) + 1], len: 0 };
        for part in instant.rest.into_iter().rev().chain([instant.low, instant.high]) {
            if part != 0.0 {
                expansion.parts[expansion.len] = part;
                expansion.len += 1;
            }
        }
        expansion
    }

    /// Adds a number, exactly.
    fn add(&mut self, number: f64) {
        let (mut carried, mut kept) = (number, 0);
        for at in 0..self.len {
            let (sum, lost) = two_sum(carried, self.parts[at]);
            carried = sum;
            if lost != 0.0 {
                self.parts[kept] = lost;
                kept += 1;
            }
        }
        if carried != 0.0 {
            self.parts[kept] = carried;
            kept += 1;
        }
        self.len = kept;
    }

    /// The instant of this time: the fewest numbers, the largest eight of them.
    fn compressed(&self) -> Instant {
        let mut instant = Instant::default();
        let Some(last) = self.len.checked_sub(1) else { return instant };
        // Down: every number becomes the rounded sum of all that is left.
        let (mut down, mut count, mut sum) = ([0.0; 2 * (REST + 2) + 1], 0, self.parts[last]);
        for &part in self.parts[..last].iter().rev() {
            let (high, low) = two_sum(sum, part);
            sum = high;
            if low != 0.0 {
                down[count] = high;
                count += 1;
                sum = low;
            }
        }
        down[count] = sum;
        // Up again: what two neighbours can hold together.
        let (mut up, mut kept) = ([0.0; 2 * (REST + 2) + 1], 0);
        for &part in down[..count].iter().rev() {
            let (high, low) = two_sum(part, sum);
            sum = high;
            if low != 0.0 {
                up[kept] = low;
                kept += 1;
            }
        }
        instant.high = sum;
        let mut smaller = up[..kept].iter().rev();
        instant.low = smaller.next().copied().unwrap_or(0.0);
        for (rest, part) in instant.rest.iter_mut().zip(smaller) {
            *rest = *part;
        }
        instant
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;

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

    /// A number as a multiple of 2^−200.
    fn exact(number: f64) -> BigInt {
        let bits = number.abs().to_bits();
        let (exponent, mantissa) = ((bits >> 52).cast_signed(), bits & ((1 << 52) - 1) | 1 << 52);
        let shift = exponent - 1075 + 200;
        let size =
            if shift >= 0 { BigInt::from(mantissa) << shift } else { BigInt::from(mantissa) >> -shift };
        match (number == 0.0, number < 0.0) {
            (true, _) => BigInt::ZERO,
            (_, true) => -size,
            _ => size,
        }
    }

    /// Steps as a metastable state's end has them: from 10^100 down to 1 by factors of about 2, then up again.
    #[test]
    fn adaptive_clocks_are_exact() {
        let (mut clock, mut total, mut step) = (Instant::default(), BigInt::ZERO, 1.234_567_e100);
        let mut marks = Vec::new();
        while step > 1e-3 {
            clock = clock.later(step);
            total += exact(step);
            marks.push((clock, total.clone()));
            step *= 0.537_891_234;
        }
        let sum = [clock.high, clock.low].into_iter().chain(clock.rest).map(exact).sum::<BigInt>();
        assert_eq!(sum, total);
        for (mark, then) in &marks {
            let found = clock.since(*mark);
            let missed = exact(found) - (&total - then);
            assert!(missed.magnitude() * (1_u64 << 52) <= *(&total - then).magnitude(), "{found}");
        }
        assert_eq!(clock.later(1e-8).since(clock), 1e-8);
    }
}
