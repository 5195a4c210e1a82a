//! The table `replicas`.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, StringBuilder};
use metasweep_metastability::record::{End, ReplicaRecord};
use metasweep_sweep::cell::Cell;

use super::{Body, Data, signed};

/// The name of an end, as in the column `end`.
pub fn end_name(end: End) -> &'static str {
    match end {
        End::Collapsed => "collapsed",
        End::Stationary => "stationary",
        End::Horizon => "horizon",
        End::Underflow => "underflow",
        End::Failed => "failed",
    }
}

#[derive(Default)]
pub struct Replicas {
    replica: Int32Builder,
    collapse_time: Vec<Float64Builder>,
    end: StringBuilder,
    censored: BooleanBuilder,
    first_clusters: Int32Builder,
    first_from: Float64Builder,
    first_until: Float64Builder,
    first_censored: BooleanBuilder,
    clusters_final: Vec<Int32Builder>,
    min_cosine_final: Float64Builder,
    energy_final: Float64Builder,
    hemisphere_initial: BooleanBuilder,
    steps: Int64Builder,
    evaluations: Int64Builder,
    status: StringBuilder,
}

impl Replicas {
    pub fn new(deltas: usize) -> Self {
        Replicas {
            collapse_time: (0..deltas).map(|_| Float64Builder::new()).collect(),
            clusters_final: (0..deltas).map(|_| Int32Builder::new()).collect(),
            ..Replicas::default()
        }
    }

    fn push(&mut self, replica: u32, record: &ReplicaRecord) {
        self.replica.append_value(signed(replica));
        for (builder, time) in self.collapse_time.iter_mut().zip(&record.collapse_time) {
            builder.append_option(time.filter(|time| !time.is_nan()));
        }
        self.end.append_value(end_name(record.end));
        self.censored.append_value(record.end == End::Horizon);
        let first = record.first_plateau;
        self.first_clusters.append_option(first.map(|plateau| signed(plateau.0)));
        self.first_from.append_option(first.map(|plateau| plateau.1));
        self.first_until.append_option(first.map(|plateau| plateau.2));
        self.first_censored.append_option(first.map(|plateau| plateau.3));
        for (builder, clusters) in self.clusters_final.iter_mut().zip(&record.clusters_final) {
            builder.append_option(clusters.map(signed));
        }
        self.min_cosine_final.append_option(record.min_cosine_final.filter(|value| !value.is_nan()));
        self.energy_final.append_option(record.energy_final.filter(|value| !value.is_nan()));
        self.hemisphere_initial.append_option(record.hemisphere_initial);
        self.steps.append_value(record.steps.cast_signed());
        self.evaluations.append_value(record.evaluations.cast_signed());
        self.status.append_value(&record.status);
    }
}

impl Body for Replicas {
    fn append(&mut self, _cell: &Cell, data: &Data, rows: Range<usize>) {
        let Data::Replicas(first, records) = data else { unreachable!("data is loaded by table") };
        for row in rows {
            self.push(first + row as u32, &records[row]);
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.replica.finish())];
        columns.extend(self.collapse_time.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.end.finish()));
        columns.push(Arc::new(self.censored.finish()));
        columns.push(Arc::new(self.first_clusters.finish()));
        columns.push(Arc::new(self.first_from.finish()));
        columns.push(Arc::new(self.first_until.finish()));
        columns.push(Arc::new(self.first_censored.finish()));
        columns.extend(self.clusters_final.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.min_cosine_final.finish()));
        columns.push(Arc::new(self.energy_final.finish()));
        columns.push(Arc::new(self.hemisphere_initial.finish()));
        columns.push(Arc::new(self.steps.finish()));
        columns.push(Arc::new(self.evaluations.finish()));
        columns.push(Arc::new(self.status.finish()));
        columns
    }
}
