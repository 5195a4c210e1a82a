//! What stands in the tables: the right numbers, nulls, types; and the same bytes from another process.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use common::{Manner, assert_same, files, folder, record, run, sweep, with_more_tables};
use metasweep_store::layout::Table;
use metasweep_store::schema::{schema, series_columns};
use metasweep_store::{State, status};
use metasweep_sweep::sweep::{Level, Sweep};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const MANNER: Manner = Manner { chunk: 4, seed: 5, processes: 2, stop_after: usize::MAX };

/// Every row of a table, in the order of paths.
fn read(dir: &Path, table: Table) -> Vec<RecordBatch> {
    let parts = files(dir).into_keys().filter(|name| name.starts_with(&format!("{}/", table.name())));
    let open = |name: String| {
        let file = std::fs::File::open(dir.join(name)).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap()
    };
    parts.flat_map(open).map(Result::unwrap).filter(|batch| batch.num_rows() > 0).collect()
}

fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    if let Some(counts) = column.as_primitive_opt::<Int32Type>() {
        return counts.iter().map(|count| count.map(f64::from)).collect();
    }
    column.as_primitive::<Float64Type>().iter().collect()
}

fn all(batches: &[RecordBatch], name: &str) -> Vec<Option<f64>> {
    batches.iter().flat_map(|batch| numbers(batch, name)).collect()
}

fn names(batches: &[RecordBatch]) -> Vec<String> {
    let of = |batch: &RecordBatch| {
        let names = batch.column_by_name("cell").unwrap().as_string::<i32>().clone();
        names.iter().map(|name| name.unwrap().to_owned()).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of).collect()
}

/// Values of a column over the replicas of each cell and sample, NaN left out.
fn naive(sweep: &Sweep, column: usize) -> BTreeMap<(String, u64), Vec<f64>> {
    let mut values = BTreeMap::new();
    for (index, cell) in (0..).zip(&sweep.cells) {
        for (sample, t) in cell.sample.iter().enumerate() {
            let of = |replica| record(sweep, index, replica).series[column * cell.sample.len() + sample];
            let present = (0..sweep.replicas).map(of).filter(|value| !value.is_nan()).collect();
            values.insert((cell.name.0.clone(), t.to_bits()), present);
        }
    }
    values
}

#[test]
fn aggregates_are_what_a_naive_computation_gives() {
    let sweep = sweep(&[0.5, 1.0, 4.0], 29, Level::Cell, 1000);
    let dir = folder();
    run(dir.path(), &sweep, MANNER);
    let batches = read(dir.path(), Table::Series);
    let keys: Vec<_> = names(&batches)
        .into_iter()
        .zip(all(&batches, "t"))
        .map(|(name, t)| (name, t.unwrap().to_bits()))
        .collect();
    assert_eq!(keys.len(), 6 * 5);
    for (column, name) in series_columns(&sweep.observe).iter().enumerate() {
        let values = naive(&sweep, column);
        let get = |statistic: &str| all(&batches, &format!("{name}_{statistic}"));
        let (mean, std, median) = (get("mean"), get("std"), get("q50"));
        let replicas = all(&batches, "replicas");
        for (row, key) in keys.iter().enumerate() {
            let mut sorted = values[key].clone();
            let count = sorted.len() as f64;
            let sum: f64 = sorted.iter().sum();
            let squares: f64 = sorted.iter().map(|value| (value - sum / count) * (value - sum / count)).sum();
            // Sums of n numbers of size at most 9 differ by n ulps of their sum at most, whatever the order.
            let tolerance = count * f64::EPSILON * 9.0 * count;
            assert!((mean[row].unwrap() - sum / count).abs() <= tolerance);
            assert!((std[row].unwrap() - (squares / (count - 1.0)).sqrt()).abs() <= tolerance);
            assert_eq!(replicas[row], Some(count));
            sorted.sort_by(f64::total_cmp);
            let middle = (sorted.len() - 1) / 2;
            let expected = if sorted.len() % 2 == 1 {
                sorted[middle]
            } else {
                sorted[middle] + 0.5 * (sorted[middle + 1] - sorted[middle])
            };
            assert_eq!(median[row], Some(expected));
        }
    }
}

#[test]
fn replica_level_series_are_the_records() {
    let sweep = sweep(&[0.5, 4.0], 11, Level::Replica, 37);
    let dir = folder();
    run(dir.path(), &sweep, MANNER);
    let batches = read(dir.path(), Table::Series);
    let cells: BTreeMap<&str, u32> = sweep.cells.iter().map(|cell| cell.name.0.as_str()).zip(0..).collect();
    let (names, replicas, times) = (names(&batches), all(&batches, "replica"), all(&batches, "t"));
    assert_eq!(names.len(), 4 * 11 * 5);
    for (column, title) in series_columns(&sweep.observe).iter().enumerate() {
        for (row, value) in all(&batches, title).into_iter().enumerate() {
            let record = record(&sweep, cells[names[row].as_str()], replicas[row].unwrap() as u32);
            let sample = (times[row].unwrap() / 0.5) as usize;
            let expected = record.series[column * 5 + sample];
            assert_eq!(value, (!expected.is_nan()).then_some(expected), "{title}, row {row}");
        }
    }
}

#[test]
fn every_part_has_the_schema_even_without_rows() {
    for level in [Level::Cell, Level::Replica] {
        let sweep = with_more_tables(sweep(&[0.5], 1, level, 1000));
        let dir = folder();
        let manifest = run(dir.path(), &sweep, MANNER);
        assert_eq!(manifest.state, State::Complete);
        for table in Table::ALL {
            let ours = manifest.parts.iter().filter(|seal| seal.table == table).collect::<Vec<_>>();
            assert!(!ours.is_empty(), "{table:?}");
            for seal in ours {
                let path = dir.path().join(layout_of(seal));
                let file = std::fs::File::open(path).unwrap();
                let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
                assert_eq!(builder.schema().fields(), schema(&sweep, table).fields());
                assert_eq!(builder.metadata().file_metadata().created_by(), Some("metasweep"));
            }
        }
        assert_eq!(status(dir.path()).unwrap().replicas_done, 2);
    }
}

fn layout_of(seal: &metasweep_store::SealRecord) -> std::path::PathBuf {
    metasweep_store::layout::part(seal.table, &seal.partition, seal.part)
}

const CHILD: &str = "METASWEEP_TEST_CHILD";

#[test]
fn another_process_writes_the_same_bytes() {
    let sweep = sweep(&[0.5, 4.0], 13, Level::Replica, 50);
    if let Ok(dir) = std::env::var(CHILD) {
        run(Path::new(&dir), &sweep, Manner { seed: 99, ..MANNER });
        return;
    }
    let (ours, theirs) = (folder(), folder());
    run(ours.path(), &sweep, MANNER);
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "another_process_writes_the_same_bytes"])
        .env(CHILD, theirs.path())
        .status()
        .unwrap();
    assert!(status.success());
    assert_same(&files(ours.path()), &files(theirs.path()), "another process");
}

#[test]
fn status_counts_what_is_there() {
    let sweep = sweep(&[0.5, 4.0], 13, Level::Replica, 50);
    let dir = folder();
    let stopped = Manner { chunk: 5, stop_after: 4, processes: 1, ..MANNER };
    common::drive(dir.path(), &sweep, metasweep_store::OpenMode::Run, stopped).unwrap();
    let status = status(dir.path()).unwrap();
    assert_eq!(status.state, metasweep_store::status::Condition::Incomplete);
    assert_eq!((status.replicas_total, status.cells_total), (52, 4));
    assert!(status.replicas_done > 0 && status.replicas_done < 52);
    assert!(status.chunks_done > 0 && status.chunks_total > status.chunks_done);
    let failed =
        |cell: u32| (0..13).filter(|replica| record(&sweep, cell, *replica).status != "ok").count() as u64;
    assert!(status.replicas_failed <= (0..4).map(failed).sum());
    run(dir.path(), &sweep, MANNER);
    let status = metasweep_store::status(dir.path()).unwrap();
    assert_eq!(status.replicas_failed, (0..4).map(failed).sum::<u64>());
    assert_eq!((status.replicas_done, status.cells_done), (52, 4));
    assert_eq!(status.chunks_done, status.chunks_total);
}
