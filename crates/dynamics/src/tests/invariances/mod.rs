//! What the equations leave unchanged, for random members of every model that has it. Each test names the models that do
//! and says why the others do not.

mod clocks;
mod edges;
mod energy;
mod equal_systems;
mod measure;
mod models;
mod symmetries;
mod weights;
