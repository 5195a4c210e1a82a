//! Permutations of the tokens, rotations of space, and the sphere itself.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::super::support::Random;
use super::measure::{STEPS, Tally, distance, end, tolerance};
use super::models::{Case, Choice, cases};
use crate::model::{Geometry, Integrator, Mask};
use crate::parameters::{FeedForward, Head, Operator, Parameters, QueryKey};

/// Whether tokens can change places. Not under the causal mask, where a place is a time; nor with noise, whose path belongs to
/// the place. Equiangular tokens have no places.
fn has_no_order(choice: &Choice) -> bool {
    choice.model.mask == Mask::Full && !choice.is_noisy && choice.model.geometry != Geometry::Equiangular
}

/// Whether space has no directions of its own but those of the matrices and frozen points, which turn with it. Noise has: its
/// coordinates.
fn turns(choice: &Choice) -> bool {
    !choice.is_noisy && choice.model.geometry != Geometry::Equiangular
}

/// Rows of `width` numbers in another order.
fn reordered(rows: &[f64], width: usize, order: &[usize]) -> Vec<f64> {
    if rows.is_empty() {
        return Vec::new();
    }
    order.iter().flat_map(|&i| rows[i * width..(i + 1) * width].iter().copied()).collect()
}

/// Tokens and behind them radii in another order.
fn reordered_end(end: &[f64], case: &Case, order: &[usize]) -> Vec<f64> {
    let (tokens, radii) = end.split_at(case.model.n * case.model.d);
    [reordered(tokens, case.model.d, order), reordered(radii, 1, order)].concat()
}

fn shuffled(n: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, (random.bits() % (i as u64 + 1)) as usize);
    }
    order
}

/// The same tokens with their masses and frequencies in another order.
fn permuted(case: &Case, order: &[usize]) -> Case {
    let mut case = case.clone();
    case.start.tokens = reordered(&case.start.tokens, case.model.d, order);
    case.start.frequencies = reordered(&case.start.frequencies, 1, order);
    case.model.masses = reordered(&case.model.masses, 1, order);
    case
}

#[test]
fn tokens_have_no_order() {
    let mut random = Random(1);
    let mut tally = Tally::default();
    for case in cases(101, 4, has_no_order) {
        let order = shuffled(case.model.n, &mut random);
        let expected = end(&case, STEPS).map(|end| reordered_end(&end, &case, &order));
        tally.compare(&case, expected, end(&permuted(&case, &order), STEPS), "a permutation");
    }
    tally.conclude();
}

/// The causal mask sees the order of tokens: reversed, all but a few special cases end elsewhere.
#[test]
fn causal_tokens_have_an_order() {
    let causal = |choice: &Choice| choice.model.mask == Mask::Causal && !choice.is_noisy;
    let (mut differ, mut all) = (0, 0);
    for case in cases(102, 2, causal) {
        let order: Vec<usize> = (0..case.model.n).rev().collect();
        let ends = (end(&case, STEPS), end(&permuted(&case, &order), STEPS));
        if let (true, (Some(one), Some(other)), Some(tolerance)) = (case.model.n > 2, ends, tolerance(&case))
        {
            all += 1;
            differ += usize::from(distance(&reordered_end(&one, &case, &order), &other) > 10.0 * tolerance);
        }
    }
    assert!(differ * 10 > 8 * all && all > 20, "{differ} of {all}");
}

/// A rotation of R^d.
fn rotation(d: usize, random: &mut Random) -> DMatrix<f64> {
    let mut turn = random.matrix(d, d, 1.0).qr().q();
    // A reflection turns angles round, and with them Kuramoto's frequencies.
    if turn.determinant() < 0.0 {
        turn.row_mut(0).neg_mut();
    }
    turn
}

fn turned(points: &[f64], turn: &DMatrix<f64>) -> Vec<f64> {
    let d = turn.nrows();
    let image = turn * DMatrix::from_column_slice(d, points.len() / d, points);
    image.iter().copied().collect()
}

/// R M Rᵀ; what turns with everything stays as it is, and a diagonal matrix becomes a full one.
fn conjugated(operator: &Operator, turn: &DMatrix<f64>) -> Operator {
    match operator {
        Operator::Scalar(c) => Operator::Scalar(*c),
        Operator::Diagonal(entries) => {
            let matrix = DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(entries));
            Operator::Dense(turn * matrix * turn.transpose())
        }
        Operator::Dense(matrix) => Operator::Dense(turn * matrix * turn.transpose()),
    }
}

/// The case in a space that has been turned. A feed-forward layer acts on coordinates, and does not turn: only its w does.
fn turned_case(case: &Case, turn: &DMatrix<f64>) -> Case {
    let form = |query_key: &QueryKey| match query_key {
        QueryKey::Joint(operator) => QueryKey::Joint(conjugated(operator, turn)),
        QueryKey::Factored { query, key } => {
            QueryKey::Factored { query: query * turn.transpose(), key: key * turn.transpose() }
        }
    };
    let heads = case.start.parameters.heads.iter();
    let heads = heads
        .map(|head| Head { query_key: form(&head.query_key), value: conjugated(&head.value, turn) })
        .collect();
    let feed_forward = case.start.parameters.feed_forward.as_ref().map(|layer| FeedForward {
        weight: conjugated(&layer.weight, turn),
        bias: if layer.bias.is_empty() { Vec::new() } else { turned(&layer.bias, turn) },
        ..layer.clone()
    });
    let mut case = case.clone();
    case.start.parameters = Arc::new(Parameters { heads, feed_forward });
    case.start.tokens = turned(&case.start.tokens, turn);
    case.model.frozen.points = turned(&case.model.frozen.points, turn);
    case
}

#[test]
fn space_has_no_directions() {
    let mut random = Random(2);
    let mut tally = Tally::default();
    let (mut differ, mut fed) = (0, 0);
    for case in cases(103, 4, turns) {
        let turn = rotation(case.model.d, &mut random);
        let places = case.model.n * case.model.d;
        let expected =
            end(&case, STEPS).map(|end| [turned(&end[..places], &turn), end[places..].to_vec()].concat());
        let found = end(&turned_case(&case, &turn), STEPS);
        if case.start.parameters.feed_forward.is_none() {
            tally.compare(&case, expected, found, "a rotation");
        } else if let (true, Some(one), Some(other)) = (case.model.d > 1, expected, found) {
            // σ entry by entry knows the axes.
            fed += 1;
            differ += usize::from(distance(&one, &other) > 1e-8);
        }
    }
    tally.conclude();
    assert!(differ * 10 > 8 * fed && fed > 20, "{differ} of {fed}");
}

/// ‖x_i‖ = 1 after every step, whatever moves the tokens: the square of the length is a sum of d squares, its root and the
/// quotient add a rounding each.
#[test]
fn tokens_stay_on_the_sphere() {
    let on_sphere = |choice: &Choice| matches!(choice.model.geometry, Geometry::Sphere | Geometry::Circle);
    let mut steps = 0;
    for mut case in cases(104, 2, on_sphere) {
        if case.model.integrator == (Integrator::Discrete { residual: true }) && case.start.noise.is_none() {
            case.start.step *= 20.0;
        }
        for after in 1..=STEPS {
            let Some(end) = end(&case, after) else { continue };
            for x in end[..case.model.n * case.model.d].chunks(case.model.d) {
                let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
                let ulps = (case.model.d as f64 + 6.0) * f64::EPSILON / 2.0;
                assert!((length - 1.0).abs() <= ulps, "{length} after {after} steps, {}", case.name());
            }
            steps += 1;
        }
    }
    assert!(steps > 1000, "{steps}");
}
