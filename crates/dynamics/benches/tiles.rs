//! Pairs of tokens a second on one core: one replica by tiles, its tokens in the lanes, beside eight replicas pair by pair, which take turns
//! with it; and one replica on the circle by Fourier series, which forms no pairs, as if it had.
//!
//!     cargo bench -p metasweep-dynamics --bench tiles
//!
//! A system-step of n tokens counts n² pairs (i, j), whatever a kernel saves of them: the kernel of pairs with B = b·I computes each weight
//! once for both its ends, which tiles cannot, as they keep no sums of other rows. SA, `projected_euler` (on the circle layers), the Gram matrix
//! that observers see not included.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use metasweep_dynamics::ensemble::{Ensemble, Evaluation, Start};
use metasweep_dynamics::model::{Geometry, Integrator, Model};
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::simd::{Isa, LANES};

/// Turns, of which the best counts.
const TURNS: usize = 12;
/// Pairs of a turn, at least.
const PAIRS: f64 = 1e7;

/// B of a system.
#[derive(Clone, Copy)]
enum Scores {
    Identity,
    Diagonal,
}

/// `lanes` replicas of n points in no particular place.
fn ensemble(model: &Model, scores: Scores, lanes: usize, isa: Isa, evaluation: Evaluation) -> Ensemble {
    let query_key = match scores {
        Scores::Identity => Operator::Scalar(1.0),
        Scores::Diagonal => Operator::Diagonal((0..model.d).map(|k| 1.0 / (k + 1) as f64).collect()),
    };
    let head = Head { query_key: QueryKey::Joint(query_key), value: Operator::Scalar(1.0) };
    let parameters = Arc::new(Parameters::new(vec![head]));
    let starts: Vec<Start> = (0..lanes)
        .map(|lane| Start::new(50.0, 1e-6, spread(model.n, model.d, lane), Arc::clone(&parameters)))
        .collect();
    match Ensemble::evaluated(model, &starts, isa, evaluation) {
        Ok(ensemble) => ensemble,
        Err(error) => panic!("{error}"),
    }
}

fn spread(n: usize, d: usize, lane: usize) -> Vec<f64> {
    let mut tokens = Vec::new();
    for i in 0..n {
        let x: Vec<f64> = (0..d).map(|k| libm::sin(((i * d + k) * 7 + lane * 3 + 1) as f64)).collect();
        let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        tokens.extend(x.iter().map(|x| x / length));
    }
    tokens
}

/// Pairs a second of this turn.
fn rate(ensemble: &mut Ensemble) -> f64 {
    let n = ensemble.model().n as f64;
    let pairs = n * n * ensemble.lanes() as f64;
    let steps = (PAIRS / pairs).ceil();
    let start = Instant::now();
    for _ in 0..steps as usize {
        ensemble.step();
    }
    let rate = steps * pairs / start.elapsed().as_secs_f64();
    black_box(ensemble.tokens());
    rate
}

/// The best turn of each.
fn turns(ensembles: &mut [Ensemble]) -> Vec<f64> {
    let mut best = vec![0.0_f64; ensembles.len()];
    for _ in 0..TURNS {
        for (best, ensemble) in best.iter_mut().zip(ensembles.iter_mut()) {
            *best = best.max(rate(ensemble));
        }
    }
    best
}

fn main() {
    let isa = match Isa::detect() {
        Ok(isa) => isa,
        Err(error) => return eprintln!("{error}"),
    };
    println!("{}; pairs a second and core: eight replicas pair by pair, one by tiles", isa.name());
    println!("{:>6} {:>3} {:>9} {:>10} {:>10} {:>7}", "n", "d", "QᵀK", "pairs", "tiles", "ratio");
    for (n, d) in [(256, 3), (512, 3), (1024, 3), (512, 16)] {
        for (scores, name) in [(Scores::Identity, "identity"), (Scores::Diagonal, "diagonal")] {
            let model = Model::new(n, d);
            let pairs = ensemble(&model, scores, LANES, isa, Evaluation::Pairs);
            let tiles = ensemble(&model, scores, 1, isa, Evaluation::Tiles);
            let rates = turns(&mut [pairs, tiles]);
            println!(
                "{n:>6} {d:>3} {name:>9} {:>10.2e} {:>10.2e} {:>7.2}",
                rates[0],
                rates[1],
                rates[1] / rates[0]
            );
        }
    }
    println!("{:>6} {:>3} {:>9} {:>10} {:>10} {:>7}", "n", "d", "", "tiles", "series", "ratio");
    let integrator = Integrator::Discrete { residual: true };
    for n in [1000, 4000, 16000] {
        let sphere = Model { integrator, ..Model::new(n, 2) };
        let circle = Model { geometry: Geometry::Circle, ..sphere.clone() };
        let mut ensembles =
            [sphere, circle].map(|model| ensemble(&model, Scores::Identity, 1, isa, Evaluation::Tiles));
        let rates = turns(&mut ensembles);
        println!(
            "{n:>6} {:>3} {:>9} {:>10.2e} {:>10.2e} {:>7.1}",
            2,
            "β = 50",
            rates[0],
            rates[1],
            rates[1] / rates[0]
        );
    }
}
