//! Self-attention particle systems on the sphere: pure numerics, no I/O, no threads of its own.
//!
//! A replica is drawn ([`initial`], [`matrices`], from a [`random::Stream`]), put into one lane of an
//! [`ensemble::Ensemble`] together with up to [`simd::LANES`] − 1 others of the same [`model::Model`],
//! and stepped. Everything a replica computes has one fixed order of operations, so its bits depend on
//! its own start alone: not on the other lanes, nor on the vector instructions of the machine.
//!
//! Every model has one shape (docs/models.md): scores `s_ij = β x_iᵀ B x_j` → weights `w_ij` → attention vector
//! `A_i = Σ_j w_ij V x_j` → motion on the sphere, `ẋ_i = P_{x_i} A_i` (P0 (SA), (USA)). The stages are the folders
//! `attention`, `layer_norm`, `geometry`, `integrators`; each choice in a stage is one file there and one `match` arm.
//!
//! Two orthogonal tokens, V = B = I, β = 1: their cosine reaches 0.999 at
//! `t = ∫_0^{0.999} (e^{β(1−g)}+1)/(2(1−g)(1+g)) dg = 4.27107`.
//!
//! ```
//! use std::sync::Arc;
//! use metasweep_dynamics::ensemble::{Ensemble, Start};
//! use metasweep_dynamics::model::{Integrator, Model};
//! use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
//! use metasweep_dynamics::simd::Isa;
//!
//! let model = Model { integrator: Integrator::Rk4, ..Model::new(2, 2) };
//! let head = Head { query_key: QueryKey::Joint(Operator::Scalar(1.0)), value: Operator::Scalar(1.0) };
//! let parameters = Arc::new(Parameters::new(vec![head]));
//! let start = Start::new(1.0, 0.01, vec![1.0, 0.0, 0.0, 1.0], parameters);
//! let mut ensemble = Ensemble::new(&model, &[start], Isa::detect()?)?;
//! while ensemble.gram()[0].0[0] < 0.999 {
//!     ensemble.step();
//! }
//! assert_eq!(ensemble.steps(), 428); // t in (4.27, 4.28]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod array_file;
mod assembly;
mod attention;
pub mod call;
pub mod clock;
pub mod complex;
mod cone;
pub mod constant;
mod crew;
pub mod ensemble;
mod ensemble_error;
mod geometry;
pub mod initial;
mod integrators;
mod layer_norm;
mod linear;
pub mod matrices;
pub mod model;
pub mod noise;
pub mod npy;
pub mod parameters;
pub mod quantile;
pub mod random;
pub mod safetensors;
pub mod simd;
mod start;
pub mod trajectory;
mod turning;

#[cfg(test)]
mod tests;

/// The integer that names the numerics: same engine, same bits. Bumped whenever any row changes.
pub const ENGINE: u32 = 3;
