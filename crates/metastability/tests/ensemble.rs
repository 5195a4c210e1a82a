//! The recorder on real ensembles: the instructions change no bit, and two tokens collapse when P0 says.

use std::sync::Arc;

use metasweep_dynamics::ensemble::{Ensemble, Start};
use metasweep_dynamics::model::{Integrator, Model, Normalization};
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::{Isa, LANES};
use metasweep_metastability::observables::Observable;
use metasweep_metastability::record::{End, ReplicaRecord};
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::watch::Watch;

fn watch(beta: f64, step: f64, steps: u64) -> Watch {
    Watch {
        series: Observable::ALL.to_vec(),
        deltas: vec![1e-3, 1e-5],
        suffixes: vec![String::new(), "_delta_1e-5".to_owned()],
        samples: (0..=steps).step_by(7).collect(),
        steps,
        step,
        beta,
        masses: Vec::new(),
        normalization: Normalization::Softmax,
        merges: true,
        plateaus: true,
        min_lifetime: Watch::default_min_lifetime(Normalization::Softmax, beta),
        ..Watch::default()
    }
}

fn run(watch: &Watch, tokens: &[Vec<f64>], n: usize, integrator: Integrator, isa: Isa) -> Vec<ReplicaRecord> {
    let model = Model { integrator, ..Model::new(n, tokens[0].len() / n) };
    let head = Head { query_key: QueryKey::Joint(Operator::Scalar(1.0)), value: Operator::Scalar(1.0) };
    let parameters = Arc::new(Parameters::new(vec![head]));
    let starts: Vec<Start> = tokens
        .iter()
        .map(|tokens| Start::new(watch.beta, watch.step, tokens.clone(), parameters.clone()))
        .collect();
    let mut ensemble = Ensemble::new(&model, &starts, isa).expect("the model is valid");
    let mut recorder = Recorder::new(watch, n, starts.len());
    recorder.observe(watch, &mut ensemble);
    while ensemble.steps() < watch.steps && !recorder.settled() {
        ensemble.step();
        recorder.observe(watch, &mut ensemble);
    }
    recorder.finish(watch, &mut ensemble)
}

fn uniform(replica: u64, n: usize, d: usize) -> Vec<f64> {
    let mut stream = Stream::new([8; 32], replica);
    let mut tokens: Vec<f64> = (0..n * d).map(|_| stream.normal()).collect();
    for row in tokens.chunks_exact_mut(d) {
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        for x in row {
            *x /= length;
        }
    }
    tokens
}

#[test]
fn neither_instructions_nor_neighbours_change_a_bit() {
    for (n, d) in [(13, 2), (9, 3), (6, 6)] {
        let watch = watch(9.0, 0.1, 300);
        let tokens: Vec<Vec<f64>> = (0..LANES as u64).map(|replica| uniform(replica, n, d)).collect();
        let all = run(&watch, &tokens, n, Integrator::ProjectedEuler, Isa::Portable);
        for isa in [Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| isa.is_available()) {
            let other = run(&watch, &tokens, n, Integrator::ProjectedEuler, isa);
            assert_eq!(format!("{other:?}"), format!("{all:?}"));
        }
        for first in [0, 3, 7] {
            let some = run(&watch, &tokens[first..], n, Integrator::ProjectedEuler, Isa::widest());
            assert_eq!(format!("{some:?}"), format!("{:?}", &all[first..]));
        }
        assert!(
            all.iter().any(|record| record.first_plateau.is_some()),
            "nothing to see at n = {n}, d = {d}"
        );
        assert!(all.iter().any(|record| !record.merges.is_empty()), "no merge at n = {n}, d = {d}");
    }
}

#[test]
fn two_tokens_collapse_when_the_integral_says() {
    // docs/oracles.md, 2: ∫_0^{1−δ} (e^{β(1−g)}+1)/(2(1−g)(1+g)) dg. rk4 at η = 0.05 errs far less than the linear
    // interpolation: η²/8·|g″|/|g′| ≤ η²/4·e^{2η}, as ġ = 2(1−g)(1+g)/(1+e^{β(1−g)}) → 2(1−g).
    for (beta, time) in [(1.0, 4.271_067_680_309_354), (4.0, 10.831_207_009_994_971)] {
        let watch = watch(beta, 0.05, 400);
        let record =
            run(&watch, &[vec![1.0, 0.0, 0.0, 1.0]], 2, Integrator::Rk4, Isa::widest()).swap_remove(0);
        let bound = 0.05 * 0.05 / 4.0 * libm::exp(0.1);
        let (at, later) = (record.collapse_time[0].unwrap(), record.collapse_time[1].unwrap());
        assert!((at - time).abs() < bound, "β = {beta}: {at}");
        // T(δ′) − T(δ) → ½ ln(δ/δ′), up to terms of the order of δ(β + 1).
        assert!((later - at - 0.5 * libm::log(100.0)).abs() < 2.0 * bound + 1e-3 * (beta + 1.0));
        assert_eq!((record.end, record.hemisphere_initial), (End::Collapsed, Some(true)));
        assert_eq!(record.merges.len(), 1);
        assert_eq!(record.plateaus.iter().map(|plateau| plateau.clusters).collect::<Vec<_>>(), [2, 1]);
    }
}
