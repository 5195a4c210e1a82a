//! Observables that look at more than cosines, on systems whose answers are known by hand; Rényi centres against P3 C.1.

use std::sync::Arc;

use metasweep_dynamics::ensemble::{Ensemble, Start};
use metasweep_dynamics::model::{Mask, Model};
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::{Isa, LANES, Pack};
use metasweep_metastability::clock::Instant;
use metasweep_metastability::cosines::packed_gram;
use metasweep_metastability::histogram::{Histogram, Quantity};
use metasweep_metastability::observables::Observable;
use metasweep_metastability::record::ReplicaRecord;
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::renyi::{Centres, Which};
use metasweep_metastability::scene::{Place, Scene};
use metasweep_metastability::watch::{Space, Watch};

/// V = diag(values), B = b·I.
fn head(values: &[f64], b: f64) -> Head {
    Head { query_key: QueryKey::Joint(Operator::Scalar(b)), value: Operator::Diagonal(values.to_vec()) }
}

/// The record of `steps` steps of one system in two lanes, lane 1 (lane 0 starts elsewhere).
fn run(watch: &Watch, model: &Model, head: &Head, rows: &[Vec<f64>]) -> ReplicaRecord {
    let parameters = Arc::new(Parameters::new(vec![head.clone()]));
    let tokens: Vec<f64> = rows.concat();
    let other: Vec<f64> = tokens.iter().rev().copied().collect();
    let start = |tokens| Start::new(watch.beta, watch.step, tokens, Arc::clone(&parameters));
    let mut ensemble = Ensemble::new(model, &[start(other), start(tokens)], Isa::widest()).unwrap();
    let mut recorder = Recorder::new(watch, rows.len(), 2).with_portraits(0b10, 0b10);
    recorder.observe(watch, &mut ensemble);
    while ensemble.steps() < watch.steps {
        ensemble.step();
        recorder.observe(watch, &mut ensemble);
    }
    recorder.finish(watch, &mut ensemble).remove(1)
}

fn still(series: &[Observable], model: &Model, head: &Head, rows: &[Vec<f64>], beta: f64) -> Vec<f64> {
    let watch = Watch { series: series.to_vec(), samples: vec![0], beta, epsilon: 0.05, ..Watch::default() };
    run(&watch, model, head, rows).series
}

fn circle(angles: &[f64]) -> Vec<Vec<f64>> {
    angles.iter().map(|&angle| vec![libm::cos(angle), libm::sin(angle)]).collect()
}

#[test]
fn order_is_the_length_of_the_mean() {
    let identity = head(&[1.0, 1.0], 1.0);
    for (angles, wanted) in [
        (vec![0.3, 0.3], 1.0),
        (vec![0.0, std::f64::consts::PI], 0.0),
        (vec![0.0, std::f64::consts::FRAC_PI_2], 0.5_f64.sqrt()),
    ] {
        let found = still(&[Observable::Order], &Model::new(2, 2), &identity, &circle(&angles), 1.0)[0];
        assert!((found - wanted).abs() < 1e-15, "{angles:?}: {found}");
    }
}

#[test]
fn attention_ranks_and_leaders() {
    let series = [Observable::AttentionRank, Observable::Leaders];
    let rows: Vec<Vec<f64>> = (0..3).map(|i| (0..3).map(|k| f64::from(u8::from(i == k))).collect()).collect();
    let identity = head(&[1.0; 3], 1.0);
    // (e^β − 1)I + J: of full rank for β > 0; more than half of a row is one's own from e^β > n − 1 on.
    assert_eq!(still(&series, &Model::new(3, 3), &identity, &rows, 0.0), [1.0, 0.0]);
    assert_eq!(still(&series, &Model::new(3, 3), &identity, &rows, 0.5), [3.0, 0.0]);
    assert_eq!(still(&series, &Model::new(3, 3), &identity, &rows, 0.7), [3.0, 3.0]);
    // Everybody in one place; the first token sees itself alone under the causal mask.
    let together = vec![vec![1.0, 0.0, 0.0]; 3];
    assert_eq!(still(&series, &Model::new(3, 3), &identity, &together, 2.0), [1.0, 0.0]);
    let causal = Model { mask: Mask::Causal, ..Model::new(3, 3) };
    assert_eq!(still(&series, &causal, &identity, &together, 2.0), [3.0, 1.0]);
    // Scores β b ⟨x, y⟩ with b < 0: each attends to its antipode.
    let pair = vec![vec![1.0, 0.0, 0.0], vec![-1.0, 0.0, 0.0]];
    assert_eq!(still(&series, &Model::new(2, 3), &head(&[1.0; 3], -1.0), &pair, 3.0), [2.0, 2.0]);
}

#[test]
fn hyperplanes_are_counted_across_the_leading_direction() {
    // V = diag(2, 1): φ_1 is the first axis, and the tokens stand at cos θ.
    let rows = circle(&[0.5, -0.5, 2.0, 2.01, std::f64::consts::PI]);
    let series = [Observable::Hyperplanes];
    assert_eq!(still(&series, &Model::new(5, 2), &head(&[2.0, 1.0], 1.0), &rows, 1.0), [3.0]);
    // Along the second axis: sin 0.5, −sin 0.5, sin 2 and near it, 0.
    assert_eq!(still(&series, &Model::new(5, 2), &head(&[1.0, 2.0], 1.0), &rows, 1.0), [4.0]);
    for values in [[1.0, 1.0], [-2.0, 1.0], [0.0, 0.0]] {
        assert!(still(&series, &Model::new(5, 2), &head(&values, 1.0), &rows, 1.0)[0].is_nan(), "{values:?}");
    }
}

#[test]
fn distances_to_the_leading_eigenspace() {
    let rows = circle(&[0.3, -1.1]);
    let mean = f64::midpoint(libm::sin(0.3), libm::sin(1.1));
    let watch = Watch {
        series: vec![Observable::LeadingEigenspaceDistance],
        spaces: vec![Space::Value, Space::ValueKeyQuery],
        samples: vec![0],
        ..Watch::default()
    };
    assert_eq!(
        watch.columns(),
        ["leading_eigenspace_distance", "leading_eigenspace_distance_value_key_query"]
    );
    let found = run(&watch, &Model::new(2, 2), &head(&[1.0, -1.0], 1.0), &rows).series;
    assert!((found[0] - mean).abs() < 1e-15 && (found[1] - mean).abs() < 1e-15, "{found:?}");
    // B = −I turns the spectrum of V KᵀQ round: the second axis leads.
    let found = run(&watch, &Model::new(2, 2), &head(&[1.0, -1.0], -1.0), &rows).series;
    let other = f64::midpoint(libm::cos(0.3), libm::cos(1.1));
    assert!((found[0] - mean).abs() < 1e-15 && (found[1] - other).abs() < 1e-15, "{found:?}");
    let scalar = Head { value: Operator::Scalar(-1.0), ..head(&[], 1.0) };
    assert_eq!(run(&watch, &Model::new(2, 2), &scalar, &rows).series, [0.0, 0.0]);
}

#[test]
fn centres_drift_and_capture() {
    // Separation 1: 0 is a centre, 0.9 is not; 1.5 is one, and not strong, since 0.9 is nearer; −2 is a strong one.
    let rows = circle(&[0.0, 0.9, 1.5, -2.0, -1.6]);
    let watch = Watch {
        series: vec![
            Observable::RenyiCentres,
            Observable::StrongRenyiCentres,
            Observable::RenyiDrift,
            Observable::CapturedFraction,
        ],
        separation: 1.0,
        beta: 4.0,
        samples: vec![0, 1],
        steps: 1,
        step: 1e-3,
        ..Watch::default()
    };
    let record = run(&watch, &Model::new(5, 2), &head(&[1.0, 1.0], 1.0), &rows);
    let column = |k: usize| &record.series[2 * k..2 * k + 2];
    assert_eq!(column(0), [3.0, 3.0]);
    assert_eq!(column(1), [2.0, 2.0]);
    // Nothing has moved at t = 0; then each by step·‖P A‖, less than the step.
    for k in 2..6 {
        assert_eq!(column(k)[0], 0.0);
        assert!(column(k)[1] > 0.0 && column(k)[1] < 1e-3, "{:?}", column(k));
    }
    assert!(column(2)[1] <= column(3)[1] && column(4)[1] <= column(5)[1] && column(5)[1] <= column(3)[1]);
    // Within ½ of {0, 1.5, −2}: all but 0.9; within 1: all; β^{−1/2} = ½.
    assert_eq!([6, 7, 8].map(|k| column(k)[0]), [0.8, 1.0, 0.8]);
    // Of {0, −2}: not 0.9 nor 1.5; within 1 not 1.5.
    assert_eq!([9, 10, 11].map(|k| column(k)[0]), [0.6, 0.8, 0.6]);
}

#[test]
fn drift_is_geodesic() {
    // One token in the field of V = diag(1, −1) alone: tan θ decays as e^{−2t} (P3 Lemma 3.1 for n = 1).
    let watch = Watch {
        series: vec![Observable::RenyiDrift],
        samples: vec![1000],
        steps: 1000,
        step: 1e-3,
        ..Watch::default()
    };
    let model = Model { integrator: metasweep_dynamics::model::Integrator::Rk4, ..Model::new(1, 2) };
    let found = run(&watch, &model, &head(&[1.0, -1.0], 1.0), &circle(&[1.2])).series[0];
    let wanted = 1.2 - libm::atan(libm::tan(1.2) * libm::exp(-2.0));
    // RK4's error h⁴ t, times a constant of order one; asin of a chord has no large derivative here.
    assert!((found - wanted).abs() < 1e-11, "{found}, not {wanted}");
}

#[test]
fn portraits_and_histograms() {
    let watch = Watch {
        samples: vec![0, 2],
        steps: 2,
        step: 0.1,
        beta: 1.0,
        tokens_at: vec![0, 2],
        attention_at: vec![1],
        histograms: vec![
            Histogram { of: Quantity::InnerProduct, bins: 4 },
            Histogram { of: Quantity::Azimuth, bins: 8 },
        ],
        ..Watch::default()
    };
    // −0.1 lies in the last bin of [0, 2π), 3.2 in bin 4; cosines cos 0.1, cos 1.5, cos 1.7, cos 3.3 … of pairs.
    let rows = circle(&[0.0, 1.6, -0.1, 3.2]);
    let record = run(&watch, &Model::new(4, 2), &head(&[1.0, 1.0], 1.0), &rows);
    assert_eq!(record.tokens[..8], rows.concat());
    assert_eq!(record.tokens.len(), 16);
    assert_eq!(record.attention.len(), 16);
    for row in record.attention.chunks_exact(4) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-15);
    }
    // cos: 1.6 → −0.03, 0.1 → 0.995, 3.2 → −0.998, 1.7 → −0.13, 1.6 → −0.03, 3.3 → −0.987.
    assert_eq!(record.histograms[..4], [2, 3, 0, 1]);
    assert_eq!(record.histograms[4..12], [1, 0, 1, 0, 1, 0, 0, 1]);
    assert_eq!(record.histograms[12..16].iter().sum::<u64>(), 6);
    assert_eq!(record.histograms.len(), 24);
    let shape = Histogram { of: Quantity::Azimuth, bins: 360 };
    assert_eq!((shape.edge(0), shape.edge(360)), (0.0, 2.0 * std::f64::consts::PI));
}

/// Mean numbers of centres, their standard errors, of `samples` states of n uniform tokens of S^{d−1}.
fn mean_centres(n: usize, d: usize, separation: f64, samples: u64) -> [(f64, f64); 2] {
    let watch = Watch { separation, ..Watch::default() };
    let mut sums = [(0.0, 0.0); 2];
    for sample in 0..samples {
        let mut stream = Stream::new([11; 32], sample);
        let mut tokens: Vec<f64> = (0..n * d).map(|_| stream.normal()).collect();
        for row in tokens.chunks_exact_mut(d) {
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            for x in row {
                *x /= length;
            }
        }
        let tokens: Vec<Pack> = tokens.into_iter().map(Pack::splat).collect();
        let gram = packed_gram(n, &tokens);
        let scene = Scene {
            n,
            step: 0,
            time: [Instant::default(); LANES],
            place: Place::Sphere,
            gram: &gram,
            tokens: (&tokens).into(),
            stationary: 0,
            finite: u8::MAX,
            stays_together: false,
            evaluations: 0,
            isa: Isa::widest(),
            system: None,
        };
        let centres = Centres::choose(&watch, &scene, 0);
        for (sum, which) in sums.iter_mut().zip([Which::Strong, Which::Renyi]) {
            let count = centres.tokens(which).len() as f64;
            *sum = (sum.0 + count, sum.1 + count * count);
        }
    }
    let count = samples as f64;
    sums.map(|(sum, square)| {
        let mean = sum / count;
        (mean, ((square / count - mean * mean) / (count - 1.0)).sqrt())
    })
}

#[test]
fn expected_number_of_strong_centres() {
    // P3 C.1: (1 − (1 − p)^n)/p, p the share of a cap of radius δ. Five standard errors: false alarm 6e-7 each.
    for (n, d, separation, samples) in [(60, 2, 0.5, 400), (30, 2, 0.2, 400), (60, 3, 0.4, 300)] {
        let cap = match d {
            2 => separation / std::f64::consts::PI,
            _ => libm::pow(libm::sin(separation / 2.0), 2.0),
        };
        let wanted = (1.0 - libm::pow(1.0 - cap, f64::from(n))) / cap;
        let [(mean, error), _] = mean_centres(n as usize, d, separation, samples);
        assert!((mean - wanted).abs() < 5.0 * error, "n = {n}, d = {d}: {mean} ± {error}, not {wanted}");
    }
}

#[test]
fn renyi_centres_fill_the_circle() {
    // Rényi's constant: 0.74759792… · 2π/δ minus 1, exact up to terms smaller than any power of δ. On the circle of length L the first car
    // leaves a segment of length L − 1 between its ends, with cars' centres at least 1 apart: c·L centres in all. Here δ = 0.3, and
    // so many tokens that what is still free has a share below 1e-3 of a car.
    let separation = 0.3;
    let wanted = 0.747_597_920_253_411_4 * 2.0 * std::f64::consts::PI / separation;
    let [_, (mean, error)] = mean_centres(600, 2, separation, 200);
    // 600 tokens leave gaps: a place free for one more car of width w is missed with probability e^{−600 w/2π}, at most 16
    // gaps, w roughly uniform on [0, 0.3]: fewer than 16·(2π/600)/0.3 = 0.56 cars.
    assert!(
        mean < wanted + 5.0 * error && mean > wanted - 0.56 - 5.0 * error,
        "{mean} ± {error}, not {wanted}"
    );
}
