//! When something happened between two states. Times are [`Instant`]s, whose differences stay exact however late they are.

pub use metasweep_dynamics::clock::Instant;

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
    fn crossing_is_linear_and_clamped() {
        assert_eq!(crossing(0.0, 1.0, 0.25), 0.25);
        assert_eq!(crossing(1.0, 0.0, 0.25), 0.75);
        assert_eq!(crossing(0.5, 1.0, 0.25), 0.0);
        assert_eq!(crossing(0.0, 0.5, 0.75), 1.0);
        assert_eq!(crossing(f64::INFINITY, 0.5, 0.75), 0.0);
        assert_eq!(crossing(0.5, 0.5, 0.5), 0.0);
    }
}
