//! The attention weights themselves, one lane at a time: what observables and the table `attention` look at.
//!
//! The integrators never form this matrix whole, and in their kernels the bits of a weight hang together with blocks and shifts;
//! here stands the definition written out (docs/models.md), each sum in index order, the same on every machine. Called by
//! [`Ensemble::attention_weights`](crate::ensemble::Ensemble::attention_weights) at sample times alone.

use super::dual_newton::{self, Potentials};
use super::hardmax::TIE;
use super::sinkhorn::{MOST, MOST_IN_TURN, tolerance};
use crate::model::{Mask, Model, Normalization};
use crate::parameters::{Head, Operator, QueryKey};
use crate::simd::exp_scalar;

/// `w_ij` of one head, n × n row-major; zero where the mask hides j from i.
pub(crate) fn weights(model: &Model, beta: f64, head: &Head, tokens: &[f64]) -> Vec<f64> {
    let Model { n, d, .. } = *model;
    let frozen = model.frozen.weights.len();
    // Columns as in the kernels: frozen tokens, then tokens.
    let columns = frozen + n;
    let others: Vec<f64> = model.frozen.points.iter().chain(tokens).copied().collect();
    let mut masses = model.frozen.weights.clone();
    masses.extend((0..n).map(|i| model.masses.get(i).copied().unwrap_or(1.0)));
    let (queries, _) = sides(&head.query_key, tokens, d);
    let (_, keys) = sides(&head.query_key, &others, d);
    let width = queries.len() / n;
    // A score of −∞ is a weight of 0.
    let mut weights = vec![f64::NEG_INFINITY; n * columns];
    for (i, row) in weights.chunks_exact_mut(columns).enumerate() {
        let seen = if model.mask == Mask::Causal { frozen + i + 1 } else { columns };
        let query = &queries[i * width..(i + 1) * width];
        for (j, (score, key)) in row[..seen].iter_mut().zip(keys.chunks_exact(width)).enumerate() {
            if !(model.exclude_self && j == frozen + i) {
                *score = beta * product(query, key);
            }
        }
    }
    let is_positive = matches!(head.query_key, QueryKey::Joint(Operator::Scalar(b)) if b >= 0.0);
    if model.normalization == Normalization::Sinkhorn && is_positive && !model.exclude_self {
        symmetric_doubly_stochastic(&mut weights, &masses);
    } else if model.normalization == Normalization::Sinkhorn {
        doubly_stochastic(&mut weights, &masses);
    } else {
        for row in weights.chunks_exact_mut(columns) {
            normalize(model.normalization, row, &masses);
        }
    }
    weights.chunks_exact(columns).flat_map(|row| row[frozen..].iter().copied()).collect()
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

/// Scores of one row into its weights.
fn normalize(normalization: Normalization, row: &mut [f64], masses: &[f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let seen = |score: f64| score > f64::NEG_INFINITY;
    let modulus =
        row.iter().filter(|score| seen(**score)).fold(0.0, |modulus: f64, score| modulus.max(score.abs()));
    let mut sum = 0.0;
    for (score, mass) in row.iter_mut().zip(masses) {
        let weight = match normalization {
            Normalization::Softmax | Normalization::Sinkhorn => mass * exp_scalar(*score - largest),
            Normalization::Unnormalized => mass * exp_scalar(*score),
            Normalization::Hardmax if *score >= largest - TIE * modulus => *mass,
            Normalization::Hardmax => 0.0,
        };
        sum += match normalization {
            Normalization::Unnormalized if seen(*score) => *mass,
            Normalization::Unnormalized => 0.0,
            _ => weight,
        };
        *score = weight;
    }
    for weight in row {
        *weight /= sum;
    }
}

/// The scores of a positive semidefinite form into doubly stochastic weights, as in [`super::sinkhorn`].
fn symmetric_doubly_stochastic(matrix: &mut [f64], masses: &[f64]) {
    let n = masses.len();
    let half: Vec<f64> = (0..n).map(|i| 0.5 * matrix[i * n + i]).collect();
    for (at, entry) in matrix.iter_mut().enumerate() {
        *entry = exp_scalar(*entry - (half[at / n] + half[at % n]));
    }
    let mut scaling = vec![1.0; n];
    for _ in 0..MOST {
        let sum = |i: usize| (0..n).fold(0.0, |sum, j| sum + matrix[i * n + j] * (masses[j] * scaling[j]));
        let sums: Vec<f64> = (0..n).map(sum).collect();
        let off = |(u, sum): (&f64, &f64)| (u * sum - 1.0).abs();
        let residual = scaling.iter().zip(&sums).map(off).fold(0.0, f64::max);
        if residual <= tolerance(n, 0.0) {
            for (at, entry) in matrix.iter_mut().enumerate() {
                let (i, j) = (at / n, at % n);
                *entry *= scaling[i] * (masses[j] * scaling[j]);
            }
            return;
        }
        scaling.iter_mut().zip(sums).for_each(|(u, sum)| *u = (*u / sum).sqrt());
    }
    matrix.fill(f64::NAN);
}

/// Scores into doubly stochastic weights: rows and columns normalized in turn, in logarithms, and what that does not finish
/// by Newton's method. NaN if there are none.
fn doubly_stochastic(matrix: &mut [f64], masses: &[f64]) {
    let Some(Potentials { rows, columns }) = potentials(matrix, masses) else {
        matrix.fill(f64::NAN);
        return;
    };
    let n = masses.len();
    for (at, weight) in matrix.iter_mut().enumerate() {
        let (i, j) = (at / n, at % n);
        *weight = masses[j] * exp_scalar(*weight + (rows[i] + columns[j]));
    }
}

fn potentials(matrix: &[f64], masses: &[f64]) -> Option<Potentials> {
    let n = masses.len();
    let log_sum = |entries: &dyn Fn(usize) -> f64| {
        let largest = (0..n).map(entries).fold(f64::NEG_INFINITY, f64::max);
        let sum = (0..n).fold(0.0, |sum, k| sum + masses[k] * exp_scalar(entries(k) - largest));
        largest + libm::log(sum)
    };
    let largest = matrix
        .iter()
        .filter(|score| score.is_finite())
        .fold(0.0, |largest: f64, score| largest.max(score.abs()));
    let tolerance = tolerance(n, largest);
    let (mut rows, mut columns) = (vec![f64::INFINITY; n], vec![0.0; n]);
    for _ in 0..MOST_IN_TURN {
        let mut residual: f64 = 0.0;
        for i in 0..n {
            let row = -log_sum(&|j| matrix[i * n + j] + columns[j]);
            residual = residual.max((row - rows[i]).abs());
            rows[i] = row;
        }
        if residual <= tolerance {
            return Some(Potentials { rows, columns });
        }
        for j in 0..n {
            columns[j] = -log_sum(&|i| matrix[i * n + j] + rows[i]);
        }
    }
    dual_newton::potentials(matrix, masses, columns, tolerance)
}
