//! The table `histogram`: counts over the replicas of a cell at its sample times.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder};
use metasweep_metastability::histogram::Histogram as Shape;
use metasweep_sweep::cell::Cell;
use metasweep_sweep::sweep::Observe;

use super::{Body, Data};

pub struct Histogram {
    /// The histogram and the bin of each row of a sample.
    bins: Vec<(Shape, u32)>,
    t: Float64Builder,
    of: StringBuilder,
    low: Float64Builder,
    high: Float64Builder,
    count: Int64Builder,
}

impl Histogram {
    pub fn new(observe: &Observe) -> Self {
        let bins = |shape: &Shape| {
            let shape = *shape;
            (0..shape.bins).map(move |bin| (shape, bin))
        };
        Histogram {
            bins: observe.histograms.iter().flat_map(bins).collect(),
            t: Float64Builder::new(),
            of: StringBuilder::new(),
            low: Float64Builder::new(),
            high: Float64Builder::new(),
            count: Int64Builder::new(),
        }
    }
}

impl Body for Histogram {
    fn append(&mut self, cell: &Cell, data: &Data, rows: Range<usize>) {
        let Data::Histogram(counts) = data else { unreachable!("data is loaded by table") };
        for row in rows {
            let (shape, bin) = self.bins[row % self.bins.len()];
            self.t.append_value(cell.sample[row / self.bins.len()]);
            self.of.append_value(shape.of.name());
            self.low.append_value(shape.edge(bin));
            self.high.append_value(shape.edge(bin + 1));
            self.count.append_value(counts[row].cast_signed());
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.t.finish()),
            Arc::new(self.of.finish()),
            Arc::new(self.low.finish()),
            Arc::new(self.high.finish()),
            Arc::new(self.count.finish()),
        ]
    }
}
