//! The table `cells`: every parameter of every cell, and how many of its replicas are there.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch};
use metasweep_sweep::cell::Cell;
use metasweep_sweep::sweep::Sweep;

use super::keys::Keys;
use super::{BATCH, signed};
use crate::layout::Table;
use crate::schema::schema;

/// The rows of these cells, batch by batch; `failed` gives the failed replicas of a cell by its index.
pub fn cells_batches<'a>(
    sweep: &'a Sweep,
    cells: std::ops::Range<usize>,
    failed: &'a dyn Fn(u32) -> u32,
) -> impl Iterator<Item = RecordBatch> + 'a {
    let schema = schema(sweep, Table::Cells);
    let mut keys = Keys::new(sweep, Table::Cells);
    let offset = cells.start;
    sweep.cells[cells].chunks(BATCH).enumerate().map(move |(batch, cells)| {
        let first = (offset + batch * BATCH) as u32;
        for cell in cells {
            keys.append(cell, 1);
        }
        let mut columns = keys.finish();
        columns.push(Arc::new(cells.iter().map(|cell| cell.step_value().number()).collect::<Float64Array>()));
        columns.push(strings(cells, |cell| &cell.step_rule));
        columns.push(strings(cells, |cell| &cell.initial_construction));
        columns.push(Arc::new(Int32Array::from_iter_values(cells.iter().map(|_| signed(sweep.replicas)))));
        let done = (first..).zip(cells).map(|(cell, _)| signed(sweep.replicas - failed(cell)));
        columns.push(Arc::new(Int32Array::from_iter_values(done)));
        RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns are built after the same schema")
    })
}

fn strings(cells: &[Cell], text: impl Fn(&Cell) -> &String) -> ArrayRef {
    let mut builder = StringBuilder::new();
    for cell in cells {
        builder.append_value(text(cell));
    }
    Arc::new(builder.finish())
}
