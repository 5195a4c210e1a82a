//! The matrices of one replica (and, later, of one layer): heads with V and QᵀK.

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

/// The parameters of one replica: A_i = Σ_h A_i^h over the heads. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The heads.
    pub heads: Vec<Head>,
}
