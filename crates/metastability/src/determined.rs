//! From when on nothing that is asked for can change any more, and a replica need not go on.
//!
//! Where tokens that are together stay so ([`Ensemble::stays_together`](metasweep_dynamics::ensemble::Ensemble::stays_together)), a
//! state in which *all* are together, at every threshold that anything looks at, tells the rest: one cluster, every pair close, the
//! plateau of one cluster up to the horizon, no merge, and all δ reached. What measures how close they are, as `mean_cosine` does,
//! goes on changing: nothing is determined where it is asked for, nor where the final state is.
//!
//! The smallest cosine does not fall but for rounding errors, which are bounded: in a step the sum over n tokens errs by less
//! than (n + 10) u of its length, u = 2^−53, which turns a token by as much; a product of d coordinates errs by less than (2d + 8) u.
//! Of two coordinates the sum may be a Fourier series of at most n orders, which errs by less than 2(20 + κ) u for each of the n tokens,
//! and is as long as the token's own weight at least; κ is below n²/40 then.
//! Thresholds are to be passed by twice that for every step to come.

use crate::observables::Lasting;
use crate::scene::Scene;
use crate::watch::Watch;

/// The smallest cosine from which on nothing that `watch` asks for can change after this state; none if something can.
#[must_use]
pub fn from_cosine(watch: &Watch, scene: &Scene<'_>) -> Option<f64> {
    if watch.final_state || !scene.stays_together || !is_shown(watch, scene.step) {
        return None;
    }
    let left = watch.steps.saturating_sub(scene.step);
    // A plateau that is cut off at the horizon counts as the first one if it has lasted long enough, one that would rest before the
    // horizon counts anyway: there is no difference if enough time is left.
    if watch.plateaus && (left as f64 - 1.0) * watch.step < watch.min_lifetime {
        return None;
    }
    let level = finest(watch, scene.n)?;
    Some(level + rounding(scene) * (left as f64 + 2.0))
}

/// The largest of all cosines that anything asked for looks at; none if something is a measure of how close tokens are.
#[must_use]
pub fn finest(watch: &Watch, n: usize) -> Option<f64> {
    let mut level = watch.deltas.iter().map(|delta| 1.0 - delta).fold(0.5, f64::max);
    if watch.plateaus || watch.merges {
        level = level.max(watch.joined());
    }
    for observable in &watch.series {
        level = level.max(match observable.nature().lasting {
            Lasting::Never => return None,
            Lasting::AllClose => 0.5,
            Lasting::Within(gap) => 1.0 - gap,
            Lasting::WithinShare(gap) => 1.0 - gap / n as f64,
        });
    }
    Some(level)
}

/// Whether all portraits have been taken, and no histogram is asked for.
fn is_shown(watch: &Watch, step: u64) -> bool {
    let taken = |moments: &[u64]| moments.last().is_none_or(|last| *last <= step);
    watch.histograms.is_empty() && taken(&watch.tokens_at) && taken(&watch.attention_at)
}

/// What rounding takes from a cosine in a step, at most.
fn rounding(scene: &Scene<'_>) -> f64 {
    let (n, d) = (scene.n as f64, scene.d());
    let series = if d == 2 { 2.0 * n * (20.0 + steepest(n)) } else { 0.0 };
    4.0 * (n + d as f64 + 10.0 + series) * (f64::EPSILON / 2.0)
}

/// n tokens of two coordinates go by series for no larger κ.
fn steepest(n: f64) -> f64 {
    n * n / 40.0
}

#[cfg(test)]
mod tests {
    use metasweep_dynamics::ensemble::abreast_orders;

    use super::*;

    /// Sums go by series where κ is below the bound, and never above it.
    #[test]
    fn no_series_is_steeper() {
        for n in [1, 8, 20, 32, 100, 256, 1000, 20_000] {
            let bound = steepest(n as f64);
            for factor in [1.0, 1.1, 2.0, 10.0] {
                assert_eq!(abreast_orders(n, factor * bound), None, "n = {n}, κ = {factor}·{bound}");
            }
            assert!(n < 32 || abreast_orders(n, 0.3 * bound).is_some(), "n = {n}");
        }
    }
}
