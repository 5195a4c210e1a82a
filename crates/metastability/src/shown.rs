//! The current state of an ensemble as a scene: with its Gram matrix, or without where nothing needs it whole.

use metasweep_dynamics::ensemble::{Ensemble, MOST_IN_PAIRS};
use metasweep_dynamics::model::Geometry;
use metasweep_dynamics::simd::LANES;

use crate::clock::Instant;
use crate::scene::{Place, Placed, Scene, lane_bit};
use crate::watch::Watch;

/// Tokens from which on no Gram matrix is formed that neither steps nor tracking ask for.
const MANY: usize = 256;

/// Whether states are shown with their Gram matrix; pairs that are formed have the same bits. A matter of memory and time: where a step
/// begins with it, or plateaus are tracked, it is there anyway.
fn keeps_pairs(watch: &Watch, n: usize, ensemble: &Ensemble) -> bool {
    let wanted = ensemble.uses_gram() || watch.plateaus || watch.merges;
    n <= MOST_IN_PAIRS && (wanted || n < MANY)
}

/// Shows the ensemble's current state.
pub(crate) fn with_scene<T>(
    watch: &Watch,
    n: usize,
    lanes: usize,
    ensemble: &mut Ensemble,
    show: impl FnOnce(&Scene<'_>) -> T,
) -> T {
    let mask = |holds: &dyn Fn(usize) -> bool| {
        (0..lanes).filter(|&lane| holds(lane)).fold(0, |mask, lane| mask | lane_bit(lane))
    };
    let (step, evaluations) = (ensemble.steps(), ensemble.evaluations());
    let stationary = mask(&|lane| ensemble.stationary(lane));
    let finite = mask(&|lane| ensemble.finite(lane));
    let isa = ensemble.isa();
    let place = match ensemble.model().geometry {
        Geometry::Euclidean | Geometry::Rescaled => Place::Euclidean,
        Geometry::Equiangular => Place::Pair(ensemble.model().n),
        Geometry::Sphere | Geometry::Circle => Place::Sphere,
    };
    let kept = keeps_pairs(watch, n, ensemble);
    if kept {
        ensemble.gram();
    }
    let ensemble: &Ensemble = ensemble;
    let gram = ensemble.known_gram().filter(|_| kept).unwrap_or_default();
    show(&Scene {
        n,
        step,
        time: [Instant::of_step(step, watch.step); LANES],
        place,
        gram,
        tokens: Placed::Of(ensemble),
        stationary,
        finite,
        stays_together: ensemble.stays_together(),
        evaluations,
        isa,
        system: Some(ensemble),
    })
}
