//! Merges: the events in which clusters become one (docs/models.md, `merges`).
//!
//! From the first resolved time on, a partition is carried along with hysteresis: clusters join when a pair
//! of their tokens comes within δ_lo, and a cluster falls apart only when it is no longer connected at 10·δ_lo.
//! In a step, splits come first; they change the number of clusters and leave no row. Then
//!
//! * all clusters that become one within a step are one event of k − 1 rows, k being their number. Clusters
//!   that become different ones are different events;
//! * each link between two of them is located where the largest cosine between their tokens, taken as linear
//!   in the step, reaches 1 − δ_lo. The links are taken in that order (Kruskal), and `t` of the event is
//!   that of the last one needed: then the new cluster is there;
//! * the events of a step are told in the order of their times;
//! * `closest_cosine_before` and `was_closest_pair` speak of the state before, split as above. Pairs that are
//!   equally close are all closest.

use serde::{Deserialize, Serialize};

use crate::clock::{Instant, crossing};
use crate::partition::Partition;
use crate::plateaus::Step;
use crate::record::Merge;
use crate::watch::Watch;

/// The merges of one lane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Merges {
    carried: Option<Carried>,
    rows: Vec<Merge>,
    events: u32,
}

/// The partition with hysteresis, and when the last event was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Carried {
    partition: Partition,
    event: Instant,
}

/// Two clusters of the partition before (their smallest members) that touch within δ_lo.
#[derive(Clone, Copy, Debug)]
struct Link {
    left: usize,
    right: usize,
    before: f64,
    share: f64,
}

impl Merges {
    /// The first resolved state: from here on merges count.
    pub fn begin(&mut self, partition: &Partition, at: Instant) {
        if self.carried.is_none() {
            self.carried = Some(Carried { partition: partition.clone(), event: at });
        }
    }

    /// The partition carried along, if a resolved state was seen.
    #[must_use]
    pub fn partition(&self) -> Option<&Partition> {
        self.carried.as_ref().map(|carried| &carried.partition)
    }

    /// Takes in a state in which a pair crossed δ_lo or 10·δ_lo: `joined` are the pairs within δ_lo,
    /// `held` those within 10·δ_lo.
    pub fn observe<J: Iterator<Item = (usize, usize)>>(
        &mut self,
        watch: &Watch,
        step: &Step<'_>,
        joined: &dyn Fn() -> J,
        held: impl Iterator<Item = (usize, usize)>,
    ) {
        let Some(carried) = &mut self.carried else { return };
        let old = &carried.partition;
        let parts = Partition::components(old.tokens(), held.filter(|&(i, j)| old.together(i, j)));
        let edges = joined().chain((0..parts.tokens()).map(|i| (parts.cluster_of(i), i)));
        let new = Partition::components(parts.tokens(), edges);
        if new != parts {
            let links = links(watch, step, &parts, joined());
            let closest = step.before.map_or(f64::NAN, |(before, _)| before.separation(&parts));
            let mut events = events(&parts, &new, links);
            let mut clusters = parts.clusters();
            for tree in &mut events {
                let share = tree.iter().fold(0.0, |last: f64, link| last.max(link.share));
                let at = step.instant(share);
                let after = clusters - tree.len() as u32;
                let common = Merge {
                    event: self.events,
                    t: at.time(),
                    dt: at.since(carried.event),
                    clusters_before: clusters,
                    clusters_after: after,
                    size_left: 0,
                    size_right: 0,
                    closest_cosine_before: closest,
                    was_closest_pair: false,
                };
                self.rows.extend(rows(&parts, tree, &common));
                self.events += 1;
                carried.event = at;
                clusters = after;
            }
        }
        carried.partition = new;
    }

    /// All rows, in time.
    #[must_use]
    pub fn into_records(self) -> Vec<Merge> {
        self.rows
    }
}

/// Every two parts with a pair of tokens within δ_lo, with their largest cosine now and before.
fn links(
    watch: &Watch,
    step: &Step<'_>,
    parts: &Partition,
    joined: impl Iterator<Item = (usize, usize)>,
) -> Vec<Link> {
    let named = |i: usize, j: usize| {
        let (a, b) = (parts.cluster_of(i), parts.cluster_of(j));
        (a.min(b), a.max(b))
    };
    let mut touching: Vec<(usize, usize)> =
        joined.map(|(i, j)| named(i, j)).filter(|(left, right)| left != right).collect();
    touching.sort_unstable();
    touching.dedup();
    let link = |(left, right): (usize, usize)| {
        let members =
            |cluster: usize| (cluster..parts.tokens()).filter(move |&i| parts.cluster_of(i) == cluster);
        let (mut now, mut before) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for i in members(left) {
            for j in members(right) {
                now = now.max(step.now.at(i, j));
                before = step.before.map_or(now, |(state, _)| before.max(state.at(i, j)));
            }
        }
        let already = before >= watch.joined();
        let share = if already { 0.0 } else { crossing(before, now, watch.joined()) };
        Link { left, right, before, share }
    };
    touching.into_iter().map(link).collect()
}

/// The links that make each new cluster out of its parts, in the order of time; one entry an event.
fn events(parts: &Partition, new: &Partition, mut links: Vec<Link>) -> Vec<Vec<Link>> {
    links.sort_by(|a, b| a.share.total_cmp(&b.share).then((a.left, a.right).cmp(&(b.left, b.right))));
    let mut name: Vec<usize> = (0..parts.tokens()).collect();
    let mut trees: Vec<(usize, Vec<Link>)> = Vec::new();
    for link in links {
        let (a, b) = (name[link.left], name[link.right]);
        if a == b {
            continue;
        }
        name.iter_mut().filter(|root| **root == a.max(b)).for_each(|root| *root = a.min(b));
        let cluster = new.cluster_of(link.left);
        match trees.iter_mut().find(|(owner, _)| *owner == cluster) {
            Some((_, tree)) => tree.push(link),
            None => trees.push((cluster, vec![link])),
        }
    }
    let last = |tree: &[Link]| tree.last().map_or(0.0, |link| link.share);
    trees.sort_by(|(a, one), (b, other)| last(one).total_cmp(&last(other)).then(a.cmp(b)));
    trees.into_iter().map(|(_, tree)| tree).collect()
}

/// The rows of one event: its links one after another, each joining what is there by then.
fn rows(parts: &Partition, tree: &[Link], common: &Merge) -> Vec<Merge> {
    let mut sizes = parts.size_by_cluster();
    let mut name: Vec<usize> = (0..parts.tokens()).collect();
    let mut rows = Vec::with_capacity(tree.len());
    for link in tree {
        let (a, b) = (name[link.left], name[link.right]);
        let (left, right) = (a.min(b), a.max(b));
        rows.push(Merge {
            size_left: sizes[left],
            size_right: sizes[right],
            was_closest_pair: link.before >= common.closest_cosine_before,
            ..common.clone()
        });
        sizes[left] += sizes[right];
        name.iter_mut().filter(|root| **root == right).for_each(|root| *root = left);
    }
    rows
}
