//! Where formulas degenerate: one token, one dimension, β = 0, coincident, antipodal and vanishing tokens, huge β, wrong starts.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::support::{
    HEADS, INTEGRATORS, MASKS, NORMALIZATIONS, Random, ensemble, identity, model, models, scalar,
};
use crate::ensemble::{Ensemble, EnsembleError, Start, pair_index};
use crate::model::{Integrator, Mask, Normalization};
use crate::parameters::{Head, Operator, Parameters, QueryKey};
use crate::simd::Isa;

fn start(beta: f64, step: f64, tokens: &[f64], parameters: &Arc<Parameters>) -> Start {
    Start::new(beta, step, tokens.to_vec(), Arc::clone(parameters))
}

#[test]
fn degenerate_tokens_stay_finite_and_of_unit_length() {
    let mut random = Random(3);
    let cases: [(usize, usize, &[f64]); 6] = [
        (1, 1, &[1.0]),
        (1, 2, &[0.6, -0.8]),
        (3, 1, &[1.0, -1.0, 1.0]),
        (3, 2, &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]),
        (2, 2, &[1.0, 0.0, -1.0, 0.0]),
        (4, 3, &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0]),
    ];
    for (n, d, tokens) in cases {
        for heads in HEADS {
            let parameters = random.parameters(heads, d);
            for model in models(n, d) {
                for beta in [0.0, 1.0, 4.0] {
                    let step = if model.normalization == Normalization::Softmax { 0.1 } else { 1e-4 };
                    let mut ensemble =
                        ensemble(&model, &[start(beta, step, tokens, &parameters)], Isa::widest());
                    for _ in 0..5 {
                        ensemble.step();
                        assert!(ensemble.finite(0), "{model:?} {beta} {parameters:?}");
                    }
                    for x in ensemble.lane_tokens(0).chunks(d) {
                        let length: f64 = x.iter().map(|x| x * x).sum();
                        assert!((length - 1.0).abs() < 4e-16 * (d as f64 + 3.0), "{length}");
                    }
                }
            }
        }
    }
}

/// Coincident tokens stay coincident under the full mask, up to the order in which they sum the others.
#[test]
fn coincident_tokens_stay_coincident() {
    for normalization in NORMALIZATIONS {
        for integrator in INTEGRATORS {
            let model = model(3, 2, normalization, Mask::Full, integrator);
            let tokens = [0.6, 0.8, 0.6, 0.8, -1.0, 0.0];
            let mut ensemble = ensemble(&model, &[start(2.0, 0.01, &tokens, &identity())], Isa::widest());
            for _ in 0..50 {
                ensemble.step();
            }
            let tokens = ensemble.lane_tokens(0);
            for k in 0..2 {
                assert!((tokens[k] - tokens[2 + k]).abs() < 1e-14);
            }
        }
    }
}

/// A consensus is left alone: a step changes no bit, and the lane says so. Before the first step it does not.
#[test]
fn consensus_is_stationary() {
    for normalization in NORMALIZATIONS {
        for mask in MASKS {
            let model = model(4, 2, normalization, mask, Integrator::Rk4);
            let tokens = [1.0, 0.0].repeat(4);
            let mut ensemble = ensemble(&model, &[start(3.0, 0.1, &tokens, &identity())], Isa::widest());
            assert!(!ensemble.stationary(0) && ensemble.finite(0));
            ensemble.step();
            assert!(ensemble.stationary(0) && ensemble.finite(0));
            assert_eq!(ensemble.lane_tokens(0), tokens);
        }
    }
}

/// Long after the collapse nothing drifts.
#[test]
fn rounding_does_not_drift() {
    let mut random = Random(8);
    let model = model(8, 3, Normalization::Softmax, Mask::Full, Integrator::ProjectedEuler);
    let starts: Vec<Start> = (0..8).map(|_| start(1.0, 0.1, &random.sphere(8, 3), &identity())).collect();
    let mut ensemble = ensemble(&model, &starts, Isa::widest());
    for _ in 0..2000 {
        ensemble.step();
    }
    let before: Vec<_> = (0..8).map(|lane| ensemble.lane_tokens(lane)).collect();
    for _ in 0..2000 {
        ensemble.step();
    }
    for (lane, before) in before.iter().enumerate() {
        for (x, y) in before.iter().zip(ensemble.lane_tokens(lane)) {
            assert!((x - y).abs() < 1e-12);
        }
    }
}

/// USA at β = 700: e^β times a velocity could overflow, η e^β does not.
#[test]
fn the_common_factor_does_not_overflow() {
    for integrator in INTEGRATORS {
        for beta in [300.0, 700.0] {
            let model = model(3, 2, Normalization::Unnormalized, Mask::Full, integrator);
            // η = 0.1 e^{−β}, the size of the authors' step.
            let step = 0.1 * libm::exp(-beta / 2.0) * libm::exp(-beta / 2.0);
            let tokens = [1.0, 0.0, libm::cos(0.03), libm::sin(0.03), 0.0, 1.0];
            let mut ensemble = ensemble(&model, &[start(beta, step, &tokens, &identity())], Isa::widest());
            ensemble.step();
            assert!(ensemble.finite(0), "{integrator:?} {beta}");
            assert!(ensemble.lane_tokens(0)[1] > 0.0, "the close pair attracts: {integrator:?} {beta}");
        }
    }
}

/// A token whose step ends at the origin has no direction: the lane fails, with NaN, and stays failed.
#[test]
fn a_vanishing_token_fails_its_lane() {
    let model = model(1, 2, Normalization::Softmax, Mask::Full, Integrator::ProjectedEuler);
    let starts =
        [start(1.0, 1.0, &[1.0, 0.0], &scalar(1.0, -1.0)), start(1.0, 0.5, &[1.0, 0.0], &scalar(1.0, -1.0))];
    let mut ensemble = ensemble(&model, &starts, Isa::widest());
    for _ in 0..3 {
        ensemble.step();
        assert!(!ensemble.finite(0) && !ensemble.stationary(0));
        assert!(ensemble.lane_tokens(0)[0].is_nan());
        assert_eq!(ensemble.lane_tokens(1), [1.0, 0.0]);
    }
}

#[test]
fn pairs_are_packed_row_by_row() {
    for n in 1..20 {
        let mut at = 0;
        for i in 0..n {
            for j in i + 1..n {
                assert_eq!(pair_index(n, i, j), at);
                at += 1;
            }
        }
    }
}

#[test]
fn starts_that_do_not_fit_are_refused() {
    let model = model(2, 2, Normalization::Softmax, Mask::Full, Integrator::ProjectedEuler);
    let good = start(1.0, 0.1, &[1.0, 0.0, 0.0, 1.0], &identity());
    let refused = |starts: &[Start]| match Ensemble::new(&model, starts, Isa::Portable) {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    };
    let head = |query_key, value| Arc::new(Parameters::new(vec![Head { query_key, value }]));
    assert_eq!(refused(&[]), EnsembleError::Lanes(0));
    assert_eq!(refused(&vec![good.clone(); 9]), EnsembleError::Lanes(9));
    assert!(matches!(
        refused(&[start(1.0, 0.1, &[1.0], &identity())]),
        EnsembleError::Tokens { lane: 0, found: 1, .. }
    ));
    assert!(matches!(refused(&[start(-1.0, 0.1, &good.tokens, &identity())]), EnsembleError::Beta { .. }));
    assert!(matches!(
        refused(&[start(1.0, f64::NAN, &good.tokens, &identity())]),
        EnsembleError::Step { .. }
    ));
    let none = Arc::new(Parameters::new(vec![]));
    assert_eq!(refused(&[start(1.0, 0.1, &good.tokens, &none)]), EnsembleError::NoHeads);
    let wide = head(QueryKey::Joint(Operator::Scalar(1.0)), Operator::Dense(DMatrix::zeros(3, 2)));
    assert_eq!(
        refused(&[start(1.0, 0.1, &good.tokens, &wide)]).to_string(),
        "V of head 0 of lane 0 is 3 × 2, which does not act on vectors of 2 coordinates"
    );
    let diagonal = head(QueryKey::Joint(Operator::Scalar(1.0)), Operator::Diagonal(vec![1.0, 1.0]));
    assert!(matches!(
        refused(&[good.clone(), start(1.0, 0.1, &good.tokens, &diagonal)]),
        EnsembleError::MixedParameters { lane: 1, .. }
    ));
    let state = super::support::ensemble(&model, &[good.clone(), good.clone()], Isa::Portable).save();
    assert!(Ensemble::restore(&model, &[good], &state, Isa::Portable).is_err());
}
