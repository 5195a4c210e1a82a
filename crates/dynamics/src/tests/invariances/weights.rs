//! What masses, frozen tokens, heads and rows without the token itself are, said without them: twice the same token, a token
//! put back after every step, another V, another length of time.

use std::sync::Arc;

use super::super::support::Random;
use super::measure::{STEPS, Tally, end, finer};
use super::models::{Case, NORMALIZATIONS, cases};
use crate::model::{Geometry, Integrator, LayerNorm, Mask, Normalization, System};
use crate::parameters::{Head, Operator, Parameters};

/// A token of mass 2 is two tokens: under the causal mask the first one, whose halves see the same direction. Not where tokens
/// do not see themselves, as the halves see each other; nor where the first half sees frozen tokens with half its mass.
#[test]
fn a_token_twice_is_a_token_of_mass_two() {
    let mut random = Random(3);
    let mut tally = Tally::default();
    for mut case in cases(201, 4, |choice| !choice.is_noisy && choice.model.geometry != Geometry::Equiangular)
    {
        let is_causal = case.model.mask == Mask::Causal;
        if case.model.exclude_self || (is_causal && !case.model.frozen.weights.is_empty()) {
            continue;
        }
        let (n, d) = (case.model.n, case.model.d);
        let heavy = if is_causal { 0 } else { (random.bits() % n as u64) as usize };
        let mut doubled = case.clone();
        doubled.model.n += 1;
        let token = case.start.tokens[heavy * d..(heavy + 1) * d].to_vec();
        doubled.start.tokens.splice(heavy * d..heavy * d, token);
        if !case.start.frequencies.is_empty() {
            doubled.start.frequencies.insert(heavy, case.start.frequencies[heavy]);
        }
        if case.model.masses.is_empty() {
            // The doubled tokens are those of the plain kernels.
            case.model.masses = vec![1.0; n];
            case.model.masses[heavy] = 2.0;
        } else {
            let share = 0.25 + 0.5 * random.uniform();
            let mass = case.model.masses[heavy];
            doubled.model.masses[heavy] = share * mass;
            doubled.model.masses.insert(heavy + 1, mass - share * mass);
        }
        let without_twin = |end: Vec<f64>| -> Vec<f64> {
            let (tokens, radii) = end.split_at((n + 1) * d);
            let radii = radii.iter().enumerate().filter(|(i, _)| *i != heavy).map(|(_, radius)| *radius);
            [&tokens[..heavy * d], &tokens[(heavy + 1) * d..]].concat().into_iter().chain(radii).collect()
        };
        let merged = |steps| end(&finer(&case, steps), steps);
        let twice = |steps| end(&finer(&doubled, steps), steps).map(without_twin);
        tally.compare_on_the_sphere(&case, merged, twice, "a token twice");
    }
    tally.conclude();
}

/// Frozen tokens are tokens that stand first, seen by all, and do not move: one step of the others is that of a system in which
/// they are tokens. (After it they have moved there; the stages of `rk4` would see that.)
#[test]
fn frozen_tokens_are_tokens_that_do_not_move() {
    let mut tally = Tally::default();
    for case in cases(202, 12, |choice| !choice.is_noisy && choice.model.integrator != Integrator::Rk4) {
        let frozen = &case.model.frozen;
        let m = frozen.weights.len();
        // The first of them would see no token at all.
        if m == 0 || (case.model.exclude_self && case.model.mask == Mask::Causal) {
            continue;
        }
        let (n, d) = (case.model.n, case.model.d);
        let masses = if case.model.masses.is_empty() { vec![1.0; n] } else { case.model.masses.clone() };
        let mut moving = case.clone();
        moving.model.n = m + n;
        moving.model.masses = [frozen.weights.clone(), masses].concat();
        moving.start.tokens = [frozen.points.clone(), case.start.tokens.clone()].concat();
        if !case.start.frequencies.is_empty() {
            moving.start.frequencies = [vec![0.0; m], case.start.frequencies.clone()].concat();
        }
        moving.model.frozen = crate::model::Frozen::default();
        let others = |end: Vec<f64>| -> Vec<f64> {
            let (tokens, radii) = end.split_at((m + n) * d);
            [&tokens[m * d..], radii.get(m..).unwrap_or(&[])].concat()
        };
        tally.compare(&case, end(&case, 1), end(&moving, 1).map(others), "a token that does not move");
    }
    tally.conclude();
}

fn with_heads(case: &Case, heads: Vec<Head>) -> Case {
    let feed_forward = case.start.parameters.feed_forward.clone();
    let mut case = case.clone();
    case.start.parameters = Arc::new(Parameters { heads, feed_forward });
    case
}

fn times(operator: &Operator, factor: f64) -> Operator {
    match operator {
        Operator::Scalar(c) => Operator::Scalar(factor * c),
        Operator::Diagonal(entries) => {
            Operator::Diagonal(entries.iter().map(|entry| factor * entry).collect())
        }
        Operator::Dense(matrix) => Operator::Dense(factor * matrix),
    }
}

/// Heads are summed: H equal ones are one whose V is H times as large. Where the right side is proportional to A and knows no
/// time (`post` and `pre`, without a feed-forward layer or noise), that is one head for H times as long.
#[test]
fn equal_heads_are_one_that_is_as_many_times_as_fast() {
    let mut random = Random(4);
    let (mut larger, mut faster) = (Tally::default(), Tally::default());
    for case in cases(203, 3, |choice| {
        choice.model.system == System::Attention
            && !matches!(choice.model.geometry, Geometry::Rescaled | Geometry::Equiangular)
    }) {
        let count = 2 + (random.bits() % 2) as usize;
        let head = case.start.parameters.heads[0].clone();
        let mut equal = with_heads(&case, vec![head.clone(); count]);
        if !case.forgets() {
            equal.start.step /= count as f64;
        }
        let mut one =
            with_heads(&case, vec![Head { value: times(&head.value, count as f64), ..head.clone() }]);
        one.start.step = equal.start.step;
        let reached = end(&equal, STEPS);
        larger.compare(&one, reached.clone(), end(&one, STEPS), "a larger V");
        let is_proportional = matches!(case.model.layer_norm, LayerNorm::Post | LayerNorm::Pre);
        let is_fed = case.start.parameters.feed_forward.is_some();
        if is_proportional && !case.forgets() && !is_fed && case.start.noise.is_none() {
            let longer = with_heads(&case, vec![head]);
            faster.compare(&longer, reached, end(&longer, STEPS), "a longer time");
        }
    }
    larger.conclude();
    faster.conclude();
}

/// `exclude_self` under `unnormalized`, V = c·I: P_x takes the token's own term away in any case, and what is left is divided by
/// n − 1 + Σ a_j in place of n + Σ a_j: the same flow at another speed. Full mask and equal masses, so that the speed is common;
/// `post`, which knows no time nor the size of A; no scheme that keeps the own term (`rk4` and angles do not).
#[test]
fn without_themselves_unnormalized_tokens_are_faster() {
    let mut tally = Tally::default();
    for mut case in cases(204, 40, |choice| {
        let model = &choice.model;
        let projects = model.geometry == Geometry::Circle || model.integrator == Integrator::Rk4;
        model.normalization == Normalization::Unnormalized
            && model.mask == Mask::Full
            && matches!(model.geometry, Geometry::Sphere | Geometry::Circle)
            && model.layer_norm == LayerNorm::Post
            && model.system == System::Attention
            && projects
            && !choice.is_noisy
    }) {
        let total: f64 = case.model.n as f64 + case.model.frozen.weights.iter().sum::<f64>();
        if total < 1.5 {
            continue;
        }
        case.model.masses.clear();
        let heads = case.start.parameters.heads.iter();
        let heads: Vec<Head> =
            heads.map(|head| Head { value: Operator::Scalar(0.7), ..head.clone() }).collect();
        case.start.parameters = Arc::new(Parameters::new(heads));
        case.settle();
        let mut with_self = case.clone();
        with_self.model.exclude_self = false;
        case.model.exclude_self = true;
        case.start.step *= (total - 1.0) / total;
        tally.compare(&with_self, end(&with_self, STEPS), end(&case, STEPS), "without themselves");
    }
    tally.conclude();
}

/// At β = 0 every weight is the same, whatever the normalization. Sinkhorn's are not where a token of unequal mass does not see
/// itself: what it may not keep goes to the others unevenly.
#[test]
fn at_infinite_temperature_all_normalizations_are_one() {
    let mut tally = Tally::default();
    for mut case in cases(205, 3, |choice| choice.model.normalization == Normalization::Softmax) {
        case.start.beta = 0.0;
        case.settle();
        let expected = end(&case, STEPS);
        for normalization in NORMALIZATIONS {
            let model = &case.model;
            let is_sinkhorn = normalization == Normalization::Sinkhorn;
            let exists = match normalization {
                Normalization::Softmax => false,
                _ if matches!(model.system, System::MeanShift { .. }) => false,
                Normalization::Unnormalized => true,
                Normalization::Hardmax => model.integrator != Integrator::Rk4,
                Normalization::Sinkhorn => model.mask == Mask::Full && model.frozen.weights.is_empty(),
            };
            if exists && !(is_sinkhorn && model.exclude_self && (model.n < 3 || !model.masses.is_empty())) {
                let mut other = case.clone();
                other.model.normalization = normalization;
                // Sinkhorn's tolerance where it is the looser one.
                let first = if is_sinkhorn { &other } else { &case };
                tally.compare(first, expected.clone(), end(&other, STEPS), "β = 0");
            }
        }
    }
    tally.conclude();
}

/// Where A counts by its direction alone (`ngpt`, `peri`), a common factor of a row does not count: softmax and unnormalized
/// are one. One head, since every head has a factor of its own, and no feed-forward layer, which is not linear.
#[test]
fn normalized_speeds_do_not_know_the_sum_of_a_row() {
    let mut tally = Tally::default();
    for mut case in cases(206, 8, |choice| {
        choice.model.normalization == Normalization::Softmax && choice.model.layer_norm.is_normalized()
    }) {
        let heads = vec![case.start.parameters.heads[0].clone()];
        case.start.parameters = Arc::new(Parameters::new(heads));
        let mut other = case.clone();
        other.model.normalization = Normalization::Unnormalized;
        let one = |steps| end(&finer(&case, steps), steps);
        tally.compare_on_the_sphere(&case, one, |steps| end(&finer(&other, steps), steps), "SA and USA");
    }
    tally.conclude();
}
