//! The table `plateaus`.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Float64Builder, Int32Builder, ListBuilder};
use metasweep_sweep::cell::Cell;

use super::{Body, Data, append_number, signed};
use crate::schema::list_item;

pub struct Plateaus {
    replica: Int32Builder,
    plateau: Int32Builder,
    from: Float64Builder,
    until: Float64Builder,
    lifetime: Float64Builder,
    censored: BooleanBuilder,
    clusters: Int32Builder,
    sizes: ListBuilder<Int32Builder>,
    closest_cosine: Float64Builder,
    energy: Float64Builder,
}

impl Plateaus {
    pub fn new() -> Self {
        Plateaus {
            replica: Int32Builder::new(),
            plateau: Int32Builder::new(),
            from: Float64Builder::new(),
            until: Float64Builder::new(),
            lifetime: Float64Builder::new(),
            censored: BooleanBuilder::new(),
            clusters: Int32Builder::new(),
            sizes: ListBuilder::new(Int32Builder::new()).with_field(list_item()),
            closest_cosine: Float64Builder::new(),
            energy: Float64Builder::new(),
        }
    }
}

impl Body for Plateaus {
    fn append(&mut self, _cell: &Cell, data: &Data, rows: Range<usize>) {
        let Data::Plateaus(plateaus) = data else { unreachable!("data is loaded by table") };
        for row in &plateaus[rows] {
            self.replica.append_value(signed(row.replica));
            self.plateau.append_value(signed(row.plateau));
            self.from.append_value(row.value.from);
            self.until.append_value(row.value.until);
            self.lifetime.append_value(row.value.lifetime);
            self.censored.append_value(row.value.censored);
            self.clusters.append_value(signed(row.value.clusters));
            self.sizes.append_value(row.value.sizes.iter().map(|size| Some(signed(*size))));
            self.closest_cosine.append_option(row.value.closest_cosine.filter(|value| !value.is_nan()));
            append_number(&mut self.energy, row.value.energy);
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.replica.finish()),
            Arc::new(self.plateau.finish()),
            Arc::new(self.from.finish()),
            Arc::new(self.until.finish()),
            Arc::new(self.lifetime.finish()),
            Arc::new(self.censored.finish()),
            Arc::new(self.clusters.finish()),
            Arc::new(self.sizes.finish()),
            Arc::new(self.closest_cosine.finish()),
            Arc::new(self.energy.finish()),
        ]
    }
}
