//! The table `attention`: the attention weights of the first replicas at the times asked for.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float64Builder, Int32Builder};
use metasweep_sweep::cell::Cell;
use metasweep_sweep::sweep::Observe;

use super::{Body, Data, append_number, signed, times_of};

pub struct Attention {
    times: Vec<f64>,
    replica: Int32Builder,
    t: Float64Builder,
    /// `head`, `i`, `j`.
    indices: [Int32Builder; 3],
    weight: Float64Builder,
}

impl Attention {
    pub fn new(observe: &Observe) -> Self {
        Attention {
            times: times_of(observe.attention.as_ref()),
            replica: Int32Builder::new(),
            t: Float64Builder::new(),
            indices: std::array::from_fn(|_| Int32Builder::new()),
            weight: Float64Builder::new(),
        }
    }
}

impl Body for Attention {
    fn append(&mut self, cell: &Cell, data: &Data, rows: Range<usize>) {
        let Data::Attention(first, numbers) = data else { unreachable!("data is loaded by table") };
        let (n, heads) = (cell.n(), cell.heads());
        for row in rows {
            let moment = row / (heads * n * n);
            self.replica.append_value(signed(first + (moment / self.times.len()) as u32));
            self.t.append_value(self.times[moment % self.times.len()]);
            let indices = [row / (n * n) % heads, row / n % n, row % n];
            for (builder, index) in self.indices.iter_mut().zip(indices) {
                builder.append_value(signed(index as u32));
            }
            append_number(&mut self.weight, numbers[row]);
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.replica.finish()), Arc::new(self.t.finish())];
        columns.extend(self.indices.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.weight.finish()));
        columns
    }
}
