//! What to record of the replicas of one cell: every choice made, nothing left to look up.

use metasweep_dynamics::model::Normalization;
use serde::{Deserialize, Serialize};

use crate::clock::Instant;
use crate::histogram::Histogram;
use crate::observables::Observable;

/// The matrix that `leading_eigenspace_distance` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// V (P3 Lemma 3.1).
    Value,
    /// V KᵀQ (P4 Prop. 3.4).
    ValueKeyQuery,
}

impl Space {
    /// Both.
    pub const ALL: [Space; 2] = [Space::Value, Space::ValueKeyQuery];

    /// Its name in the sweep file.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.suffix()[1..]
    }

    /// What its column ends in, unless it is the first.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Space::Value => "_value",
            Space::ValueKeyQuery => "_value_key_query",
        }
    }
}

/// What to record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// Observables of the series, in the order of the sweep file.
    pub series: Vec<Observable>,
    /// δ of clusters, pair_fraction, collapse_time: the first one is unsuffixed. Never empty. NaN: a column of cells with
    /// another geometry, null here.
    pub deltas: Vec<f64>,
    /// Suffix of each δ's columns: "" for the first, then "_delta_1e-4" …
    pub suffixes: Vec<String>,
    /// Times of all samples and portraits, ascending and different, where steps are adaptive: moment k is state number 2k + 1
    /// (see [`lookout`](crate::lookout)). Empty where they are fixed.
    pub moments: Vec<f64>,
    /// State number (steps taken) of each sample, ascending; equal ones allowed.
    pub samples: Vec<u64>,
    /// Number of steps to the horizon; 1 where steps are adaptive, and `step` the horizon.
    pub steps: u64,
    /// η; state k is at t = k·η.
    pub step: f64,
    /// β of the energy and of resolved states.
    pub beta: f64,
    /// Masses of the tokens in the energy; empty if all are 1.
    pub masses: Vec<f64>,
    /// Sets the default `min_lifetime` (½ for SA, e^{−β}/2 for USA).
    pub normalization: Normalization,
    /// Track merges.
    pub merges: bool,
    /// Track plateaus.
    pub plateaus: bool,
    /// Shortest lifetime of a first metastable plateau.
    pub min_lifetime: f64,
    /// Whether smallest cosine and energy of the last state are asked for; else replicas end where nothing can change any more
    /// ([`determined`](crate::determined)).
    pub final_state: bool,
    /// δ_R, the separation of Rényi centres, as a geodesic distance.
    pub separation: f64,
    /// The gap that separates two hyperplanes.
    pub epsilon: f64,
    /// What `leading_eigenspace_distance` is about, a column each.
    pub spaces: Vec<Space>,
    /// State number of each moment of the table `tokens`, ascending.
    pub tokens_at: Vec<u64>,
    /// State number of each moment of the table `attention`, ascending.
    pub attention_at: Vec<u64>,
    /// Histograms at every sample.
    pub histograms: Vec<Histogram>,
}

/// Nothing recorded, δ = 1e-3, no steps.
impl Default for Watch {
    fn default() -> Self {
        Self {
            series: Vec::new(),
            deltas: vec![1e-3],
            suffixes: vec![String::new()],
            moments: Vec::new(),
            samples: Vec::new(),
            steps: 0,
            step: 1.0,
            beta: 1.0,
            masses: Vec::new(),
            normalization: Normalization::Softmax,
            merges: false,
            plateaus: false,
            min_lifetime: 0.5,
            final_state: true,
            separation: 4.0,
            epsilon: 0.1,
            spaces: vec![Space::Value],
            tokens_at: Vec::new(),
            attention_at: Vec::new(),
            histograms: Vec::new(),
        }
    }
}

impl Watch {
    /// Names of the series columns: each observable, those with several variants (δ, kinds of centres) once for each.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let names = |observable: &Observable| -> Vec<String> {
            let suffixes = observable.suffixes(&self.suffixes, &self.spaces);
            suffixes.iter().map(|suffix| format!("{}{suffix}", observable.name())).collect()
        };
        self.series.iter().flat_map(names).collect()
    }

    /// Number of columns of one observable.
    #[must_use]
    pub fn columns_of(&self, observable: Observable) -> usize {
        observable.suffixes(&self.suffixes, &self.spaces).len()
    }

    /// δ_hi = min(1e-2, 2/β), the coarse scale of resolved states (docs/models.md); 1e-2 where β is not positive.
    #[must_use]
    pub fn delta_high(&self) -> f64 {
        if self.beta > 0.0 { f64::min(1e-2, 2.0 / self.beta) } else { 1e-2 }
    }

    /// δ_lo = 1e-4·δ_hi, the fine scale of resolved states.
    #[must_use]
    pub fn delta_low(&self) -> f64 {
        1e-4 * self.delta_high()
    }

    /// Tokens of different clusters of a resolved state have cosines below this: 1 − δ_hi.
    #[must_use]
    pub fn apart(&self) -> f64 {
        1.0 - self.delta_high()
    }

    /// Tokens join at this cosine: 1 − δ_lo.
    #[must_use]
    pub fn joined(&self) -> f64 {
        1.0 - self.delta_low()
    }

    /// Tokens that have merged hold together down to this cosine: 1 − 10·δ_lo.
    #[must_use]
    pub fn held(&self) -> f64 {
        1.0 - 10.0 * self.delta_low()
    }

    /// The time of the last state, exactly as the states' times are.
    #[must_use]
    pub fn horizon(&self) -> Instant {
        Instant::of_step(self.steps, self.step)
    }

    /// One terminal relaxation time, the default `min_lifetime`: ½ for SA and all weights whose rows sum to 1, e^{−β}/2 for USA.
    #[must_use]
    pub fn default_min_lifetime(normalization: Normalization, beta: f64) -> f64 {
        match normalization {
            Normalization::Softmax | Normalization::Hardmax | Normalization::Sinkhorn => 0.5,
            Normalization::Unnormalized => 0.5 * libm::exp(-beta),
        }
    }
}
