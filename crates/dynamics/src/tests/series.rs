//! Many tokens on the circle: whole steps by Fourier series beside the sums over all pairs, written out.

use std::sync::Arc;

use super::support::{Random, ensemble, scalar};
use crate::ensemble::{Evaluation, Start};
use crate::model::{Geometry, Integrator, Model, Normalization, System};
use crate::simd::Isa;
use crate::tests::support::instructions;

/// n points of the circle, spread out and in heaps.
fn circle(random: &mut Random, n: usize) -> Vec<f64> {
    let width = random.uniform();
    let angle = |random: &mut Random| match random.bits() % 3 {
        0 => 6.3 * random.uniform(),
        1 => 1.0 + 0.01 * random.normal(),
        _ => 4.0 + width * random.normal(),
    };
    (0..n).map(|_| angle(random)).flat_map(|x| [libm::cos(x), libm::sin(x)]).collect()
}

/// Z_i e^{−κ} and Σ_j e^{κ(cos(θ_i − θ_j) − 1)} sin(θ_j − θ_i).
fn direct(points: &[f64], kappa: f64, i: usize) -> [f64; 2] {
    let (x, y) = (points[2 * i], points[2 * i + 1]);
    points.chunks_exact(2).fold([0.0; 2], |[total, across], other| {
        let (u, v) = (other[0], other[1]);
        let weight = libm::exp(-0.5 * kappa * ((x - u) * (x - u) + (y - v) * (y - v)));
        [total + weight, across + weight * (x * v - y * u)]
    })
}

/// The rates of all systems that go by series, taken from one step, are those of the direct sums: to 10⁻¹² of the largest weight (1
/// where e^{−κ} is left out) for each of the n summands.
#[test]
fn steps_by_series_are_those_of_direct_sums() {
    let mut random = Random(23);
    let layers = Integrator::Discrete { residual: true };
    let attention = System::Attention;
    let (softmax, unnormalized) = (Normalization::Softmax, Normalization::Unnormalized);
    let kinds = [
        (attention, softmax),
        (attention, unnormalized),
        (System::Kuramoto, softmax),
        (System::Kuramoto, unnormalized),
        (System::MeanShift { blurring: true }, softmax),
    ];
    for beta in [0.0, 0.7, 9.0, 50.0, 700.0 * random.uniform(), 700.0] {
        for (system, normalization) in kinds {
            let n = 1000 + (random.bits() % 500) as usize;
            let (b, c) = if system == attention { (random.uniform(), random.normal()) } else { (1.0, 1.0) };
            let model = Model {
                system,
                normalization,
                geometry: Geometry::Circle,
                integrator: layers,
                ..Model::new(n, 2)
            };
            let kappa = beta * b;
            // A step that makes the largest weight 1.
            let step = if normalization == softmax { 1.0 } else { libm::exp(-kappa) };
            let points: Vec<Vec<f64>> = (0..2).map(|_| circle(&mut random, n)).collect();
            let start = |points: &Vec<f64>| Start {
                coupling: 0.5,
                frequencies: if system == System::Kuramoto { vec![0.25 / step; n] } else { Vec::new() },
                ..Start::new(beta, step, points.clone(), scalar(b, c))
            };
            let starts: Vec<Start> = points.iter().map(start).collect();
            let mut ensemble = ensemble(&model, &starts, Isa::widest());
            let before = ensemble.state.clone();
            ensemble.step();
            for (lane, points) in points.iter().enumerate() {
                for i in (0..n).step_by(7) {
                    let [total, across] = direct(points, kappa, i);
                    let divisor = if normalization == softmax { total } else { n as f64 };
                    let (factor, own) = match system {
                        System::Attention => (c, 0.0),
                        System::Kuramoto => (0.5, 0.25),
                        System::MeanShift { .. } => (beta, 0.0),
                    };
                    let expected = own + factor * across / divisor;
                    let found = ensemble.state[i].0[lane] - before[i].0[lane];
                    // Z_i is off by as much as the sum, and that is no longer than Z_i; e^{−κ} and the angles are rounded.
                    let rounding =
                        1e-13 * expected.abs() + 8.0 * f64::EPSILON * before[i].0[lane].abs().max(1.0);
                    let tolerance = 2e-12 * factor.abs() * n as f64 / divisor + rounding;
                    let error = (found - expected).abs();
                    assert!(
                        error <= tolerance,
                        "{model:?} at κ = {kappa}: off by {error:e}, not {tolerance:e}"
                    );
                }
            }
        }
    }
}

/// Neighbours in other lanes, the way pairs would be evaluated, instructions and threads change no bit.
#[test]
fn series_do_not_depend_on_who_computes_them() {
    let mut random = Random(29);
    let n = 1025;
    let integrator = Integrator::Discrete { residual: true };
    let model = Model { geometry: Geometry::Circle, integrator, ..Model::new(n, 2) };
    let parameters = scalar(1.0, 1.0);
    let mut start = |beta: f64| Start::new(beta, 0.1, circle(&mut random, n), Arc::clone(&parameters));
    // The last one is too steep for a series of so few tokens.
    let starts = [start(40.0), start(3.0), start(9000.0)];
    let run = |starts: &[Start], isa: Isa, evaluation: Evaluation| -> Vec<Vec<u64>> {
        let mut ensemble = crate::ensemble::Ensemble::evaluated(&model, starts, isa, evaluation)
            .expect("the test's starts are valid");
        for _ in 0..2 {
            ensemble.step();
        }
        let bits = |lane: usize| ensemble.state.iter().map(|pack| pack.0[lane].to_bits()).collect();
        (0..starts.len()).map(bits).collect()
    };
    let alone: Vec<Vec<u64>> = starts
        .iter()
        .flat_map(|start| run(std::slice::from_ref(start), Isa::Portable, Evaluation::Pairs))
        .collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
    for isa in instructions() {
        for evaluation in [Evaluation::Pairs, Evaluation::Tiles] {
            assert_eq!(run(&starts, isa, evaluation), alone, "{isa:?} {evaluation:?}");
        }
    }
    assert_eq!(pool.install(|| run(&starts, Isa::widest(), Evaluation::Tiles)), alone);
}
