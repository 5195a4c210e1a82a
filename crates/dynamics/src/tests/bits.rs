//! Same start, same bits: at every width, in every lane, whatever the neighbours, across a checkpoint.

use std::sync::Arc;

use proptest::prelude::*;

use super::support::{
    HEADS, Random, all_models, ensemble, furnished, instructions, models, suited, with_feed_forward,
};
use crate::ensemble::{Ensemble, Start};
use crate::model::Model;
use crate::parameters::Activation;
use crate::simd::{Isa, LANES};

/// The bits of a lane's tokens.
fn bits(ensemble: &Ensemble, lane: usize) -> Vec<u64> {
    ensemble.lane_tokens(lane).iter().map(|x| x.to_bits()).collect()
}

fn run(model: &Model, starts: &[Start], isa: Isa, steps: usize) -> Ensemble {
    let mut ensemble = ensemble(model, starts, isa);
    for _ in 0..steps {
        ensemble.step();
    }
    ensemble
}

/// Starts with their own β, step, tokens and, if not shared, matrices; in every third case behind a feed-forward layer.
fn starts(random: &mut Random, n: usize, d: usize, heads: usize, shared: bool, count: usize) -> Vec<Start> {
    let case = random.clone().bits() as usize;
    let activations = [Activation::Relu, Activation::Tanh, Activation::Gelu];
    let draw = |random: &mut Random| {
        let parameters = random.parameters(HEADS[heads], d);
        if case.is_multiple_of(3) {
            with_feed_forward(random, &parameters, activations[case / 3 % 3], case / 9 % 3, d)
        } else {
            parameters
        }
    };
    let first = draw(random);
    (0..count)
        .map(|_| {
            Start::new(
                9.0 * random.uniform(),
                0.2 * random.uniform(),
                random.sphere(n, d),
                if shared { Arc::clone(&first) } else { draw(random) },
            )
        })
        .collect()
}

/// All models, and four of those with furnished weights: another four in every case.
fn some_models(random: &mut Random, n: usize, d: usize) -> Vec<Model> {
    let mut chosen = all_models(n, d);
    let mut furnished = furnished(random, n, d);
    for _ in 0..4 {
        let at = (random.bits() % furnished.len() as u64) as usize;
        chosen.push(furnished.swap_remove(at));
    }
    chosen
}

/// The same starts for another model; noise in all lanes or in none.
fn suited_to(model: &Model, starts: &[Start], random: &mut Random) -> Vec<Start> {
    let mut suited: Vec<Start> = starts.iter().map(|start| suited(start, model, random)).collect();
    if suited.iter().any(|start| start.noise.is_none()) {
        for start in &mut suited {
            start.noise = None;
        }
    }
    suited
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Trajectories, Gram matrices and flags have equal bits with all instructions, in every lane, alone and in company.
    #[test]
    fn a_replica_depends_on_its_start_alone(
        seed: u64, n in 1_usize..14, d in 1_usize..6, heads in 0..HEADS.len(), shared: bool, count in 1..=LANES,
    ) {
        let mut random = Random(seed);
        let of_attention = starts(&mut random, n, d, heads, shared, count);
        for model in some_models(&mut random, n, d) {
            let starts = suited_to(&model, &of_attention, &mut random);
            let mut reference = run(&model, &starts, Isa::PortableNarrow, 3);
            let gram = reference.gram().to_vec();
            for isa in instructions() {
                let mut other = run(&model, &starts, isa, 3);
                for lane in 0..count {
                    prop_assert_eq!(bits(&reference, lane), bits(&other, lane), "{:?} {}", isa, lane);
                    prop_assert_eq!(reference.finite(lane), other.finite(lane));
                    prop_assert_eq!(reference.stationary(lane), other.stationary(lane));
                    for (pair, other) in gram.iter().zip(other.gram()) {
                        prop_assert_eq!(pair.0[lane].to_bits(), other.0[lane].to_bits());
                    }
                }
                prop_assert_eq!(reference.save(), other.save());
            }
            let isa = Isa::widest();
            for lane in 0..count {
                let alone = run(&model, &starts[lane..=lane], isa, 3);
                prop_assert_eq!(bits(&reference, lane), bits(&alone, 0));
            }
            let turned: Vec<Start> = (0..count).map(|lane| starts[(lane + 1) % count].clone()).collect();
            let turned = run(&model, &turned, isa, 3);
            for lane in 0..count {
                prop_assert_eq!(bits(&reference, (lane + 1) % count), bits(&turned, lane));
            }
        }
    }

    /// Interrupted and restored, on other instructions even, a trajectory goes on with the same bits.
    #[test]
    fn a_checkpoint_leaves_no_trace(seed: u64, n in 1_usize..9, d in 1_usize..5, heads in 0..HEADS.len(), count in 1..=LANES) {
        let mut random = Random(seed);
        let of_attention = starts(&mut random, n, d, heads, false, count);
        for model in some_models(&mut random, n, d) {
            let starts = suited_to(&model, &of_attention, &mut random);
            let whole = run(&model, &starts, Isa::widest(), 5);
            let state = run(&model, &starts, Isa::widest(), 2).save();
            for isa in [Isa::widest(), Isa::Portable] {
                let mut resumed = Ensemble::restore(&model, &starts, &state, isa).unwrap();
                prop_assert_eq!(&resumed.save(), &state);
                for _ in 0..3 {
                    resumed.step();
                }
                prop_assert_eq!(resumed.save(), whole.save());
                prop_assert_eq!(resumed.evaluations(), whole.evaluations());
            }
        }
    }
}

/// A lane that fails takes nobody with it, and says so for good.
#[test]
fn a_failed_lane_stays_alone() {
    let mut random = Random(5);
    for model in models(6, 3) {
        let good = starts(&mut random, 6, 3, 0, true, 3);
        let mut with_bad = good.clone();
        with_bad[1].tokens[4] = f64::NAN;
        for isa in instructions() {
            let expected = run(&model, &good, isa, 4);
            let result = run(&model, &with_bad, isa, 4);
            assert!(!result.finite(1) && !result.stationary(1));
            for lane in [0, 2] {
                assert!(result.finite(lane));
                assert_eq!(bits(&expected, lane), bits(&result, lane));
            }
        }
    }
}
