//! Plateaus: how long a partition of the tokens lasts (docs/models.md, `resolved state`, `plateau`).
//!
//! A state is *resolved* if its partitions at δ_hi and δ_lo agree. For a partition P, let the *cohesion* be
//! the largest threshold at which every cluster of P is connected in itself, and the *separation* the largest
//! cosine between different clusters. A state is resolved with partition P exactly if
//!
//! ```text
//! cohesion_P ≥ 1 − δ_lo   and   separation_P < 1 − δ_hi.
//! ```
//!
//! Both are continuous in time, so they are the deciding cosines: between two states they are taken as
//! linear, a plateau of P begins when the later of the two conditions comes true and ends when the first of
//! them fails. Cohesion of one partition never exceeds the separation of another that it crosses, and lines
//! between the two states inherit that, so plateaus never overlap. A partition that holds in two consecutive
//! states is one plateau; what may have happened in between is not seen.
//!
//! A plateau still there at the end is *censored*: the last state's time is what is known of its end. If the
//! replica is stationary it lasts for ever, so it reaches the horizon, censored too.

use serde::{Deserialize, Serialize};

use crate::clock::{Instant, crossing};
use crate::cosines::Cosines;
use crate::partition::Partition;
use crate::record::Plateau;
use crate::watch::Watch;

/// A plateau that has not ended yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    partition: Partition,
    from: Instant,
    closest_cosine: Option<f64>,
    energy: f64,
}

/// Two consecutive states of one lane; at state 0 there is none before.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The state before and its time.
    pub before: Option<(Cosines<'a>, Instant)>,
    /// This state.
    pub now: Cosines<'a>,
    /// Its time.
    pub time: Instant,
}

impl Step<'_> {
    /// The instant at `share` of the step; this state's time where there is none before.
    #[must_use]
    pub fn instant(&self, share: f64) -> Instant {
        self.before.map_or(self.time, |(_, time)| time.towards(self.time, share))
    }
}

/// The plateaus of one lane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plateaus {
    open: Option<Open>,
    closed: Vec<Plateau>,
}

impl Plateaus {
    /// Takes in a state in which a pair crossed δ_hi or δ_lo (or the first one): its δ_lo partition, and
    /// whether it is resolved; `energy` is asked for where a plateau begins. Returns the instant at which a plateau began in this step, if one did.
    pub fn observe(
        &mut self,
        watch: &Watch,
        step: &Step<'_>,
        partition: &Partition,
        resolved: bool,
        energy: &mut dyn FnMut() -> f64,
    ) -> Option<Instant> {
        if let Some(open) = &self.open {
            if resolved && open.partition == *partition {
                return None;
            }
            let until = step.instant(self.end_share(watch, step));
            self.close(until, false);
        }
        resolved.then(|| self.begin(watch, step, partition, energy()))
    }

    /// Opens a plateau at the instant at which the later of the two conditions came true.
    fn begin(&mut self, watch: &Watch, step: &Step<'_>, partition: &Partition, energy: f64) -> Instant {
        let separation = step.now.separation(partition);
        let mut share = 0.0;
        if let Some((before, _)) = step.before {
            let (cohesion_before, separation_before) =
                (before.cohesion(partition), before.separation(partition));
            if cohesion_before < watch.joined() {
                share = crossing(cohesion_before, step.now.cohesion(partition), watch.joined());
            }
            if separation_before >= watch.apart() {
                share = f64::max(share, crossing(separation_before, separation, watch.apart()));
            }
        }
        let from = step.instant(share);
        self.open = Some(Open {
            partition: partition.clone(),
            from,
            closest_cosine: (partition.clusters() > 1).then_some(separation),
            energy,
        });
        from
    }

    /// The share of the step at which the first of the open plateau's two conditions fails.
    fn end_share(&self, watch: &Watch, step: &Step<'_>) -> f64 {
        let (Some(open), Some((before, _))) = (&self.open, step.before) else { return 1.0 };
        let (cohesion, separation) =
            (step.now.cohesion(&open.partition), step.now.separation(&open.partition));
        let mut share = 1.0;
        if cohesion < watch.joined() {
            share = f64::min(share, crossing(before.cohesion(&open.partition), cohesion, watch.joined()));
        }
        if separation >= watch.apart() {
            share = f64::min(share, crossing(before.separation(&open.partition), separation, watch.apart()));
        }
        share
    }

    /// Ends the open plateau, if there is one.
    pub fn close(&mut self, until: Instant, censored: bool) {
        if let Some(open) = self.open.take() {
            self.closed.push(Plateau {
                from: open.from.time(),
                until: until.time(),
                lifetime: until.since(open.from),
                censored,
                clusters: open.partition.clusters(),
                sizes: open.partition.sizes(),
                closest_cosine: open.closest_cosine,
                energy: open.energy,
            });
        }
    }

    /// All plateaus, in time; call after the last one is closed.
    #[must_use]
    pub fn into_records(self) -> Vec<Plateau> {
        self.closed
    }
}

/// The first metastable plateau of a replica of n tokens: the first with lifetime ≥ `min_lifetime` and fewer
/// than n clusters, as (clusters, from, until, censored).
///
/// A plateau that is censored before it reached `min_lifetime` is not known to be one, and is left out, so
/// that the count is never of a transient; nor is any later one possible, and the answer is None. With
/// `forever` (a stationary replica) the last plateau is known never to end, and counts however late it began.
#[must_use]
pub fn first_metastable(
    plateaus: &[Plateau],
    n: usize,
    min_lifetime: f64,
    forever: bool,
) -> Option<(u32, f64, f64, bool)> {
    let lasts = |plateau: &&Plateau| plateau.lifetime >= min_lifetime || (forever && plateau.censored);
    let first = plateaus.iter().filter(|plateau| (plateau.clusters as usize) < n).find(lasts)?;
    Some((first.clusters, first.from, first.until, first.censored))
}
