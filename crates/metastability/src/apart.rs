//! The smallest cosine where pairs are not kept: looked for only where it can decide a collapse.
//!
//! Any one cosine is an upper bound: as long as tokens far from one another are easily found, no threshold has been
//! reached, and a state costs n products instead of n²/2. The collapse that comes in the end is interpolated from the smallest
//! cosine of the state before, so its tokens are remembered.

use metasweep_dynamics::simd::{LANES, Pack};
use serde::{Deserialize, Serialize};

use crate::collapse::Collapse;
use crate::pairs::Tokens;
use crate::scene::{LaneMask, Scene, lane_bit, lanes_of};
use crate::watch::Watch;

/// What is remembered of the state before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    tokens: Vec<Pack>,
    /// Lanes whose smallest cosine was looked for.
    known: LaneMask,
}

impl Apart {
    /// The smallest cosine of each lane of `active`; −∞ where it is below every threshold that has not been reached yet, or below `last`
    /// where all have. Tells `collapse` the smallest cosine of the state before where that is needed now.
    pub fn smallest(
        &mut self,
        watch: &Watch,
        scene: &Scene<'_>,
        collapse: &mut Collapse,
        active: LaneMask,
        last: Option<f64>,
    ) -> [f64; LANES] {
        let mut least = [f64::NEG_INFINITY; LANES];
        let mut known = 0;
        let tokens = Tokens::of(scene, scene.tokens.packs());
        for lane in lanes_of(active) {
            let Some(level) = collapse.next_level(watch, lane).or(last) else { continue };
            let pairs = tokens.lane(lane);
            if pairs.at_least_the_smallest() < level {
                continue;
            }
            least[lane] = pairs.smallest();
            known |= lane_bit(lane);
            if least[lane] >= level && self.known & lane_bit(lane) == 0 && !self.tokens.is_empty() {
                collapse.remember(lane, Tokens::of(scene, &self.tokens).lane(lane).smallest());
            }
        }
        self.known = known;
        self.tokens.clear();
        self.tokens.extend_from_slice(scene.tokens.packs());
        least
    }
}
