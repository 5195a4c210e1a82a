//! Tokens that turn in one pass have the bits of those that go the long way, A written out and landed: `discrete` layers with residual are
//! the same scheme.

use std::sync::Arc;

use proptest::prelude::*;

use super::support::{Random, instructions};
use crate::ensemble::{Ensemble, Start, abreast_orders};
use crate::model::{Integrator, Model, Normalization};
use crate::parameters::{Head, Operator, Parameters, QueryKey};
use crate::simd::{Isa, LANES};

fn start(beta: f64, step: f64, value: f64, query_key: f64, tokens: Vec<f64>) -> Start {
    let query_key = QueryKey::Joint(Operator::Scalar(query_key));
    let head = Head { query_key, value: Operator::Scalar(value) };
    Start::new(beta, step, tokens, Arc::new(Parameters::new(vec![head])))
}

/// b of B = b·I.
fn query_key(start: &Start) -> f64 {
    match start.parameters.heads[0].query_key {
        QueryKey::Joint(Operator::Scalar(b)) => b,
        _ => f64::NAN,
    }
}

/// The same starts both ways.
fn both(model: &Model, starts: &[Start], isa: Isa) -> [Ensemble; 2] {
    let layers = Model { integrator: Integrator::Discrete { residual: true }, ..model.clone() };
    [model, &layers].map(|model| Ensemble::new(model, starts, isa).expect("the test's starts are valid"))
}

/// All that an ensemble shows of its lanes.
fn seen(ensemble: &mut Ensemble) -> impl PartialEq + std::fmt::Debug + use<> {
    let lanes = ensemble.lanes();
    let flags: Vec<_> = (0..lanes).map(|lane| (ensemble.finite(lane), ensemble.stationary(lane))).collect();
    let bits = |numbers: Vec<f64>| numbers.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    let tokens: Vec<_> = (0..lanes).map(|lane| bits(ensemble.lane_tokens(lane))).collect();
    let gram = ensemble.gram().iter().map(|pack| bits(pack.0[..lanes].to_vec())).collect::<Vec<_>>();
    (flags, tokens, gram, ensemble.save())
}

/// Where the tokens of each lane are.
fn bits_of_lanes(ensemble: &Ensemble) -> Vec<Vec<u64>> {
    (0..LANES).map(|lane| ensemble.lane_tokens(lane).into_iter().map(f64::to_bits).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Few tokens and more, few coordinates and many, all widths, any number of lanes, looked at now and then.
    #[test]
    fn one_pass_is_the_long_way(
        seed: u64, n in 1_usize..60, d in prop_oneof![2 => 1_usize..20, 1 => Just(2)], steep in prop_oneof![Just(1.0), Just(20.0)],
        count in 1_usize..=LANES, unnormalized: bool, look in 1_usize..4,
    ) {
        let normalization = if unnormalized { Normalization::Unnormalized } else { Normalization::Softmax };
        let model = Model { normalization, ..Model::new(n, d) };
        let mut random = Random(seed);
        let starts: Vec<Start> = (0..count)
            .map(|_| {
                let (beta, step) = (steep * random.uniform(), random.uniform());
                start(beta, step, random.normal(), 2.0 * random.uniform(), random.sphere(n, d))
            })
            .collect();
        for isa in instructions() {
            let [mut turned, mut walked] = both(&model, &starts, isa);
            // On the circle lanes by series beside lanes by direct sums go the long way.
            let series = |start: &Start| abreast_orders(n, start.beta * query_key(start)).is_some();
            let is_mixed = d == 2 && starts.iter().any(series) && !starts.iter().all(series);
            prop_assert!(turned.turns() != is_mixed && !walked.turns());
            for step in 1..=6 {
                turned.step();
                walked.step();
                if step % look == 0 {
                    prop_assert_eq!(seen(&mut turned), seen(&mut walked), "{:?}, step {}", isa, step);
                }
            }
            let mut restored =
                Ensemble::restore(&model, &starts, &turned.save(), isa).expect("it is its own state");
            for ensemble in [&mut turned, &mut walked, &mut restored] {
                ensemble.step();
            }
            let expected = seen(&mut walked);
            prop_assert_eq!(&seen(&mut turned), &expected);
            prop_assert_eq!(&seen(&mut restored), &expected);
        }
    }
}

/// Lengths far from 1, vectors without a direction, and numbers that are none, each in a lane of its own.
#[test]
fn lanes_fail_alone_and_alike() {
    for (n, d) in [(5, 3), (33, 9), (32, 2), (64, 12)] {
        let mut random = Random(5);
        let mut starts: Vec<Start> =
            (0..LANES).map(|_| start(2.0, 0.1, 1.0, 1.0, random.sphere(n, d))).collect();
        starts[1].tokens[d] = f64::NAN;
        starts[2].tokens[1] = f64::INFINITY;
        starts[3].step = 1e200;
        starts[4].step = 1e308;
        starts[5] = start(0.0, n as f64, -1.0, 1.0, vec![0.0; n * d]);
        let same = starts[6].tokens[..d].to_vec();
        starts[6].tokens = same.repeat(n);
        for isa in instructions() {
            let [mut turned, mut walked] = both(&Model::new(n, d), &starts, isa);
            for _ in 0..40 {
                let before = bits_of_lanes(&turned);
                turned.step();
                walked.step();
                assert_eq!(seen(&mut turned), seen(&mut walked), "n = {n}, d = {d}, {isa:?}");
                for (lane, (before, after)) in before.iter().zip(&bits_of_lanes(&turned)).enumerate() {
                    let rests = turned.finite(lane) && before == after;
                    assert_eq!(turned.stationary(lane), rests, "n = {n}, d = {d}, lane {lane}, {isa:?}");
                }
            }
            let finite: Vec<bool> = (0..LANES).map(|lane| turned.finite(lane)).collect();
            assert_eq!(finite[..3], [true, false, false], "n = {n}, d = {d}, {isa:?}");
            assert!(!finite[5] && finite[7], "{finite:?}");
            assert!(turned.stationary(6), "tokens at one place rest");
        }
    }
}
