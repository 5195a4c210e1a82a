//! Collapse, plateaus and merges on paths whose answers are known by construction.

mod common;

use common::{Ends, Path, arc, record, record_one, watch};
use metasweep_metastability::record::End;

/// Times are interpolated from cosines that carry a few roundings.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

/// Two tokens at distance `arc(1 − cosine)`.
fn pair(cosine: f64) -> Vec<f64> {
    vec![0.0, libm::acos(cosine)]
}

#[test]
fn collapse_is_located_in_the_minimum() {
    // The cosine goes from 0.5 to 1 in steps of 0.1: 1 − 1e-3 is 99% of the fifth step.
    let path: Path = (0..=6).map(|k| pair(f64::min(1.0, 0.5 + 0.1 * f64::from(k)))).collect();
    let record = record_one(&watch(6), &path);
    assert!(close(record.collapse_time[0].unwrap(), 0.499));
    assert_eq!(record.end, End::Collapsed);
}

#[test]
fn collapse_at_the_start_and_never_taken_back() {
    let path: Path = (0..=6).map(|k| pair(if k < 2 { 0.9999 } else { 0.0 })).collect();
    let record = record_one(&watch(6), &path);
    assert_eq!(record.collapse_time, [Some(0.0)]);
    assert_eq!(record.end, End::Collapsed);
    assert_eq!(record.clusters_final, [Some(2)]);
}

#[test]
fn one_token_has_collapsed() {
    let path: Path = vec![vec![0.3]; 4];
    let record = record_one(&watch(3), &path);
    assert_eq!(record.collapse_time, [Some(0.0)]);
    assert_eq!((record.min_cosine_final, record.energy_final), (None, Some(1.0)));
    assert_eq!(record.hemisphere_initial, Some(true));
    assert_eq!(record.first_plateau, None);
    assert_eq!(record.plateaus.len(), 1);
    assert!(record.series[4 * 3..4 * 4].iter().all(|mean| mean.is_nan()));
}

#[test]
fn the_relaxation_of_two_tokens_gives_half_a_logarithm() {
    // SA, n = 2, near collapse: 1 − g = c·e^{−2t}. Linear interpolation in g errs by at most η²/8·max|g″| over
    // min|g′|, which is η²/4·e^{2η}.
    let mut watch = watch(500);
    watch.step = 0.01;
    watch.deltas = vec![1e-2, 1e-4];
    watch.suffixes = vec![String::new(), "_delta_1e-4".to_owned()];
    let path: Path = (0..=500).map(|k| pair(1.0 - 0.5 * libm::exp(-2.0 * 0.01 * f64::from(k)))).collect();
    let times = record_one(&watch, &path).collapse_time;
    let (early, late) = (times[0].unwrap(), times[1].unwrap());
    let bound = 0.01 * 0.01 / 4.0 * libm::exp(0.02);
    assert!((early - 0.5 * libm::log(50.0)).abs() < bound);
    assert!((late - early - 0.5 * libm::log(100.0)).abs() < 2.0 * bound);
}

/// Three tokens: two that approach from 1 − 1e-2 (as δ_hi) to 1 − 0 in five steps, and one far away.
fn approach() -> Path {
    let mut path: Path = Vec::new();
    for k in 0..=20 {
        let share = f64::from(k - 5).clamp(0.0, 5.0) / 5.0;
        path.push(vec![0.0, arc(2e-2 * (1.0 - share)), 2.0]);
    }
    path
}

#[test]
fn plateaus_begin_and_end_where_cosines_cross() {
    // δ_hi = 1e-2, δ_lo = 1e-6. Cosine of the pair: 0.98 until t = 0.5, then +0.004 a step, 1 at t = 1.
    let record = record_one(&watch(20), &approach());
    let plateaus = &record.plateaus;
    assert_eq!(plateaus.len(), 2);
    assert_eq!((plateaus[0].clusters, plateaus[0].sizes.as_slice()), (3, [1, 1, 1].as_slice()));
    assert_eq!(plateaus[0].from, 0.0);
    assert!(close(plateaus[0].until, 0.75), "separation reaches 0.99: {}", plateaus[0].until);
    assert!(close(plateaus[0].closest_cosine.unwrap(), 0.98));
    assert_eq!((plateaus[1].clusters, plateaus[1].sizes.as_slice()), (2, [2, 1].as_slice()));
    assert!(close(plateaus[1].from, 1.0 - 0.1 * 1e-6 / 0.004), "cohesion: {}", plateaus[1].from);
    assert_eq!((plateaus[1].until, plateaus[1].censored), (2.0, true));
    assert!(close(plateaus[1].lifetime, 2.0 - plateaus[1].from));
    // Three clusters of three tokens are no metastable plateau, however long.
    let first = record.first_plateau.unwrap();
    assert_eq!((first.0, first.2, first.3), (2, 2.0, true));
    assert_eq!(first.1, plateaus[1].from);
    // The merge is located at the same instant as the plateau.
    assert_eq!(record.merges.len(), 1);
    let merge = &record.merges[0];
    assert_eq!(merge.t, plateaus[1].from);
    assert_eq!((merge.clusters_before, merge.clusters_after), (3, 2));
    assert_eq!((merge.size_left, merge.size_right, merge.was_closest_pair), (1, 1, true));
    assert!(close(merge.closest_cosine_before, 0.996));
    assert!(close(merge.dt, merge.t));
}

#[test]
fn a_censored_plateau_counts_only_once_it_has_lasted() {
    let path = approach();
    for (steps, counts) in [(14, false), (15, false), (16, true)] {
        // It begins just before t = 1 and has lasted ½ just before t = 1.5.
        let mut watch = watch(steps);
        watch.min_lifetime = 0.51;
        let record = record_one(&watch, &path);
        assert_eq!(record.plateaus.len(), 2);
        assert!(record.plateaus[1].censored);
        assert_eq!(record.first_plateau.is_some(), counts, "{steps}");
    }
}

#[test]
fn a_stationary_replica_stays_on_its_plateau_for_ever() {
    let path = approach();
    let mut watch = watch(20);
    watch.min_lifetime = 5.0;
    let ends = [Ends { stationary_from: Some(12), ..Ends::default() }];
    let record = record(&watch, &[&path], &ends).remove(0);
    assert_eq!((record.end, record.steps, record.evaluations), (End::Stationary, 12, 12));
    let last = record.plateaus.last().unwrap();
    assert_eq!((last.until, last.censored), (2.0, true));
    assert_eq!(record.first_plateau.unwrap().0, 2);
    // The rows after it are filled in.
    assert!(record.series.iter().all(|x| !x.is_nan()));
    assert_eq!(record.series[20], 2.0);
}

#[test]
fn a_flicker_of_the_partition_ends_a_plateau_but_merges_nothing_twice() {
    // The pair joins at state 3, is 3·δ_lo apart at state 6 only, and at 20·δ_lo from state 9 on.
    let gap = |k| match k {
        0..3 => 0.5,
        6 => 3e-6,
        9.. => 2e-5,
        _ => 0.0,
    };
    let path: Path = (0..=12).map(|k| vec![0.0, arc(gap(k)), 2.0]).collect();
    let record = record_one(&watch(12), &path);
    let clusters: Vec<u32> = record.plateaus.iter().map(|plateau| plateau.clusters).collect();
    assert_eq!(clusters, [3, 2, 2]);
    assert!(record.plateaus.windows(2).all(|two| two[0].until <= two[1].from));
    assert_eq!(record.merges.len(), 1, "3·δ_lo does not split, 20·δ_lo leaves no row");
}

#[test]
fn a_split_beyond_ten_thresholds_lets_clusters_merge_again() {
    let gap = |k| match k {
        0..3 | 6 => 1.1e-5,
        9 => 0.9e-5,
        _ => 0.0,
    };
    // Resolved at the start only if the gap is wide there.
    let path: Path = (0..=12).map(|k| vec![0.0, arc(if k == 0 { 0.5 } else { gap(k) }), 2.0]).collect();
    let record = record_one(&watch(12), &path);
    assert_eq!(record.merges.len(), 2, "the split at state 6 does count, that at state 9 does not happen");
    for merge in &record.merges {
        assert_eq!((merge.clusters_before, merge.clusters_after), (3, 2));
    }
    let between = record.merges[1].t - record.merges[0].t;
    assert!(close(record.merges[1].dt, between));
}

#[test]
fn three_at_once_are_one_event_of_two_rows() {
    // Sizes 2, 1, 1 on the left meet in one step; the pair on the right meets later.
    let path: Path = (0..=12)
        .map(|k| {
            let near = if k < 4 { 0.3 } else { 0.0 };
            let far = if k < 7 { 0.4 } else { 0.0 };
            vec![1.0 + near, 0.0, 0.0, 1.0 - (1.0 - 2.0 * near) * f64::from(k < 4), 3.0, 3.0 + far]
        })
        .map(|mut x| {
            // All of the first four are at 0 once they have met.
            if x[0] == 1.0 {
                x[0] = 0.0;
                x[3] = 0.0;
            }
            x
        })
        .collect();
    let record = record_one(&watch(12), &path);
    let rows: Vec<_> = record
        .merges
        .iter()
        .map(|m| (m.event, m.clusters_before, m.clusters_after, m.size_left, m.size_right))
        .collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[..2].iter().all(|row| (row.0, row.1, row.2) == (0, 5, 3)));
    assert_eq!(rows[2], (1, 3, 2, 1, 1));
    assert_eq!(rows[0].3 + rows[0].4 + rows[1].3 + rows[1].4, 4 + rows[0].3 + rows[0].4);
    assert_eq!(record.merges[0].t, record.merges[1].t);
    assert_eq!(record.merges[0].dt, record.merges[1].dt);
}

#[test]
fn two_merges_in_one_step_are_two_events_in_time() {
    // In step 5 the right pair closes from 0.02 of cosine, the left one from 0.2: both end together, and the
    // right one is within δ_lo for the longer part of it.
    let path: Path = (0..=9)
        .map(|k| {
            let (left, right) = if k < 5 { (arc(0.2), arc(0.02)) } else { (0.0, 0.0) };
            vec![0.0, left, 2.0, 2.0 + right]
        })
        .collect();
    let record = record_one(&watch(9), &path);
    let seen: Vec<_> = record
        .merges
        .iter()
        .map(|m| (m.event, m.clusters_before, m.clusters_after, m.was_closest_pair))
        .collect();
    assert_eq!(seen, [(0, 4, 3, true), (1, 3, 2, false)]);
    let (first, second) = (&record.merges[0], &record.merges[1]);
    assert!(close(first.t, 0.5 - 0.1 * 1e-6 / 0.02) && close(second.t, 0.5 - 0.1 * 1e-6 / 0.2));
    assert!(close(second.dt, second.t - first.t));
}

#[test]
fn what_is_not_finite_ends_a_lane_and_only_that() {
    let path = approach();
    let ends = [Ends::default(), Ends { failed_from: Some(13), ..Ends::default() }];
    let records = record(&watch(20), &[&path, &path], &ends);
    assert_eq!(records[0], record_one(&watch(20), &path));
    let failed = &records[1];
    assert_eq!((failed.end, failed.steps), (End::Failed, 13));
    assert_eq!(failed.status, "not finite at t = 1.3");
    assert_eq!((failed.min_cosine_final, failed.energy_final), (None, None));
    assert_eq!(failed.clusters_final, [None]);
    assert_eq!(failed.merges, records[0].merges);
    let last = failed.plateaus.last().unwrap();
    assert!(close(last.until, 1.2) && last.censored);
    for (column, series) in failed.series.chunks(21).enumerate() {
        assert!(series[..13].iter().zip(&records[0].series[column * 21..]).all(|(a, b)| a == b));
        assert!(series[13..].iter().all(|x| x.is_nan()));
    }
}

#[test]
fn collapse_before_failure_is_kept() {
    let path: Path = vec![pair(1.0); 6];
    let ends = [Ends { failed_from: Some(3), ..Ends::default() }];
    let record = record(&watch(5), &[&path], &ends).remove(0);
    assert_eq!((record.collapse_time[0], record.end), (Some(0.0), End::Collapsed));
    assert_eq!(record.status, "not finite at t = 0.30000000000000004");
}
