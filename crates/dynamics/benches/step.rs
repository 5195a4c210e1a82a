//! Time of one system-step (SA, V = B = I, `projected_euler`, Gram matrix included) on one core, beside what the
//! same core's FMA peak, measured in the same run, allows.
//!
//!     cargo bench -p metasweep-dynamics --bench step
//!
//! A system-step counts n(n−1)/2 pairs of 2d + 2 + d + 19 lane operations (Gram and two sums of vectors; Z of both ends; the
//! exponential with its argument).
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use metasweep_dynamics::ensemble::{Ensemble, Start};
use metasweep_dynamics::model::Model;
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::simd::{Isa, Kernel, LANES, Lanes, Pack, dispatch};

/// Fused multiply-adds in independent chains, and nothing else.
struct Peak(u64);

const CHAINS: usize = 12;

/// Short runs, of a millisecond or less, so that some of them have the core to themselves.
const RUNS: usize = 60;

impl Kernel for Peak {
    /// Something that depends on every operation, and the number of lane operations.
    type Output = (Pack, f64);

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> (Pack, f64) {
        let factor = L::splat(black_box(0.999));
        let summand = L::splat(black_box(0.001));
        let mut chains = [L::splat(black_box(1.0)); CHAINS];
        for _ in 0..self.0 {
            for chain in &mut chains {
                *chain = chain.mul_add(factor, summand);
            }
        }
        let mut sum = chains[0];
        for chain in &chains[1..] {
            sum = sum + *chain;
        }
        let mut result = Pack::ZERO;
        sum.store(&mut result, 0);
        (result, (self.0 * CHAINS as u64 * L::WIDTH as u64) as f64)
    }
}

/// Fused multiply-adds a nanosecond: the best run.
fn peak(isa: Isa) -> f64 {
    let run = || {
        let start = Instant::now();
        let (result, operations) = dispatch(Peak(100_000), isa);
        black_box(result);
        operations / start.elapsed().as_nanos() as f64
    };
    (0..RUNS).map(|_| run()).fold(0.0, f64::max)
}

/// Nanoseconds a system-step: the best run.
fn step_time(n: usize, d: usize, isa: Isa) -> f64 {
    let model = Model::new(n, d);
    let identity = || Operator::Scalar(1.0);
    let head = Head { query_key: QueryKey::Joint(identity()), value: identity() };
    let parameters = Arc::new(Parameters::new(vec![head]));
    let starts: Vec<Start> =
        (0..LANES).map(|lane| Start::new(4.0, 1e-6, spread(n, d, lane), Arc::clone(&parameters))).collect();
    let mut ensemble = match Ensemble::new(&model, &starts, isa) {
        Ok(ensemble) => ensemble,
        Err(error) => panic!("{error}"),
    };
    let steps = (2_000_000 / (n * n * (d + 8)) / LANES).max(1);
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
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
    let peak = peak(isa);
    println!("{}: {peak:.1} fused multiply-adds a nanosecond", isa.name());
    println!("{:>5} {:>5} {:>12} {:>12} {:>8}", "n", "d", "ns / step", "at peak", "share");
    for (n, d) in [(8, 2), (32, 2), (32, 3), (32, 8), (32, 32), (64, 2), (200, 2), (200, 3), (200, 128)] {
        let time = step_time(n, d, isa);
        let bound = (n * (n - 1) / 2 * (3 * d + 21)) as f64 / peak;
        println!("{n:>5} {d:>5} {time:>12.0} {bound:>12.0} {:>7.0}%", 100.0 * bound / time);
    }
}
