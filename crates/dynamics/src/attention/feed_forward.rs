//! The feed-forward layer of P0 (2.8): `w σ(A_i + b)` in place of A_i, σ entry by entry.
//!
//! [`Attention`](super::Attention) applies it to the sum of its heads, which must not lack a common factor then: σ is no
//! linear map.

use super::heads::lane_map;
use super::maps::{Apply, LaneMap, gather};
use crate::ensemble::EnsembleError;
use crate::parameters::{Activation, FeedForward, Operator};
use crate::simd::{Isa, Pack, dispatch};

/// The feed-forward layers of all lanes.
#[derive(Clone, Debug)]
pub(crate) struct LaneFeedForward {
    activation: Activation,
    /// w.
    weight: LaneMap,
    /// b, d; empty if zero in all lanes.
    bias: Vec<Pack>,
}

impl LaneFeedForward {
    /// Puts the layers side by side; None if there are none.
    ///
    /// # Errors
    /// If the lanes' layers differ in kind, or one does not fit d.
    pub(crate) fn new(layers: &[Option<&FeedForward>], d: usize) -> Result<Option<Self>, EnsembleError> {
        let Some(first) = layers[0] else {
            return match layers.iter().position(Option::is_some) {
                Some(lane) => Err(EnsembleError::MixedParameters { lane, what: "feed-forward layer" }),
                None => Ok(None),
            };
        };
        let mut given = Vec::new();
        for (lane, layer) in layers.iter().enumerate() {
            let mixed = EnsembleError::MixedParameters { lane, what: "feed-forward layer" };
            let layer = layer.ok_or(mixed.clone())?;
            let same_kind = std::mem::discriminant(&layer.weight) == std::mem::discriminant(&first.weight);
            if !same_kind || layer.activation != first.activation || layer.bias.len() != first.bias.len() {
                return Err(mixed);
            }
            let fits = match &layer.weight {
                Operator::Scalar(_) => true,
                Operator::Diagonal(entries) => entries.len() == d,
                Operator::Dense(matrix) => matrix.shape() == (d, d),
            };
            if !fits || !(layer.bias.is_empty() || layer.bias.len() == d) {
                return Err(EnsembleError::FeedForward { lane, d });
            }
            given.push(layer);
        }
        let weights: Vec<&Operator> = given.iter().map(|layer| &layer.weight).collect();
        let bias = (0..first.bias.len()).map(|k| gather(&given, |layer| layer.bias[k])).collect();
        Ok(Some(Self { activation: first.activation, weight: lane_map(&weights, false), bias }))
    }

    /// `A_i ← w σ(A_i + b)`; `buffer` is n × d.
    pub(crate) fn apply(
        &self,
        attention: &mut [Pack],
        buffer: &mut [Pack],
        d: usize,
        lanes: usize,
        isa: Isa,
    ) {
        for (token, image) in attention.chunks_exact(d).zip(buffer.chunks_exact_mut(d)) {
            for (k, (x, y)) in token.iter().zip(image).enumerate() {
                for lane in 0..lanes {
                    let bias = self.bias.get(k).map_or(0.0, |bias| bias.0[lane]);
                    y.0[lane] = activate(self.activation, x.0[lane] + bias);
                }
            }
        }
        dispatch(Apply { map: &self.weight, tokens: buffer, d, lanes, image: attention }, isa);
    }
}

/// σ(x), by operations and functions that have the same bits everywhere.
pub(crate) fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        // Not `max`, which would make a number of NaN.
        Activation::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Activation::Tanh => libm::tanh(x),
        Activation::Gelu => 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)),
    }
}
