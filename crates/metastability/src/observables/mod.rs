//! The observables of a state: one file each, one line each in this registry.
//!
//! Each takes a [`State`] and gives one number a lane; NaN says that there is none (a mean over no pairs).
//! Sums run in the packed order of the pairs, lane by lane, so a number's bits depend on its lane's state
//! alone.
//!
//! To add one: a file with its `NATURE` and a `sample` function, its `mod` line and its line in the registry below, a row in docs/models.md, and its
//! answers on configurations known by hand in `tests/observables.rs`.

use metasweep_dynamics::simd::{Isa, LANES};
use serde::{Deserialize, Serialize};

use crate::fixed::Fixed;
use crate::levels::Levels;
use crate::pairs::Pairs;
use crate::renyi::Centres;
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
pub mod strong_renyi_centres;
pub mod threshold_rank;

/// Makes the variants, and what asks them, of lines `Variant = file`.
macro_rules! observables {
    ($($(#[$doc:meta])* $variant:ident = $file:ident;)*) => {
        /// What can stand in `[observe] series`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Observable {
            $($(#[$doc])* $variant,)*
        }

        impl Observable {
            /// All of them.
            pub const ALL: &[Observable] = &[$(Observable::$variant),*];

            /// Its column name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Observable::$variant => stringify!($file),)*
                }
            }

            /// What there is to know of it beside its value.
            #[must_use]
            pub fn nature(self) -> Nature {
                match self {
                    $(Observable::$variant => $file::NATURE,)*
                }
            }

            fn value(self, state: &State<'_>, variant: usize) -> [f64; LANES] {
                match self {
                    $(Observable::$variant => $file::sample(state, variant),)*
                }
            }
        }
    };
}

// The registry: variant = file = column.
observables! {
    /// Connected components of ⟨x_i, x_j⟩ ≥ 1 − δ.
    Clusters = clusters;
    /// Rank of the 0/1 matrix ⟨x_i, x_j⟩ > 0.9999.
    ThresholdRank = threshold_rank;
    /// Share of ordered pairs i ≠ j with ⟨x_i, x_j⟩ ≥ 1 − δ.
    PairFraction = pair_fraction;
    /// Mean of ⟨x_i, x_j⟩ over i ≠ j.
    MeanCosine = mean_cosine;
    /// Smallest ⟨x_i, x_j⟩.
    MinCosine = min_cosine;
    /// n^{−2} Σ_ij e^{β(⟨x_i, x_j⟩ − 1)}.
    Energy = energy;
    /// Gram eigenvalues above 1e-3.
    SpanDimension = span_dimension;
    /// ‖(1/n) Σ x_i‖.
    Order = order;
    /// Rank of the attention matrix.
    AttentionRank = attention_rank;
    /// Tokens that hold more than half of some row of the attention matrix.
    Leaders = leaders;
    /// Clusters of ⟨ψ, x_i⟩, ψ the left leading eigenvector of V.
    Hyperplanes = hyperplanes;
    /// Mean distance of the tokens to the leading eigenspace of V or V KᵀQ.
    LeadingEigenspaceDistance = leading_eigenspace_distance;
    /// Number of Rényi centres.
    RenyiCentres = renyi_centres;
    /// Number of strong Rényi centres.
    StrongRenyiCentres = strong_renyi_centres;
    /// How far the Rényi centres have moved.
    RenyiDrift = renyi_drift;
    /// Share of tokens near a Rényi centre.
    CapturedFraction = captured_fraction;
}

/// What there is to know of an observable beside its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nature {
    /// Whether it counts: then its column at level replica is an integer.
    pub is_count: bool,
    /// Its columns.
    pub columns: Columns,
    /// What it looks at.
    pub needs: Needs,
    /// From when on it is the same for ever, where tokens that are together stay so.
    pub lasting: Lasting,
}

/// How many columns an observable has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// One.
    One,
    /// One for each δ.
    Deltas,
    /// One for each leading eigenspace.
    Spaces,
    /// One for each of these suffixes.
    Own(&'static [&'static str]),
}

/// From which state on an observable does not change any more, if no pair's 1 − ⟨x_i, x_j⟩ becomes larger than the largest one
/// ([`determined`](crate::determined)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lasting {
    /// From none: it measures how close tokens are, or where.
    Never,
    /// From all pairs within every δ.
    AllClose,
    /// From all pairs within this.
    Within(f64),
    /// From all pairs within this over n.
    WithinShare(f64),
}

/// What an observable looks at beyond tokens and their products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The Rényi centres.
    Centres,
    /// The attention weights.
    Weights,
    /// The spectrum of V.
    Spectrum,
}

/// What an observable sees of a state.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// Number of tokens n ≥ 1.
    pub n: usize,
    /// ⟨x_i, x_j⟩ for i < j.
    pub pairs: Pairs<'a>,
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
    /// Whether it has a column for each δ.
    #[must_use]
    pub fn depends_on_delta(self) -> bool {
        self.nature().columns == Columns::Deltas
    }

    /// Whether it counts: then its column at level replica is an integer.
    #[must_use]
    pub fn is_count(self) -> bool {
        self.nature().is_count
    }

    /// Whether it is about the Rényi centres.
    #[must_use]
    pub fn needs_centres(self) -> bool {
        self.nature().needs == Needs::Centres
    }

    /// Whether it looks at the attention weights.
    #[must_use]
    pub fn needs_weights(self) -> bool {
        self.nature().needs == Needs::Weights
    }

    /// Whether it looks at the spectrum of V.
    #[must_use]
    pub fn needs_spectrum(self) -> bool {
        self.nature().needs == Needs::Spectrum
    }

    /// The suffixes of its columns, one for each variant: `deltas` where it depends on δ, `spaces` for the leading eigenspaces,
    /// else its own.
    #[must_use]
    pub fn suffixes<'a>(self, deltas: &'a [String], spaces: &'a [Space]) -> Vec<&'a str> {
        match self.nature().columns {
            Columns::One => vec![""],
            Columns::Deltas => deltas.iter().map(String::as_str).collect(),
            Columns::Spaces => {
                spaces.iter().enumerate().map(|(k, space)| if k == 0 { "" } else { space.suffix() }).collect()
            }
            Columns::Own(suffixes) => suffixes.to_vec(),
        }
    }

    /// Its value in each lane of `state`, for one of its variants: number in the list of its [suffixes](Self::suffixes).
    #[must_use]
    pub fn sample(self, state: &State<'_>, variant: usize) -> [f64; LANES] {
        if self.depends_on_delta() && state.watch.deltas[variant].is_nan() {
            // A column of cells with another geometry.
            return [f64::NAN; LANES];
        }
        self.value(state, variant)
    }
}
