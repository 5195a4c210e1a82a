//! Tests of whole trajectories: bits, values, orders of convergence, the papers' oracles.

mod bits;
mod convergence;
mod edges;
mod furnished;
mod invariances;
mod oracles;
mod reference;
mod series;
mod steep;
pub mod support;
mod systems;
mod tiles;
mod turning;
