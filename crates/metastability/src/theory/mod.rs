//! The papers' formulas, as tested functions: what simulations are compared with (docs/oracles.md) and figures are drawn beside.
//!
//! Functions answer NaN outside the range they state, and panic nowhere.

pub mod equiangular;
pub mod gamma;
pub mod pair_collapse;
mod quadrature;
pub mod wendel;
