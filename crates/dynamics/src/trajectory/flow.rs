//! What a [`Trajectory`](super::Trajectory) integrates: the right side of one replica's equation, and where its state lives.

use super::Ending;
use crate::simd::Pack;

/// One replica's equation. The numbers of its state stand side by side in packs, in an order that is its own; numbers that fill up the
/// last pack repeat others, so that nothing has to be masked.
///
/// A flow counts time in a unit τ of its own, which may change along the way: where t passes through orders of magnitude, τ need not.
pub(super) trait Flow: Send {
    /// dx/dτ at time t, into `out`; dt/dτ. Only where that is a constant may the right side depend on t.
    fn slope(&mut self, t: f64, state: &[Pack], out: &mut [Pack]) -> f64;
    /// Puts a state that the integrator has made back to where states live. False if a number is not finite.
    fn settle(&mut self, state: &mut [Pack]) -> bool;
    /// What the local error is worth, largest over the tokens: to be compared with the tolerance. NaN or ∞ if it is not finite.
    fn worth(&self, state: &[Pack], error: &[Pack]) -> f64;
    /// What the largest speed of a token is worth, as [`worth`](Self::worth) counts.
    fn speed(&self, slope: &[Pack]) -> f64;
    /// The longest step, in τ, that still lets what decays decay, from the state whose slope was taken last.
    fn longest(&self) -> f64;
    /// Whether nothing can move or be computed any more, at a state with this slope and dt/dτ.
    fn ending(&self, slope: &[Pack], rate: f64, gaps: &[f64]) -> Option<Ending>;
    /// The points that move, `[point][coordinate]`, into `out`.
    fn points(&mut self, state: &[Pack], out: &mut Vec<f64>);
    /// Whether a state in which nothing moves above the tolerance, step after step of one length, is one of rest.
    fn rests(&self) -> bool;
    /// Packs of a state.
    fn packs(&self) -> usize;
    /// Number of points that move.
    fn count(&self) -> usize;
    /// The point that each token is part of.
    fn members(&self) -> &[u32];
    /// Whether [`merge`](Self::merge) would find any.
    fn is_due_to_merge(&self, gaps: &[f64]) -> bool;
    /// Makes points that are one to every observer one. `gaps` are 1 − ⟨x_i, x_j⟩ of the points, i < j. Says whether any were.
    fn merge(&mut self, state: &mut Vec<Pack>, gaps: &[f64]) -> bool;
    /// What beside the state a checkpoint keeps: masses of the points.
    fn masses(&self) -> Vec<f64>;
    /// Goes on with these points.
    fn restore(&mut self, members: &[u32], masses: &[f64]);
}
