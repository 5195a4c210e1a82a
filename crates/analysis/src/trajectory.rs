//! A replayed trajectory as a Parquet table: one row a time and token. Written by `metasweep replay`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch};
use arrow_schema::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use thiserror::Error;

/// Why a trajectory was not written.
#[derive(Debug, Error)]
pub enum TrajectoryError {
    /// The file could not be made.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The table could not be built.
    #[error("cannot build the trajectory's table: {0}")]
    Arrow(#[from] ArrowError),
    /// The table could not be written.
    #[error("cannot write the trajectory's table: {0}")]
    Parquet(#[from] ParquetError),
}

/// Writes tokens at `times` as columns `t`, `token`, `x` (a list of d coordinates).
///
/// `states` holds one n × d row-major array a time.
///
/// # Errors
/// Those of making and writing the file.
pub fn write(path: &Path, times: &[f64], states: &[Vec<f64>], d: usize) -> Result<(), TrajectoryError> {
    let mut t = Vec::new();
    let mut token = Vec::new();
    let mut x = ListBuilder::new(Float64Builder::new());
    for (time, state) in times.iter().zip(states) {
        for (index, coordinates) in (0i32..).zip(state.chunks_exact(d)) {
            t.push(*time);
            token.push(index);
            x.values().append_slice(coordinates);
            x.append(true);
        }
    }
    let batch = RecordBatch::try_from_iter([
        ("t", Arc::new(Float64Array::from(t)) as ArrayRef),
        ("token", Arc::new(Int32Array::from(token)) as ArrayRef),
        ("x", Arc::new(x.finish()) as ArrayRef),
    ])?;
    let file =
        File::create(path).map_err(|source| TrajectoryError::File { path: path.to_owned(), source })?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    #[test]
    fn one_row_a_time_and_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        write(&path, &[0.0, 1.5], &[vec![1.0, 0.0, 0.0, 1.0], vec![0.6, 0.8, 0.0, -1.0]], 2).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 4);
        let times = batches[0].column(0).as_any().downcast_ref::<Float64Array>().unwrap();
        assert_eq!(times.values(), &[0.0, 0.0, 1.5, 1.5]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write(Path::new("/nowhere/x.parquet"), &[], &[], 2).unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.parquet"), "{error}");
    }
}
