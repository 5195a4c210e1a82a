//! Where a replica starts: all that distinguishes it from the others of its model.

use std::sync::Arc;

use crate::noise::Noise;
use crate::parameters::{Layers, Parameters};

/// Where one replica starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// Inverse temperature β ≥ 0.
    pub beta: f64,
    /// η, the step actually used.
    pub step: f64,
    /// The initial tokens, n × d row-major, unit rows but in R^d; for equiangular tokens their gap 1 − ρ alone.
    pub tokens: Vec<f64>,
    /// The matrices. Starts that share one `Arc` share the memory too.
    pub parameters: Arc<Parameters>,
    /// r_i(0), where the layer norm moves radii.
    pub radius: f64,
    /// K of Kuramoto's model.
    pub coupling: f64,
    /// ω_i of Kuramoto's model; empty if all are zero.
    pub frequencies: Vec<f64>,
    /// Brownian noise.
    pub noise: Option<Noise>,
    /// The matrices of every layer, where the model is [layered](Model::layered): in place of `parameters`.
    pub layers: Option<Arc<dyn Layers>>,
}

impl Start {
    /// A start without noise: radii 1, coupling 1, no frequencies.
    #[must_use]
    pub fn new(beta: f64, step: f64, tokens: Vec<f64>, parameters: Arc<Parameters>) -> Self {
        Self {
            beta,
            step,
            tokens,
            parameters,
            radius: 1.0,
            coupling: 1.0,
            frequencies: Vec::new(),
            noise: None,
            layers: None,
        }
    }
}
