//! One step against the formulas of docs/models.md, written down naively, one number at a time.

use nalgebra::DMatrix;

use super::support::{HEADS, Random, ensemble, models};
use crate::ensemble::Start;
use crate::model::{Integrator, Mask, Model, Normalization};
use crate::parameters::{Operator, Parameters, QueryKey};
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

/// A_i of every token.
fn attention(model: &Model, parameters: &Parameters, beta: f64, tokens: &[f64]) -> Vec<f64> {
    let Model { n, d, .. } = *model;
    let token = |i: usize| &tokens[i * d..(i + 1) * d];
    let mut result = vec![0.0; n * d];
    for head in &parameters.heads {
        let form = match &head.query_key {
            QueryKey::Joint(form) => matrix(form, d),
            QueryKey::Factored { query, key } => query.transpose() * key,
        };
        let value = matrix(&head.value, d);
        for i in 0..n {
            let seen = if model.mask == Mask::Causal { i + 1 } else { n };
            let scores: Vec<f64> = (0..seen)
                .map(|j| {
                    let image: Vec<f64> =
                        (0..d).map(|k| (0..d).map(|l| form[(k, l)] * token(j)[l]).sum()).collect();
                    match &head.query_key {
                        // Off the sphere, in the stages of rk4: the field is extended with the self score of the sphere.
                        QueryKey::Joint(Operator::Scalar(b)) if i == j && symmetric(model, *b) => beta * b,
                        _ => beta * dot(token(i), &image),
                    }
                })
                .collect();
            let weights: Vec<f64> = scores.iter().map(|&score| libm::exp(score)).collect();
            let divisor = match model.normalization {
                Normalization::Softmax => weights.iter().sum(),
                Normalization::Unnormalized => seen as f64,
            };
            for (j, weight) in weights.iter().enumerate() {
                if i == j && model.integrator == Integrator::Rk4 && matches!(head.value, Operator::Scalar(_))
                {
                    continue;
                }
                for k in 0..d {
                    let image: f64 = (0..d).map(|l| value[(k, l)] * token(j)[l]).sum();
                    result[i * d + k] += weight / divisor * image;
                }
            }
        }
    }
    result
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
    }
}

/// Whether the engine takes the scores from the Gram matrix.
fn symmetric(model: &Model, b: f64) -> bool {
    b >= 0.0 || model.normalization == Normalization::Unnormalized
}

#[test]
fn one_step_is_the_formula() {
    let mut random = Random(1);
    for heads in HEADS {
        for (n, d) in [(1, 1), (1, 3), (2, 2), (3, 1), (5, 2), (9, 3), (13, 5)] {
            for model in models(n, d) {
                // So that velocities, and with them the rounding errors of a stage, stay moderate.
                let hottest = if model.normalization == Normalization::Softmax { 9.0 } else { 1.0 };
                let step_size = if model.integrator == Integrator::Rk4 { 0.01 } else { 0.1 };
                let starts: Vec<Start> = (0..3)
                    .map(|_| {
                        Start::new(
                            hottest * random.uniform(),
                            step_size,
                            random.sphere(n, d),
                            random.parameters(heads, d),
                        )
                    })
                    .collect();
                let mut ensemble = ensemble(&model, &starts, Isa::widest());
                ensemble.step();
                for (lane, start) in starts.iter().enumerate() {
                    for (x, y) in ensemble.lane_tokens(lane).iter().zip(step(&model, start)) {
                        assert!((x - y).abs() < 1e-13, "{model:?} {start:?}: {x} {y}");
                    }
                }
            }
        }
    }
}
