//! The integrator `multiscale` against formulas and itself.

use std::sync::Arc;

use metasweep_dynamics::ensemble::Start;
use metasweep_dynamics::model::{Integrator, Model, Normalization};
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::Isa;
use metasweep_dynamics::trajectory::{Trajectory, gap};
use metasweep_metastability::clock::Instant;
use metasweep_metastability::theory::pair_collapse::pair_collapse_time;

fn start(beta: f64, tokens: Vec<f64>) -> Start {
    let head = Head { query_key: QueryKey::Joint(Operator::Scalar(1.0)), value: Operator::Scalar(1.0) };
    Start::new(beta, 0.0, tokens, Arc::new(Parameters::new(vec![head])))
}

fn model(n: usize, d: usize, normalization: Normalization) -> Model {
    Model { integrator: Integrator::Multiscale, normalization, ..Model::new(n, d) }
}

fn uniform(n: usize, d: usize, seed: u8) -> Vec<f64> {
    let mut stream = Stream::new([seed; 32], 0);
    let mut tokens: Vec<f64> = (0..n * d).map(|_| stream.normal()).collect();
    for token in tokens.chunks_exact_mut(d) {
        let length = token.iter().map(|x| x * x).sum::<f64>().sqrt();
        token.iter_mut().for_each(|x| *x /= length);
    }
    tokens
}

fn widest(points: &[f64], d: usize) -> f64 {
    let n = points.len() / d;
    let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs.map(|(i, j)| gap(points, d, i, j)).fold(0.0, f64::max)
}

/// The first time at which all gaps are at most δ, by bisection in the step.
fn collapse(trajectory: &mut Trajectory, d: usize, delta: f64) -> Instant {
    let mut points = Vec::new();
    while widest(trajectory.points(), d) > delta {
        assert_eq!(trajectory.ending(), None);
        trajectory.merge();
        trajectory.advance();
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        trajectory.points_at(middle, &mut points);
        if widest(&points, d) > delta { low = middle } else { high = middle }
    }
    trajectory.time_before().towards(trajectory.time(), high)
}

#[test]
#[ignore]
fn scratch() {
    for d in [2, 9] {
        for beta in [1.0, 4.0, 9.0, 50.0, 150.0, 300.0] {
            for normalization in [Normalization::Softmax, Normalization::Unnormalized] {
                for tolerance in [1e-8, 1e-9, 1e-10] {
                    let mut tokens = vec![0.0; 2 * d];
                    (tokens[0], tokens[2 * d - 1]) = (1.0, 1.0);
                    let mut t =
                        Trajectory::new(&model(2, d, normalization), &start(beta, tokens), tolerance, Isa::widest())
                            .unwrap();
                    let found = collapse(&mut t, d, 1e-3).time();
                    let exact = pair_collapse_time(beta, normalization, 0.0, 1e-3);
                    println!("{d} {beta} {normalization:?} {tolerance:e} {found:e} {:e} steps {} {}", found / exact - 1.0, t.steps(), t.evaluations());
                }
            }
        }
    }
}

#[test]
#[ignore]
fn scratch_many() {
    for (n, d) in [(8, 2), (20, 2), (32, 2), (32, 3), (32, 8)] {
        for beta in [20.0, 50.0, 150.0] {
            let mut last = 0.0;
            for tolerance in [1e-8, 1e-9, 1e-10] {
                let begun = std::time::Instant::now();
                let tokens = uniform(n, d, 3);
                let mut t =
                    Trajectory::new(&model(n, d, Normalization::Softmax), &start(beta, tokens), tolerance, Isa::widest())
                        .unwrap();
                let found = collapse(&mut t, d, 1e-3).time();
                println!("{n} {d} {beta} {tolerance:e} {found:e} {:e} steps {} {} {:?}", found / last - 1.0, t.steps(), t.evaluations(), begun.elapsed());
                last = found;
            }
        }
    }
}
