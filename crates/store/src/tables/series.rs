//! The table `series`, at level replica and at level cell.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float64Builder, Int32Builder};
use metasweep_sweep::cell::Cell;
use metasweep_sweep::sweep::{Level, Observe};

use super::{Body, Data, append_number, signed};
use crate::schema::{aggregate_columns, typed_series_columns};

/// The body of the sweep's level.
pub fn body(observe: &Observe) -> Box<dyn Body> {
    let builders = |count| (0..count).map(|_| Float64Builder::new()).collect();
    match observe.level {
        Level::Replica => Box::new(ByReplica {
            replica: Int32Builder::new(),
            t: Float64Builder::new(),
            columns: typed_series_columns(observe).iter().map(|(_, counts)| Column::new(*counts)).collect(),
        }),
        Level::Cell => Box::new(Aggregated {
            t: Float64Builder::new(),
            columns: builders(aggregate_columns(observe).len()),
            replicas: Int32Builder::new(),
        }),
    }
}

struct ByReplica {
    replica: Int32Builder,
    t: Float64Builder,
    columns: Vec<Column>,
}

enum Column {
    Count(Int32Builder),
    Number(Float64Builder),
}

impl Column {
    fn new(counts: bool) -> Self {
        if counts { Column::Count(Int32Builder::new()) } else { Column::Number(Float64Builder::new()) }
    }
    fn append(&mut self, number: f64) {
        match self {
            Column::Count(builder) => builder.append_option((!number.is_nan()).then_some(number as i32)),
            Column::Number(builder) => append_number(builder, number),
        }
    }
    fn finish(&mut self) -> ArrayRef {
        match self {
            Column::Count(builder) => Arc::new(builder.finish()),
            Column::Number(builder) => Arc::new(builder.finish()),
        }
    }
}

impl Body for ByReplica {
    fn append(&mut self, cell: &Cell, data: &Data, rows: Range<usize>) {
        let Data::SeriesByReplica(first, numbers) = data else { unreachable!("data is loaded by table") };
        let samples = cell.sample.len();
        for row in rows.clone() {
            self.replica.append_value(signed(first + (row / samples) as u32));
            self.t.append_value(cell.sample[row % samples]);
        }
        let all_rows = numbers.len() / self.columns.len();
        for (builder, column) in self.columns.iter_mut().zip(numbers.chunks_exact(all_rows)) {
            for number in &column[rows.clone()] {
                builder.append(*number);
            }
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.replica.finish()), Arc::new(self.t.finish())];
        columns.extend(self.columns.iter_mut().map(Column::finish));
        columns
    }
}

struct Aggregated {
    t: Float64Builder,
    columns: Vec<Float64Builder>,
    replicas: Int32Builder,
}

impl Body for Aggregated {
    fn append(&mut self, cell: &Cell, data: &Data, rows: Range<usize>) {
        let Data::SeriesAggregated(numbers) = data else { unreachable!("data is loaded by table") };
        let width = self.columns.len() + 1;
        for row in rows {
            self.t.append_value(cell.sample[row]);
            let numbers = &numbers[row * width..(row + 1) * width];
            for (builder, number) in self.columns.iter_mut().zip(numbers) {
                append_number(builder, *number);
            }
            self.replicas.append_value(numbers[width - 1] as i32);
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.t.finish())];
        columns.extend(self.columns.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.replicas.finish()));
        columns
    }
}
