//! Every observable on configurations whose answers are known by hand.

mod common;

use common::{arc, watch};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::{Isa, LANES, Pack};
use metasweep_metastability::clock::Instant;
use metasweep_metastability::cosines::packed_gram;
use metasweep_metastability::observables::Observable;
use metasweep_metastability::record::ReplicaRecord;
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::scene::{Place, Scene};
use metasweep_metastability::watch::Watch;

const BETA: f64 = 9.0;

/// The record of one state, in lane 5 of 6, with other things in the other lanes.
fn still(rows: &[Vec<f64>], deltas: &[f64]) -> ReplicaRecord {
    let watch = Watch {
        deltas: deltas.to_vec(),
        suffixes: deltas.iter().map(|delta| format!("_{delta}")).collect(),
        ..watch(0)
    };
    let packs = rows.iter().flatten().map(|&x| Pack([1.0, 0.3, -0.2, x, -x, x, 0.0, f64::NAN]));
    let tokens: Vec<Pack> = packs.collect();
    let gram = packed_gram(rows.len(), &tokens);
    let scene = Scene {
        n: rows.len(),
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
    let mut recorder = Recorder::new(&watch, rows.len(), 6);
    recorder.record(&watch, &scene);
    recorder.conclude(&watch, &scene).swap_remove(5)
}

/// In the order of `Observable::ALL`, at δ = 1e-3.
fn series(rows: &[Vec<f64>]) -> Vec<f64> {
    still(rows, &[1e-3]).series
}

fn circle(angles: &[f64]) -> Vec<Vec<f64>> {
    angles.iter().map(|&angle| vec![libm::cos(angle), libm::sin(angle)]).collect()
}

fn axes(n: usize) -> Vec<Vec<f64>> {
    (0..n).map(|i| (0..n).map(|k| f64::from(i == k)).collect()).collect()
}

#[test]
fn tokens_in_one_place() {
    for n in 2..7 {
        assert_eq!(series(&vec![vec![1.0, 0.0, 0.0]; n]), [1.0; 7]);
    }
}

#[test]
fn one_token_has_no_pairs() {
    let series = series(&[vec![0.6, 0.8]]);
    let null: Vec<bool> = series.iter().map(|x| x.is_nan()).collect();
    assert_eq!(null, [false, false, true, true, true, false, false]);
    assert!(series.iter().all(|&x| x.is_nan() || x == 1.0));
}

#[test]
fn an_antipodal_pair() {
    let series = series(&[vec![0.6, -0.8], vec![-0.6, 0.8]]);
    let energy = f64::midpoint(1.0, libm::exp(-2.0 * BETA));
    for (name, (found, wanted)) in ["clusters", "rank", "pairs", "mean", "min", "energy", "span"]
        .iter()
        .zip(series.iter().zip([2.0, 2.0, 0.0, -1.0, -1.0, energy, 1.0]))
    {
        assert!((found - wanted).abs() < 1e-15, "{name}: {found}, not {wanted}");
    }
}

#[test]
fn orthonormal_tokens() {
    for n in 2..9 {
        let count = n as f64;
        let energy = (1.0 + (count - 1.0) * libm::exp(-BETA)) / count;
        let series = series(&axes(n));
        assert_eq!(series[..5], [count, count, 0.0, 0.0, 0.0]);
        assert!((series[5] - energy).abs() < 1e-15);
        assert_eq!(series[6], count);
    }
}

#[test]
fn a_chain_is_one_cluster_but_not_of_rank_one() {
    // Neighbours at half of δ = 2e-4, the ends at twice of it.
    let step = arc(1e-4) * 0.9;
    let record = still(&circle(&[0.0, step, 2.0 * step]), &[1e-4, 1e-3]);
    let column: Vec<f64> = record.series.clone();
    // clusters at both δ, threshold_rank (its threshold is 1e-4), pair_fraction at both δ, mean, …
    assert_eq!(column[..2], [1.0, 1.0]);
    assert_eq!(column[2], 3.0);
    assert_eq!(column[3..5], [2.0 / 3.0, 1.0]);
    assert_eq!(record.clusters_final, [Some(1), Some(1)]);
}

#[test]
fn thresholds_are_inclusive_for_clusters_and_exclusive_for_the_rank() {
    // A cosine of exactly 0.9999 and of exactly 1 − δ: (cosine, 0) · (1, 0), tokens need not be of length 1 here.
    let rows = [vec![1.0], vec![0.9999]];
    let record = still(&rows, &[1.0 - 0.9999, 1e-5]);
    let one_minus_delta = 1.0 - (1.0 - 0.9999);
    assert_eq!(record.series[0], if 0.9999 >= one_minus_delta { 1.0 } else { 2.0 });
    assert_eq!(record.series[1], 2.0);
    assert_eq!(record.series[2], 2.0, "0.9999 is not above 0.9999");
    let above = still(&[vec![1.0], vec![0.9999_f64.next_up()]], &[1e-3]);
    assert_eq!(above.series[1], 1.0);
}

#[test]
fn sums_are_those_of_the_definitions() {
    let mut stream = Stream::new([7; 32], 0);
    for (n, d) in [(2, 3), (5, 2), (17, 4), (32, 8)] {
        let mut rows: Vec<Vec<f64>> = (0..n).map(|_| (0..d).map(|_| stream.normal()).collect()).collect();
        for row in &mut rows {
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            for x in row {
                *x /= length;
            }
        }
        let cosine = |i: usize, j: usize| -> f64 { rows[i].iter().zip(&rows[j]).map(|(a, b)| a * b).sum() };
        let pairs = || (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
        let apart: Vec<f64> = pairs().filter(|(i, j)| i != j).map(|(i, j)| cosine(i, j)).collect();
        let energy: f64 = pairs().map(|(i, j)| libm::exp(BETA * (cosine(i, j) - 1.0))).sum();
        let series = series(&rows);
        // n² terms of size at most one, each with a few roundings.
        let tolerance = (n * n) as f64 * 1e-15;
        assert!((series[3] - apart.iter().sum::<f64>() / apart.len() as f64).abs() < tolerance);
        assert!((series[4] - apart.iter().copied().fold(1.0, f64::min)).abs() < 1e-15);
        assert!((series[5] - energy / (n * n) as f64).abs() < tolerance);
        assert_eq!(series[6], n.min(d) as f64);
    }
}

#[test]
fn names_are_those_of_the_interface() {
    let names = Observable::ALL.iter().map(|observable| observable.name());
    let wanted = "clusters threshold_rank pair_fraction mean_cosine min_cosine energy span_dimension order attention_rank leaders \
                  hyperplanes leading_eigenspace_distance renyi_centres strong_renyi_centres renyi_drift captured_fraction";
    assert!(names.eq(wanted.split(' ')));
    let mut watch = watch(0);
    watch.deltas.push(1e-4);
    watch.suffixes.push("_delta_1e-4".to_owned());
    assert_eq!(watch.columns()[..3], ["clusters", "clusters_delta_1e-4", "threshold_rank"]);
    watch.series = Observable::ALL.to_vec();
    let columns: usize = Observable::ALL.iter().map(|observable| watch.columns_of(*observable)).sum();
    assert_eq!(watch.columns().len(), columns);
    assert_eq!(columns, 16 + 1 + 1 + 3 + 5);
}
