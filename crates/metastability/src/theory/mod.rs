//! The papers' formulas, as tested functions: what simulations are compared with (docs/oracles.md), figures are drawn beside, and
//! `metasweep theory` prints (docs/theory.md).
//!
//! Functions answer NaN outside the range they state, and panic nowhere.

pub mod cascade;
pub mod equiangular;
pub mod gamma;
pub mod heat;
pub mod layer_norm;
pub mod linear_flow;
pub mod modes;
mod ode;
pub mod one_layer;
pub mod pair_collapse;
mod quadrature;
pub mod renyi;
pub mod rotors;
pub mod wendel;
