//! What to record of the replicas of one cell: every choice made, nothing left to look up.

use metasweep_dynamics::model::Normalization;
use serde::{Deserialize, Serialize};

use crate::clock::Instant;
use crate::observables::Observable;

/// What to record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// Observables of the series, in the order of the sweep file.
    pub series: Vec<Observable>,
    /// δ of clusters, pair_fraction, collapse_time: the first one is unsuffixed. Never empty.
    pub deltas: Vec<f64>,
    /// Suffix of each δ's columns: "" for the first, then "_delta_1e-4" …
    pub suffixes: Vec<String>,
    /// State number (steps taken) of each sample, ascending; equal ones allowed.
    pub samples: Vec<u64>,
    /// Number of steps to the horizon.
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
}

impl Watch {
    /// Names of the series columns: each observable, those that depend on δ once for each δ.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut names = Vec::new();
        for observable in &self.series {
            let suffixes = if observable.depends_on_delta() { self.suffixes.as_slice() } else { &[] };
            if suffixes.is_empty() {
                names.push(observable.name().to_owned());
            }
            names.extend(suffixes.iter().map(|suffix| format!("{}{suffix}", observable.name())));
        }
        names
    }

    /// Number of columns of one observable: one for each δ if it depends on δ.
    #[must_use]
    pub fn columns_of(&self, observable: Observable) -> usize {
        if observable.depends_on_delta() { self.deltas.len() } else { 1 }
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
