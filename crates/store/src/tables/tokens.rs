//! The table `tokens`: the tokens of the first replicas at the times asked for.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float64Builder, Int32Builder, ListBuilder};
use metasweep_sweep::cell::Cell;
use metasweep_sweep::sweep::Observe;

use super::{Body, Data, signed, times_of};
use crate::schema::coordinate;

pub struct Tokens {
    times: Vec<f64>,
    replica: Int32Builder,
    t: Float64Builder,
    token: Int32Builder,
    x: ListBuilder<Float64Builder>,
}

impl Tokens {
    pub fn new(observe: &Observe) -> Self {
        Tokens {
            times: times_of(observe.snapshots.as_ref()),
            replica: Int32Builder::new(),
            t: Float64Builder::new(),
            token: Int32Builder::new(),
            x: ListBuilder::new(Float64Builder::new()).with_field(coordinate()),
        }
    }
}

impl Body for Tokens {
    fn append(&mut self, cell: &Cell, data: &Data, rows: Range<usize>) {
        let Data::Tokens(first, numbers) = data else { unreachable!("data is loaded by table") };
        let (n, width) = (cell.n(), cell.carried());
        for row in rows {
            let (moment, token) = (row / n, row % n);
            self.replica.append_value(signed(first + (moment / self.times.len()) as u32));
            self.t.append_value(self.times[moment % self.times.len()]);
            self.token.append_value(signed(token as u32));
            let x = &numbers[row * width..(row + 1) * width];
            // A replica that has failed has no tokens any more.
            let there = x.iter().all(|number| !number.is_nan());
            if there {
                self.x.values().append_slice(x);
            }
            self.x.append(there);
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.replica.finish()),
            Arc::new(self.t.finish()),
            Arc::new(self.token.finish()),
            Arc::new(self.x.finish()),
        ]
    }
}
