//! The integrator `multiscale` against formulas and itself.

use std::sync::Arc;

use metasweep_dynamics::ensemble::{Ensemble, Start};
use metasweep_dynamics::model::{Integrator, Model, Normalization};
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::Isa;
use metasweep_dynamics::trajectory::{Ending, Trajectory, gap};
use metasweep_metastability::clock::Instant;
use metasweep_metastability::theory::cascade::{Clusters, Law, cascade};

fn start(beta: f64, tokens: Vec<f64>) -> Start {
    let head = Head { query_key: QueryKey::Joint(Operator::Scalar(1.0)), value: Operator::Scalar(1.0) };
    Start::new(beta, 0.0, tokens, Arc::new(Parameters::new(vec![head])))
}

fn model(n: usize, d: usize, normalization: Normalization) -> Model {
    Model { integrator: Integrator::Multiscale, normalization, ..Model::new(n, d) }
}

fn uniform(n: usize, d: usize, seed: u8) -> Vec<f64> {
    let mut stream = Stream::new([seed; 32], 0);
    let mut tokens: Vec<f64> = (0..n * d).map(|_| stream.normal()).collect();
    for token in tokens.chunks_exact_mut(d) {
        let length = token.iter().map(|x| x * x).sum::<f64>().sqrt();
        for x in token {
            *x /= length;
        }
    }
    tokens
}

fn widest(points: &[f64], d: usize) -> f64 {
    let n = points.len() / d;
    let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs.map(|(i, j)| gap(points, d, i, j)).fold(0.0, f64::max)
}

/// The first time at which all gaps are at most δ, by bisection in the step.
fn collapse(trajectory: &mut Trajectory, d: usize, delta: f64) -> Instant {
    let mut points = Vec::new();
    while widest(trajectory.points(), d) > delta {
        assert_eq!(trajectory.ending(), None);
        trajectory.merge();
        trajectory.advance();
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        trajectory.points_at(middle, &mut points);
        if widest(&points, d) > delta { low = middle } else { high = middle }
    }
    trajectory.instant_at(high)
}

/// The time of collapse of a replica.
fn collapse_of(model: &Model, beta: f64, tokens: &[f64], tolerance: f64) -> f64 {
    let start = start(beta, tokens.to_vec());
    let mut run = Trajectory::new(model, &start, tolerance, Isa::widest()).expect("a start");
    collapse(&mut run, model.d, 1e-3).time()
}

/// Whatever the tolerance, the same time to a hundred times the largest tolerance: the logarithm is good to about the tolerance, and n − 1
/// stages add up.
#[test]
fn tolerances_agree() {
    let weights: Vec<f64> = (0..32).map(|i| 0.5 + f64::from(i % 7)).collect();
    for (n, d, beta, normalization, weighted) in [
        (8, 2, 150.0, Normalization::Softmax, false),
        (20, 2, 150.0, Normalization::Softmax, false),
        (20, 2, 150.0, Normalization::Unnormalized, false),
        (20, 2, 150.0, Normalization::Softmax, true),
        (20, 3, 60.0, Normalization::Unnormalized, true),
        (32, 3, 150.0, Normalization::Softmax, false),
        (32, 8, 50.0, Normalization::Softmax, false),
        (32, 8, 150.0, Normalization::Softmax, true),
        (32, 8, 150.0, Normalization::Unnormalized, false),
    ] {
        let mut model = model(n, d, normalization);
        if weighted {
            model.masses = weights[..n].to_vec();
        }
        let tokens = uniform(n, d, 3);
        let found = [1e-8, 1e-9, 1e-10].map(|tolerance| collapse_of(&model, beta, &tokens, tolerance));
        for time in &found[..2] {
            assert!((time / found[2] - 1.0).abs() < 1e-6, "{n} {d} {beta} {normalization:?}: {found:?}");
        }
    }
}

/// Against the classical method of order 4: at the first step that it ends after a collapse, the tokens are the same.
#[test]
fn small_fixed_steps_lead_to_the_same_tokens() {
    for (n, d, beta, normalization) in [
        (8, 2, 9.0, Normalization::Softmax),
        (6, 3, 4.0, Normalization::Unnormalized),
        (12, 5, 2.0, Normalization::Softmax),
    ] {
        let (tokens, step) =
            (uniform(n, d, 5), if normalization == Normalization::Softmax { 0.02 } else { 4e-4 });
        let fixed = Model { integrator: Integrator::Rk4, ..model(n, d, normalization) };
        let from = Start { step, ..start(beta, tokens.clone()) };
        let mut ensemble = Ensemble::new(&fixed, &[from], Isa::widest()).expect("a start");
        for _ in 0..1000 {
            ensemble.step();
        }
        let end = Instant::of_step(1000, step);
        for integrator in [Integrator::Multiscale, Integrator::Adaptive] {
            let model = Model { integrator, ..model(n, d, normalization) };
            let from = start(beta, tokens.clone());
            let mut run = Trajectory::new(&model, &from, 1e-11, Isa::widest()).expect("a start");
            while end.since(run.time()) > 0.0 {
                run.merge();
                run.advance();
                assert_eq!(run.ending(), None);
            }
            let share = run.share_at(end);
            let mut points = Vec::new();
            run.points_at(share, &mut points);
            let rows = run.members().iter().flat_map(|member| &points[*member as usize * d..][..d]);
            for (found, expected) in rows.zip(ensemble.lane_tokens(0)) {
                // rk4's error is of order (rate · step)⁴ = 1e-7 of what is still apart, with a small constant.
                assert!((found - expected).abs() < 1e-7, "{integrator:?} {n} {d}: {found} {expected}");
            }
        }
    }
}

/// Two close clusters far from the rest: the first merge is that of the pair alone, and meets where P4 Prop. 3.11 says. The rest pulls at
/// it with weights smaller by e^{−β·((1 − cos 1.4) − (1 − cos 0.5))}, below 10⁻¹⁸.
#[test]
fn the_first_merge_is_that_of_the_closest_pair() {
    for normalization in [Normalization::Softmax, Normalization::Unnormalized] {
        for masses in [[1.0, 1.0, 1.0, 1.0], [2.0, 1.0, 3.0, 1.0]] {
            let (beta, angles) = (60.0, [0.0, 0.5, 1.9, 3.6]);
            let tokens: Vec<f64> = angles.iter().flat_map(|a: &f64| [libm::cos(*a), libm::sin(*a)]).collect();
            let total: f64 = masses.iter().sum();
            let shares: Vec<f64> = masses.iter().map(|mass| mass / total).collect();
            let clusters = Clusters::on_circle(&angles, &shares);
            let exact = &cascade(&clusters, beta, normalization, Law::Exact { delta: 1e-3 })[0];
            assert_eq!(exact.pair, (0, 1));
            let model = Model { masses: masses.to_vec(), ..model(4, 2, normalization) };
            let from = start(beta, tokens);
            let mut run = Trajectory::new(&model, &from, 1e-9, Isa::widest()).expect("a start");
            let (mut time, mut points) = (None, Vec::new());
            while run.count() == 4 {
                run.advance();
                if time.is_none() && run.gaps()[0] <= 1e-3 {
                    let (mut low, mut high) = (0.0, 1.0);
                    for _ in 0..40 {
                        let middle = 0.5 * (low + high);
                        run.points_at(middle, &mut points);
                        if gap(&points, 2, 0, 1) > 1e-3 { low = middle } else { high = middle }
                    }
                    time = Some(run.instant_at(high).time());
                }
                run.merge();
            }
            let found = libm::log(time.expect("a merge"));
            assert!((found - exact.ln_duration).abs() < 1e-7, "{found} {}", exact.ln_duration);
            for (found, expected) in run.points()[..2].iter().zip(&exact.position) {
                assert!((found - expected).abs() < 1e-7, "{found} {expected}");
            }
        }
    }
}

/// Merging at twenty times the distance, by hand, changes later times by (βε)²/2 at most: the bound of the module's page, measured. Here
/// two tokens 3·10⁻⁷ apart are replaced by one of double mass, and β²ε²/2 = 2·10⁻¹⁰ at β = 60.
#[test]
fn one_weighted_token_is_two_that_have_met() {
    let (beta, apart) = (60.0, 3e-7);
    let at = |angle: f64| [libm::cos(angle), libm::sin(angle)];
    let two = [at(0.0 - apart / 2.0), at(0.0 + apart / 2.0), at(1.0), at(2.7)].concat();
    let one = [at(0.0), at(1.0), at(2.7)].concat();
    let merged = Model { masses: vec![2.0, 1.0, 1.0], ..model(3, 2, Normalization::Softmax) };
    let found = collapse_of(&model(4, 2, Normalization::Softmax), beta, &two, 1e-11);
    let expected = collapse_of(&merged, beta, &one, 1e-11);
    // Both runs are good to about ten times their tolerance.
    let bound = 0.5 * (beta * apart) * (beta * apart) + 1e-10;
    assert!((found / expected - 1.0).abs() < bound, "{found} {expected}");
}

/// Tokens in another order make the same run to rounding; the machine's instructions to the bit.
#[test]
fn order_and_instructions_do_not_matter() {
    for (n, d, normalization) in [
        (13, 2, Normalization::Softmax),
        (11, 7, Normalization::Unnormalized),
        (9, 4, Normalization::Softmax),
    ] {
        let (beta, tokens) = (40.0, uniform(n, d, 9));
        let model = model(n, d, normalization);
        let turned: Vec<f64> = tokens.chunks_exact(d).rev().flatten().copied().collect();
        let time = collapse_of(&model, beta, &tokens, 1e-9);
        // Rounding differs, and is worth β·10⁻¹⁶ a step; the controller makes other steps of it, good to the tolerance.
        assert!((collapse_of(&model, beta, &turned, 1e-9) / time - 1.0).abs() < 1e-7, "{n} {d}");
        let run = |isa| {
            let mut run = Trajectory::new(&model, &start(beta, tokens.clone()), 1e-7, isa).expect("a start");
            for _ in 0..400 {
                run.merge();
                run.advance();
            }
            run.save()
        };
        let portable = run(Isa::Portable);
        for isa in [Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| isa.is_available()) {
            assert_eq!(run(isa), portable, "{isa:?}");
        }
    }
}

/// A state saved anywhere goes on bit-equal.
#[test]
fn saved_states_go_on_bit_equal() {
    let (model, start) = (model(10, 3, Normalization::Softmax), start(30.0, uniform(10, 3, 1)));
    let mut whole = Trajectory::new(&model, &start, 1e-7, Isa::widest()).expect("a start");
    let mut parts = Trajectory::new(&model, &start, 1e-7, Isa::widest()).expect("a start");
    let mut places = Stream::new([4; 32], 0);
    while whole.ending().is_none() {
        for run in [&mut whole, &mut parts] {
            run.merge();
            run.advance();
        }
        if places.uniform() < 0.2 {
            parts =
                Trajectory::restore(&model, &start, 1e-7, &parts.save(), Isa::Portable).expect("its state");
        }
        assert_eq!(parts.save(), whole.save());
    }
    assert_eq!(whole.count(), 1);
}

/// Points that are closer than the tolerance can see still meet: steps never get so long that what decays rests instead.
#[test]
fn whatever_meets_becomes_one() {
    for (n, d, beta) in [(8, 8, 2.0), (32, 8, 2.0), (20, 2, 0.5), (16, 3, 9.0)] {
        let model = model(n, d, Normalization::Softmax);
        for tolerance in [1e-3, 1e-6] {
            for seed in 0..20 {
                let start = start(beta, uniform(n, d, seed));
                let mut run = Trajectory::new(&model, &start, tolerance, Isa::widest()).expect("a start");
                while run.ending().is_none() {
                    assert!(run.steps() < 2000, "{n} {d} {beta} {tolerance} {seed}: {:?}", run.gaps());
                    run.merge();
                    run.advance();
                }
                assert_eq!((run.ending(), run.count()), (Some(Ending::Stationary), 1));
            }
        }
    }
}
