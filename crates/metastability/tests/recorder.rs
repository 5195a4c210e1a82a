//! A record depends on its own lane's states alone, and a recorder survives being saved at any state.

mod common;

use common::{Ends, Path, record, record_one, show, watch, with_state};
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::watch::Watch;

/// Tokens that wander, meet and part: a sum of incommensurate waves a token.
fn wander(n: usize, steps: usize, seed: f64) -> Path {
    (0..=steps)
        .map(|k| {
            let t = k as f64 * 0.1;
            let clusters = 1.5 + libm::sin(seed + 0.7 * t);
            (0..n)
                .map(|i| {
                    let own = libm::sin(seed * 3.1 + (i * i) as f64 * 1.3 + 0.2 * t);
                    libm::round(own * clusters) + libm::exp(-0.8 * t) * own * 0.1
                })
                .collect()
        })
        .collect()
}

fn small() -> Watch {
    let mut watch = watch(80);
    watch.samples = vec![0, 3, 3, 10, 11, 50, 80];
    watch.deltas = vec![1e-3, 1e-1];
    watch.suffixes = vec![String::new(), "_delta_0.1".to_owned()];
    watch.min_lifetime = 0.3;
    watch
}

#[test]
fn neither_the_lane_nor_its_neighbours_matter() {
    let watch = small();
    let paths: Vec<Path> = (0..8).map(|lane| wander(9, 80, 0.77 * f64::from(lane))).collect();
    let mut ends = [Ends::default(); 8];
    ends[2].stationary_from = Some(33);
    ends[5].failed_from = Some(21);
    let alone: Vec<String> =
        (0..8).map(|lane| format!("{:?}", record(&watch, &[&paths[lane]], &[ends[lane]])[0])).collect();
    assert!(alone.iter().filter(|record| record.contains("Merge {")).count() >= 4, "the paths are too dull");
    for turn in [0, 1, 5] {
        let order: Vec<usize> = (0..8).map(|lane| (lane + turn) % 8).collect();
        let together = record(
            &watch,
            &order.iter().map(|&k| &paths[k]).collect::<Vec<_>>(),
            &order.iter().map(|&k| ends[k]).collect::<Vec<_>>(),
        );
        for (&k, record) in order.iter().zip(&together) {
            assert_eq!(format!("{record:?}"), alone[k]);
        }
    }
}

#[test]
fn the_order_of_the_tokens_does_not_matter_to_the_partition() {
    let watch = small();
    let path = wander(9, 80, 2.0);
    let turned: Path = path.iter().map(|x| (0..9).map(|i| x[(i * 4 + 2) % 9]).collect()).collect();
    let (a, b) = (record_one(&watch, &path), record_one(&watch, &turned));
    assert_eq!(a.collapse_time, b.collapse_time);
    assert_eq!(a.clusters_final, b.clusters_final);
    assert_eq!(a.hemisphere_initial, b.hemisphere_initial);
    assert_eq!(a.plateaus.len(), b.plateaus.len());
    for (p, q) in a.plateaus.iter().zip(&b.plateaus) {
        assert_eq!((p.from, p.until, p.clusters, &p.sizes), (q.from, q.until, q.clusters, &q.sizes));
    }
}

#[test]
fn saved_at_any_state_it_goes_on_to_equal_records() {
    let watch = small();
    let paths: Vec<Path> = (0..3).map(|lane| wander(7, 80, 0.9 * f64::from(lane))).collect();
    let paths: Vec<&Path> = paths.iter().collect();
    let ends = [Ends { stationary_from: Some(30), ..Ends::default() }, Ends::default(), Ends::default()];
    let whole = format!("{:?}", record(&watch, &paths, &ends));
    let configuration = bincode::config::standard();
    let mut recorder = Recorder::new(&watch, 7, 3);
    for k in 0..=80 {
        let bytes = bincode::serde::encode_to_vec(&recorder, configuration).unwrap();
        let (restored, read): (Recorder, usize) =
            bincode::serde::decode_from_slice(&bytes, configuration).unwrap();
        assert_eq!((&restored, read), (&recorder, bytes.len()));
        recorder = restored;
        show(&mut recorder, &watch, &paths, &ends, k);
    }
    let records = with_state(&watch, &paths, &ends, 80, |scene| recorder.conclude(&watch, scene));
    assert_eq!(format!("{records:?}"), whole);
}

#[test]
fn what_is_not_asked_for_changes_nothing_else() {
    let watch = small();
    let path = wander(9, 80, 1.1);
    let full = record_one(&watch, &path);
    for (plateaus, merges) in [(false, false), (true, false), (false, true)] {
        let mut some = watch.clone();
        (some.plateaus, some.merges) = (plateaus, merges);
        let record = record_one(&some, &path);
        assert_eq!(record.series, full.series);
        assert_eq!(record.collapse_time, full.collapse_time);
        assert_eq!(record.plateaus, if plateaus { full.plateaus.clone() } else { Vec::new() });
        assert_eq!(record.merges, if merges { full.merges.clone() } else { Vec::new() });
        assert_eq!(record.first_plateau, full.first_plateau.filter(|_| plateaus));
    }
}
