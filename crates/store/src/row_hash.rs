//! Hashes of rows, independent of Parquet: what golden hashes and `verify` compare.
//!
//! The rows of a part in order, each column in order: a byte 0 for null, else a byte 1 and the value, little-endian
//! (text and lists with their length as u32 before them, truth values as one byte); BLAKE3 over all of it.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch};
use arrow_schema::DataType;

enum Column {
    Int32(Int32Array),
    Int64(Int64Array),
    Number(Float64Array),
    Boolean(BooleanArray),
    Text(arrow_array::StringArray),
    List(arrow_array::ListArray),
}

impl Column {
    fn of(array: &ArrayRef) -> Option<Column> {
        Some(match array.data_type() {
            DataType::Int32 => Column::Int32(array.as_primitive::<Int32Type>().clone()),
            DataType::Int64 => Column::Int64(array.as_primitive::<Int64Type>().clone()),
            DataType::Float64 => Column::Number(array.as_primitive::<Float64Type>().clone()),
            DataType::Boolean => Column::Boolean(array.as_boolean().clone()),
            DataType::Utf8 => Column::Text(array.as_string::<i32>().clone()),
            DataType::List(item) if matches!(item.data_type(), DataType::Int32 | DataType::Float64) => {
                Column::List(array.as_list::<i32>().clone())
            }
            _ => return None,
        })
    }

    fn write(&self, row: usize, bytes: &mut Vec<u8>) {
        match self {
            Column::Int32(array) => write(array, row, bytes, |b| b.extend(array.value(row).to_le_bytes())),
            Column::Int64(array) => write(array, row, bytes, |b| b.extend(array.value(row).to_le_bytes())),
            Column::Number(array) => write(array, row, bytes, |b| b.extend(array.value(row).to_le_bytes())),
            Column::Boolean(array) => write(array, row, bytes, |b| b.push(u8::from(array.value(row)))),
            Column::Text(array) => write(array, row, bytes, |b| {
                let text = array.value(row).as_bytes();
                b.extend((text.len() as u32).to_le_bytes());
                b.extend(text);
            }),
            Column::List(array) => write(array, row, bytes, |b| {
                let list = array.value(row);
                b.extend((list.len() as u32).to_le_bytes());
                if let Some(items) = list.as_primitive_opt::<Int32Type>() {
                    items.values().iter().for_each(|item| b.extend(item.to_le_bytes()));
                } else if let Some(items) = list.as_primitive_opt::<Float64Type>() {
                    items.values().iter().for_each(|item| b.extend(item.to_le_bytes()));
                }
            }),
        }
    }
}

fn write(array: &dyn Array, row: usize, bytes: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    if array.is_null(row) {
        bytes.push(0);
    } else {
        bytes.push(1);
        value(bytes);
    }
}

/// Collects rows.
#[derive(Default)]
pub struct RowHasher {
    hasher: blake3::Hasher,
    rows: u64,
    buffer: Vec<u8>,
}

impl RowHasher {
    /// Takes in a batch; `false` if it has a column of a type that no table of ours has.
    pub fn update(&mut self, batch: &RecordBatch) -> bool {
        let Some(columns) = batch.columns().iter().map(Column::of).collect::<Option<Vec<_>>>() else {
            return false;
        };
        self.buffer.clear();
        for row in 0..batch.num_rows() {
            for column in &columns {
                column.write(row, &mut self.buffer);
            }
        }
        self.hasher.update(&self.buffer);
        self.rows += batch.num_rows() as u64;
        true
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The hash, hex.
    pub fn finish(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}
