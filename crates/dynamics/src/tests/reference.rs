//! One step against the formulas of docs/models.md, written down naively, one number at a time.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::support::{HEADS, Random, ensemble, furnished, models, with_feed_forward};
use crate::ensemble::Start;
use crate::model::{Integrator, Mask, Model, Normalization};
use crate::parameters::{Activation, Head, Operator, Parameters, QueryKey};
use crate::simd::Isa;

fn matrix(operator: &Operator, d: usize) -> DMatrix<f64> {
    match operator {
        Operator::Scalar(c) => DMatrix::identity(d, d) * *c,
        Operator::Diagonal(entries) => DMatrix::from_fn(d, d, |i, j| if i == j { entries[i] } else { 0.0 }),
        Operator::Dense(matrix) => matrix.clone(),
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// w_ij of n tokens, from the scores of the columns that each sees; None is what it does not see.
fn weights(model: &Model, scores: &[Vec<Option<f64>>], masses: &[f64]) -> Vec<Vec<f64>> {
    let kernel = |score: Option<f64>| score.map_or(0.0, libm::exp);
    if model.normalization == Normalization::Sinkhorn {
        let n = scores.len();
        let (mut left, mut right) = (vec![1.0; n], vec![1.0; n]);
        for _ in 0..4000 {
            for i in 0..n {
                left[i] = 1.0 / (0..n).map(|j| kernel(scores[i][j]) * masses[j] * right[j]).sum::<f64>();
            }
            for j in 0..n {
                right[j] = 1.0 / (0..n).map(|i| kernel(scores[i][j]) * masses[i] * left[i]).sum::<f64>();
            }
        }
        let weight = |i: usize, j: usize| left[i] * kernel(scores[i][j]) * right[j] * masses[j];
        return (0..n).map(|i| (0..n).map(|j| weight(i, j)).collect()).collect();
    }
    let row = |scores: &Vec<Option<f64>>| -> Vec<f64> {
        let seen = || scores.iter().flatten().copied();
        let highest = seen().fold(f64::NEG_INFINITY, f64::max);
        let modulus = seen().map(f64::abs).fold(0.0, f64::max);
        let weights: Vec<f64> = scores
            .iter()
            .zip(masses)
            .map(|(&score, mass)| match model.normalization {
                Normalization::Hardmax => {
                    if score.is_some_and(|score| score >= highest - 1e-12 * modulus) {
                        *mass
                    } else {
                        0.0
                    }
                }
                _ => mass * kernel(score),
            })
            .collect();
        let divisor: f64 = match model.normalization {
            Normalization::Unnormalized => {
                scores.iter().zip(masses).filter_map(|(score, mass)| score.map(|_| mass)).sum()
            }
            _ => weights.iter().sum(),
        };
        weights.iter().map(|weight| weight / divisor).collect()
    };
    scores.iter().map(row).collect()
}

/// A_i of every token.
fn attention(model: &Model, parameters: &Parameters, beta: f64, tokens: &[f64]) -> Vec<f64> {
    let Model { n, d, .. } = *model;
    let frozen = model.frozen.weights.len();
    let columns: Vec<&[f64]> = model.frozen.points.chunks(d).chain(tokens.chunks(d)).collect();
    let mut masses = model.frozen.weights.clone();
    masses.extend((0..n).map(|i| model.masses.get(i).unwrap_or(&1.0)));
    let plain = frozen == 0 && model.masses.is_empty() && !model.exclude_self;
    let mut result = vec![0.0; n * d];
    for head in &parameters.heads {
        let form = match &head.query_key {
            QueryKey::Joint(form) => matrix(form, d),
            QueryKey::Factored { query, key } => query.transpose() * key,
        };
        let value = matrix(&head.value, d);
        let score = |i: usize, j: usize| {
            let own = j == frozen + i;
            let hidden = model.mask == Mask::Causal && j > frozen + i;
            if hidden || (own && model.exclude_self) {
                return None;
            }
            let image: Vec<f64> =
                (0..d).map(|k| (0..d).map(|l| form[(k, l)] * columns[j][l]).sum()).collect();
            Some(match &head.query_key {
                // Off the sphere, in the stages of rk4: the field is extended with the self score of the sphere.
                QueryKey::Joint(Operator::Scalar(b)) if own && plain && symmetric(model, *b) => beta * b,
                _ => beta * dot(&tokens[i * d..(i + 1) * d], &image),
            })
        };
        let scores: Vec<Vec<_>> = (0..n).map(|i| (0..columns.len()).map(|j| score(i, j)).collect()).collect();
        for (i, row) in weights(model, &scores, &masses).iter().enumerate() {
            for (j, weight) in row.iter().enumerate() {
                let projected_away = j == frozen + i
                    && model.integrator == Integrator::Rk4
                    && parameters.feed_forward.is_none()
                    && matches!(head.value, Operator::Scalar(_));
                if projected_away {
                    continue;
                }
                for k in 0..d {
                    let image: f64 = (0..d).map(|l| value[(k, l)] * columns[j][l]).sum();
                    result[i * d + k] += weight * image;
                }
            }
        }
    }
    let Some(layer) = &parameters.feed_forward else { return result };
    let weight = matrix(&layer.weight, d);
    result
        .chunks(d)
        .flat_map(|a| {
            let hidden: Vec<f64> = a
                .iter()
                .enumerate()
                .map(|(k, a)| {
                    let x = a + layer.bias.get(k).unwrap_or(&0.0);
                    match layer.activation {
                        Activation::Relu => x.max(0.0),
                        Activation::Tanh => (libm::exp(2.0 * x) - 1.0) / (libm::exp(2.0 * x) + 1.0),
                        Activation::Gelu => 0.5 * x * libm::erfc(-x / 2.0_f64.sqrt()),
                    }
                })
                .collect();
            (0..d).map(|k| (0..d).map(|l| weight[(k, l)] * hidden[l]).sum()).collect::<Vec<f64>>()
        })
        .collect()
}

fn normalized(tokens: &[f64], d: usize) -> Vec<f64> {
    tokens.chunks(d).flat_map(|x| x.iter().map(move |k| k / dot(x, x).sqrt())).collect()
}

fn moved(tokens: &[f64], step: f64, velocity: &[f64]) -> Vec<f64> {
    tokens.iter().zip(velocity).map(|(x, v)| x + step * v).collect()
}

fn step(model: &Model, start: &Start) -> Vec<f64> {
    let d = model.d;
    let attention = |tokens: &[f64]| attention(model, &start.parameters, start.beta, tokens);
    let velocity = |tokens: &[f64]| -> Vec<f64> {
        let attention = attention(tokens);
        tokens
            .chunks(d)
            .zip(attention.chunks(d))
            .flat_map(|(x, a)| x.iter().zip(a).map(move |(x_k, a_k)| a_k - dot(x, a) * x_k))
            .collect()
    };
    match model.integrator {
        Integrator::ProjectedEuler | Integrator::Discrete { .. } => {
            normalized(&moved(&start.tokens, start.step, &attention(&start.tokens)), d)
        }
        Integrator::Rk4 => {
            let k1 = velocity(&start.tokens);
            let k2 = velocity(&moved(&start.tokens, start.step / 2.0, &k1));
            let k3 = velocity(&moved(&start.tokens, start.step / 2.0, &k2));
            let k4 = velocity(&moved(&start.tokens, start.step, &k3));
            let mean: Vec<f64> =
                (0..k1.len()).map(|k| (k1[k] + 2.0 * k2[k] + 2.0 * k3[k] + k4[k]) / 6.0).collect();
            normalized(&moved(&start.tokens, start.step, &mean), d)
        }
        Integrator::Adaptive | Integrator::Multiscale => unreachable!("no ensemble takes adaptive steps"),
    }
}

/// Whether the engine takes the scores from the Gram matrix.
fn symmetric(model: &Model, b: f64) -> bool {
    match model.normalization {
        Normalization::Softmax => b >= 0.0,
        Normalization::Unnormalized => true,
        Normalization::Hardmax | Normalization::Sinkhorn => false,
    }
}

/// One step of three lanes against the formula.
fn compare(random: &mut Random, model: &Model, heads: &[(usize, usize)], layer: Option<(Activation, usize)>) {
    let (n, d) = (model.n, model.d);
    // So that velocities, and with them the rounding errors of a stage, stay moderate; and Sinkhorn's iteration is short.
    let hottest = match model.normalization {
        Normalization::Softmax | Normalization::Hardmax => 9.0,
        Normalization::Unnormalized | Normalization::Sinkhorn => 1.0,
    };
    let step_size = if model.integrator == Integrator::Rk4 { 0.01 } else { 0.1 };
    let starts: Vec<Start> = (0..3)
        .map(|_| {
            let mut parameters = random.parameters(heads, d);
            if let Some((activation, kind)) = layer {
                parameters = with_feed_forward(random, &parameters, activation, kind, d);
            }
            Start::new(hottest * random.uniform(), step_size, random.sphere(n, d), parameters)
        })
        .collect();
    let mut ensemble = ensemble(model, &starts, Isa::widest());
    ensemble.step();
    // Sinkhorn's iteration ends at a residual of 1e-12 in the rows; the scalings, and the weights with them, are off by
    // some tens of that, and a step moves tokens by a tenth of it.
    let tolerance = if model.normalization == Normalization::Sinkhorn { 1e-11 } else { 1e-13 };
    for (lane, start) in starts.iter().enumerate() {
        for (x, y) in ensemble.lane_tokens(lane).iter().zip(step(model, start)) {
            assert!((x - y).abs() < tolerance, "{model:?} {start:?}: {x} {y}");
        }
    }
}

const SIZES: [(usize, usize); 7] = [(1, 1), (1, 3), (2, 2), (3, 1), (5, 2), (9, 3), (13, 5)];

#[test]
fn one_step_is_the_formula() {
    let mut random = Random(1);
    for heads in HEADS {
        for (n, d) in SIZES {
            for model in models(n, d) {
                compare(&mut random, &model, heads, None);
            }
        }
    }
}

#[test]
fn one_furnished_step_is_the_formula() {
    let mut random = Random(2);
    for heads in HEADS {
        for (n, d) in [(1, 3), (2, 2), (3, 1), (5, 2), (9, 3)] {
            for model in furnished(&mut random, n, d) {
                compare(&mut random, &model, heads, None);
            }
        }
    }
}

#[test]
fn one_step_through_a_feed_forward_layer_is_the_formula() {
    let mut random = Random(3);
    for heads in HEADS {
        for (n, d) in [(1, 3), (5, 2), (9, 3)] {
            for model in models(n, d) {
                for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
                    for kind in 0..3 {
                        compare(&mut random, &model, heads, Some((activation, kind)));
                    }
                }
            }
        }
    }
}

/// What observers are given is what the reference computes, frozen columns left out.
#[test]
fn the_weights_that_are_shown_are_the_formula() {
    let mut random = Random(4);
    for (n, d) in [(1, 3), (2, 2), (5, 2), (9, 3)] {
        let all: Vec<Model> = models(n, d).into_iter().chain(furnished(&mut random, n, d)).collect();
        for model in all {
            let parameters = random.parameters(&[(4, 0), (2, 1), (3, 2)], d);
            let start = Start::new(random.uniform(), 0.1, random.sphere(n, d), Arc::clone(&parameters));
            let shown = ensemble(&model, std::slice::from_ref(&start), Isa::widest()).attention_weights(0);
            // A_i with V = I of one head at a time, self term included.
            for (head, shown) in parameters.heads.iter().zip(&shown) {
                let head = Head { value: Operator::Diagonal(vec![1.0; d]), ..head.clone() };
                let one = Parameters::new(vec![head]);
                let expected = attention(&model, &one, start.beta, &start.tokens);
                for i in 0..n {
                    let row = &shown[i * n..(i + 1) * n];
                    assert!(row.iter().all(|weight| *weight >= 0.0));
                    if model.frozen.weights.is_empty() {
                        for k in 0..d {
                            let sum: f64 = (0..n).map(|j| row[j] * start.tokens[j * d + k]).sum();
                            assert!((sum - expected[i * d + k]).abs() < 1e-11, "{model:?}");
                        }
                        if model.normalization != Normalization::Unnormalized {
                            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-11, "{model:?}");
                        }
                    }
                }
            }
        }
    }
}
