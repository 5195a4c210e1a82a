//! The tables' columns: names, types, order (docs/dataset.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use metasweep_sweep::cell::{Cell, Value};
use metasweep_sweep::registry::{self, Column};
use metasweep_sweep::sweep::{Level, Observe, Sweep};

use crate::layout::Table;

/// The tables that this sweep asks for.
#[must_use]
pub fn tables(sweep: &Sweep) -> Vec<Table> {
    let mut tables = vec![Table::Cells, Table::Replicas];
    if !sweep.observe.series.is_empty() {
        tables.push(Table::Series);
    }
    if sweep.observe.plateaus {
        tables.push(Table::Plateaus);
    }
    if sweep.observe.merges {
        tables.push(Table::Merges);
    }
    if sweep.observe.snapshots.is_some() {
        tables.push(Table::Tokens);
    }
    if sweep.observe.attention.is_some() {
        tables.push(Table::Attention);
    }
    if !sweep.observe.histograms.is_empty() {
        tables.push(Table::Histogram);
    }
    tables
}

/// The series columns at level replica: each observable, those with several variants (such as δ) once for each.
#[must_use]
pub fn series_columns(observe: &Observe) -> Vec<String> {
    typed_series_columns(observe).into_iter().map(|(name, _)| name).collect()
}

/// The series columns at level replica, each with whether it counts.
#[must_use]
pub fn typed_series_columns(observe: &Observe) -> Vec<(String, bool)> {
    observe.columns()
}

/// The series columns at level cell, without `replicas`.
#[must_use]
pub fn aggregate_columns(observe: &Observe) -> Vec<String> {
    let mut names = Vec::new();
    for column in series_columns(observe) {
        names.extend([format!("{column}_mean"), format!("{column}_std")]);
        names.extend(observe.quantiles.iter().map(|q| format!("{column}_{}", quantile_name(*q))));
    }
    names
}

/// `q10` for 0.1, `q2_5` for 0.025: percent, with `_` for the decimal point.
#[must_use]
pub fn quantile_name(q: f64) -> String {
    // The shortest decimal is moved by two places as text: 100 q would round.
    let text = format!("{q}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let shifted = format!("{whole}{fraction:0<2}");
    let (percent, rest) = shifted.split_at(whole.len() + 2);
    let percent = percent.trim_start_matches('0');
    let percent = if percent.is_empty() { "0" } else { percent };
    let rest = if fraction.len() > 2 { format!("_{rest}") } else { String::new() };
    format!("q{percent}{rest}")
}

/// The type of a parameter's column, the same in every sweep.
#[must_use]
pub fn parameter_type(key: &str) -> DataType {
    match registry::parameter(key).map(registry::Parameter::column) {
        Some(Column::Integer) => DataType::Int64,
        Some(Column::Number) => DataType::Float64,
        Some(Column::Boolean) => DataType::Boolean,
        Some(Column::Text) | None => DataType::Utf8,
    }
}

/// The parameters that are columns of a table, in order.
#[must_use]
pub fn parameter_columns(sweep: &Sweep, table: Table) -> Vec<String> {
    if table != Table::Cells {
        let partitioned = &sweep.output.partition_by;
        return sweep.grid_keys.iter().filter(|key| !partitioned.contains(key)).cloned().collect();
    }
    let keys: BTreeSet<&String> = sweep.cells.iter().flat_map(|cell| cell.parameters.keys()).collect();
    let first = ["n", "d", "beta"];
    // `step` follows as the η used, with `step_rule` beside it.
    let others = keys
        .iter()
        .map(|key| key.as_str())
        .filter(|key| !first.contains(key) && *key != "step" && *key != "step_rule");
    let present = first.into_iter().filter(|key| keys.iter().any(|other| other.as_str() == *key));
    present.chain(others).map(str::to_owned).collect()
}

/// A table's schema. Partition keys stand in the path alone.
#[must_use]
pub fn schema(sweep: &Sweep, table: Table) -> SchemaRef {
    let mut columns = Columns { fields: Vec::new() };
    for key in parameter_columns(sweep, table) {
        let kind = parameter_type(&key);
        columns.fields.push(Field::new(key, kind, true));
    }
    columns.required("cell", DataType::Utf8);
    match table {
        Table::Cells => cells(&mut columns, sweep.cells.iter().any(Cell::is_adaptive)),
        Table::Replicas => replicas(&mut columns, &sweep.observe.suffixes),
        Table::Series => series(&mut columns, &sweep.observe),
        Table::Plateaus => plateaus(&mut columns),
        Table::Merges => merges(&mut columns),
        Table::Tokens => tokens(&mut columns),
        Table::Attention => attention(&mut columns),
        Table::Histogram => histogram(&mut columns),
    }
    Arc::new(Schema::new(columns.fields))
}

struct Columns {
    fields: Vec<Field>,
}

impl Columns {
    fn required(&mut self, name: &str, kind: DataType) {
        self.fields.push(Field::new(name, kind, false));
    }
    fn optional(&mut self, name: &str, kind: DataType) {
        self.fields.push(Field::new(name, kind, true));
    }
}

/// Adaptive steps have no length.
fn cells(columns: &mut Columns, any_adaptive: bool) {
    if any_adaptive {
        columns.optional("step", DataType::Float64);
    } else {
        columns.required("step", DataType::Float64);
    }
    columns.required("step_rule", DataType::Utf8);
    columns.required("initial_construction", DataType::Utf8);
    columns.required("replicas", DataType::Int32);
    columns.required("replicas_done", DataType::Int32);
}

fn replicas(columns: &mut Columns, suffixes: &[String]) {
    columns.required("replica", DataType::Int32);
    for suffix in suffixes {
        columns.optional(&format!("collapse_time{suffix}"), DataType::Float64);
    }
    columns.required("end", DataType::Utf8);
    columns.required("censored", DataType::Boolean);
    columns.optional("first_plateau_clusters", DataType::Int32);
    columns.optional("first_plateau_from", DataType::Float64);
    columns.optional("first_plateau_until", DataType::Float64);
    columns.optional("first_plateau_censored", DataType::Boolean);
    for suffix in suffixes {
        columns.optional(&format!("clusters_final{suffix}"), DataType::Int32);
    }
    columns.optional("min_cosine_final", DataType::Float64);
    columns.optional("energy_final", DataType::Float64);
    columns.optional("hemisphere_initial", DataType::Boolean);
    columns.required("steps", DataType::Int64);
    columns.required("evaluations", DataType::Int64);
    columns.required("status", DataType::Utf8);
}

fn series(columns: &mut Columns, observe: &Observe) {
    if observe.level == Level::Replica {
        columns.required("replica", DataType::Int32);
        columns.required("t", DataType::Float64);
        for (name, counts) in typed_series_columns(observe) {
            columns.optional(&name, if counts { DataType::Int32 } else { DataType::Float64 });
        }
        return;
    }
    columns.required("t", DataType::Float64);
    for name in aggregate_columns(observe) {
        columns.optional(&name, DataType::Float64);
    }
    columns.required("replicas", DataType::Int32);
}

/// The type of `sizes`.
#[must_use]
pub fn list_item() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Int32, false))
}

fn plateaus(columns: &mut Columns) {
    columns.required("replica", DataType::Int32);
    columns.required("plateau", DataType::Int32);
    columns.required("from", DataType::Float64);
    columns.required("until", DataType::Float64);
    columns.required("lifetime", DataType::Float64);
    columns.required("censored", DataType::Boolean);
    columns.required("clusters", DataType::Int32);
    columns.required("sizes", DataType::List(list_item()));
    columns.optional("closest_cosine", DataType::Float64);
    columns.optional("energy", DataType::Float64);
}

fn merges(columns: &mut Columns) {
    columns.required("replica", DataType::Int32);
    columns.required("event", DataType::Int32);
    columns.required("t", DataType::Float64);
    columns.optional("dt", DataType::Float64);
    columns.required("clusters_before", DataType::Int32);
    columns.required("clusters_after", DataType::Int32);
    columns.required("size_left", DataType::Int32);
    columns.required("size_right", DataType::Int32);
    columns.optional("closest_cosine_before", DataType::Float64);
    columns.required("was_closest_pair", DataType::Boolean);
}

/// The type of `x`.
#[must_use]
pub fn coordinate() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Float64, false))
}

fn tokens(columns: &mut Columns) {
    columns.required("replica", DataType::Int32);
    columns.required("t", DataType::Float64);
    columns.required("token", DataType::Int32);
    columns.optional("x", DataType::List(coordinate()));
}

fn attention(columns: &mut Columns) {
    columns.required("replica", DataType::Int32);
    columns.required("t", DataType::Float64);
    columns.required("head", DataType::Int32);
    columns.required("i", DataType::Int32);
    columns.required("j", DataType::Int32);
    columns.optional("weight", DataType::Float64);
}

fn histogram(columns: &mut Columns) {
    columns.required("t", DataType::Float64);
    columns.required("of", DataType::Utf8);
    columns.required("bin_low", DataType::Float64);
    columns.required("bin_high", DataType::Float64);
    columns.required("count", DataType::Int64);
}

/// The folders of a cell's partition, `key=value/key=value`; empty without partitions.
#[must_use]
pub fn partition(sweep: &Sweep, parameters: &BTreeMap<String, Value>) -> String {
    let folder = |key: &String| {
        let value = match parameters.get(key) {
            Some(Value::Text(text)) => percent_encode(text),
            Some(Value::Integer(number)) => number.to_string(),
            Some(Value::Number(number)) => percent_encode(&number.to_string()),
            Some(Value::Boolean(truth)) => truth.to_string(),
            // Hive's name for null.
            Some(Value::Null) | None => "__HIVE_DEFAULT_PARTITION__".to_owned(),
        };
        format!("{key}={value}")
    };
    sweep.output.partition_by.iter().map(folder).collect::<Vec<_>>().join("/")
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_named_by_percent() {
        let cases = [
            (0.1, "q10"),
            (0.5, "q50"),
            (0.025, "q2_5"),
            (0.07, "q7"),
            (1.0, "q100"),
            (0.0, "q0"),
            (0.975, "q97_5"),
            (0.0005, "q0_05"),
        ];
        for (q, name) in cases {
            assert_eq!(quantile_name(q), name, "{q}");
        }
    }

    #[test]
    fn partition_values_are_percent_encoded() {
        assert_eq!(percent_encode("diag(1, -1)"), "diag%281%2C%20-1%29");
    }
}
