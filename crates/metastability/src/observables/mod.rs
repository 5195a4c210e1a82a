//! The observables of a state: one file each, one line each in this registry.
//!
//! Each takes a [`State`] and gives one number a lane; NaN says that there is none (a mean over no pairs).
//! Sums run in the packed order of the pairs, lane by lane, so a number's bits depend on its lane's state
//! alone.
//!
//! To add one: a file with a `sample` function, a variant of [`Observable`] with its name and its line in
//! [`Observable::sample`], and its answers on configurations known by hand in `tests/observables.rs`.

use metasweep_dynamics::simd::{Isa, LANES, Pack};
use serde::{Deserialize, Serialize};

use crate::levels::Levels;
use crate::scene::LaneMask;

pub mod clusters;
pub mod energy;
pub mod mean_cosine;
pub mod min_cosine;
pub mod pair_fraction;
pub mod span_dimension;
pub mod threshold_rank;

/// What can stand in `[observe] series`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observable {
    /// Connected components of ⟨x_i, x_j⟩ ≥ 1 − δ.
    Clusters,
    /// Rank of the 0/1 matrix ⟨x_i, x_j⟩ > 0.9999.
    ThresholdRank,
    /// Share of ordered pairs i ≠ j with ⟨x_i, x_j⟩ ≥ 1 − δ.
    PairFraction,
    /// Mean of ⟨x_i, x_j⟩ over i ≠ j.
    MeanCosine,
    /// Smallest ⟨x_i, x_j⟩.
    MinCosine,
    /// n^{−2} Σ_ij e^{β(⟨x_i, x_j⟩ − 1)}.
    Energy,
    /// Gram eigenvalues above 1e-3.
    SpanDimension,
}

/// What an observable sees of a state.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// Number of tokens n ≥ 1.
    pub n: usize,
    /// ⟨x_i, x_j⟩ for i < j, packed row by row.
    pub gram: &'a [Pack],
    /// β of the energy.
    pub beta: f64,
    /// Masses of the tokens in the energy; empty if all are 1.
    pub masses: &'a [f64],
    /// Close pairs and clusters of this state at the thresholds in question.
    pub levels: &'a Levels,
    /// The lanes that are asked for.
    pub lanes: LaneMask,
    /// The instructions to compute with. No choice changes a bit.
    pub isa: Isa,
}

impl Observable {
    /// All of them.
    pub const ALL: [Observable; 7] = [
        Observable::Clusters,
        Observable::ThresholdRank,
        Observable::PairFraction,
        Observable::MeanCosine,
        Observable::MinCosine,
        Observable::Energy,
        Observable::SpanDimension,
    ];

    /// Its column name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Observable::Clusters => "clusters",
            Observable::ThresholdRank => "threshold_rank",
            Observable::PairFraction => "pair_fraction",
            Observable::MeanCosine => "mean_cosine",
            Observable::MinCosine => "min_cosine",
            Observable::Energy => "energy",
            Observable::SpanDimension => "span_dimension",
        }
    }

    /// Whether it has a column for each δ.
    #[must_use]
    pub fn depends_on_delta(self) -> bool {
        matches!(self, Observable::Clusters | Observable::PairFraction)
    }

    /// Whether it counts: then its column at level replica is an integer.
    #[must_use]
    pub fn is_count(self) -> bool {
        matches!(self, Observable::Clusters | Observable::ThresholdRank | Observable::SpanDimension)
    }

    /// Its value in each lane of `state`, at the watch's δ number `delta` where it depends on δ.
    #[must_use]
    pub fn sample(self, state: &State<'_>, delta: usize) -> [f64; LANES] {
        match self {
            Observable::Clusters => clusters::sample(state, delta),
            Observable::ThresholdRank => threshold_rank::sample(state),
            Observable::PairFraction => pair_fraction::sample(state, delta),
            Observable::MeanCosine => mean_cosine::sample(state),
            Observable::MinCosine => min_cosine::sample(state),
            Observable::Energy => energy::sample(state),
            Observable::SpanDimension => span_dimension::sample(state),
        }
    }
}
