//! The sweep file: parsed, validated, expanded to cells, cut into chunks; and what a chunk computes.
//!
//! [`sweep::Sweep::parse`] turns the text of a TOML file into a [`sweep::Sweep`] of [`cell::Cell`]s, or into a
//! [`diagnostic::SweepError`] that points at the line. [`simulate::simulate`] turns a [`chunk::Segment`] into records.

pub mod calibration;
mod canonical;
pub mod cell;
pub mod choices;
pub mod chunk;
pub mod combinations;
pub mod cost;
pub mod diagnostic;
mod document;
mod ending;
pub mod explain;
mod expression;
mod families;
pub mod fitting;
pub mod folders;
mod frozen;
mod grid;
pub mod identity;
mod inline;
pub mod moments;
mod numbers;
mod observe;
mod overrides;
mod parse;
pub mod plan;
mod ranges;
mod recipe;
pub mod reference;
mod refinements;
pub mod registry;
pub mod replay;
mod required;
mod resolve;
mod sample;
pub mod seeds;
mod series;
mod setting;
pub mod simulate;
mod start;
pub mod sweep;
pub mod template;
