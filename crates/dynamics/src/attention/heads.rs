//! The parameters of all lanes, head by head, in the form the attention kernels take.

use std::sync::Arc;

use crate::attention::maps::{LaneMap, gather};
use crate::ensemble::EnsembleError;
use crate::model::Normalization;
use crate::parameters::{Head, Operator, Parameters, QueryKey};
use crate::simd::Pack;

/// How the scores of a head come about.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "one a head, and never moved")]
pub(crate) enum Score {
    /// `κ⟨x_i, x_j⟩`: from the Gram matrix, one exponential a pair.
    Symmetric,
    /// `κ⟨Q x_i, K x_j⟩`; None is the identity.
    Mapped { query: Option<LaneMap>, key: Option<LaneMap> },
}

/// One head of all lanes.
#[derive(Clone, Debug)]
pub(crate) struct LaneHead {
    pub score: Score,
    /// What multiplies the inner product: βb if B = b·I, else β.
    pub kappa: Pack,
    /// Whether B = b·I with b ≥ 0: then e^{s_ij} is symmetric and positive semidefinite.
    pub is_positive: bool,
    /// V; a scalar is multiplied in at the end.
    pub value: LaneMap,
}

/// Puts the lanes' parameters side by side. `symmetric`: whether scores may come from the Gram matrix.
///
/// # Errors
/// If a matrix does not fit d, or the lanes' matrices differ in kind: a replica's operations, hence its bits, would
/// depend on its neighbours.
pub(crate) fn lane_heads(
    betas: &[f64],
    lanes: &[Arc<Parameters>],
    d: usize,
    normalization: Normalization,
    symmetric: bool,
) -> Result<Vec<LaneHead>, EnsembleError> {
    let first = &lanes[0];
    if first.heads.is_empty() {
        return Err(EnsembleError::NoHeads);
    }
    for (lane, parameters) in lanes.iter().enumerate() {
        let heads = &parameters.heads;
        if heads.len() != first.heads.len() {
            return Err(EnsembleError::MixedParameters { lane, what: "number of heads" });
        }
        for (head, (own, reference)) in heads.iter().zip(&first.heads).enumerate() {
            check_shape(own, d, lane, head)?;
            if !same_kind(&own.value, &reference.value) {
                return Err(EnsembleError::MixedParameters { lane, what: "kind of V" });
            }
            if !same_query_key(&own.query_key, &reference.query_key) {
                return Err(EnsembleError::MixedParameters { lane, what: "kind of QᵀK" });
            }
        }
    }
    let beta = gather(betas, |beta| *beta);
    let mut heads: Vec<_> =
        (0..first.heads.len()).map(|head| lane_head(beta, lanes, head, normalization)).collect();
    for head in &mut heads {
        if !symmetric && matches!(head.score, Score::Symmetric) {
            head.score = Score::Mapped { query: None, key: None };
        }
    }
    Ok(heads)
}

fn lane_head(beta: Pack, lanes: &[Arc<Parameters>], head: usize, normalization: Normalization) -> LaneHead {
    let shared = lanes.iter().all(|parameters| Arc::ptr_eq(parameters, &lanes[0]));
    let heads: Vec<&Head> = lanes.iter().map(|parameters| &parameters.heads[head]).collect();
    let values: Vec<&Operator> = heads.iter().map(|head| &head.value).collect();
    let is_positive = matches!(heads[0].query_key, QueryKey::Joint(Operator::Scalar(b)) if b >= 0.0);
    let (score, kappa) = match &heads[0].query_key {
        QueryKey::Joint(Operator::Scalar(b)) => {
            let mut kappa = beta;
            for (lane, product) in kappa.0.iter_mut().enumerate() {
                *product *= scalar(&heads.get(lane).unwrap_or(&heads[0]).query_key);
            }
            // For b < 0 the largest score of a row is not known beforehand: softmax must look for it.
            if *b < 0.0 && normalization != Normalization::Unnormalized {
                (Score::Mapped { query: None, key: None }, kappa)
            } else {
                (Score::Symmetric, kappa)
            }
        }
        QueryKey::Joint(_) => {
            let forms: Vec<&Operator> = heads
                .iter()
                .filter_map(|head| match &head.query_key {
                    QueryKey::Joint(form) => Some(form),
                    QueryKey::Factored { .. } => None,
                })
                .collect();
            (Score::Mapped { query: None, key: Some(lane_map(&forms, shared)) }, beta)
        }
        QueryKey::Factored { .. } => {
            let factors: Vec<_> = heads
                .iter()
                .filter_map(|head| match &head.query_key {
                    QueryKey::Factored { query, key } => Some((query, key)),
                    QueryKey::Joint(_) => None,
                })
                .collect();
            let queries: Vec<_> = factors.iter().map(|(query, _)| *query).collect();
            let keys: Vec<_> = factors.iter().map(|(_, key)| *key).collect();
            let query = Some(LaneMap::dense(&queries, shared));
            (Score::Mapped { query, key: Some(LaneMap::dense(&keys, shared)) }, beta)
        }
    };
    LaneHead { score, kappa, is_positive, value: lane_map(&values, shared) }
}

/// b of B = b·I. Lanes have been checked to be of one kind.
fn scalar(query_key: &QueryKey) -> f64 {
    match query_key {
        QueryKey::Joint(Operator::Scalar(b)) => *b,
        _ => f64::NAN,
    }
}

/// Operators of one kind, side by side; `shared` if they are one and the same.
pub(crate) fn lane_map(operators: &[&Operator], shared: bool) -> LaneMap {
    match operators[0] {
        Operator::Scalar(_) => LaneMap::Scalar(gather(operators, |operator| match operator {
            Operator::Scalar(c) => *c,
            _ => f64::NAN,
        })),
        Operator::Diagonal(entries) => LaneMap::Diagonal(
            (0..entries.len())
                .map(|k| {
                    gather(operators, |operator| match operator {
                        Operator::Diagonal(entries) => entries[k],
                        _ => f64::NAN,
                    })
                })
                .collect(),
        ),
        Operator::Dense(_) => {
            let matrices: Vec<_> = operators
                .iter()
                .filter_map(|operator| match operator {
                    Operator::Dense(matrix) => Some(matrix),
                    _ => None,
                })
                .collect();
            LaneMap::dense(&matrices, shared)
        }
    }
}

fn check_shape(head: &Head, d: usize, lane: usize, index: usize) -> Result<(), EnsembleError> {
    let wrong =
        |what, found: String| Err(EnsembleError::MatrixShape { lane, head: index, what, found, expected: d });
    let square = |what, operator: &Operator| match operator {
        Operator::Diagonal(entries) if entries.len() != d => {
            wrong(what, format!("{} diagonal entries", entries.len()))
        }
        Operator::Dense(matrix) if matrix.shape() != (d, d) => {
            wrong(what, format!("{} × {}", matrix.nrows(), matrix.ncols()))
        }
        _ => Ok(()),
    };
    square("V", &head.value)?;
    match &head.query_key {
        QueryKey::Joint(operator) => square("QᵀK", operator),
        QueryKey::Factored { query, key } => {
            if query.ncols() != d || key.ncols() != d || query.nrows() != key.nrows() || query.nrows() == 0 {
                let shapes = (query.nrows(), query.ncols(), key.nrows(), key.ncols());
                return wrong(
                    "Q and K",
                    format!("{} × {} and {} × {}", shapes.0, shapes.1, shapes.2, shapes.3),
                );
            }
            Ok(())
        }
    }
}

fn same_kind(a: &Operator, b: &Operator) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn same_query_key(a: &QueryKey, b: &QueryKey) -> bool {
    match (a, b) {
        (QueryKey::Joint(Operator::Scalar(a)), QueryKey::Joint(Operator::Scalar(b))) => {
            (*a < 0.0) == (*b < 0.0)
        }
        (QueryKey::Joint(a), QueryKey::Joint(b)) => same_kind(a, b),
        (QueryKey::Factored { query: a, .. }, QueryKey::Factored { query: b, .. }) => a.nrows() == b.nrows(),
        _ => false,
    }
}
