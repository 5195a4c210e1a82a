//! The table `merges`.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Float64Builder, Int32Builder};
use metasweep_sweep::cell::Cell;

use super::{Body, Data, append_number, signed};

pub struct Merges {
    replica: Int32Builder,
    event: Int32Builder,
    t: Float64Builder,
    dt: Float64Builder,
    counts: [Int32Builder; 4],
    closest_cosine_before: Float64Builder,
    was_closest_pair: BooleanBuilder,
}

impl Merges {
    pub fn new() -> Self {
        Merges {
            replica: Int32Builder::new(),
            event: Int32Builder::new(),
            t: Float64Builder::new(),
            dt: Float64Builder::new(),
            counts: std::array::from_fn(|_| Int32Builder::new()),
            closest_cosine_before: Float64Builder::new(),
            was_closest_pair: BooleanBuilder::new(),
        }
    }
}

impl Body for Merges {
    fn append(&mut self, _cell: &Cell, data: &Data, rows: Range<usize>) {
        let Data::Merges(merges) = data else { unreachable!("data is loaded by table") };
        for row in &merges[rows] {
            let merge = &row.value;
            self.replica.append_value(signed(row.replica));
            self.event.append_value(signed(merge.event));
            self.t.append_value(merge.t);
            append_number(&mut self.dt, merge.dt);
            let counts = [merge.clusters_before, merge.clusters_after, merge.size_left, merge.size_right];
            for (builder, count) in self.counts.iter_mut().zip(counts) {
                builder.append_value(signed(count));
            }
            append_number(&mut self.closest_cosine_before, merge.closest_cosine_before);
            self.was_closest_pair.append_value(merge.was_closest_pair);
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.replica.finish()),
            Arc::new(self.event.finish()),
            Arc::new(self.t.finish()),
            Arc::new(self.dt.finish()),
        ];
        columns.extend(self.counts.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.closest_cosine_before.finish()));
        columns.push(Arc::new(self.was_closest_pair.finish()));
        columns
    }
}
