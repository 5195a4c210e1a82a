//! Pairs formed from the tokens show what pairs of a Gram matrix show, to the last bit of every record.

use std::sync::Arc;

use metasweep_dynamics::ensemble::{Ensemble, Start};
use metasweep_dynamics::model::{Geometry, Integrator, Model};
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::{Isa, LANES};
use metasweep_metastability::clock::Instant;
use metasweep_metastability::histogram::{Histogram, Quantity};
use metasweep_metastability::observables::Observable;
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::scene::{Place, Placed, Scene};
use metasweep_metastability::watch::Watch;

/// Shows the ensemble's state, with or without its Gram matrix.
fn with_scene<T>(
    watch: &Watch,
    ensemble: &mut Ensemble,
    kept: bool,
    show: impl FnOnce(&Scene<'_>) -> T,
) -> T {
    ensemble.gram();
    let ensemble: &Ensemble = ensemble;
    let mask = |holds: &dyn Fn(usize) -> bool| {
        (0..ensemble.lanes()).fold(0, |mask, lane| mask | u8::from(holds(lane)) << lane)
    };
    let is_euclidean = ensemble.model().geometry == Geometry::Euclidean;
    show(&Scene {
        n: ensemble.model().n,
        step: ensemble.steps(),
        time: [Instant::of_step(ensemble.steps(), watch.step); LANES],
        place: if is_euclidean { Place::Euclidean } else { Place::Sphere },
        gram: ensemble.known_gram().filter(|_| kept).unwrap_or_default(),
        tokens: Placed::Of(ensemble),
        stationary: mask(&|lane| ensemble.stationary(lane)),
        finite: mask(&|lane| ensemble.finite(lane)),
        stays_together: false,
        evaluations: ensemble.evaluations(),
        isa: ensemble.isa(),
        system: Some(ensemble),
    })
}

/// The records of a few replicas as text, and how many collapses they have; a replica that fails is one of them. With pairs kept, formed, or as the
/// recorder has it.
fn records(watch: &Watch, model: &Model, isa: Isa, kept: Option<bool>) -> (String, usize) {
    let (n, d) = (model.n, model.d);
    let head = Head { query_key: QueryKey::Joint(Operator::Scalar(1.0)), value: Operator::Scalar(1.0) };
    let parameters = Arc::new(Parameters::new(vec![head]));
    let start = |replica: u64| {
        let mut stream = Stream::new([8; 32], replica);
        let mut tokens: Vec<f64> = (0..n * d).map(|_| stream.normal()).collect();
        for row in tokens.chunks_exact_mut(d) {
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            for x in row {
                *x /= length;
            }
        }
        if replica == 2 {
            tokens[0] = f64::NAN;
        }
        Start::new(watch.beta, watch.step, tokens, Arc::clone(&parameters))
    };
    let starts: Vec<Start> = (0..5).map(start).collect();
    let mut ensemble = Ensemble::new(model, &starts, isa).expect("the model is valid");
    let mut recorder = Recorder::new(watch, n, starts.len());
    loop {
        match kept {
            Some(kept) => with_scene(watch, &mut ensemble, kept, |scene| recorder.record(watch, scene)),
            None => recorder.observe(watch, &mut ensemble),
        }
        if ensemble.steps() == watch.steps || recorder.settled() {
            break;
        }
        ensemble.step();
    }
    let records = match kept {
        Some(kept) => with_scene(watch, &mut ensemble, kept, |scene| recorder.conclude(watch, scene)),
        None => recorder.finish(watch, &mut ensemble),
    };
    let collapsed =
        records.iter().flat_map(|record| &record.collapse_time).filter(|time| time.is_some()).count();
    (format!("{records:?}"), collapsed)
}

fn watch(steps: u64) -> Watch {
    let unlike = |observable: &Observable| !matches!(observable, Observable::Hyperplanes);
    Watch {
        series: Observable::ALL.iter().copied().filter(unlike).collect(),
        deltas: vec![1e-3, 0.3],
        suffixes: vec![String::new(), "_delta_0.3".to_owned()],
        samples: (0..=steps).step_by(9).collect(),
        steps,
        step: 0.1,
        beta: 1.5,
        separation: 0.5,
        histograms: vec![Histogram { of: Quantity::InnerProduct, bins: 20 }],
        ..Watch::default()
    }
}

#[test]
fn formed_pairs_leave_the_records_of_kept_ones() {
    let masses = |n: usize| (0..n).map(|i| 1.0 + (i % 3) as f64).collect::<Vec<f64>>();
    let on = |geometry, integrator, n, d| Model { geometry, integrator, ..Model::new(n, d) };
    let layers = Integrator::Discrete { residual: true };
    let models = [
        on(Geometry::Sphere, Integrator::ProjectedEuler, 13, 3),
        on(Geometry::Circle, Integrator::Rk4, 60, 2),
        on(Geometry::Euclidean, layers, 11, 2),
        on(Geometry::Sphere, Integrator::Rk4, 2, 5),
    ];
    let mut collapses = 0;
    for model in models {
        for (plateaus, merges, weighted) in
            [(false, false, false), (true, false, true), (true, true, false), (false, true, true)]
        {
            let masses = if weighted { masses(model.n) } else { Vec::new() };
            let watch = Watch { plateaus, merges, masses, ..watch(150) };
            let (expected, collapsed) = records(&watch, &model, Isa::widest(), Some(true));
            collapses += collapsed;
            for isa in [Isa::widest(), Isa::Portable] {
                let (formed, _) = records(&watch, &model, isa, Some(false));
                assert_eq!(formed, expected, "{:?} {plateaus} {merges}", model.geometry);
            }
        }
    }
    assert!(collapses >= 40, "only {collapses} collapses to be located");
}

/// Where the recorder stops asking for a Gram matrix, on the circle and where steps have one anyway, with plateaus and without.
#[test]
fn what_the_recorder_chooses_leaves_no_trace() {
    for (geometry, integrator) in
        [(Geometry::Circle, Integrator::Rk4), (Geometry::Sphere, Integrator::ProjectedEuler)]
    {
        for n in [255, 256] {
            for plateaus in [false, true] {
                let model = Model { geometry, integrator, ..Model::new(n, 2) };
                let unlike = |observable: &Observable| {
                    // n³ operations, or in no need of pairs.
                    !matches!(
                        observable,
                        Observable::Hyperplanes
                            | Observable::ThresholdRank
                            | Observable::AttentionRank
                            | Observable::SpanDimension
                    )
                };
                let series = Observable::ALL.iter().copied().filter(unlike).collect();
                let watch = Watch { plateaus, series, ..watch(40) };
                let chosen = records(&watch, &model, Isa::widest(), None);
                assert_eq!(
                    chosen,
                    records(&watch, &model, Isa::widest(), Some(true)),
                    "{geometry:?} {n} {plateaus}"
                );
            }
        }
    }
}
