//! Time of one system-step (SA, V = B = I, `projected_euler`, Gram matrix included) on one core, beside what the
//! same core's FMA peak, measured in the same run, allows.
//!
//!     cargo bench -p metasweep-dynamics --bench step              # all sizes, and random matrices
//!     cargo bench -p metasweep-dynamics --bench step -- 32 8      # one size for a while, for a profiler
//!
//! A system-step counts n(n−1)/2 pairs of 2d + 2 + d + 19 lane operations (Gram and two sums of vectors; Z of both ends; the
//! exponential with its argument), and in the second share 16 instead of 19, as ours takes; at d = 2 the twelve operations a token and
//! order of the Fourier series. With random V and B = QᵀK (P0 Fig. 4) it counts the fused multiply-adds alone: 2nd² for V x and
//! B x, 2n²d for scores and sums.

#[path = "common/peak.rs"]
mod peak;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use metasweep_dynamics::ensemble::{Ensemble, Start, abreast_orders};
use metasweep_dynamics::model::Model;
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::simd::{Isa, LANES};
use nalgebra::DMatrix;

/// Short runs, of a millisecond or less, so that some of them have the core to themselves.
const RUNS: usize = 60;
const BETA: f64 = 4.0;

/// One parameter set a lane, or one that all lanes share.
type Matrices = Vec<Arc<Parameters>>;

/// V = B = I.
fn identity() -> Matrices {
    let identity = || Operator::Scalar(1.0);
    let head = Head { query_key: QueryKey::Joint(identity()), value: identity() };
    let parameters = Arc::new(Parameters::new(vec![head]));
    vec![parameters; LANES]
}

/// Full V and B in no particular direction, one of each or `LANES` of them.
fn full(d: usize, shared: bool) -> Matrices {
    let matrix = |seed: usize| {
        let entry = |i, j| libm::sin(((i * d + j) * 5 + seed) as f64) / (d as f64).sqrt();
        Operator::Dense(DMatrix::from_fn(d, d, entry))
    };
    let draw = |lane: usize| {
        let head = Head { query_key: QueryKey::Joint(matrix(2 * lane)), value: matrix(2 * lane + 1) };
        Arc::new(Parameters::new(vec![head]))
    };
    let first = draw(0);
    if shared { vec![first; LANES] } else { (0..LANES).map(draw).collect() }
}

/// Nanoseconds a system-step: the best of so many runs.
fn step_time(n: usize, d: usize, isa: Isa, matrices: &Matrices, runs: usize) -> f64 {
    let model = Model::new(n, d);
    let starts: Vec<Start> = (0..LANES)
        .map(|lane| Start::new(BETA, 1e-6, spread(n, d, lane), Arc::clone(&matrices[lane])))
        .collect();
    let mut ensemble = match Ensemble::new(&model, &starts, isa) {
        Ok(ensemble) => ensemble,
        Err(error) => panic!("{error}"),
    };
    let steps = (2_000_000 / (n * n * (d + 8)) / LANES).max(1);
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let start = Instant::now();
        for _ in 0..steps {
            ensemble.step();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (steps * LANES) as f64);
    }
    black_box(ensemble.tokens());
    best
}

/// n unit vectors in no particular place.
fn spread(n: usize, d: usize, lane: usize) -> Vec<f64> {
    let mut tokens = Vec::new();
    for i in 0..n {
        let x: Vec<f64> = (0..d).map(|k| libm::sin(((i * d + k) * 7 + lane * 3 + 1) as f64)).collect();
        let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        tokens.extend(x.iter().map(|x| x / length));
    }
    tokens
}

fn main() {
    let isa = match Isa::detect() {
        Ok(isa) => isa,
        Err(error) => return eprintln!("{error}"),
    };
    let peak = peak::best(isa, RUNS);
    println!("{}: {peak:.1} fused multiply-adds a nanosecond", isa.name());
    println!("{:>5} {:>5} {:>12} {:>12} {:>8} {:>8}", "n", "d", "ns / step", "at peak", "share", "of ours");
    let row = |n: usize, d: usize, runs: usize| {
        let time = step_time(n, d, isa, &identity(), runs);
        let of_pairs = |others: usize| (n * (n - 1) / 2 * (3 * d + others)) as f64;
        // 12 operations a token and order, where sums go by Fourier series.
        let series = abreast_orders(n, BETA).filter(|_| d == 2);
        let ours = series.map_or(of_pairs(18), |orders| (12 * n * orders) as f64);
        let bound = of_pairs(21) / peak;
        let share = |operations: f64| 100.0 * operations / peak / time;
        println!(
            "{n:>5} {d:>5} {time:>12.0} {bound:>12.0} {:>7.0}% {:>7.0}%",
            share(of_pairs(21)),
            share(ours)
        );
    };
    let arguments: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if let [n, d] = arguments[..] {
        return row(n, d, 100 * RUNS);
    }
    for (n, d) in [(8, 2), (32, 2), (32, 3), (32, 8), (32, 32), (64, 2), (200, 2), (200, 3), (200, 128)] {
        row(n, d, RUNS);
    }
    for (name, shared) in [("shared", true), ("own", false)] {
        let (n, d) = (32, 128);
        let time = step_time(n, d, isa, &full(d, shared), RUNS);
        let bound = (2 * n * d * d + 2 * n * n * d) as f64 / peak;
        println!(
            "{n:>5} {d:>5} {time:>12.0} {bound:>12.0} {:>7.0}%  V and B full, {name}",
            100.0 * bound / time
        );
    }
}
