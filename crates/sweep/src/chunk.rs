//! Chunks: the unit of scheduling. How replicas are cut into them changes no row.

use std::ops::Range;

use metasweep_dynamics::simd::LANES;
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::cost::Costs;
use crate::start::watch;
use crate::sweep::{Observe, Sweep};

/// Some replicas of one cell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// Index into `Sweep::cells`.
    pub cell: u32,
    /// Which replicas.
    pub replicas: Range<u32>,
}

/// Some replicas of one cell or of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Never empty, disjoint.
    pub segments: Vec<Segment>,
    /// Predicted cost in seconds of one core.
    pub cost: f64,
}

/// How to cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Seconds that a chunk should cost.
    pub target: f64,
    /// Threads that compute: there should be several chunks for each.
    pub workers: usize,
    /// Replicas of a chunk, no matter what they cost (`--chunk-replicas`).
    pub chunk_replicas: Option<u32>,
}

/// Seconds that a chunk costs if nothing else decides.
pub const TARGET_SECONDS: f64 = 3.0;

/// Bytes of the records that a chunk leaves in memory, at most, unless one ensemble has more, or there are so many workers that chunks
/// must be larger than [`TARGET_SECONDS`]: however cheap the replicas
/// are, a process need not grow with the sweep.
pub const RECORD_BYTES: u64 = 8 << 20;

/// Chunks that the lead hands out each second, at most: with very many workers they are cut larger (docs/scale.md).
const CHUNKS_A_SECOND: f64 = 2000.0;

/// The last so much of the work is cut finer, into pieces of so much of a chunk: nobody waits long for the last one.
const TAIL: f64 = 0.2;
const PIECES: u32 = 4;

/// Chunks for each worker, at least, if there is enough to cut: workers are idle for less than one of them in the end.
const CHUNKS_EACH: f64 = 16.0;

/// Cuts what is missing into chunks, most expensive first. Expensive cells are cut into parts (whole ensembles of
/// LANES replicas, counted from the segment's start), cheap cells are put together.
#[must_use]
pub fn cut(missing: &[Segment], sweep: &Sweep, costs: &Costs, how: &Cut) -> Vec<Chunk> {
    let cost = |segment: &Segment, replicas: u32| {
        let cell = sweep.cells.get(segment.cell as usize);
        cell.map_or(0.0, |cell| costs.replicas(cell, &sweep.observe, replicas))
    };
    let per_replica = |segment: &Segment| {
        let cell = sweep.cells.get(segment.cell as usize);
        cell.map_or(0.0, |cell| costs.replica(cell, &sweep.observe))
    };
    let all = |segment: &Segment| cost(segment, segment.replicas.end - segment.replicas.start);
    let total: f64 = missing.iter().map(all).sum();
    let workers = how.workers.max(1) as f64;
    let target = how.target.max(workers / CHUNKS_A_SECOND).min(total / (CHUNKS_EACH * workers)).max(0.0);
    // Where chunks must be larger so must what they leave.
    let most = (RECORD_BYTES as f64 * (workers / CHUNKS_A_SECOND / TARGET_SECONDS).max(1.0)) as u64;
    let bytes = |segment: &Segment| segment.replicas.len() as u64 * bytes_of(sweep, segment);
    let mut pieces: Vec<(Segment, f64)> = Vec::new();
    for segment in missing {
        let within = || replicas_for(target, per_replica(segment)).min(replicas_within(sweep, segment, most));
        let size = how.chunk_replicas.unwrap_or_else(within).max(1);
        let mut start = segment.replicas.start;
        while start < segment.replicas.end {
            let end = start.saturating_add(size).min(segment.replicas.end);
            let piece = Segment { cell: segment.cell, replicas: start..end };
            pieces.push((piece, cost(segment, end - start)));
            start = end;
        }
    }
    // Stable, so that equally expensive pieces stay in row order.
    pieces.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut held = 0;
    for (segment, cost) in pieces {
        held += bytes(&segment);
        match chunks.last_mut() {
            Some(last) if how.chunk_replicas.is_none() && last.cost + cost <= target && held <= most => {
                last.segments.push(segment);
                last.cost += cost;
            }
            _ => {
                held = bytes(&segment);
                chunks.push(Chunk { segments: vec![segment], cost });
            }
        }
    }
    chunks.sort_by(|a, b| b.cost.total_cmp(&a.cost));
    if how.chunk_replicas.is_none() && how.workers > 1 {
        shorten_the_tail(&mut chunks, total, target / f64::from(PIECES), &cost);
    }
    chunks
}

/// Cuts the cheapest chunks, which are handed out last, again: as many as make up [`TAIL`] of the work.
fn shorten_the_tail(chunks: &mut Vec<Chunk>, total: f64, target: f64, cost: &dyn Fn(&Segment, u32) -> f64) {
    let mut rest = TAIL * total;
    let mut pieces = Vec::new();
    while let Some(chunk) = chunks.pop_if(|chunk| chunk.cost <= rest) {
        rest -= chunk.cost;
        for segment in chunk.segments {
            let length = segment.replicas.end - segment.replicas.start;
            let lanes = LANES as u32;
            // What many segments share is cut between them first.
            let size = if cost(&segment, length) > target { length.div_ceil(PIECES) } else { length };
            let size = size.div_ceil(lanes) * lanes;
            let mut start = segment.replicas.start;
            while start < segment.replicas.end {
                let end = start.saturating_add(size).min(segment.replicas.end);
                pieces.push((
                    Segment { cell: segment.cell, replicas: start..end },
                    cost(&segment, end - start),
                ));
                start = end;
            }
        }
    }
    pieces.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let first = chunks.len();
    for (segment, cost) in pieces {
        match chunks[first..].last_mut() {
            Some(last) if last.cost + cost <= target => {
                last.segments.push(segment);
                last.cost += cost;
            }
            _ => chunks.push(Chunk { segments: vec![segment], cost }),
        }
    }
    chunks.sort_by(|a, b| b.cost.total_cmp(&a.cost));
}

/// Bytes of one replica's record while its chunk is computed: its series, plateaus, merges and histograms, and what tables `tokens`
/// and `attention` have of the first replicas.
pub(crate) fn record_bytes(cell: &Cell, observe: &Observe) -> u64 {
    let columns = watch(cell, observe).columns().len() as u64;
    let tables = observe.token_rows(cell) * cell.carried() as u64
        + observe.attention_rows(cell)
        + observe.histogram_rows(cell);
    500 + 8 * columns * cell.sample.len() as u64 + 64 * cell.n() as u64 + 8 * tables
}

fn bytes_of(sweep: &Sweep, segment: &Segment) -> u64 {
    sweep.cells.get(segment.cell as usize).map_or(0, |cell| record_bytes(cell, &sweep.observe))
}

/// As many whole ensembles as leave no more than `most` bytes; at least one.
fn replicas_within(sweep: &Sweep, segment: &Segment, most: u64) -> u32 {
    let lanes = LANES as u64;
    let ensembles = most / (lanes * bytes_of(sweep, segment).max(1));
    (lanes * ensembles.max(1)).min(u64::from(u32::MAX)) as u32
}

/// As many whole ensembles as cost no more than the target; at least one.
fn replicas_for(target: f64, cost: f64) -> u32 {
    let ensembles = (target / (cost * LANES as f64)).floor();
    let most = f64::from(u32::MAX / LANES as u32);
    // NaN (no cost at all) gives the most.
    let ensembles = if ensembles.is_nan() { most } else { ensembles.clamp(1.0, most) };
    ensembles as u32 * LANES as u32
}
