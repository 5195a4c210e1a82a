//! From the sections of frames to Arrow batches, table by table: one file a table.

mod attention;
mod cells;
mod histogram;
mod keys;
mod merges;
mod plateaus;
pub mod read;
mod replicas;
mod series;
mod tokens;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::Float64Builder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use metasweep_metastability::record::ReplicaRecord;
use metasweep_sweep::cell::Cell;
use metasweep_sweep::moments::Moments;
use metasweep_sweep::sweep::{Level, Sweep};

pub use self::cells::cells_batches;
use self::keys::Keys;
use crate::error::Result;
use crate::frame::{Frame, SectionKind};
use crate::layout::Table;
use crate::rows::{MergeRow, PlateauRow};
use crate::schema::schema;

/// Rows of a batch: a divisor of [`crate::parquet_file::ROW_GROUP`], so that batches never straddle row groups.
pub const BATCH: usize = 16_384;

/// What one frame holds for one table.
pub enum Data {
    /// Replicas from this one on.
    Replicas(u32, Vec<ReplicaRecord>),
    /// Series at level replica, from this replica on: `[column][replica][sample]`.
    SeriesByReplica(u32, Vec<f64>),
    /// Aggregated series, `[sample][statistic]`.
    SeriesAggregated(Vec<f64>),
    /// Plateaus.
    Plateaus(Vec<PlateauRow>),
    /// Merges.
    Merges(Vec<MergeRow>),
    /// Tokens of the first replicas, from this one on: `[replica][time][token][coordinate]`.
    Tokens(u32, Vec<f64>),
    /// Attention weights of the first replicas, from this one on: `[replica][time][head][i][j]`.
    Attention(u32, Vec<f64>),
    /// Summed histograms, `[sample][histogram][bin]`.
    Histogram(Vec<u64>),
}

impl Data {
    /// Reads, and checks, what a frame holds for a table.
    ///
    /// # Errors
    /// If the frame is damaged.
    pub fn load(frame: &Frame, table: Table, level: Level) -> Result<Data> {
        let first = frame.header.replicas.start;
        Ok(match (table, level) {
            (Table::Cells, _) => unreachable!("cells are built from the sweep, never from frames"),
            (Table::Replicas, _) => Data::Replicas(first, frame.decode(SectionKind::Replicas)?),
            (Table::Plateaus, _) => Data::Plateaus(frame.decode(SectionKind::Plateaus)?),
            (Table::Merges, _) => Data::Merges(frame.decode(SectionKind::Merges)?),
            (Table::Tokens, _) => Data::Tokens(first, frame.numbers(SectionKind::Tokens)?),
            (Table::Attention, _) => Data::Attention(first, frame.numbers(SectionKind::Attention)?),
            (Table::Histogram, _) => Data::Histogram(frame.decode(SectionKind::HistogramAggregated)?),
            (Table::Series, Level::Replica) => {
                Data::SeriesByReplica(first, frame.numbers(SectionKind::SeriesByReplica)?)
            }
            (Table::Series, Level::Cell) => {
                Data::SeriesAggregated(frame.numbers(SectionKind::SeriesAggregated)?)
            }
        })
    }
}

/// The columns of a table that are its own.
trait Body: Send {
    /// Appends rows of one frame's data.
    fn append(&mut self, cell: &Cell, data: &Data, rows: Range<usize>);
    /// The columns, in the schema's order; empties the builders.
    fn finish(&mut self) -> Vec<ArrayRef>;
}

/// Collects rows of one table into batches.
pub struct TableBuilder {
    schema: SchemaRef,
    keys: Keys,
    body: Box<dyn Body>,
    rows: usize,
    /// Rows of a batch.
    batch: usize,
}

impl TableBuilder {
    /// An empty builder of any table but `cells`.
    pub fn new(sweep: &Sweep, table: Table) -> Self {
        let body: Box<dyn Body> = match table {
            Table::Cells => unreachable!("cells are built from the sweep, never from frames"),
            Table::Replicas => Box::new(replicas::Replicas::new(sweep.observe.suffixes.len())),
            Table::Series => series::body(&sweep.observe),
            Table::Plateaus => Box::new(plateaus::Plateaus::new()),
            Table::Merges => Box::new(merges::Merges::new()),
            Table::Tokens => Box::new(tokens::Tokens::new(&sweep.observe)),
            Table::Attention => Box::new(attention::Attention::new(&sweep.observe)),
            Table::Histogram => Box::new(histogram::Histogram::new(&sweep.observe)),
        };
        TableBuilder {
            schema: schema(sweep, table),
            keys: Keys::new(sweep, table),
            body,
            rows: 0,
            batch: batch_rows(sweep, table),
        }
    }

    /// The schema.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Appends `rows` of `data`; each time a batch of rows is together they go to `sink`.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn append(
        &mut self,
        cell: &Cell,
        data: &Data,
        mut rows: Range<usize>,
        sink: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        while !rows.is_empty() {
            let now = rows.len().min(self.batch - self.rows);
            self.keys.append(cell, now);
            self.body.append(cell, data, rows.start..rows.start + now);
            self.rows += now;
            rows.start += now;
            if self.rows == self.batch {
                sink(self.finish())?;
            }
        }
        Ok(())
    }

    /// The rows appended since the last batch.
    pub fn finish(&mut self) -> RecordBatch {
        self.rows = 0;
        let mut columns = self.keys.finish();
        columns.extend(self.body.finish());
        RecordBatch::try_new(self.schema(), columns).expect("columns are built after the same schema")
    }
}

/// The times of a table that has them.
fn times_of(moments: Option<&Moments>) -> Vec<f64> {
    moments.map_or_else(Vec::new, |moments| moments.times.clone())
}

/// Rows of a batch of a table: [`BATCH`], or fewer where rows are wide, so that a batch of tokens stays within a few megabytes.
fn batch_rows(sweep: &Sweep, table: Table) -> usize {
    BATCH.min(row_group(sweep, table))
}

/// Rows of a row group: [`ROW_GROUP`](crate::parquet_file::ROW_GROUP), divided by the coordinates of a token in table `tokens` (by the next power of
/// two), a function of the sweep alone.
pub fn row_group(sweep: &Sweep, table: Table) -> usize {
    let rows = crate::parquet_file::ROW_GROUP;
    if table != Table::Tokens {
        return rows;
    }
    let widest = sweep.cells.iter().map(Cell::carried).max().unwrap_or(1);
    (rows / (widest / 8).max(1).next_power_of_two()).max(1024)
}

/// A count as the readers' signed type: tokens and replicas stay far below 2³¹.
fn signed(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A number, or null where it is NaN.
fn append_number(builder: &mut Float64Builder, number: f64) {
    builder.append_option((!number.is_nan()).then_some(number));
}
