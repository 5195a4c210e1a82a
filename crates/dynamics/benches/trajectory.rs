//! A replica by `multiscale`, from uniform tokens to one point, on one core: milliseconds, steps and evaluations, mean over the seeds, and how far log T is at most from that
//! of a much smaller tolerance.
//!
//!     cargo bench -p metasweep-dynamics --bench trajectory             # n = 32, β = 50, d = 2 and 8
//!     cargo bench -p metasweep-dynamics --bench trajectory -- 32 8 50  # n, d, β

use std::sync::Arc;
use std::time::Instant;

use metasweep_dynamics::ensemble::Start;
use metasweep_dynamics::model::{Integrator, Model};
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::Isa;
use metasweep_dynamics::trajectory::Trajectory;

const SEEDS: u8 = 10;
/// Each is run so often, and the fastest counts.
const TIMES: usize = 3;
/// Tolerance of the runs that others are compared with.
const EXACT: f64 = 1e-12;

fn start(n: usize, d: usize, beta: f64, seed: u8) -> Start {
    let mut stream = Stream::new([seed; 32], 0);
    let mut tokens: Vec<f64> = (0..n * d).map(|_| stream.normal()).collect();
    for token in tokens.chunks_exact_mut(d) {
        let length = token.iter().map(|x| x * x).sum::<f64>().sqrt();
        for x in token {
            *x /= length;
        }
    }
    let head = Head { query_key: QueryKey::Joint(Operator::Scalar(1.0)), value: Operator::Scalar(1.0) };
    Start::new(beta, 0.0, tokens, Arc::new(Parameters::new(vec![head])))
}

/// A replica's trajectory to its end.
fn run(model: &Model, beta: f64, seed: u8, tolerance: f64) -> Trajectory {
    let start = start(model.n, model.d, beta, seed);
    let mut run = match Trajectory::new(model, &start, tolerance, Isa::widest()) {
        Ok(run) => run,
        Err(error) => panic!("{error}"),
    };
    while run.ending().is_none() {
        run.merge();
        run.advance();
    }
    run
}

fn measure(n: usize, d: usize, beta: f64) {
    let model = Model { integrator: Integrator::Multiscale, ..Model::new(n, d) };
    let logarithm = |run: &Trajectory| libm::log(run.time().time());
    let exact: Vec<f64> = (0..SEEDS).map(|seed| logarithm(&run(&model, beta, seed, EXACT))).collect();
    for tolerance in [1e-6, 1e-7, 1e-8, 1e-9, 1e-10] {
        let (mut steps, mut evaluations, mut furthest, mut spent) = (0, 0, 0.0_f64, f64::INFINITY);
        for _ in 0..TIMES {
            (steps, evaluations) = (0, 0);
            let begun = Instant::now();
            for (seed, exact) in (0..SEEDS).zip(&exact) {
                let run = run(&model, beta, seed, tolerance);
                steps += run.steps();
                evaluations += run.evaluations();
                furthest = furthest.max((logarithm(&run) - exact).abs());
            }
            spent = spent.min(begun.elapsed().as_secs_f64());
        }
        let seeds = f64::from(SEEDS);
        println!(
            "n = {n}, d = {d}, beta = {beta}, tolerance {tolerance:e}: {:.2} ms, {} steps, {} evaluations, log T within {furthest:.1e}",
            spent * 1e3 / seeds,
            steps / u64::from(SEEDS),
            evaluations / u64::from(SEEDS),
        );
    }
}

fn main() {
    let numbers: Vec<f64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [n, d, beta] => measure(n as usize, d as usize, beta),
        _ => [2, 8].into_iter().for_each(|d| measure(32, d, 50.0)),
    }
}
