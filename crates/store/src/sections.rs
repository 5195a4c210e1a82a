//! What frames hold for the tables `tokens`, `attention` and `histogram`: the lists of the records as sections.
//!
//! Numbers of rows are fixed by the sweep; what a replica that failed has not is NaN, and shows as null.

use metasweep_metastability::record::ReplicaRecord;
use metasweep_sweep::cell::Cell;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::{Observe, Sweep};

use crate::encoding::encode;
use crate::frame::{SectionKind, to_bytes};

/// A section: its kind and bytes.
pub type Bytes = (SectionKind, Vec<u8>);

/// The sections of a segment's records for these tables; `aggregated`: the segment is a whole cell, and its histograms are summed.
pub fn of_records(
    sweep: &Sweep,
    segment: &Segment,
    records: &[ReplicaRecord],
    aggregated: bool,
) -> Vec<Bytes> {
    let (cell, observe) = (&sweep.cells[segment.cell as usize], &sweep.observe);
    let mut sections = Vec::new();
    let tokens = tokens(observe, cell, segment, records);
    if !tokens.is_empty() {
        sections.push((SectionKind::Tokens, to_bytes(&tokens)));
    }
    let attention = attention(observe, cell, segment, records);
    if !attention.is_empty() {
        sections.push((SectionKind::Attention, to_bytes(&attention)));
    }
    if !observe.histograms.is_empty() {
        sections.push(if aggregated {
            (SectionKind::HistogramAggregated, encode(&summed(observe, cell, records)))
        } else {
            let counts: Vec<&Vec<u64>> = records.iter().map(|record| &record.histograms).collect();
            (SectionKind::Histogram, encode(&counts))
        });
    }
    sections
}

/// `[replica][time][token][coordinate]` of those of the segment's replicas that are among the first ones.
pub fn tokens(observe: &Observe, cell: &Cell, segment: &Segment, records: &[ReplicaRecord]) -> Vec<f64> {
    let most = observe.snapshots.as_ref().map_or(0, |moments| moments.replicas);
    let each = observe.token_rows(cell) as usize * cell.carried();
    padded(segment, most, each, records.iter().map(|record| &record.tokens))
}

/// `[replica][time][head][i][j]`, likewise.
pub fn attention(observe: &Observe, cell: &Cell, segment: &Segment, records: &[ReplicaRecord]) -> Vec<f64> {
    let most = observe.attention.as_ref().map_or(0, |moments| moments.replicas);
    let each = observe.attention_rows(cell) as usize;
    padded(segment, most, each, records.iter().map(|record| &record.attention))
}

fn padded<'a>(
    segment: &Segment,
    most: u32,
    each: usize,
    lists: impl Iterator<Item = &'a Vec<f64>>,
) -> Vec<f64> {
    let mut numbers = Vec::new();
    for (list, replica) in lists.zip(segment.replicas.clone()) {
        if replica < most {
            let known = list.len().min(each);
            numbers.extend_from_slice(&list[..known]);
            numbers.resize(numbers.len() + each - known, f64::NAN);
        }
    }
    numbers
}

/// The histograms of these records, summed: `[sample][histogram][bin]`.
pub fn summed(observe: &Observe, cell: &Cell, records: &[ReplicaRecord]) -> Vec<u64> {
    let mut sums = vec![0; observe.histogram_rows(cell) as usize];
    for record in records {
        add(&mut sums, &record.histograms);
    }
    sums
}

/// Adds the counts of one replica, which may have failed before the last sample.
pub fn add(sums: &mut [u64], counts: &[u64]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}
