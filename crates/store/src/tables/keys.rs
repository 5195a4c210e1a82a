//! The columns that name a row's cell: the parameters that are columns of the table, then `cell`.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_schema::DataType;
use metasweep_sweep::cell::{Cell, Value};
use metasweep_sweep::sweep::Sweep;

use crate::layout::Table;
use crate::schema::{parameter_columns, parameter_type};

enum Column {
    Integer(Int64Builder),
    Number(Float64Builder),
    Text(StringBuilder),
    Boolean(BooleanBuilder),
}

/// Builders of the key columns.
pub struct Keys {
    columns: Vec<(String, Column)>,
    cell: StringBuilder,
}

impl Keys {
    /// Empty builders.
    pub fn new(sweep: &Sweep, table: Table) -> Self {
        let column = |key: String| {
            let column = match parameter_type(&key) {
                DataType::Int64 => Column::Integer(Int64Builder::new()),
                DataType::Float64 => Column::Number(Float64Builder::new()),
                DataType::Boolean => Column::Boolean(BooleanBuilder::new()),
                _ => Column::Text(StringBuilder::new()),
            };
            (key, column)
        };
        let columns = parameter_columns(sweep, table).into_iter().map(column).collect();
        Keys { columns, cell: StringBuilder::new() }
    }

    /// `rows` rows of this cell.
    pub fn append(&mut self, cell: &Cell, rows: usize) {
        for (key, column) in &mut self.columns {
            // The parameter `step` may be a rule; its column is the η that the rule gave.
            let step = cell.step_value();
            let value = if key == "step" { Some(&step) } else { cell.parameters.get(key) };
            match (column, value) {
                (Column::Integer(builder), Some(Value::Integer(number))) => {
                    builder.append_value_n(*number, rows);
                }
                (Column::Number(builder), Some(Value::Number(number))) => {
                    builder.append_value_n(*number, rows);
                }
                (Column::Number(builder), Some(Value::Integer(number))) => {
                    builder.append_value_n(*number as f64, rows);
                }
                (Column::Boolean(builder), Some(Value::Boolean(truth))) => builder.append_n(rows, *truth),
                (Column::Text(builder), Some(value)) if text(value).is_some() => {
                    builder.append_value_n(text(value).unwrap_or_default(), rows);
                }
                (Column::Integer(builder), _) => builder.append_nulls(rows),
                (Column::Number(builder), _) => builder.append_nulls(rows),
                (Column::Boolean(builder), _) => builder.append_nulls(rows),
                (Column::Text(builder), _) => builder.append_nulls(rows),
            }
        }
        self.cell.append_value_n(&cell.name.0, rows);
    }

    /// The columns; empties the builders.
    pub fn finish(&mut self) -> Vec<ArrayRef> {
        let finish = |(_, column): &mut (String, Column)| -> ArrayRef {
            match column {
                Column::Integer(builder) => Arc::new(builder.finish()),
                Column::Number(builder) => Arc::new(builder.finish()),
                Column::Text(builder) => Arc::new(builder.finish()),
                Column::Boolean(builder) => Arc::new(builder.finish()),
            }
        };
        let mut columns: Vec<ArrayRef> = self.columns.iter_mut().map(finish).collect();
        columns.push(Arc::new(self.cell.finish()));
        columns
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Null => None,
    }
}
