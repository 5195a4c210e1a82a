//! Rényi centres and strong Rényi centres (P3 §5.1): tokens of the initial state that later ones gather around.
//!
//! Both are chosen at t = 0, in the order of the tokens, and followed from then on by index. Distances are geodesic on the sphere;
//! in R^d (where the recorder is given 1 − ‖x_i − x_j‖²/2 in place of the cosine) Euclidean.

use serde::{Deserialize, Serialize};

use crate::cosines::Cosines;
use crate::scene::{Place, Scene};
use crate::watch::Watch;

/// The centres of one replica and where they started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Centres {
    /// Rényi centres: tokens farther than the separation from all earlier Rényi centres.
    renyi: Vec<u32>,
    /// Strong ones: tokens farther than the separation from all earlier tokens. A subsequence of the others.
    strong: Vec<u32>,
    /// Where each Rényi centre was at t = 0.
    start: Vec<f64>,
}

/// Which centres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Rényi centres.
    Renyi,
    /// Strong Rényi centres.
    Strong,
}

impl Centres {
    /// The centres of one lane of a state.
    #[must_use]
    pub fn choose(watch: &Watch, scene: &Scene<'_>, lane: usize) -> Self {
        let level = closeness_at(scene.place, watch.separation);
        let cosines = Cosines::of_scene(scene, lane);
        let apart = |i: usize, j: usize| cosines.at(i, j) < level;
        let (mut renyi, mut strong) = (Vec::<u32>::new(), Vec::new());
        for i in 0..scene.n {
            if renyi.iter().all(|&centre| apart(centre as usize, i)) {
                renyi.push(i as u32);
                if (0..i).all(|j| apart(j, i)) {
                    strong.push(i as u32);
                }
            }
        }
        let d = scene.d();
        let start = renyi.iter().flat_map(|&centre| token(scene, centre as usize, d, lane)).collect();
        Self { renyi, strong, start }
    }

    /// The tokens that are centres.
    #[must_use]
    pub fn tokens(&self, which: Which) -> &[u32] {
        match which {
            Which::Renyi => &self.renyi,
            Which::Strong => &self.strong,
        }
    }

    /// How far each of the centres is from where it started.
    #[must_use]
    pub fn drifts(&self, which: Which, scene: &Scene<'_>, lane: usize) -> Vec<f64> {
        let d = scene.d();
        let all = self.renyi.iter().zip(self.start.chunks_exact(d));
        let chosen = all.filter(|(centre, _)| which == Which::Renyi || self.strong.contains(centre));
        chosen
            .map(|(&centre, start)| {
                let now = token(scene, centre as usize, d, lane);
                let square = now.iter().zip(start).fold(0.0, |sum, (a, b)| sum + (a - b) * (a - b));
                let chord = square.sqrt();
                // An angle from its chord: exact where the angle is small.
                if scene.place == Place::Euclidean { chord } else { 2.0 * libm::asin((0.5 * chord).min(1.0)) }
            })
            .collect()
    }

    /// The share of tokens within `radius` of some centre's current position; centres count themselves.
    #[must_use]
    pub fn captured(&self, which: Which, scene: &Scene<'_>, lane: usize, radius: f64) -> f64 {
        let level = closeness_at(scene.place, radius);
        let cosines = Cosines::of_scene(scene, lane);
        let centres = self.tokens(which);
        let captured = |i: usize| {
            centres.iter().any(|&centre| centre as usize == i || cosines.at(centre as usize, i) >= level)
        };
        (0..scene.n).filter(|&i| captured(i)).count() as f64 / scene.n as f64
    }
}

/// The cosine (in R^d the closeness) of two tokens at this distance; −∞ where no two tokens are farther apart.
fn closeness_at(place: Place, distance: f64) -> f64 {
    if place == Place::Euclidean {
        1.0 - 0.5 * distance * distance
    } else if distance >= std::f64::consts::PI {
        f64::NEG_INFINITY
    } else {
        libm::cos(distance)
    }
}

fn token(scene: &Scene<'_>, i: usize, d: usize, lane: usize) -> Vec<f64> {
    scene.tokens.packs()[i * d..(i + 1) * d].iter().map(|pack| pack.0[lane]).collect()
}
