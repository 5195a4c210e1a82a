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

use crate::fixed::Fixed;
use crate::levels::Levels;
use crate::renyi::{Centres, Which};
use crate::scene::{LaneMask, Scene, lanes_of};
use crate::watch::{Space, Watch};

pub mod attention_rank;
pub mod captured_fraction;
pub mod clusters;
pub mod energy;
pub mod hyperplanes;
pub mod leaders;
pub mod leading_eigenspace_distance;
pub mod mean_cosine;
pub mod min_cosine;
pub mod order;
pub mod pair_fraction;
pub mod renyi_centres;
pub mod renyi_drift;
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
    /// ‖(1/n) Σ x_i‖.
    Order,
    /// Rank of the attention matrix.
    AttentionRank,
    /// Tokens that hold more than half of some row of the attention matrix.
    Leaders,
    /// Clusters of ⟨ψ, x_i⟩, ψ the left leading eigenvector of V.
    Hyperplanes,
    /// Mean distance of the tokens to the leading eigenspace of V or V KᵀQ.
    LeadingEigenspaceDistance,
    /// Number of Rényi centres.
    RenyiCentres,
    /// Number of strong Rényi centres.
    StrongRenyiCentres,
    /// How far the Rényi centres have moved.
    RenyiDrift,
    /// Share of tokens near a Rényi centre.
    CapturedFraction,
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
    /// What is recorded, with the parameters of single observables.
    pub watch: &'a Watch,
    /// The whole state: tokens, matrices, attention weights.
    pub scene: &'a Scene<'a>,
    /// What was fixed of each lane at t = 0.
    pub fixed: [Option<&'a Fixed>; LANES],
}

impl State<'_> {
    /// A number for each lane that is asked for; NaN for the others.
    #[must_use]
    pub fn each_lane(&self, number: impl Fn(usize) -> f64) -> [f64; LANES] {
        let mut numbers = [f64::NAN; LANES];
        lanes_of(self.lanes).for_each(|lane| numbers[lane] = number(lane));
        numbers
    }

    /// The Rényi centres of a lane.
    #[must_use]
    pub fn centres(&self, lane: usize) -> Option<&Centres> {
        self.fixed[lane].and_then(|fixed| fixed.centres.as_ref())
    }
}

impl Observable {
    /// All of them.
    pub const ALL: [Observable; 16] = [
        Observable::Clusters,
        Observable::ThresholdRank,
        Observable::PairFraction,
        Observable::MeanCosine,
        Observable::MinCosine,
        Observable::Energy,
        Observable::SpanDimension,
        Observable::Order,
        Observable::AttentionRank,
        Observable::Leaders,
        Observable::Hyperplanes,
        Observable::LeadingEigenspaceDistance,
        Observable::RenyiCentres,
        Observable::StrongRenyiCentres,
        Observable::RenyiDrift,
        Observable::CapturedFraction,
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
            Observable::Order => "order",
            Observable::AttentionRank => "attention_rank",
            Observable::Leaders => "leaders",
            Observable::Hyperplanes => "hyperplanes",
            Observable::LeadingEigenspaceDistance => "leading_eigenspace_distance",
            Observable::RenyiCentres => "renyi_centres",
            Observable::StrongRenyiCentres => "strong_renyi_centres",
            Observable::RenyiDrift => "renyi_drift",
            Observable::CapturedFraction => "captured_fraction",
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
        matches!(
            self,
            Observable::Clusters
                | Observable::ThresholdRank
                | Observable::SpanDimension
                | Observable::AttentionRank
                | Observable::Leaders
                | Observable::Hyperplanes
                | Observable::RenyiCentres
                | Observable::StrongRenyiCentres
        )
    }

    /// Whether it is about the Rényi centres.
    #[must_use]
    pub fn needs_centres(self) -> bool {
        matches!(
            self,
            Observable::RenyiCentres
                | Observable::StrongRenyiCentres
                | Observable::RenyiDrift
                | Observable::CapturedFraction
        )
    }

    /// Whether it looks at the attention weights.
    #[must_use]
    pub fn needs_weights(self) -> bool {
        matches!(self, Observable::AttentionRank | Observable::Leaders)
    }

    /// Whether it looks at the spectrum of V.
    #[must_use]
    pub fn needs_spectrum(self) -> bool {
        matches!(self, Observable::Hyperplanes | Observable::LeadingEigenspaceDistance)
    }

    /// The suffixes of its columns, one for each variant: `deltas` where it depends on δ, `spaces` for the leading eigenspaces,
    /// else its own.
    #[must_use]
    pub fn suffixes<'a>(self, deltas: &'a [String], spaces: &'a [Space]) -> Vec<&'a str> {
        match self {
            _ if self.depends_on_delta() => deltas.iter().map(String::as_str).collect(),
            Observable::LeadingEigenspaceDistance => {
                spaces.iter().enumerate().map(|(k, space)| if k == 0 { "" } else { space.suffix() }).collect()
            }
            Observable::RenyiDrift => renyi_drift::SUFFIXES.to_vec(),
            Observable::CapturedFraction => captured_fraction::SUFFIXES.to_vec(),
            _ => vec![""],
        }
    }

    /// Its value in each lane of `state`, for one of its variants: number in the list of its [suffixes](Self::suffixes).
    #[must_use]
    pub fn sample(self, state: &State<'_>, variant: usize) -> [f64; LANES] {
        if self.depends_on_delta() && state.watch.deltas[variant].is_nan() {
            // A column of cells with another geometry.
            return [f64::NAN; LANES];
        }
        match self {
            Observable::Clusters => clusters::sample(state, variant),
            Observable::ThresholdRank => threshold_rank::sample(state),
            Observable::PairFraction => pair_fraction::sample(state, variant),
            Observable::MeanCosine => mean_cosine::sample(state),
            Observable::MinCosine => min_cosine::sample(state),
            Observable::Energy => energy::sample(state),
            Observable::SpanDimension => span_dimension::sample(state),
            Observable::Order => order::sample(state),
            Observable::AttentionRank => attention_rank::sample(state),
            Observable::Leaders => leaders::sample(state),
            Observable::Hyperplanes => hyperplanes::sample(state),
            Observable::LeadingEigenspaceDistance => leading_eigenspace_distance::sample(state, variant),
            Observable::RenyiCentres => renyi_centres::sample(state, Which::Renyi),
            Observable::StrongRenyiCentres => renyi_centres::sample(state, Which::Strong),
            Observable::RenyiDrift => renyi_drift::sample(state, variant),
            Observable::CapturedFraction => captured_fraction::sample(state, variant),
        }
    }
}
