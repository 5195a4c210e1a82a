//! Equiangular tokens, ⟨θ_i, θ_j⟩ = ρ for i ≠ j, with V = QᵀK = I and the mask full: one number, whatever n (P0 (4.8), (4.9),
//! P2 §6.2). With `Z = e^β + (n−1) e^{βρ}` (softmax; Z = n for `unnormalized`)
//!
//! ```text
//! ρ̇ = (1/s) · 2 e^{βρ} (1−ρ) ((n−1)ρ + 1)/Z
//! ⟨θ, A⟩ = (e^β + (n−1) ρ e^{βρ})/Z
//! ‖A‖² = [e^{2β} + 2(n−1) ρ e^{β+βρ} + (n−1) e^{2βρ} (1 + (n−2)ρ)]/Z²
//! ```
//!
//! The state is the gap u = 1 − ρ, which keeps its precision where the tokens meet, and behind it the common radius where
//! the layer norm moves one. Observers see two tokens of the plane at this cosine.

use super::euclidean::Shift;
use crate::integrators::{Clock, Landing, Rates, VectorField};
use crate::layer_norm::mix;
use crate::model::{LayerNorm, Normalization};
use crate::simd::{Isa, Pack, dispatch};

/// One gap a lane.
pub(crate) struct Equiangular {
    pub n: f64,
    /// β of each lane.
    pub beta: Pack,
    pub normalization: Normalization,
    pub exclude_self: bool,
    pub layer_norm: LayerNorm,
    pub lanes: usize,
    pub isa: Isa,
}

/// Two tokens of the plane with gap u: (1, 0) and (1 − u, √(u(2 − u))).
pub(crate) fn points(state: &[Pack], tokens: &mut [Pack]) {
    tokens[0] = Pack::splat(1.0);
    tokens[1] = Pack::ZERO;
    tokens[2] = Pack(state[0].0.map(|gap| 1.0 - gap));
    tokens[3] = Pack(state[0].0.map(|gap| (gap * (2.0 - gap)).max(0.0).sqrt()));
}

impl Equiangular {
    /// (u̇, ṙ) of one lane. Everything is divided by the self weight e^β (softmax): exponents are never positive.
    fn rates(&self, lane: usize, clock: &Clock, gap: f64, radius: f64) -> (f64, f64) {
        let (n, beta, rho) = (self.n, self.beta.0[lane], 1.0 - gap);
        let t = clock.time.0[lane];
        // Weights of the token itself and of another, up to a factor. All rows are alike, so that softmax is doubly
        // stochastic already; among the others, the scores are equal.
        let (own, weight) = match (self.normalization, self.exclude_self) {
            (Normalization::Unnormalized, true) => (0.0, libm::exp(-beta * gap)),
            (_, true) => (0.0, 1.0),
            (Normalization::Hardmax, false) if beta * gap > 0.0 => (1.0, 0.0),
            (_, false) => (1.0, libm::exp(-beta * gap)),
        };
        // Of softmax: e^β/Z and 1/Z·e^β. Of `unnormalized` the same with Z = n (n − 1 without the token itself).
        let unit = match self.normalization {
            Normalization::Unnormalized if self.exclude_self => libm::exp(beta) / (n - 1.0),
            Normalization::Unnormalized => libm::exp(beta) / n,
            _ => 1.0 / (own + (n - 1.0) * weight),
        };
        let along = unit * (own + (n - 1.0) * rho * weight);
        let square = own
            + 2.0 * (n - 1.0) * rho * weight * own
            + (n - 1.0) * weight * weight * (1.0 + (n - 2.0) * rho);
        let length = unit * square.max(0.0).sqrt();
        let (speed, growth) = match self.layer_norm {
            LayerNorm::Pre => (1.0 / radius, along),
            LayerNorm::Mix { switch } if mix::is_past(switch, clock, lane) => (1.0 / radius, along),
            LayerNorm::Post | LayerNorm::Mix { .. } => (1.0, 0.0),
            LayerNorm::Peri => (1.0 / (radius * length), along / length),
            LayerNorm::Ngpt { alpha } => (alpha / length, 0.0),
            LayerNorm::Sqrt => (1.0 / (t + 1.0).sqrt(), 0.0),
        };
        let closing = 2.0 * unit * weight * gap * ((n - 1.0) * rho + 1.0);
        (-speed * closing, growth)
    }
}

impl VectorField for Equiangular {
    fn push(&mut self, clock: &Clock, state: &[Pack], _gram: Option<&[Pack]>, out: &mut [Pack]) {
        for lane in 0..self.lanes {
            let radius = state.get(1).map_or(1.0, |radius| radius.0[lane]);
            let (closing, growth) = self.rates(lane, clock, state[0].0[lane], radius);
            out[0].0[lane] = closing;
            if let Some(rate) = out.get_mut(1) {
                rate.0[lane] = growth;
            }
        }
    }

    fn land(
        &mut self,
        _clock: &Clock,
        state: &mut [Pack],
        rates: &[Pack],
        _kind: Rates,
        step: &Pack,
    ) -> Landing {
        dispatch(Shift { state, rates, step, lanes: self.lanes }, self.isa)
    }

    fn scaled_step(&self, step: &Pack) -> Pack {
        *step
    }
}
