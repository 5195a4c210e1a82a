//! What kind of particle system a cell is: the choices of docs/models.md that do not depend on the replica.

use serde::{Deserialize, Serialize};

/// How scores become weights (P0 (SA), (USA)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Normalization {
    /// `w_ij = e^{s_ij} / Σ_k e^{s_ik}` over the unmasked k: SA.
    Softmax,
    /// `w_ij = e^{s_ij} / n`; under the causal mask `e^{s_ij} / i` (i counted from 1): USA.
    Unnormalized,
}

/// Which tokens a token attends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mask {
    /// All tokens.
    Full,
    /// Token i sees the tokens j ≤ i (P3 (CSA)).
    Causal,
}

/// Where the tokens live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Geometry {
    /// The unit sphere: `ẋ_i = (1/s_i) P_{x_i} A_i`.
    Sphere,
}

/// The layer-norm scheme, which sets the speed `1/s_i` (docs/models.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerNorm {
    /// `s_i = 1`.
    Post,
}

/// The fixed-step integrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Integrator {
    /// The authors' scheme `x ← normalize(x + η A/s)`: no tangent projection, self term kept.
    ProjectedEuler,
    /// Classical Runge–Kutta on `P_x A`, renormalized after the step; for V = c·I the self term is left out.
    Rk4,
}

/// All replicas in one ensemble share this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Number of tokens.
    pub n: usize,
    /// Number of coordinates a token carries (n for tokens drawn in the span, d otherwise).
    pub d: usize,
    /// Weight normalization.
    pub normalization: Normalization,
    /// Mask.
    pub mask: Mask,
    /// Geometry.
    pub geometry: Geometry,
    /// Layer norm.
    pub layer_norm: LayerNorm,
    /// Integrator.
    pub integrator: Integrator,
}
