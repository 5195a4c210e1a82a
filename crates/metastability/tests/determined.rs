//! A replica that ends where everything asked for is certain has the record of one that goes on to the horizon.

use std::sync::Arc;

use metasweep_dynamics::ensemble::{Ensemble, Start};
use metasweep_dynamics::model::{Integrator, Mask, Model, Normalization};
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::{Isa, LANES};
use metasweep_metastability::observables::{Lasting, Observable};
use metasweep_metastability::record::{End, ReplicaRecord};
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::watch::Watch;

const STEPS: u64 = 300;

fn watch(beta: f64, final_state: bool) -> Watch {
    Watch {
        series: Observable::ALL
            .iter()
            .copied()
            .filter(|observable| observable.nature().lasting != Lasting::Never)
            .collect(),
        deltas: vec![1e-3, 1e-5, 0.2],
        suffixes: vec![String::new(), "_delta_1e-5".to_owned(), "_delta_0.2".to_owned()],
        samples: (0..=STEPS).step_by(3).collect(),
        steps: STEPS,
        step: 0.1,
        beta,
        merges: true,
        plateaus: true,
        final_state,
        ..Watch::default()
    }
}

fn uniform(replica: u64, n: usize, d: usize) -> Vec<f64> {
    let mut stream = Stream::new([21; 32], replica);
    let mut tokens: Vec<f64> = (0..n * d).map(|_| stream.normal()).collect();
    for row in tokens.chunks_exact_mut(d) {
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        for x in row {
            *x /= length;
        }
    }
    tokens
}

fn scalar(value: f64) -> Parameters {
    let query_key = QueryKey::Joint(Operator::Scalar(1.0));
    Parameters::new(vec![Head { query_key, value: Operator::Scalar(value) }])
}

/// Runs replicas `lanes` and counts the steps of the ensemble.
fn run(model: &Model, watch: &Watch, value: f64, lanes: std::ops::Range<u64>) -> (Vec<ReplicaRecord>, u64) {
    let parameters = Arc::new(scalar(value));
    let start = |replica| {
        Start::new(watch.beta, watch.step, uniform(replica, model.n, model.d), Arc::clone(&parameters))
    };
    let starts: Vec<Start> = lanes.map(start).collect();
    let mut ensemble = Ensemble::new(model, &starts, Isa::widest()).expect("the model is valid");
    let mut recorder = Recorder::new(watch, model.n, starts.len());
    recorder.observe(watch, &mut ensemble);
    while ensemble.steps() < watch.steps && !recorder.settled() {
        ensemble.step();
        recorder.observe(watch, &mut ensemble);
    }
    let steps = ensemble.steps();
    (recorder.finish(watch, &mut ensemble), steps)
}

/// A record without what the final state is, and how far it went.
fn outcome(record: &ReplicaRecord) -> String {
    let (min_cosine_final, energy_final, steps, evaluations) = (None, None, 0, 0);
    format!("{:?}", ReplicaRecord { min_cosine_final, energy_final, steps, evaluations, ..record.clone() })
}

#[test]
fn the_rows_are_those_of_a_run_to_the_horizon() {
    let layers = Integrator::Discrete { residual: true };
    let (mut early, mut late) = (0, 0);
    for (n, d, beta) in [(32, 8, 0.5), (32, 32, 2.0), (13, 2, 1.0), (5, 3, 9.0), (300, 3, 1.0), (1, 2, 1.0)] {
        for change in 0..5 {
            let mut model = Model::new(n, d);
            match change {
                1 => model.mask = Mask::Causal,
                2 => model.normalization = Normalization::Unnormalized,
                3 => model.integrator = layers,
                4 => model.masses = (1..=n).map(|i| 1.0 + (i % 3) as f64).collect(),
                _ => {}
            }
            // Without plateaus the pairs of many tokens are not kept.
            for tracked in [true, false] {
                if n == 300 && (tracked || change > 0) || !tracked && change > 1 {
                    continue;
                }
                let [mut full, mut short] = [true, false].map(|final_state| watch(beta, final_state));
                for watch in [&mut full, &mut short] {
                    (watch.plateaus, watch.merges) = (tracked, tracked);
                }
                let (to_the_end, all) = run(&model, &full, 1.0, 0..LANES as u64);
                let (certain, few) = run(&model, &short, 1.0, 0..LANES as u64);
                let label = format!("n = {n}, d = {d}, β = {beta}, change {change}, tracked {tracked}");
                for (one, other) in to_the_end.iter().zip(&certain) {
                    assert_eq!(outcome(one), outcome(other), "{label}");
                    assert_eq!((other.min_cosine_final, other.energy_final), (None, None), "{label}");
                    assert!(other.steps <= one.steps, "{label}");
                    if other.steps < one.steps {
                        assert_eq!(other.end, End::Collapsed, "{label}");
                        early += 1;
                    } else {
                        late += 1;
                    }
                }
                assert!(few <= all, "{label}: {few} of {all}");
                // Where a lane ends does not depend on the others.
                let (alone, _) = run(&model, &short, 1.0, 3..5);
                assert_eq!(format!("{alone:?}"), format!("{:?}", &certain[3..5]), "{label}");
            }
        }
    }
    assert!(early > 200 && late > 20, "{early} ended early, {late} did not: too little was seen");
}

#[test]
fn something_asked_for_that_goes_on_changing_is_awaited() {
    let model = Model::new(32, 32);
    let short = watch(0.5, false);
    let steps = |watch: &Watch, value| run(&model, watch, value, 0..8).1;
    assert!(steps(&short, 1.0) < STEPS / 2);
    let with = |change: &dyn Fn(&mut Watch)| {
        let mut watch = short.clone();
        change(&mut watch);
        steps(&watch, 1.0)
    };
    assert_eq!(with(&|watch| watch.series.push(Observable::MeanCosine)), STEPS);
    assert_eq!(with(&|watch| watch.final_state = true), STEPS);
    assert_eq!(with(&|watch| watch.deltas[1] = 1e-15), STEPS);
    assert_eq!(with(&|watch| watch.min_lifetime = 100.0), STEPS, "it might come to rest before");
    assert!((200..=STEPS).contains(&with(&|watch| watch.tokens_at = vec![200])));
    assert!(with(&|watch| watch.tokens_at = vec![2]) < STEPS / 2);
    assert_eq!(steps(&short, -1.0), STEPS, "tokens that repel one another");
}

#[test]
fn an_end_is_where_the_finest_threshold_is_passed() {
    // After ½ ln(δ/δ′) more (docs/oracles.md): the later end is that much later, a step more or less.
    let model = Model::new(8, 8);
    let at = |finest: f64| {
        let mut watch = watch(1.0, false);
        watch.series = vec![Observable::PairFraction];
        (watch.deltas, watch.suffixes) = (vec![finest], vec![String::new()]);
        (watch.plateaus, watch.merges) = (false, false);
        run(&model, &watch, 1.0, 0..1).0[0].steps as f64 * watch.step
    };
    // Euler's steps contract a gap by (1 + η)^−2 instead of e^−2η.
    let later = libm::log(1e-4 / 1e-8) / (2.0 * libm::log1p(0.1)) * 0.1;
    assert!((at(1e-8) - at(1e-4) - later).abs() <= 0.1 + 1e-9, "{} {}", at(1e-4), at(1e-8));
}
