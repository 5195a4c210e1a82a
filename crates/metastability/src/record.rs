//! What is known of one replica once it has run: plain values, ready for the tables.

use serde::{Deserialize, Serialize};

/// How a replica ended (docs/dataset.md, `end`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Collapse was seen (at the first δ), whatever followed.
    Collapsed,
    /// The state stopped changing: a fixed step changed no bit, or every velocity is rounding error.
    Stationary,
    /// The horizon was reached: the collapse time is right-censored.
    Horizon,
    /// β(1 − min cos) exceeded 700: weights are about to be no numbers any more.
    Underflow,
    /// The state became infinite or undefined: see [`ReplicaRecord::status`].
    Failed,
}

/// A maximal interval on which the state is resolved and the δ_lo partition constant (docs/models.md).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Its first time.
    pub from: f64,
    /// Its last time; the horizon if censored.
    pub until: f64,
    /// `until − from`, kept on its own clock.
    pub lifetime: f64,
    /// Still going on when the replica ended.
    pub censored: bool,
    /// Number of clusters.
    pub clusters: u32,
    /// Cluster sizes, descending.
    pub sizes: Vec<u32>,
    /// Largest cosine between tokens of different clusters, at the plateau's start. None with one cluster.
    pub closest_cosine: Option<f64>,
    /// `energy` at the plateau's start.
    pub energy: f64,
}

/// A merge of two clusters of the partition (docs/models.md, `merges`); a k-way merge is k − 1 of them in one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// The event's number, from 0: rows of one k-way merge share it.
    pub event: u32,
    /// When.
    pub t: f64,
    /// Since the event before, on its own clock. The first: since the first resolved time.
    pub dt: f64,
    /// Clusters before the event.
    pub clusters_before: u32,
    /// Clusters after the event.
    pub clusters_after: u32,
    /// Tokens of the first cluster (the one with the smallest token index).
    pub size_left: u32,
    /// Tokens of the second.
    pub size_right: u32,
    /// Largest cosine between different clusters in the state before.
    pub closest_cosine_before: f64,
    /// Whether these two were the closest pair of clusters in the state before.
    pub was_closest_pair: bool,
}

/// One replica, finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaRecord {
    /// Collapse time for each δ of the watch; None where not collapsed.
    pub collapse_time: Vec<Option<f64>>,
    /// How it ended.
    pub end: End,
    /// `ok`, or why not (failed, underflow), in a few words ("not finite at t = 3.2").
    pub status: String,
    /// Clusters at the end for each δ; None if failed.
    pub clusters_final: Vec<Option<u32>>,
    /// Smallest cosine at the end; None if failed.
    pub min_cosine_final: Option<f64>,
    /// Energy at the end; None if failed.
    pub energy_final: Option<f64>,
    /// Does an open hemisphere contain all initial tokens?
    pub hemisphere_initial: Option<bool>,
    /// First metastable plateau: (clusters, from, until, censored). None if there was none, or plateaus are off.
    pub first_plateau: Option<(u32, f64, f64, bool)>,
    /// Steps taken.
    pub steps: u64,
    /// Evaluations of the attention vector.
    pub evaluations: u64,
    /// All plateaus, in time (empty when off).
    pub plateaus: Vec<Plateau>,
    /// All merges, in time (empty when off).
    pub merges: Vec<Merge>,
    /// The series, `[column][sample]`; columns as in `Watch::columns`. NaN stands for null here and nowhere else.
    pub series: Vec<f64>,
    /// Tokens at the watch's moments, `[time][token][coordinate]`: of those it lived to see, empty if not asked for. This and
    /// what follows is kept apart from the record in staging.
    #[serde(skip)]
    pub tokens: Vec<f64>,
    /// Attention weights at the watch's moments, `[time][head][i][j]`, likewise.
    #[serde(skip)]
    pub attention: Vec<f64>,
    /// Counts of the watch's histograms, `[sample][histogram][bin]`, of the samples it lived to see.
    #[serde(skip)]
    pub histograms: Vec<u64>,
}
