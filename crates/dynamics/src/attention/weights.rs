//! The attention weights themselves, one lane at a time: what observables and the table `attention` look at.
//!
//! The integrators never form this matrix whole, and in their kernels the bits of a weight hang together with blocks and shifts;
//! here stands the definition written out (docs/models.md), each sum in index order, the same on every machine. Called by
//! [`Ensemble::attention_weights`](crate::ensemble::Ensemble::attention_weights) at sample times alone.

use crate::model::{Mask, Model, Normalization};
use crate::parameters::{Head, Operator, QueryKey};
use crate::simd::exp_scalar;

/// `w_ij` of one head, n × n row-major; zero where the mask hides j from i.
pub(crate) fn weights(model: &Model, beta: f64, head: &Head, tokens: &[f64]) -> Vec<f64> {
    let Model { n, d, .. } = *model;
    let (queries, keys) = sides(&head.query_key, tokens, d);
    let width = keys.len() / n;
    let mut weights = vec![0.0; n * n];
    for (i, row) in weights.chunks_exact_mut(n).enumerate() {
        let seen = if model.mask == Mask::Causal { i + 1 } else { n };
        let row = &mut row[..seen];
        let query = &queries[i * width..(i + 1) * width];
        for (score, key) in row.iter_mut().zip(keys.chunks_exact(width)) {
            *score = beta * product(query, key);
        }
        match model.normalization {
            Normalization::Softmax => softmax(row),
            Normalization::Unnormalized => {
                for score in row.iter_mut() {
                    *score = exp_scalar(*score) / seen as f64;
                }
            }
        }
    }
    weights
}

/// What stands on the two sides of the scores: the rows Q x_i and K x_j, or x_i and B x_j.
fn sides(query_key: &QueryKey, tokens: &[f64], d: usize) -> (Vec<f64>, Vec<f64>) {
    let rows =
        |apply: &dyn Fn(&[f64]) -> Vec<f64>| tokens.chunks_exact(d).flat_map(apply).collect::<Vec<f64>>();
    let dense = |matrix: &nalgebra::DMatrix<f64>, x: &[f64]| -> Vec<f64> {
        (0..matrix.nrows()).map(|r| (0..d).fold(0.0, |sum, c| sum + matrix[(r, c)] * x[c])).collect()
    };
    match query_key {
        QueryKey::Joint(Operator::Scalar(b)) => {
            (tokens.to_vec(), rows(&|x| x.iter().map(|x| b * x).collect()))
        }
        QueryKey::Joint(Operator::Diagonal(entries)) => {
            (tokens.to_vec(), rows(&|x| x.iter().zip(entries).map(|(x, b)| b * x).collect()))
        }
        QueryKey::Joint(Operator::Dense(matrix)) => (tokens.to_vec(), rows(&|x| dense(matrix, x))),
        QueryKey::Factored { query, key } => (rows(&|x| dense(query, x)), rows(&|x| dense(key, x))),
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// `e^{s_j} / Σ_k e^{s_k}`, the largest score subtracted first.
fn softmax(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in row.iter_mut() {
        *score = exp_scalar(*score - largest);
        sum += *score;
    }
    for weight in row.iter_mut() {
        *weight /= sum;
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;
    use crate::model::{Geometry, Integrator, LayerNorm};

    fn model(n: usize, d: usize, normalization: Normalization, mask: Mask) -> Model {
        Model {
            n,
            d,
            normalization,
            mask,
            geometry: Geometry::Sphere,
            layer_norm: LayerNorm::Post,
            integrator: Integrator::Rk4,
        }
    }

    fn head(query_key: QueryKey) -> Head {
        Head { query_key, value: Operator::Scalar(1.0) }
    }

    #[test]
    fn orthonormal_tokens_weigh_e_to_the_beta_against_one() {
        let tokens = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let identity = head(QueryKey::Joint(Operator::Scalar(1.0)));
        let e = libm::exp(2.0);
        for (mask, seen) in [(Mask::Full, [3, 3, 3]), (Mask::Causal, [1, 2, 3])] {
            let softmax = weights(&model(3, 3, Normalization::Softmax, mask), 2.0, &identity, &tokens);
            let plain = weights(&model(3, 3, Normalization::Unnormalized, mask), 2.0, &identity, &tokens);
            for (i, count) in seen.into_iter().enumerate() {
                for j in 0..3 {
                    let above = if j >= count {
                        0.0
                    } else if i == j {
                        e
                    } else {
                        1.0
                    };
                    let sum = e + count as f64 - 1.0;
                    assert!((softmax[3 * i + j] - above / sum).abs() < 1e-15);
                    assert!((plain[3 * i + j] - above / count as f64).abs() < 1e-14);
                }
            }
        }
    }

    #[test]
    fn joint_and_factored_forms_agree() {
        let query = DMatrix::from_row_slice(3, 2, &[0.3, -1.0, 0.7, 0.2, -0.4, 1.1]);
        let key = DMatrix::from_row_slice(3, 2, &[1.3, 0.5, -0.2, 0.9, 0.8, -0.6]);
        let entry = |i: usize, j: usize| (0..3).map(|r| query[(r, i)] * key[(r, j)]).sum::<f64>();
        let form = DMatrix::from_fn(2, 2, entry);
        let tokens = [0.6, 0.8, -0.8, 0.6, 1.0, 0.0];
        let model = model(3, 2, Normalization::Softmax, Mask::Full);
        let apart = weights(&model, 1.5, &head(QueryKey::Factored { query, key }), &tokens);
        let joint = weights(&model, 1.5, &head(QueryKey::Joint(Operator::Dense(form))), &tokens);
        // Scores below 4 in modulus, a dozen roundings.
        assert!(apart.iter().zip(&joint).all(|(a, b)| (a - b).abs() < 1e-14));
        for row in joint.chunks_exact(3) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        }
    }
}
