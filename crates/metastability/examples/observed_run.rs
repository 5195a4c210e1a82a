//! What watching adds to a run of P0's Figure 2: µs per replica and step, n = 32, SA, V = B = I, Euler step 0.1.
//!
//! `cargo run --release -p metasweep-metastability --example observed_run`

use std::sync::Arc;
use std::time::Instant;

use metasweep_dynamics::ensemble::{Ensemble, Start};
use metasweep_dynamics::model::{Model, Normalization};
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::{Isa, LANES};
use metasweep_metastability::observables::Observable;
use metasweep_metastability::record::ReplicaRecord;
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::watch::Watch;

const N: usize = 32;
const STEPS: u64 = 300;

fn model(d: usize) -> Model {
    Model::new(N, d)
}

fn starts(d: usize, beta: f64) -> Vec<Start> {
    let identity = || Operator::Scalar(1.0);
    let head = Head { query_key: QueryKey::Joint(identity()), value: identity() };
    let parameters = Arc::new(Parameters::new(vec![head]));
    (0..LANES as u64)
        .map(|replica| {
            let mut stream = Stream::new([5; 32], replica);
            let mut tokens: Vec<f64> = (0..N * d).map(|_| stream.normal()).collect();
            for row in tokens.chunks_exact_mut(d) {
                let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                for x in row {
                    *x /= length;
                }
            }
            Start::new(beta, 0.1, tokens, parameters.clone())
        })
        .collect()
}

fn watch(beta: f64, series: &[Observable], plateaus: bool, merges: bool) -> Watch {
    Watch {
        series: series.to_vec(),
        deltas: vec![1e-3],
        suffixes: vec![String::new()],
        samples: (0..200).map(|k| k * STEPS / 199).collect(),
        steps: STEPS,
        step: 0.1,
        beta,
        masses: Vec::new(),
        normalization: Normalization::Softmax,
        merges,
        plateaus,
        min_lifetime: 0.5,
        ..Watch::default()
    }
}

fn run(d: usize, beta: f64, watch: Option<&Watch>) -> (f64, Vec<ReplicaRecord>) {
    let isa = Isa::detect().expect("METASWEEP_SIMD names instructions of this machine");
    let mut best = f64::INFINITY;
    let mut records = Vec::new();
    for _ in 0..30 {
        let mut ensemble = Ensemble::new(&model(d), &starts(d, beta), isa).expect("the model is valid");
        let mut recorder = watch.map(|watch| (watch, Recorder::new(watch, N, LANES)));
        let start = Instant::now();
        if let Some((watch, recorder)) = &mut recorder {
            recorder.observe(watch, &mut ensemble);
        }
        for _ in 0..STEPS {
            ensemble.step();
            if let Some((watch, recorder)) = &mut recorder {
                recorder.observe(watch, &mut ensemble);
            }
        }
        records = recorder.map(|(watch, recorder)| recorder.finish(watch, &mut ensemble)).unwrap_or_default();
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / (STEPS as f64 * LANES as f64));
    }
    (best, records)
}

fn main() {
    let figure = [Observable::Clusters, Observable::PairFraction, Observable::MeanCosine, Observable::Energy];
    for (d, beta) in [(2, 1.0), (2, 4.0), (2, 9.0), (8, 4.0), (32, 4.0)] {
        let (alone, _) = run(d, beta, None);
        let (collapse, _) = run(d, beta, Some(&watch(beta, &[], false, false)));
        let (plateaus, records) = run(d, beta, Some(&watch(beta, &[], true, false)));
        let (merges, _) = run(d, beta, Some(&watch(beta, &[], true, true)));
        let (series, _) = run(d, beta, Some(&watch(beta, &figure, true, false)));
        let seen: usize = records.iter().map(|record| record.plateaus.len()).sum();
        println!(
            "d = {d:2}, β = {beta}: steps alone {alone:.3}, with collapse {collapse:.3}, + plateaus {plateaus:.3}, + merges \
             {merges:.3}; plateaus and 4 series at 200 of {STEPS} states {series:.3}; {:.1} plateaus a replica",
            seen as f64 / LANES as f64,
        );
    }
}
