//! Tile by tile or pair by pair, alone or with the threads of a pool: the same bits.

use std::sync::Arc;

use proptest::prelude::*;

use super::support::{HEADS, Random, all_models, furnished, instructions, suited, with_feed_forward};
use crate::ensemble::{Ensemble, Evaluation, Start};
use crate::model::{Integrator, Model, Normalization};
use crate::parameters::Activation;
use crate::simd::Isa;

/// The state after some steps.
fn run(model: &Model, starts: &[Start], isa: Isa, evaluation: Evaluation, steps: usize) -> Ensemble {
    let mut ensemble =
        Ensemble::evaluated(model, starts, isa, evaluation).expect("the test's starts are valid");
    for _ in 0..steps {
        ensemble.step();
    }
    ensemble
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Every model, kind of head and number of lanes; tiles that are full, begun, and cut by the mask.
    #[test]
    fn tiles_have_the_bits_of_pairs(
        seed: u64, n in 1_usize..40, d in 1_usize..6, heads in 0..HEADS.len(), count in 1_usize..4, behind: bool,
    ) {
        let mut random = Random(seed);
        let mut draw = || {
            let parameters = random.parameters(HEADS[heads], d);
            if behind { with_feed_forward(&mut random, &parameters, Activation::Tanh, 2, d) } else { parameters }
        };
        let parameters: Vec<_> = (0..count).map(|_| draw()).collect();
        let mut models = all_models(n, d);
        models.extend(furnished(&mut random, n, d).into_iter().step_by(5));
        for model in models {
            let starts: Vec<Start> = parameters
                .iter()
                .map(|parameters| {
                    let (beta, step) = (9.0 * random.uniform(), 0.2 * random.uniform());
                    let start = Start::new(beta, step, random.sphere(n, d), Arc::clone(parameters));
                    Start { noise: None, ..suited(&start, &model, &mut random) }
                })
                .collect();
            let pairs = run(&model, &starts, Isa::widest(), Evaluation::Pairs, 2);
            for isa in instructions() {
                let tiles = run(&model, &starts, isa, Evaluation::Tiles, 2);
                prop_assert_eq!(pairs.save(), tiles.save(), "{:?} {:?}", isa, model);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// More coordinates than that, and as few tokens as stand in strips and have their weights in panels, or some more.
    #[test]
    fn panels_have_the_bits_of_tiles(
        seed: u64, n in 1_usize..60, d in 5_usize..21, heads in 0..HEADS.len(), count in 1_usize..5, unnormalized: bool,
    ) {
        let normalization = if unnormalized { Normalization::Unnormalized } else { Normalization::Softmax };
        let mut random = Random(seed);
        for integrator in [Integrator::ProjectedEuler, Integrator::Rk4] {
            let model = Model { normalization, integrator, ..Model::new(n, d) };
            let starts: Vec<Start> = (0..count)
                .map(|_| {
                    let (beta, step) = (9.0 * random.uniform(), 0.2 * random.uniform());
                    Start::new(beta, step, random.sphere(n, d), random.parameters(HEADS[heads], d))
                })
                .collect();
            let tiles = run(&model, &starts, Isa::widest(), Evaluation::Tiles, 2);
            for isa in instructions() {
                let pairs = run(&model, &starts, isa, Evaluation::Pairs, 2);
                prop_assert_eq!(tiles.save(), pairs.save(), "{:?} {:?}", isa, integrator);
            }
        }
    }
}

/// Weights that vanish, and coordinates so small that products underflow to zeros of either sign: no sign is lost.
#[test]
fn zeros_keep_their_signs() {
    let mut random = Random(11);
    let (n, d) = (37, 3);
    for kinds in HEADS {
        let parameters = random.parameters(kinds, d);
        let mut tokens = random.sphere(n, d);
        for token in tokens.chunks_exact_mut(d) {
            token[1] *= 1e-300;
            token[2] *= if random.uniform() < 0.5 { 0.0 } else { -1e-320 };
        }
        for model in all_models(n, d) {
            let start = Start::new(600.0, 0.1, tokens.clone(), Arc::clone(&parameters));
            let starts = [Start { noise: None, ..suited(&start, &model, &mut random) }];
            let pairs = run(&model, &starts, Isa::widest(), Evaluation::Pairs, 2);
            let tiles = run(&model, &starts, Isa::widest(), Evaluation::Tiles, 2);
            assert_eq!(pairs.save(), tiles.save(), "{model:?}");
        }
    }
}

/// However many threads share the tiles; enough tokens for many pieces of work.
#[test]
fn threads_change_no_bit() {
    let mut random = Random(3);
    let (n, d) = (700, 3);
    for kinds in [HEADS[0], HEADS[4]] {
        let parameters = random.parameters(kinds, d);
        let starts = [Start::new(5.0, 0.1, random.sphere(n, d), parameters)];
        let model = Model::new(n, d);
        let alone = run(&model, &starts, Isa::widest(), Evaluation::Pairs, 3).save();
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let shared = pool.install(|| run(&model, &starts, Isa::widest(), Evaluation::Tiles, 3).save());
            assert_eq!(alone, shared, "{threads} threads");
        }
    }
}

/// The rule is one of speed and memory: a replica without company, and more tokens than pairs are kept of.
#[test]
fn many_tokens_go_by_tiles() {
    use Evaluation::{Pairs, Tiles};
    let rule = [(1, 1), (255, 1), (256, 1), (256, 2), (2048, 8), (2049, 8)]
        .map(|(n, lanes)| Evaluation::of(n, lanes));
    assert_eq!(rule, [Pairs, Pairs, Tiles, Pairs, Pairs, Tiles]);
}
