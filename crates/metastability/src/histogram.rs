//! Histograms of one replica at its sample times: the table `histogram`, which sums them over the replicas of a cell.
//!
//! Counts are integers, so that their sum does not depend on how the replicas are cut into chunks.

use serde::{Deserialize, Serialize};

use crate::cosines::Cosines;
use crate::scene::Scene;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// ⟨x_i, x_j⟩ of the pairs i < j, over [−1, 1].
    InnerProduct,
    /// The angle of the first two coordinates of each token, over [0, 2π).
    Azimuth,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Quantity; 2] = [Quantity::InnerProduct, Quantity::Azimuth];

    /// Its name in the sweep file and in column `of`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Quantity::InnerProduct => "inner_product",
            Quantity::Azimuth => "azimuth",
        }
    }

    /// The ends of its range.
    #[must_use]
    pub fn range(self) -> (f64, f64) {
        match self {
            Quantity::InnerProduct => (-1.0, 1.0),
            Quantity::Azimuth => (0.0, 2.0 * std::f64::consts::PI),
        }
    }
}

/// A quantity and the number of equal bins over its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// What is counted.
    pub of: Quantity,
    /// Number of bins.
    pub bins: u32,
}

impl Histogram {
    /// The lower end of bin k; the upper end of bin k − 1.
    #[must_use]
    pub fn edge(&self, k: u32) -> f64 {
        let (low, high) = self.of.range();
        if k == self.bins { high } else { low + (high - low) * (f64::from(k) / f64::from(self.bins)) }
    }

    /// Counts of one lane of a state, one number a bin. The last bin is closed; what rounding puts beyond an end counts in
    /// the bin there.
    #[must_use]
    pub fn count(&self, scene: &Scene<'_>, lane: usize) -> Vec<u64> {
        let mut counts = vec![0; self.bins as usize];
        let (low, high) = self.of.range();
        let mut add = |value: f64| {
            let bin = ((value - low) / (high - low) * f64::from(self.bins)).floor();
            // A cast of a float saturates: below 0 is 0.
            counts[(bin as usize).min(self.bins as usize - 1)] += 1;
        };
        match self.of {
            Quantity::InnerProduct => {
                Cosines::of_scene(scene, lane).for_each(|_, _, cosine| add(cosine));
            }
            Quantity::Azimuth => {
                let d = scene.d();
                for token in scene.tokens.packs().chunks_exact(d) {
                    let angle = libm::atan2(token.get(1).map_or(0.0, |y| y.0[lane]), token[0].0[lane]);
                    add(if angle < 0.0 { angle + high } else { angle });
                }
            }
        }
        counts
    }
}
