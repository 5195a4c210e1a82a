//! A summary for other programs: comma-separated text, or Parquet. All digits; columns in the order of [`Row`].

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use crate::error::AnalysisError;
use crate::summary::{Row, Summary};

/// A column.
enum Column {
    Texts(Vec<Option<String>>),
    Counts(Vec<u64>),
    Numbers(Vec<Option<f64>>),
}

impl Column {
    /// A field of the CSV; what is missing is empty.
    fn field(&self, row: usize) -> String {
        match self {
            Column::Texts(texts) => texts[row].as_deref().map_or_else(String::new, quoted),
            Column::Counts(counts) => counts[row].to_string(),
            Column::Numbers(numbers) => numbers[row].map_or_else(String::new, |number| number.to_string()),
        }
    }

    fn array(self) -> ArrayRef {
        match self {
            Column::Texts(texts) => Arc::new(StringArray::from(texts)),
            Column::Counts(counts) => Arc::new(Int64Array::from_iter_values(
                counts.into_iter().map(|count| i64::try_from(count).unwrap_or(i64::MAX)),
            )),
            Column::Numbers(numbers) => Arc::new(Float64Array::from(numbers)),
        }
    }
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

impl Summary {
    fn columns(&self) -> Vec<(String, Column)> {
        let rows = &self.rows;
        let count = |get: fn(&Row) -> u64| Column::Counts(rows.iter().map(get).collect());
        let number = |get: fn(&Row) -> Option<f64>| Column::Numbers(rows.iter().map(get).collect());
        let mut columns =
            vec![("cell".to_owned(), Column::Texts(rows.iter().map(|row| Some(row.cell.clone())).collect()))];
        columns.extend(self.keys.iter().map(|key| (key.clone(), self.parameter(key))));
        let named = [
            ("replicas", count(|row| row.replicas)),
            ("collapsed", count(|row| row.collapsed)),
            ("horizon", count(|row| row.horizon)),
            ("stationary", count(|row| row.stationary)),
            ("underflow", count(|row| row.underflow)),
            ("failed", count(|row| row.failed)),
            ("collapse_median", number(|row| row.collapse_median)),
            ("collapse_median_low", number(|row| row.collapse_median_low)),
            ("collapse_median_high", number(|row| row.collapse_median_high)),
            ("collapse_q25", number(|row| row.collapse_q25)),
            ("collapse_q75", number(|row| row.collapse_q75)),
            ("collapse_log_mean", number(|row| row.collapse_log_mean)),
            ("collapse_log_mean_error", number(|row| row.collapse_log_mean_error)),
            ("tau", number(|row| Some(row.tau))),
            ("first_plateau_clusters", number(|row| row.first_plateau_clusters)),
            ("first_plateau_lifetime", number(|row| row.first_plateau_lifetime)),
            ("clusters_final", number(|row| row.clusters_final)),
        ];
        columns.extend(named.map(|(name, column)| (name.to_owned(), column)));
        columns
    }

    /// A parameter of every line: numbers if all of them are.
    fn parameter(&self, key: &str) -> Column {
        let values: Vec<&serde_json::Value> = self.rows.iter().map(|row| &row.parameters[key]).collect();
        if values.iter().all(|value| value.is_number() || value.is_null()) {
            return Column::Numbers(values.iter().map(|value| value.as_f64()).collect());
        }
        let text = |value: &&serde_json::Value| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        Column::Texts(values.iter().map(text).collect())
    }

    /// Comma-separated, with a header (RFC 4180).
    #[must_use]
    pub fn csv(&self) -> String {
        let columns = self.columns();
        let header: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        let mut text = header.join(",") + "\n";
        for row in 0..self.rows.len() {
            let fields: Vec<String> = columns.iter().map(|(_, column)| column.field(row)).collect();
            text += &(fields.join(",") + "\n");
        }
        text
    }

    /// Writes a Parquet file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn parquet(&self, path: &Path) -> Result<(), AnalysisError> {
        let wrong = |what: String| AnalysisError::Write { path: path.to_owned(), what };
        let columns = self.columns().into_iter().map(|(name, column)| (name, column.array(), true));
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| wrong(error.to_string()))?;
        let file = File::create(path).map_err(|error| wrong(error.to_string()))?;
        let mut writer =
            ArrowWriter::try_new(file, batch.schema(), None).map_err(|error| wrong(error.to_string()))?;
        writer.write(&batch).map_err(|error| wrong(error.to_string()))?;
        writer.close().map(|_| ()).map_err(|error| wrong(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("identity"), "identity");
        assert_eq!(quoted("diag(1, \"2\")"), "\"diag(1, \"\"2\"\")\"");
    }

    #[test]
    fn numbers_keep_their_digits_and_what_is_missing_is_empty() {
        let row = Row {
            cell: "a".to_owned(),
            parameters: [("beta".to_owned(), serde_json::json!(0.1))].into(),
            replicas: 3,
            collapse_median: Some(1.0 / 3.0),
            ..Row::default()
        };
        let summary =
            Summary { name: String::new(), keys: vec!["beta".to_owned()], rows: vec![row], notes: vec![] };
        let text = summary.csv();
        assert!(text.starts_with("cell,beta,replicas,collapsed,"), "{text}");
        assert!(text.contains("\na,0.1,3,0,0,0,0,0,0.3333333333333333,,,"), "{text}");
    }
}
