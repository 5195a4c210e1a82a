//! Where the matrices of a layer come from: one draw for all times, or a fresh one for every layer (`sharing = "layer"`).
//!
//! [`Attention`](super::Attention) asks before every evaluation. A fresh draw is a function of the layer's number alone:
//! only the current one is kept, and a checkpoint keeps none.

use std::sync::Arc;

use super::feed_forward::LaneFeedForward;
use super::heads::{LaneHead, lane_heads};
use crate::ensemble::{EnsembleError, Start};
use crate::model::Model;
use crate::parameters::{Layers, Parameters};

/// The matrices of one layer, of all lanes.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub heads: Vec<LaneHead>,
    pub feed_forward: Option<LaneFeedForward>,
}

impl Layer {
    /// Puts the lanes' parameters side by side.
    fn new(model: &Model, betas: &[f64], parameters: &[Arc<Parameters>]) -> Result<Self, EnsembleError> {
        let layers: Vec<_> = parameters.iter().map(|lane| lane.feed_forward.as_ref()).collect();
        Ok(Self {
            heads: lane_heads(
                betas,
                parameters,
                model.d,
                model.normalization,
                super::is_symmetric(model) && super::is_plain(model),
            )?,
            feed_forward: LaneFeedForward::new(&layers, model.d)?,
        })
    }
}

/// Which layer is at hand, and how others are made.
pub(crate) struct Schedule {
    current: Layer,
    fresh: Option<Fresh>,
}

/// A draw for every layer.
struct Fresh {
    model: Model,
    betas: Vec<f64>,
    sources: Vec<Arc<dyn Layers>>,
    /// Number of the current layer.
    number: u64,
    /// Whether the current layer could not be drawn.
    failed: bool,
}

impl Schedule {
    pub(crate) fn new(model: &Model, starts: &[Start]) -> Result<Self, EnsembleError> {
        let betas: Vec<f64> = starts.iter().map(|start| start.beta).collect();
        if !model.layered {
            let parameters: Vec<_> = starts.iter().map(|start| Arc::clone(&start.parameters)).collect();
            return Ok(Self { current: Layer::new(model, &betas, &parameters)?, fresh: None });
        }
        let mut sources = Vec::new();
        for (lane, start) in starts.iter().enumerate() {
            sources.push(Arc::clone(start.layers.as_ref().ok_or(EnsembleError::NoLayers { lane })?));
        }
        let current = draw(model, &betas, &sources, 0)?;
        let fresh = Fresh { model: model.clone(), betas, sources, number: 0, failed: false };
        Ok(Self { current, fresh: Some(fresh) })
    }

    /// Makes `layer` the current one. A layer that cannot be drawn leaves the one before, and [`failed`](Self::failed).
    pub(crate) fn advance(&mut self, layer: u64) {
        let Some(fresh) = &mut self.fresh else { return };
        if fresh.number == layer && !fresh.failed {
            return;
        }
        fresh.number = layer;
        match draw(&fresh.model, &fresh.betas, &fresh.sources, layer) {
            Ok(current) => {
                self.current = current;
                fresh.failed = false;
            }
            Err(_) => fresh.failed = true,
        }
    }

    /// The current layer.
    pub(crate) fn current(&self) -> &Layer {
        &self.current
    }

    /// Whether it could not be drawn.
    pub(crate) fn failed(&self) -> bool {
        self.fresh.as_ref().is_some_and(|fresh| fresh.failed)
    }
}

fn draw(
    model: &Model,
    betas: &[f64],
    sources: &[Arc<dyn Layers>],
    layer: u64,
) -> Result<Layer, EnsembleError> {
    let mut parameters = Vec::new();
    for (lane, source) in sources.iter().enumerate() {
        let drawn = source.draw(layer).map_err(|reason| EnsembleError::Layer { lane, layer, reason })?;
        parameters.push(Arc::new(drawn));
    }
    Layer::new(model, betas, &parameters)
}
