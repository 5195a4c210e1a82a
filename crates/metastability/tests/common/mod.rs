//! Paths of tokens on the circle, made by hand, shown to a recorder without any integrator.
#![allow(dead_code, reason = "each test file uses its part")]

use metasweep_dynamics::model::Normalization;
use metasweep_dynamics::simd::{Isa, LANES, Pack};
use metasweep_metastability::clock::Instant;
use metasweep_metastability::cosines::packed_gram;
use metasweep_metastability::observables::Observable;
use metasweep_metastability::record::ReplicaRecord;
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::scene::{Place, Scene};
use metasweep_metastability::watch::Watch;

/// β = 9, δ = 1e-3, `steps` steps of 0.1, a sample at every state, everything tracked.
pub fn watch(steps: u64) -> Watch {
    Watch {
        series: Observable::ALL[..7].to_vec(),
        deltas: vec![1e-3],
        suffixes: vec![String::new()],
        samples: (0..=steps).collect(),
        steps,
        step: 0.1,
        beta: 9.0,
        masses: Vec::new(),
        normalization: Normalization::Softmax,
        merges: true,
        plateaus: true,
        min_lifetime: 0.5,
        ..Watch::default()
    }
}

/// The states of one replica: `[state][token]` angles, or none from where it is not finite.
pub type Path = Vec<Vec<f64>>;

/// Angles at a cosine of 1 − δ from one another.
pub fn arc(delta: f64) -> f64 {
    libm::acos(1.0 - delta)
}

/// Up to 8 replicas, each with n tokens on the circle, as packs of tokens `[token][coordinate]`.
pub fn tokens(lanes: &[&[f64]]) -> Vec<Pack> {
    let n = lanes[0].len();
    let mut packs = vec![Pack([0.0; LANES]); 2 * n];
    for (lane, angles) in lanes.iter().enumerate() {
        for (i, &angle) in angles.iter().enumerate() {
            packs[2 * i].0[lane] = libm::cos(angle);
            packs[2 * i + 1].0[lane] = libm::sin(angle);
        }
    }
    packs
}

/// What stands around the numbers of a path: which state is stationary, from which one on it is not finite.
#[derive(Clone, Copy, Default)]
pub struct Ends {
    pub stationary_from: Option<usize>,
    pub failed_from: Option<usize>,
}

/// Shows state `k` of all paths to the recorder.
pub fn show(recorder: &mut Recorder, watch: &Watch, paths: &[&Path], ends: &[Ends], k: usize) {
    with_state(watch, paths, ends, k, |scene| recorder.record(watch, scene));
}

/// State `k` of all paths.
pub fn with_state<T>(
    watch: &Watch,
    paths: &[&Path],
    ends: &[Ends],
    k: usize,
    show: impl FnOnce(&Scene<'_>) -> T,
) -> T {
    let state = |lane: usize| ends[lane].stationary_from.map_or(k, |from| from.min(k));
    let angles: Vec<&[f64]> =
        paths.iter().enumerate().map(|(lane, path)| path[state(lane)].as_slice()).collect();
    let n = angles[0].len();
    let mut tokens = tokens(&angles);
    let mut finite = u8::MAX;
    let mut stationary = 0;
    for (lane, end) in ends.iter().enumerate() {
        if end.failed_from.is_some_and(|from| k >= from) {
            finite &= !(1 << lane);
            for pack in &mut tokens {
                pack.0[lane] = f64::NAN;
            }
        }
        if end.stationary_from.is_some_and(|from| k >= from) {
            stationary |= 1 << lane;
        }
    }
    let gram = packed_gram(n, &tokens);
    show(&Scene {
        n,
        step: k as u64,
        time: [Instant::of_step(k as u64, watch.step); LANES],
        place: Place::Sphere,
        gram: &gram,
        tokens: (&tokens).into(),
        stationary,
        finite,
        stays_together: false,
        evaluations: k as u64,
        isa: Isa::widest(),
        system: None,
    })
}

/// The records of these paths, seen together.
pub fn record(watch: &Watch, paths: &[&Path], ends: &[Ends]) -> Vec<ReplicaRecord> {
    let mut recorder = Recorder::new(watch, paths[0][0].len(), paths.len());
    let last = watch.steps as usize;
    for k in 0..=last {
        show(&mut recorder, watch, paths, ends, k);
    }
    with_state(watch, paths, ends, last, |scene| recorder.conclude(watch, scene))
}

/// The record of one path.
pub fn record_one(watch: &Watch, path: &Path) -> ReplicaRecord {
    record(watch, &[path], &[Ends::default()]).remove(0)
}
