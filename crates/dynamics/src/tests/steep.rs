//! Sinkhorn's weights where its own iteration does not come to an end: large β, scores that are not positive semidefinite.

use std::sync::Arc;

use super::support::{Random, instructions, model, scalar};
use crate::ensemble::{Ensemble, Start};
use crate::model::{Integrator, Mask, Model, Normalization};
use crate::parameters::{Operator, Parameters};
use crate::simd::Isa;

const N: usize = 5;
const D: usize = 3;

fn sinkhorn() -> Model {
    model(N, D, Normalization::Sinkhorn, Mask::Full, Integrator::ProjectedEuler)
}

/// V = I under −I, and under random forms: diagonal, not symmetric, Q and K apart.
fn forms(random: &mut Random) -> Vec<Arc<Parameters>> {
    let with_identity = |parameters: Arc<Parameters>| {
        let mut parameters = Arc::unwrap_or_clone(parameters);
        parameters.heads[0].value = Operator::Scalar(1.0);
        Arc::new(parameters)
    };
    let drawn = [1, 2, 3].map(|kind| with_identity(random.parameters(&[(kind, 0)], D)));
    std::iter::once(scalar(-1.0, 1.0)).chain(drawn).collect()
}

fn after_a_step(model: &Model, starts: &[Start], isa: Isa) -> Ensemble {
    let mut ensemble = Ensemble::new(model, starts, isa).expect("an ensemble");
    ensemble.step();
    ensemble
}

/// The weights are doubly stochastic, and the kernel's step is the one that these weights give. Sums are off by 10⁻¹² and what
/// scores are rounded by, 4·2⁻⁵²·β‖B‖ < 7·10⁻¹² for the ‖B‖ < 10 here; where the kernel and this definition differ, so do their sums,
/// each of the n of one or the other.
#[test]
fn there_are_weights_at_any_beta() {
    let mut random = Random(71);
    for beta in [100.0, 700.0] {
        for parameters in forms(&mut random) {
            for exclude_self in [false, true] {
                let model = Model { exclude_self, ..sinkhorn() };
                let (tokens, step) = (random.sphere(N, D), 0.1);
                let start = Start::new(beta, step, tokens.clone(), Arc::clone(&parameters));
                let mut ensemble = Ensemble::new(&model, &[start], Isa::widest()).expect("an ensemble");
                let weights = ensemble.attention_weights(0).remove(0);
                let tolerance = 1e-10;
                for i in 0..N {
                    let row: f64 = weights[i * N..(i + 1) * N].iter().sum();
                    let column: f64 = (0..N).map(|k| weights[k * N + i]).sum();
                    assert!((row - 1.0).abs() < tolerance && (column - 1.0).abs() < tolerance, "{weights:?}");
                    assert!(!exclude_self || weights[i * N + i] == 0.0);
                }
                let attention =
                    |i: usize, c: usize| (0..N).map(|j| weights[i * N + j] * tokens[j * D + c]).sum::<f64>();
                ensemble.step();
                let moved = ensemble.lane_tokens(0);
                for i in 0..N {
                    let ahead: Vec<f64> =
                        (0..D).map(|c| tokens[i * D + c] + step * attention(i, c)).collect();
                    let length = ahead.iter().map(|x| x * x).sum::<f64>().sqrt();
                    for (c, x) in ahead.iter().enumerate() {
                        assert!((moved[i * D + c] - x / length).abs() < tolerance, "{beta} {parameters:?}");
                    }
                }
            }
        }
    }
}

/// Lanes that end in different ways leave each other's bits alone, at every width.
#[test]
fn a_replica_depends_on_its_start_alone_there_too() {
    let mut random = Random(72);
    let model = sinkhorn();
    let parameters = random.parameters(&[(2, 0)], D);
    let starts: Vec<Start> = [1.0, 700.0, 0.0, 100.0, 40.0]
        .map(|beta| Start::new(beta, 0.1, random.sphere(N, D), Arc::clone(&parameters)))
        .into();
    let bits = |ensemble: &Ensemble, lane: usize| -> Vec<u64> {
        ensemble.lane_tokens(lane).iter().map(|x| x.to_bits()).collect()
    };
    let alone: Vec<Vec<u64>> = starts
        .iter()
        .map(|start| bits(&after_a_step(&model, std::slice::from_ref(start), Isa::Portable), 0))
        .collect();
    for isa in instructions() {
        let together = after_a_step(&model, &starts, isa);
        for (lane, expected) in alone.iter().enumerate() {
            assert!(together.finite(lane));
            assert_eq!(&bits(&together, lane), expected, "{isa:?} {lane}");
        }
    }
}
