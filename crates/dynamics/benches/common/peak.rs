//! What a core can do at most: fused multiply-adds and nothing else.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use metasweep_dynamics::simd::{Isa, Kernel, Lanes, Pack, dispatch};

/// Fused multiply-adds in independent chains, each a lane operation.
struct Peak(u64);

const CHAINS: usize = 12;

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

/// Operations of one run of less than a millisecond, and its nanoseconds.
fn run(isa: Isa) -> (f64, f64) {
    let start = Instant::now();
    let (result, operations) = dispatch(Peak(100_000), isa);
    black_box(result);
    (operations, start.elapsed().as_nanos() as f64)
}

/// Fused multiply-adds a nanosecond: the best of so many runs, some of which have the core to themselves.
#[allow(dead_code, reason = "one of the two benchmarks needs each")]
pub fn best(isa: Isa, runs: usize) -> f64 {
    (0..runs).map(|_| run(isa)).map(|(operations, time)| operations / time).fold(0.0, f64::max)
}

/// Operations of as many runs as begin within so long, whoever else has the core, and their nanoseconds.
#[allow(dead_code, reason = "one of the two benchmarks needs each")]
pub fn within(isa: Isa, time: Duration) -> (f64, f64) {
    let (start, mut all) = (Instant::now(), (0.0, 0.0));
    while start.elapsed() < time {
        let one = run(isa);
        all = (all.0 + one.0, all.1 + one.1);
    }
    all
}
