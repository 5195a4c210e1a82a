//! Where formulas degenerate, for every model: one token, two, one dimension, coincident and antipodal tokens, V = 0, β = 0 and 700.
//!
//! What must come of each: no panic; a number wherever the mathematics has one; and tokens that rest where the flow does. A lane
//! fails only where it divides by nothing: a token that is to follow the direction of an A_i that vanishes, or weights that Sinkhorn's
//! iteration has not found.

use super::super::support::{Random, ensemble, scalar};
use super::measure::distance;
use super::models::{Case, Choice, combinations};
use crate::ensemble::{Ensemble, Start};
use crate::linear;
use crate::model::{Geometry, Integrator, LayerNorm, Mask, Model, Normalization, System};
use crate::noise::Noise;
use crate::parameters::Operator;
use crate::simd::Isa;

const STEPS: u64 = 5;

/// Tokens that make formulas degenerate.
struct Shape {
    name: &'static str,
    n: usize,
    d: usize,
    tokens: Vec<f64>,
    /// Whether tokens are at ± one point: then ⟨x_i, x_j⟩ is ±1, and no V = c·I moves any on the sphere.
    is_line: bool,
}

fn shapes() -> Vec<Shape> {
    let (x, y) = (0.6, -0.8);
    let shape = |name, n, d, tokens: &[f64], is_line| Shape { name, n, d, tokens: tokens.to_vec(), is_line };
    let third = 1.0 / 3.0_f64.sqrt();
    vec![
        shape("one token", 1, 2, &[x, y], true),
        shape("one token of one dimension", 1, 1, &[-1.0], true),
        shape("one dimension", 3, 1, &[1.0, -1.0, 1.0], true),
        shape("an antipodal pair", 2, 2, &[x, y, -x, -y], true),
        shape("two antipodal pairs of one line", 4, 2, &[x, y, -x, -y, x, y, -x, -y], true),
        shape("all equal", 3, 3, &[third; 9], true),
        shape("two equal in five", 5, 2, &[x, y, x, y, 1.0, 0.0, 0.0, 1.0, -x, y], false),
        shape("two", 2, 2, &[x, y, 1.0, 0.0], false),
    ]
}

/// A model with these tokens, if it can have them.
fn case(choice: &Choice, shape: &Shape, beta: f64, value: &Operator, exclude_self: bool) -> Option<Case> {
    let mut model = Model { n: shape.n, d: shape.d, exclude_self, ..choice.model.clone() };
    let mut tokens = shape.tokens.clone();
    match model.geometry {
        Geometry::Circle if shape.d != 2 => return None,
        Geometry::Equiangular => {
            // The gap: 0 for equal tokens, 2 for an antipodal pair.
            tokens = match shape.name {
                "all equal" => vec![0.0],
                "an antipodal pair" => vec![2.0],
                "two" => vec![1.0],
                _ => return None,
            };
        }
        _ => {}
    }
    if exclude_self && (shape.n == 1 || model.mask == Mask::Causal) {
        return None;
    }
    // Here Sinkhorn's iteration may end without weights, after 10 000 rounds: once is enough.
    let is_slow = exclude_self && beta > 100.0 && model.normalization == Normalization::Sinkhorn;
    if is_slow && (model.layer_norm != LayerNorm::Post || model.integrator != Integrator::Rk4) {
        return None;
    }
    let fits = matches!(value, Operator::Scalar(c) if *c == 1.0)
        || (model.system == System::Attention && model.geometry != Geometry::Equiangular);
    if !fits {
        return None;
    }
    let value = match value {
        Operator::Dense(matrix) => Operator::Dense(matrix.view((0, 0), (shape.d, shape.d)).into_owned()),
        other => other.clone(),
    };
    let mut parameters = (*scalar(1.0, 1.0)).clone();
    parameters.heads[0].value = value;
    let start = Start::new(beta, 0.0, tokens, parameters.into());
    let mut case = Case { model: model.clone(), start };
    let rate = case.rate();
    case.start.step = if case.forgets() {
        1.0
    } else if rate < 1e300 {
        0.1 / rate
    } else {
        0.1 / (1.0 + 2.0 * beta) * libm::exp(-beta)
    };
    if let LayerNorm::Mix { .. } = model.layer_norm {
        model.layer_norm = LayerNorm::Mix { switch: 2.0 * case.start.step };
        case.model = model;
    }
    if choice.is_noisy {
        crate::noise::base(case.start.step)?;
        case.start.noise = Some(Noise { key: [3; 32], stream: 5, kappa: 10.0 });
    }
    Some(case)
}

/// Whether some A_i vanishes, but for rounding, or has no value: the definition written out.
fn has_no_direction(case: &Case, ensemble: &Ensemble) -> bool {
    let (n, d) = (case.model.n, case.model.d);
    if matches!(case.model.system, System::MeanShift { .. }) && case.start.beta == 0.0 {
        return true; // the gradient of a constant
    }
    if case.model.geometry == Geometry::Equiangular {
        let gap = ensemble.state[0].0[0];
        // Two antipodal tokens at β = 0: A = Σ w x. And what is e^{−345} of e^β is nothing, as below.
        let is_nothing = case.model.normalization == Normalization::Unnormalized
            && case.model.exclude_self
            && case.start.beta * gap > 345.0;
        return (n == 2 && gap == 2.0 && case.start.beta == 0.0) || is_nothing;
    }
    let weights = &ensemble.attention_weights(0)[0];
    let value = match &case.start.parameters.heads[0].value {
        Operator::Scalar(c) => nalgebra::DMatrix::from_diagonal_element(d, d, *c),
        Operator::Diagonal(entries) => {
            nalgebra::DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(entries))
        }
        Operator::Dense(matrix) => matrix.clone(),
    };
    let images = value * nalgebra::DMatrix::from_column_slice(d, n, &ensemble.lane_tokens(0));
    // `unnormalized` keeps its weights as multiples of e^β, and divides them by s: e^{β − 700} s beside e^β is nothing; nor has
    // a vector a length whose square is that.
    let longest = ensemble.radii().iter().fold(1.0, |most: f64, radius| most.max(radius.0[0]));
    let nothing = match case.model.normalization {
        Normalization::Unnormalized if case.model.layer_norm.is_normalized() => {
            libm::exp(case.start.beta - 345.0)
        }
        Normalization::Unnormalized => libm::exp(case.start.beta - 700.0) * longest,
        _ => 0.0,
    };
    weights.chunks(n).any(|row| {
        let (mut sum, mut size) = (nalgebra::DVector::zeros(d), 0.0);
        for (weight, image) in row.iter().zip(images.column_iter()) {
            sum += *weight * image;
            size += weight * image.norm();
        }
        let vanishes = sum.norm() <= (1e-12 * size).max(nothing);
        vanishes || sum.norm().is_nan()
    })
}

/// Whether tokens of R^d are longer than 1, where e^{β‖x‖²} may be no number, and ẋ = e^{β‖x‖²} V x ends in finite time.
fn explodes(case: &Case, ensemble: &Ensemble) -> bool {
    let is_far = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>() > 1.01;
    let is_unnormalized = case.model.normalization == Normalization::Unnormalized;
    is_unnormalized
        && !case.model.geometry.is_unit()
        && ensemble.lane_tokens(0).chunks(case.model.d).any(is_far)
}

/// Whether a vanishing A_i has to have a direction.
fn needs_direction(model: &Model) -> bool {
    let forgets = model.integrator == Integrator::Discrete { residual: false };
    model.layer_norm.is_normalized() || (forgets && model.geometry == Geometry::Sphere)
}

/// Whether the flow leaves the tokens where they are.
fn rests(case: &Case, shape: &Shape) -> bool {
    let Case { model, start } = case;
    let is_still = start.noise.is_none() && model.integrator != Integrator::Discrete { residual: false };
    let has_no_value = matches!(start.parameters.heads[0].value, Operator::Scalar(c) if c == 0.0);
    let is_scalar = matches!(start.parameters.heads[0].value, Operator::Scalar(_));
    let on_sphere = model.geometry.is_unit();
    is_still && (has_no_value || (is_scalar && on_sphere && shape.is_line))
}

/// Whether not even a bit may change: nothing is added to the tokens, whose squares here add up to 1 exactly or which are not
/// normalized. A projected A that lies along x is rounding, where its own term is part of it.
fn rests_bit_for_bit(case: &Case) -> bool {
    let has_no_value = matches!(case.start.parameters.heads[0].value, Operator::Scalar(c) if c == 0.0);
    let is_flow = case.model.integrator == Integrator::Rk4;
    let lands_as_it_is = !matches!(case.model.geometry, Geometry::Sphere) || case.model.d == 1;
    (has_no_value && lands_as_it_is)
        || (is_flow
            && case.model.n == 1
            && !case.model.layer_norm.needs_whole_attention()
            && lands_as_it_is
            && case.model.geometry.is_unit())
}

#[test]
fn every_model_survives_its_edges() {
    let mut random = Random(9);
    let values = [
        Operator::Scalar(1.0),
        Operator::Scalar(0.0),
        Operator::Scalar(-1.0),
        Operator::Dense(random.matrix(3, 3, 0.5)),
    ];
    let (mut runs, mut failures, mut rested) = (0, 0, 0);
    for choice in combinations() {
        for shape in shapes() {
            for (value, exclude_self) in values.iter().flat_map(|value| [(value, false), (value, true)]) {
                for beta in [0.0, 1.0, 700.0] {
                    let Some(case) = case(&choice, &shape, beta, value, exclude_self) else { continue };
                    if Ensemble::new(&case.model, std::slice::from_ref(&case.start), Isa::widest()).is_err() {
                        // The one thing that is refused here: 3 tokens of which one would have to share itself out.
                        assert_eq!(case.model.normalization, Normalization::Sinkhorn, "{}", case.name());
                        continue;
                    }
                    runs += 1;
                    let (failed, still) = survive(&case, &shape);
                    failures += usize::from(failed);
                    rested += usize::from(still);
                }
            }
        }
    }
    println!("{runs} runs, {failures} failed for a reason, {rested} rested");
    assert!(runs > 10_000 && failures > 0 && rested > runs / 5, "{runs} {failures} {rested}");
}

/// Runs a case; whether it failed as it must, and whether it rested as it must.
fn survive(case: &Case, shape: &Shape) -> (bool, bool) {
    let mut ensemble = ensemble(&case.model, std::slice::from_ref(&case.start), Isa::widest());
    let first = ensemble.lane_tokens(0);
    for step in 1..=STEPS {
        let has_reason = case.model.normalization == Normalization::Sinkhorn || needs_direction(&case.model);
        let has_reason = (has_reason && has_no_direction(case, &ensemble)) || explodes(case, &ensemble);
        ensemble.step();
        let tokens = ensemble.lane_tokens(0);
        if !ensemble.finite(0) {
            assert!(has_reason, "{} at step {step}: {}", shape.name, case.name());
            assert!(!ensemble.stationary(0));
            return (true, false);
        }
        assert!(tokens.iter().all(|x| x.is_finite()), "{}: {}", shape.name, case.name());
        if case.model.geometry.is_unit() {
            for x in tokens.chunks(case.model.shown().1) {
                let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
                assert!((length - 1.0).abs() <= 8.0 * f64::EPSILON, "{}: {}", shape.name, case.name());
            }
        }
        if has_reason {
            // What is left of a vanishing A is rounding: tokens may go anywhere.
            return (false, false);
        }
        if rests(case, shape) {
            // A few roundings a step, of unit vectors.
            let moved = distance(&tokens, &first);
            assert!(moved <= 64.0 * f64::EPSILON, "{} moved by {moved}: {}", shape.name, case.name());
            if rests_bit_for_bit(case) {
                assert_eq!(tokens, first, "{}: {}", shape.name, case.name());
            }
        }
    }
    (false, rests(case, shape))
}

/// One token of R^d, SA: ẋ = V x whatever β, so that rk4 multiplies by Σ (ηV)^k/k!, k ≤ 4, a layer by I + ηV, and one without residual
/// by V; and the rescaled token rests.
#[test]
fn one_token_of_space_follows_its_value() {
    let mut random = Random(10);
    let value = random.matrix(2, 2, 0.5);
    let x = [0.6, -0.8];
    let one = nalgebra::DMatrix::identity(2, 2);
    let a = 0.1 * &value;
    let series = &one + &a + &a * &a / 2.0 + &a * &a * &a / 6.0 + &a * &a * &a * &a / 24.0;
    for (integrator, factor) in [
        (Integrator::Rk4, series),
        (Integrator::Discrete { residual: true }, &one + &a),
        (Integrator::Discrete { residual: false }, value.clone()),
    ] {
        let step = if integrator == (Integrator::Discrete { residual: false }) { 1.0 } else { 0.1 };
        for beta in [0.0, 1.0, 700.0] {
            for normalization in [Normalization::Softmax, Normalization::Hardmax, Normalization::Sinkhorn] {
                let model =
                    Model { geometry: Geometry::Euclidean, integrator, normalization, ..Model::new(1, 2) };
                let mut parameters = (*scalar(1.0, 1.0)).clone();
                parameters.heads[0].value = Operator::Dense(value.clone());
                let start = Start::new(beta, step, x.to_vec(), parameters.into());
                let mut plain = ensemble(&model, std::slice::from_ref(&start), Isa::widest());
                (0..3).for_each(|_| plain.step());
                let power = linear::power(&factor, 3);
                let expected = power.mantissa
                    * libm::exp2(power.exponent)
                    * nalgebra::DMatrix::from_column_slice(2, 1, &x);
                assert!(
                    distance(&plain.lane_tokens(0), expected.as_slice()) < 1e-14,
                    "{integrator:?} {beta}"
                );
                if integrator != (Integrator::Discrete { residual: false }) {
                    let model = Model { geometry: Geometry::Rescaled, ..model };
                    let mut rescaled = ensemble(&model, &[start], Isa::widest());
                    (0..3).for_each(|_| rescaled.step());
                    assert!(distance(&rescaled.lane_tokens(0), &x) < 1e-14, "{integrator:?} {beta}");
                }
            }
        }
    }
}
