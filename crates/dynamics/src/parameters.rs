//! The matrices of one replica, or of one layer of it: heads with V and QᵀK, and the feed-forward layer behind them.

use nalgebra::DMatrix;

/// A linear map of R^d.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// c·I.
    Scalar(f64),
    /// diag(a_1, …, a_d).
    Diagonal(Vec<f64>),
    /// A full d × d matrix.
    Dense(DMatrix<f64>),
}

/// The bilinear form of the scores, `s_ij = β ⟨Q x_i, K x_j⟩`.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryKey {
    /// B = QᵀK as one map: `s_ij = β x_iᵀ B x_j`.
    Joint(Operator),
    /// Q and K apart, each r × d, kept factored.
    Factored {
        /// Q, r × d.
        query: DMatrix<f64>,
        /// K, r × d.
        key: DMatrix<f64>,
    },
}

/// One attention head.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// QᵀK.
    pub query_key: QueryKey,
    /// V.
    pub value: Operator,
}

/// σ of a feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `tanh x`.
    Tanh,
    /// `x Φ(x)`, Φ the normal distribution function.
    Gelu,
}

/// `w σ(A_i + b)` in place of A_i (P0 (2.8)), σ entry by entry.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedForward {
    /// σ.
    pub activation: Activation,
    /// w.
    pub weight: Operator,
    /// b, d numbers; empty if zero.
    pub bias: Vec<f64>,
}

/// The parameters of one replica: A_i = Σ_h A_i^h over the heads, of which there is at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The heads.
    pub heads: Vec<Head>,
    /// What the sum of the heads goes through, if through anything.
    pub feed_forward: Option<FeedForward>,
}

impl Parameters {
    /// Heads and nothing else.
    #[must_use]
    pub fn new(heads: Vec<Head>) -> Self {
        Self { heads, feed_forward: None }
    }
}

/// Parameters that are drawn afresh for every layer: a function of the layer's number alone, so that a checkpoint need
/// not keep them.
pub trait Layers: std::fmt::Debug + Send + Sync {
    /// The parameters of layer `layer`, counted from 0. Of the same kinds and shapes for every layer.
    ///
    /// # Errors
    /// If they cannot be drawn.
    fn draw(&self, layer: u64) -> Result<Parameters, String>;
}
