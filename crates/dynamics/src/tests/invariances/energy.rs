//! Oracle 5: along the exact flow the energy is monotone wherever the velocity is its gradient up to a positive factor a token.

use super::super::support::{Random, ensemble, scalar};
use super::models::{Case, Choice, cases, chance};
use crate::ensemble::{Ensemble, pair_index};
use crate::model::{Geometry, Integrator, LayerNorm, Mask, Normalization, System};
use crate::parameters::{Head, Operator, Parameters, QueryKey};
use crate::simd::Isa;
use std::sync::Arc;

/// Whether Ė = 2β Σ_i α_i ⟨Σ_j α_j e^{β⟨x_i,x_j⟩} x_j, ẋ_i⟩ has one sign. With B = I and V = c·I it is a sum of c·(Z_i/s_i)‖P A_i‖² with
/// positive Z_i and s_i: under every layer norm, with masses, with or without the token itself (P_x x = 0).
///
/// Not under the causal mask, where token i does not feel those that feel it; not for `hardmax` and `sinkhorn`, which are
/// gradients of other things (P0 Remark 3.4); not in R^d, where lengths grow. Along fixed mean shift another sum grows.
fn has_energy(choice: &Choice) -> bool {
    let model = &choice.model;
    matches!(model.geometry, Geometry::Sphere | Geometry::Circle | Geometry::Equiangular)
        && matches!(model.normalization, Normalization::Softmax | Normalization::Unnormalized)
        && model.mask == Mask::Full
        && model.integrator == Integrator::Rk4
        && model.system != System::MeanShift { blurring: false }
}

/// (Σ α)^{−2} Σ_ij α_i α_j e^{β(⟨x_i,x_j⟩−1)}.
fn energy(ensemble: &mut Ensemble, case: &Case) -> f64 {
    let (n, beta) = (case.model.n, case.start.beta);
    if case.model.geometry == Geometry::Equiangular {
        let gap = ensemble.state[0].0[0];
        return (1.0 + (n as f64 - 1.0) * libm::exp(-beta * gap)) / n as f64;
    }
    let mass = |i: usize| case.model.masses.get(i).copied().unwrap_or(1.0);
    let gram: Vec<f64> = ensemble.gram().iter().map(|pack| pack.0[0]).collect();
    let (mut sum, mut total) = (0.0, 0.0);
    for i in 0..n {
        total += mass(i);
        sum += mass(i) * mass(i);
        for j in i + 1..n {
            sum += 2.0 * mass(i) * mass(j) * libm::exp(beta * (gram[pair_index(n, i, j)] - 1.0));
        }
    }
    sum / (total * total)
}

/// The method errs by a share (ηL)⁴ of each displacement, so that with ηL ≤ 0.1 the sign of the change is that of the flow: only
/// rounding is allowed for. A cosine is off by (d + 4)ε/2 as a sum and by as much as the tokens are normalized to, which β
/// multiplies; the mean of the terms adds ε for each partial sum.
#[test]
fn the_energy_is_monotone() {
    let mut random = Random(6);
    let mut grown = 0;
    for mut case in cases(401, 6, has_energy) {
        // Frozen tokens have a share in the energy that the observable does not see.
        case.model.frozen = crate::model::Frozen::default();
        case.start.frequencies = Vec::new();
        case.model.exclude_self &= case.model.n > 1;
        // Against the flow of V = I, A may vanish, where `ngpt` and `peri` have no direction, and radii reach 0 in finite time,
        // where no step is short enough: V = −I is for the other layer norms.
        let is_tame = matches!(case.model.layer_norm, LayerNorm::Post | LayerNorm::Sqrt);
        let mut sign = if is_tame && chance(&mut random, 0.5) { -1.0 } else { 1.0 };
        match case.model.system {
            System::Attention if case.model.geometry != Geometry::Equiangular => {
                let count = 1 + usize::from(chance(&mut random, 0.3));
                let head = |size: f64| Head {
                    query_key: QueryKey::Joint(Operator::Scalar(1.0)),
                    value: Operator::Scalar(sign * size),
                };
                let heads = (0..count).map(|_| head(0.5 + random.uniform())).collect();
                case.start.parameters = Arc::new(Parameters::new(heads));
            }
            System::Kuramoto => {
                sign = case.start.coupling.signum();
                case.start.parameters = scalar(1.0, 1.0);
            }
            _ => sign = 1.0,
        }
        case.settle();
        let mut ensemble = ensemble(&case.model, std::slice::from_ref(&case.start), Isa::widest());
        let first = energy(&mut ensemble, &case);
        let mut before = first;
        let (n, d) = (case.model.n as f64, case.model.d as f64);
        let rounding = f64::EPSILON * (case.start.beta * 2.0 * (d + 8.0) + n + 16.0);
        for _ in 0..60 {
            ensemble.step();
            if !ensemble.finite(0) {
                break;
            }
            let after = energy(&mut ensemble, &case);
            assert!(sign * (after - before) >= -rounding, "{before} {after} ± {rounding}, {}", case.name());
            before = after;
        }
        grown += usize::from(sign * (before - first) > 1e-6);
    }
    assert!(grown > 40, "the energy of {grown} cases changed visibly");
}

/// Where it is said not to be monotone it is not always: the causal mask and hardmax without the token itself each have a start
/// with V = I from which the energy falls. (Otherwise the sentence above would be wrong, or the test blind.)
#[test]
fn the_energy_of_other_weights_may_fall() {
    let falls = |has: &dyn Fn(&Choice) -> bool| {
        cases(402, 30, |choice| {
            choice.model.geometry == Geometry::Sphere
                && choice.model.system == System::Attention
                && choice.model.layer_norm == LayerNorm::Post
                && !choice.is_noisy
                && has(choice)
        })
        .into_iter()
        .any(|mut case| {
            case.model.frozen = crate::model::Frozen::default();
            // Under hardmax a token that sees itself looks at nothing else, and rests.
            case.model.exclude_self = case.model.normalization == Normalization::Hardmax;
            if case.model.exclude_self && (case.model.n < 3 || case.model.mask == Mask::Causal) {
                return false;
            }
            case.start.parameters = scalar(1.0, 1.0);
            case.start.beta = if case.model.exclude_self { 0.3 } else { case.start.beta + 2.0 };
            case.start.step = 1e-3 / case.rate();
            let mut ensemble = ensemble(&case.model, std::slice::from_ref(&case.start), Isa::widest());
            let before = energy(&mut ensemble, &case);
            ensemble.step();
            energy(&mut ensemble, &case) < before - 1e-9
        })
    };
    let rk4 = |choice: &Choice| choice.model.integrator == Integrator::Rk4;
    assert!(falls(&|choice| choice.model.mask == Mask::Causal && rk4(choice)));
    let euler = |choice: &Choice| choice.model.integrator == Integrator::ProjectedEuler;
    assert!(falls(&|choice| choice.model.normalization == Normalization::Hardmax && euler(choice)));
}
