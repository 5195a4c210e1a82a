//! n equiangular tokens seen through two of them: what a pair with the common cosine shows, as what all n show.
//!
//! The geometry `equiangular` moves one cosine ρ, whatever n; the [recorder](crate::recorder) watches two tokens of the
//! plane. A partition of equiangular tokens is all of them or each alone, so what is seen of the pair says everything.

use metasweep_dynamics::simd::{LANES, Pack};

use crate::observables::{Observable, span_dimension};
use crate::record::{Merge, Plateau, ReplicaRecord};

/// Makes what an observable says of the pair what it says of n tokens at the cosine of each lane.
pub fn expand_values(observable: Observable, values: &mut [f64; LANES], cosines: &Pack, n: usize) {
    for (value, cosine) in values.iter_mut().zip(cosines.0) {
        *value = expanded(observable, *value, cosine, n);
    }
}

fn expanded(observable: Observable, value: f64, cosine: f64, n: usize) -> f64 {
    match observable {
        Observable::Clusters | Observable::ThresholdRank => f64::from(counted(value as u32, n)),
        Observable::Energy => energy(value, n),
        // ‖Σ x_i‖² = n + n(n−1)ρ.
        Observable::Order => (f64::max(1.0 + (n as f64 - 1.0) * cosine, 0.0) / n as f64).sqrt(),
        Observable::SpanDimension => {
            // Eigenvalues 1 + (n−1)ρ, once, and 1 − ρ, n − 1 times.
            let others = n as f64 - 1.0;
            let together = f64::from(u8::from(1.0 + others * cosine > span_dimension::THRESHOLD));
            together + if 1.0 - cosine > span_dimension::THRESHOLD { others } else { 0.0 }
        }
        // Over pairs i ≠ j, all alike; one token has none.
        Observable::MeanCosine | Observable::MinCosine | Observable::PairFraction if n == 1 => f64::NAN,
        _ => value,
    }
}

/// Makes the record of the pair that of n tokens; its series are expanded already.
pub fn expand(record: &mut ReplicaRecord, n: usize) {
    for clusters in &mut record.clusters_final {
        *clusters = clusters.map(|clusters| counted(clusters, n));
    }
    // Σ x_i = 0 at ρ = −1/(n−1), the one arrangement without a hemisphere; it rests there.
    let simplex = -1.0 / (n as f64 - 1.0);
    let rests = record.min_cosine_final.is_some_and(|cosine| (cosine - simplex).abs() <= 4.0 * f64::EPSILON);
    record.hemisphere_initial = record.hemisphere_initial.map(|_| n == 1 || !rests);
    record.energy_final = record.energy_final.map(|pair| energy(pair, n));
    record.min_cosine_final = record.min_cosine_final.filter(|_| n > 1);
    if let Some((clusters, ..)) = &mut record.first_plateau {
        *clusters = counted(*clusters, n);
    }
    record.plateaus.iter_mut().for_each(|plateau| expand_plateau(plateau, n));
    record.merges = record.merges.iter().flat_map(|merge| expand_merge(merge, n)).collect();
}

/// Two clusters of the pair are n clusters.
fn counted(clusters: u32, n: usize) -> u32 {
    if clusters > 1 { n as u32 } else { 1 }
}

/// (1 + e)/2 of the pair, e = e^{β(ρ−1)}, is 1/n + (1 − 1/n) e of n tokens.
fn energy(pair: f64, n: usize) -> f64 {
    let own = 1.0 / n as f64;
    own + (1.0 - own) * (2.0 * pair - 1.0)
}

fn expand_plateau(plateau: &mut Plateau, n: usize) {
    plateau.clusters = counted(plateau.clusters, n);
    plateau.sizes = if plateau.clusters == 1 { vec![n as u32] } else { vec![1; n] };
    plateau.energy = energy(plateau.energy, n);
    plateau.closest_cosine = plateau.closest_cosine.filter(|_| n > 1);
}

/// All tokens meet at once: n − 1 rows of one event, token after token joining the first.
fn expand_merge(merge: &Merge, n: usize) -> Vec<Merge> {
    let joining = |joined| Merge {
        clusters_before: n as u32,
        clusters_after: 1,
        size_left: joined,
        size_right: 1,
        ..merge.clone()
    };
    (1..n as u32).map(joining).collect()
}
