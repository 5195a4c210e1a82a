//! From the records of a segment to the frame that holds them.

use arrow_array::RecordBatch;
use metasweep_metastability::record::{Merge, Plateau, ReplicaRecord};
use metasweep_sweep::cell::Cell;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::{Level, Sweep};
use serde::{Deserialize, Serialize};

use crate::aggregate::aggregate_sample;
use crate::encoding::encode;
use crate::frame::{FrameBuilder, SectionKind, to_bytes};
use crate::layout::Table;
use crate::receipt::{Entry, FrameRef, SeriesForm};
use crate::schema::series_columns;
use crate::sections;
use crate::tables::{Data, TableBuilder};

/// A plateau and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlateauRow {
    /// The replica.
    pub replica: u32,
    /// Its number, from 0.
    pub plateau: u32,
    /// The plateau.
    pub value: Plateau,
}

/// A merge and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergeRow {
    /// The replica.
    pub replica: u32,
    /// The merge.
    pub value: Merge,
}

/// A frame that knows everything about its receipt entry but its own place.
pub struct PendingEntry {
    /// The frame's bytes.
    pub bytes: Vec<u8>,
    reference: Box<dyn FnOnce(crate::layout::FrameFile, u64) -> FrameRef>,
    entry: Box<dyn FnOnce(FrameRef) -> Entry>,
}

impl PendingEntry {
    /// The entry, now that the frame's place is known.
    pub fn at(self, file: crate::layout::FrameFile, offset: u64) -> Entry {
        (self.entry)((self.reference)(file, offset))
    }
}

/// How what is formed over all replicas of a cell is kept: aggregated at once if the segment is a whole cell.
pub fn series_form(sweep: &Sweep, segment: &Segment) -> SeriesForm {
    let whole = segment.replicas == (0..sweep.replicas);
    if sweep.observe.aggregates() && whole { SeriesForm::Aggregated } else { SeriesForm::Replicas }
}

/// Puts the records of one segment into a frame; `records` are those of its replicas, in order.
pub fn pack(sweep: &Sweep, segment: &Segment, records: &[ReplicaRecord]) -> PendingEntry {
    assert_eq!(records.len(), segment.replicas.len(), "one record for each replica of the segment");
    let cell = &sweep.cells[segment.cell as usize];
    let form = series_form(sweep, segment);
    let columns = series_columns(&sweep.observe).len();
    let series = match (sweep.observe.level, form) {
        (Level::Replica, _) => (SectionKind::SeriesByReplica, by_replica(cell, columns, records)),
        (Level::Cell, _) if columns == 0 => (SectionKind::SeriesBySample, Vec::new()),
        (Level::Cell, SeriesForm::Replicas) => {
            let mut numbers = Vec::with_capacity(columns * cell.sample.len() * records.len());
            for sample in 0..cell.sample.len() {
                by_sample(cell, columns, records, sample, &mut numbers);
            }
            (SectionKind::SeriesBySample, numbers)
        }
        (Level::Cell, SeriesForm::Aggregated) => {
            (SectionKind::SeriesAggregated, aggregated(sweep, cell, columns, records))
        }
    };
    let mut sections = vec![(series.0, to_bytes(&series.1))];
    sections.extend(sections::of_records(sweep, segment, records, form == SeriesForm::Aggregated));
    pack_with_sections(segment, cell, records, form, &sections)
}

/// As [`pack`], with the sections of series, tokens, attention and histograms given: for rows taken over from sealed parts.
pub fn pack_with_sections(
    segment: &Segment,
    cell: &Cell,
    records: &[ReplicaRecord],
    form: SeriesForm,
    sections: &[sections::Bytes],
) -> PendingEntry {
    let mut frame = FrameBuilder::new(cell.name.clone(), segment.replicas.clone());
    let (mut replicas, mut plateaus, mut merges) = (Vec::new(), Vec::new(), Vec::new());
    let (mut plateau_counts, mut merge_counts) = (Vec::new(), Vec::new());
    for (replica, record) in segment.replicas.clone().zip(records) {
        replicas.push(without_lists(record));
        plateau_counts.push(record.plateaus.len() as u32);
        merge_counts.push(record.merges.len() as u32);
        plateaus.extend(plateau_rows(replica, record));
        merges.extend(merge_rows(replica, record));
    }
    frame.section(SectionKind::Replicas, &encode(&replicas));
    frame.section(SectionKind::Plateaus, &encode(&plateaus));
    frame.section(SectionKind::Merges, &encode(&merges));
    for (kind, bytes) in sections {
        frame.section(*kind, bytes);
    }
    frame.counts(plateau_counts, merge_counts);
    let (bytes, reference) = frame.finish();
    let failed = failed(segment, records);
    let (name, range) = (cell.name.clone(), segment.replicas.clone());
    let (plateau_rows, merge_rows) = (plateaus.len() as u64, merges.len() as u64);
    let entry = move |frame| Entry {
        cell: name,
        replicas: range,
        frame,
        plateaus: plateau_rows,
        merges: merge_rows,
        series: form,
        failed,
    };
    PendingEntry { bytes, reference: Box::new(reference), entry: Box::new(entry) }
}

fn plateau_rows(replica: u32, record: &ReplicaRecord) -> impl Iterator<Item = PlateauRow> {
    let numbered = (0..).zip(&record.plateaus);
    numbered.map(move |(plateau, value)| PlateauRow { replica, plateau, value: value.clone() })
}

fn merge_rows(replica: u32, record: &ReplicaRecord) -> impl Iterator<Item = MergeRow> {
    record.merges.iter().map(move |value| MergeRow { replica, value: value.clone() })
}

fn failed(segment: &Segment, records: &[ReplicaRecord]) -> Vec<(u32, String)> {
    let with_number = segment.replicas.clone().zip(records);
    with_number
        .filter(|(_, record)| record.status != "ok")
        .map(|(r, record)| (r, record.status.clone()))
        .collect()
}

fn without_lists(record: &ReplicaRecord) -> ReplicaRecord {
    ReplicaRecord {
        plateaus: Vec::new(),
        merges: Vec::new(),
        series: Vec::new(),
        tokens: Vec::new(),
        attention: Vec::new(),
        histograms: Vec::new(),
        collapse_time: record.collapse_time.clone(),
        status: record.status.clone(),
        clusters_final: record.clusters_final.clone(),
        ..*record
    }
}

fn by_replica(cell: &Cell, columns: usize, records: &[ReplicaRecord]) -> Vec<f64> {
    let samples = cell.sample.len();
    let mut numbers = Vec::with_capacity(columns * samples * records.len());
    for column in 0..columns {
        for record in records {
            numbers.extend_from_slice(&record.series[column * samples..(column + 1) * samples]);
        }
    }
    numbers
}

fn by_sample(cell: &Cell, columns: usize, records: &[ReplicaRecord], sample: usize, numbers: &mut Vec<f64>) {
    for column in 0..columns {
        numbers.extend(records.iter().map(|record| record.series[column * cell.sample.len() + sample]));
    }
}

/// The aggregated series of a whole cell, `[sample][statistic]`.
pub fn aggregated(sweep: &Sweep, cell: &Cell, columns: usize, records: &[ReplicaRecord]) -> Vec<f64> {
    let (mut block, mut rows) = (Vec::new(), Vec::new());
    for sample in 0..cell.sample.len() {
        block.clear();
        by_sample(cell, columns, records, sample, &mut block);
        aggregate_sample(&block, records.len(), &sweep.observe.quantiles, &mut rows);
    }
    rows
}

/// The rows that these records give in a table, as the dataset has them.
pub fn expected_rows(
    sweep: &Sweep,
    segment: &Segment,
    records: &[ReplicaRecord],
    table: Table,
) -> Vec<RecordBatch> {
    let cell = &sweep.cells[segment.cell as usize];
    let columns = series_columns(&sweep.observe).len();
    let numbered = || segment.replicas.clone().zip(records);
    let data = match (table, sweep.observe.level) {
        (Table::Cells, _) => return Vec::new(),
        (Table::Replicas, _) => Data::Replicas(segment.replicas.start, records.to_vec()),
        (Table::Plateaus, _) => {
            Data::Plateaus(numbered().flat_map(|(r, record)| plateau_rows(r, record)).collect())
        }
        (Table::Merges, _) => {
            Data::Merges(numbered().flat_map(|(r, record)| merge_rows(r, record)).collect())
        }
        (Table::Tokens, _) => {
            Data::Tokens(segment.replicas.start, sections::tokens(&sweep.observe, cell, segment, records))
        }
        (Table::Attention, _) => Data::Attention(
            segment.replicas.start,
            sections::attention(&sweep.observe, cell, segment, records),
        ),
        (Table::Histogram, _) => Data::Histogram(sections::summed(&sweep.observe, cell, records)),
        (Table::Series, Level::Replica) => {
            Data::SeriesByReplica(segment.replicas.start, by_replica(cell, columns, records))
        }
        (Table::Series, Level::Cell) => Data::SeriesAggregated(aggregated(sweep, cell, columns, records)),
    };
    let rows = match &data {
        Data::Replicas(_, records) => records.len(),
        Data::Plateaus(rows) => rows.len(),
        Data::Merges(rows) => rows.len(),
        Data::SeriesByReplica(..) => records.len() * cell.sample.len(),
        Data::SeriesAggregated(_) => cell.sample.len(),
        Data::Tokens(_, numbers) => numbers.len() / cell.carried().max(1),
        Data::Attention(_, numbers) => numbers.len(),
        Data::Histogram(counts) => counts.len(),
    };
    let (mut builder, mut batches) = (TableBuilder::new(sweep, table), Vec::new());
    let mut sink = |batch| {
        batches.push(batch);
        Ok(())
    };
    // The sink never fails.
    let _ = builder.append(cell, &data, 0..rows, &mut sink);
    batches.push(builder.finish());
    batches
}
