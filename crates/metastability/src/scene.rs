//! One state of up to LANES replicas as the observers see it: plain data, whoever computed it.

use std::sync::Arc;

use metasweep_dynamics::ensemble::Ensemble;
use metasweep_dynamics::parameters::Parameters;
use metasweep_dynamics::simd::{Isa, LANES, Pack};

use crate::clock::Instant;

/// A set of lanes, one bit each.
pub type LaneMask = u8;

/// The bit of one lane.
#[must_use]
pub fn lane_bit(lane: usize) -> LaneMask {
    1 << lane
}

/// The lanes in a mask, ascending.
pub fn lanes_of(mask: LaneMask) -> impl Iterator<Item = usize> {
    (0..LANES).filter(move |&lane| mask & lane_bit(lane) != 0)
}

/// Where the tokens of a scene are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the unit sphere.
    Sphere,
    /// In R^d: 1 − ‖x_i − x_j‖²/2 stands for the cosine, which it is for unit vectors.
    Euclidean,
    /// Two tokens that stand for so many equiangular ones.
    Pair(usize),
}

/// What observables may ask of a particle system beyond its tokens; computed only when asked for.
pub trait System {
    /// The matrices of one lane, and of the layer that comes next where every layer has its own.
    fn parameters(&self, lane: usize) -> Arc<Parameters>;
    /// `w_ij` of the current state: for each head n × n numbers, row-major.
    fn attention_weights(&self, lane: usize) -> Vec<Vec<f64>>;
}

impl System for Ensemble {
    fn parameters(&self, lane: usize) -> Arc<Parameters> {
        Ensemble::parameters(self, lane)
    }
    fn attention_weights(&self, lane: usize) -> Vec<Vec<f64>> {
        Ensemble::attention_weights(self, lane)
    }
}

/// Tokens, `[token][coordinate]`: n × (carried d) packs. Those of an ensemble are gathered where somebody looks.
#[derive(Clone, Copy)]
pub enum Placed<'a> {
    /// These.
    Here(&'a [Pack]),
    /// Those of its current state.
    Of(&'a Ensemble),
}

impl<'a> Placed<'a> {
    /// The packs.
    #[must_use]
    pub fn packs(self) -> &'a [Pack] {
        match self {
            Placed::Here(packs) => packs,
            Placed::Of(ensemble) => ensemble.tokens(),
        }
    }
}

impl<'a> From<&'a Vec<Pack>> for Placed<'a> {
    fn from(packs: &'a Vec<Pack>) -> Self {
        Placed::Here(packs)
    }
}

impl<'a, const N: usize> From<&'a [Pack; N]> for Placed<'a> {
    fn from(packs: &'a [Pack; N]) -> Self {
        Placed::Here(packs)
    }
}

/// One state of an ensemble. What stands in unused lanes is never read into a result.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Number of tokens n ≥ 1.
    pub n: usize,
    /// Steps taken: the state's number.
    pub step: u64,
    /// The time of each lane.
    pub time: [Instant; LANES],
    /// Where the tokens are.
    pub place: Place,
    /// ⟨x_i, x_j⟩ for i < j, packed row by row: n(n−1)/2 packs; or none, then pairs are formed from the tokens
    /// ([`Pairs`](crate::pairs::Pairs)).
    pub gram: &'a [Pack],
    /// The tokens.
    pub tokens: Placed<'a>,
    /// Lanes whose last step changed no bit.
    pub stationary: LaneMask,
    /// Lanes in which every number is finite.
    pub finite: LaneMask,
    /// Whether tokens that are together stay so.
    pub stays_together: bool,
    /// Evaluations of the attention vector so far.
    pub evaluations: u64,
    /// The instructions to look with. No choice changes a bit.
    pub isa: Isa,
    /// The particle system itself, for observables that look at more than tokens; without it they have no value.
    pub system: Option<&'a dyn System>,
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { n, step, time, stationary, finite, evaluations, .. } = self;
        formatter
            .debug_struct("Scene")
            .field("n", n)
            .field("step", step)
            .field("time", time)
            .field("stationary", stationary)
            .field("finite", finite)
            .field("evaluations", evaluations)
            .finish_non_exhaustive()
    }
}

impl Scene<'_> {
    /// Number of coordinates that a token carries.
    #[must_use]
    pub fn d(&self) -> usize {
        match self.tokens {
            Placed::Here(packs) => packs.len() / self.n,
            Placed::Of(ensemble) => ensemble.model().shown().1,
        }
    }

    /// The tokens of one lane, n × (carried d) row-major.
    #[must_use]
    pub fn lane_tokens(&self, lane: usize) -> Vec<f64> {
        self.tokens.packs().iter().map(|pack| pack.0[lane]).collect()
    }
}
