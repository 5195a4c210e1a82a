//! In which systems the convex cone of the tokens never grows, whatever the state: once they are close they stay so.
//!
//! With V = c·I, c ≥ 0, a step of `x_i ← normalize(x_i + η Σ_j w_ij c x_j)` makes each token a combination of tokens with
//! coefficients that are not negative (P0, proof of Lemma 4.2). Two such combinations u = Σ a_k x_k, v = Σ b_k x_k of unit vectors have
//! `⟨u, v⟩ ≥ m Σ a_k Σ b_k ≥ m ‖u‖ ‖v‖`, m being the smallest ⟨x_k, x_l⟩, if that is not negative: the smallest cosine does
//! not fall.

use crate::model::{Geometry, Integrator, LayerNorm, Model, Normalization, System};
use crate::parameters::{Operator, Parameters, QueryKey};
use crate::start::Start;

/// Scores, η c and masses up to which no weight vanishes and no number overflows: e^{300} has a square, and so has a sum of many.
const SCORE: f64 = 300.0;
const FACTOR: f64 = 1e6;

/// Whether a step of any of these replicas leaves the smallest cosine as large as it is, but for rounding errors, and finite, from any
/// state in which it is positive.
pub(crate) fn never_grows(model: &Model, starts: &[Start]) -> bool {
    model.can_stay_together() && starts.iter().all(pulls)
}

impl Model {
    /// Whether tokens that are together can only stay so if no matrix nor noise parts them
    /// ([`Ensemble::stays_together`](crate::ensemble::Ensemble::stays_together)).
    #[must_use]
    pub fn can_stay_together(&self) -> bool {
        matches!(self.integrator, Integrator::ProjectedEuler | Integrator::Discrete { .. })
            && self.system == System::Attention
            && self.geometry == Geometry::Sphere
            && self.layer_norm == LayerNorm::Post
            && self.frozen.weights.is_empty()
            && self.masses.iter().all(|mass| *mass <= FACTOR)
            // Whether Sinkhorn's iteration has an end in every state to come is not known.
            && self.normalization != Normalization::Sinkhorn
            && !self.layered
    }
}

/// Whether no token pushes another, with weights that stay finite.
fn pulls(start: &Start) -> bool {
    let Parameters { heads, feed_forward } = &*start.parameters;
    start.noise.is_none()
        && feed_forward.is_none()
        && start.layers.is_none()
        && (0.0..=FACTOR).contains(&start.step)
        && heads.iter().all(|head| {
            let pulls = matches!(head.value, Operator::Scalar(c) if (0.0..=FACTOR).contains(&c));
            pulls && start.beta * largest(&head.query_key) <= SCORE
        })
}

/// A bound on |⟨Q x, K y⟩| of unit vectors.
fn largest(query_key: &QueryKey) -> f64 {
    match query_key {
        QueryKey::Joint(Operator::Scalar(b)) => b.abs(),
        QueryKey::Joint(Operator::Diagonal(entries)) => {
            entries.iter().fold(0.0, |most, entry| f64::max(most, entry.abs()))
        }
        QueryKey::Joint(Operator::Dense(matrix)) => matrix.norm(),
        QueryKey::Factored { query, key } => query.norm() * key.norm(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Mask;
    use crate::parameters::Head;

    fn start(value: f64, query_key: f64) -> Start {
        let query_key = QueryKey::Joint(Operator::Scalar(query_key));
        let parameters = Parameters::new(vec![Head { query_key, value: Operator::Scalar(value) }]);
        Start::new(9.0, 0.1, vec![1.0, 0.0, 0.0, 1.0], Arc::new(parameters))
    }

    #[test]
    fn tokens_that_pull_one_another_stay_together() {
        let plain = Model::new(2, 2);
        let causal = Model { mask: Mask::Causal, ..plain.clone() };
        let layers = Model { integrator: Integrator::Discrete { residual: false }, ..plain.clone() };
        for model in [&plain, &causal, &layers] {
            assert!(never_grows(model, &[start(1.0, 1.0), start(0.0, -3.0)]));
        }
        for normalization in [Normalization::Softmax, Normalization::Unnormalized, Normalization::Hardmax] {
            let model = Model { normalization, ..plain.clone() };
            assert!(never_grows(&model, &[start(1.0, 33.0)]));
            assert!(!never_grows(&model, &[start(1.0, 34.0)]), "e^306 may have no square");
        }
        assert!(!never_grows(&plain, &[start(1.0, 1.0), start(-1.0, 1.0)]), "one of them repels");
        for other in [
            Model { integrator: Integrator::Rk4, ..plain.clone() },
            Model { geometry: Geometry::Euclidean, ..plain.clone() },
            Model { layer_norm: LayerNorm::Pre, ..plain.clone() },
            Model { normalization: Normalization::Sinkhorn, ..plain.clone() },
            Model { system: System::MeanShift { blurring: false }, ..plain.clone() },
        ] {
            assert!(!never_grows(&other, &[start(1.0, 1.0)]), "{other:?}");
        }
        let mut diagonal = start(1.0, 1.0);
        let query_key = QueryKey::Joint(Operator::Scalar(1.0));
        let value = Operator::Diagonal(vec![1.0, 1.0]);
        diagonal.parameters = Arc::new(Parameters::new(vec![Head { query_key, value }]));
        assert!(!never_grows(&plain, &[diagonal]));
    }
}
