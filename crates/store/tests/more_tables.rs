//! The tables tokens, attention and histogram: their rows, and that they too are a function of the sweep alone.

mod common;

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use common::{
    Manner, Numbers, PLAIN, assert_same, drive, files, folder, record, records, run, sweep, with_more_tables,
};
use metasweep_store::layout::{self, Table};
use metasweep_store::{Dataset, OpenMode, Opened, compare, verify};
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::{Level, Sweep};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const MANNER: Manner = Manner { chunk: 2, seed: 5, processes: 2, stop_after: usize::MAX };

fn large(betas: &[f64], replicas: u32, level: Level, rows_per_part: u64) -> Sweep {
    with_more_tables(sweep(betas, replicas, level, rows_per_part))
}

fn read(dir: &Path, table: Table) -> Vec<RecordBatch> {
    let parts = files(dir).into_keys().filter(|name| name.starts_with(&format!("{}/", table.name())));
    let open = |name: String| {
        let file = std::fs::File::open(dir.join(name)).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap()
    };
    parts.flat_map(open).map(Result::unwrap).collect()
}

fn rows(batches: &[RecordBatch]) -> impl Iterator<Item = (&RecordBatch, usize)> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)))
}

fn index(batch: &RecordBatch, row: usize, name: &str) -> usize {
    batch.column_by_name(name).unwrap().as_primitive::<Int32Type>().value(row) as usize
}

fn number(batch: &RecordBatch, row: usize, name: &str) -> Option<f64> {
    let column = batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn cell_of(sweep: &Sweep, batch: &RecordBatch, row: usize) -> u32 {
    let name = batch.column_by_name("cell").unwrap().as_string::<i32>().value(row);
    sweep.cells.iter().position(|cell| cell.name.0 == name).unwrap() as u32
}

#[test]
fn rows_are_the_records() {
    for level in [Level::Cell, Level::Replica] {
        let sweep = large(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], 9, level, 37);
        let dir = folder();
        run(dir.path(), &sweep, MANNER);
        let tokens = read(dir.path(), Table::Tokens);
        // 20 cells, 3 replicas, 2 times, 8 tokens; 2 replicas, 1 time, 8² pairs; 5 times, 8 bins.
        assert_eq!(rows(&tokens).count(), 20 * 3 * 2 * 8);
        let mut nulls = 0;
        for (batch, row) in rows(&tokens) {
            let (replica, token) = (index(batch, row, "replica"), index(batch, row, "token"));
            let moment = usize::from(number(batch, row, "t").unwrap() > 0.0);
            let kept = record(&sweep, cell_of(&sweep, batch, row), replica as u32).tokens;
            let x = batch.column_by_name("x").unwrap().as_list::<i32>();
            let from = (moment * 8 + token) * 2;
            nulls += usize::from(x.is_null(row));
            assert_eq!(x.is_null(row), from >= kept.len());
            if x.is_valid(row) {
                assert_eq!(
                    x.value(row).as_primitive::<Float64Type>().values().as_ref(),
                    &kept[from..from + 2]
                );
            }
        }
        assert!(nulls > 0, "some replica has failed on the way");
        let attention = read(dir.path(), Table::Attention);
        assert_eq!(rows(&attention).count(), 20 * 2 * 64);
        for (batch, row) in rows(&attention) {
            let [replica, head, i, j] = ["replica", "head", "i", "j"].map(|name| index(batch, row, name));
            let kept = record(&sweep, cell_of(&sweep, batch, row), replica as u32).attention;
            assert_eq!((head, number(batch, row, "weight")), (0, kept.get(8 * i + j).copied()));
        }
        let histogram = read(dir.path(), Table::Histogram);
        assert_eq!(rows(&histogram).count(), 20 * 5 * 8);
        for (position, (batch, row)) in rows(&histogram).enumerate() {
            let cell = cell_of(&sweep, batch, row);
            let count = |replica| record(&sweep, cell, replica).histograms.get(position % 40).copied();
            let wanted: u64 = (0..9).filter_map(count).sum();
            let found = batch.column_by_name("count").unwrap().as_primitive::<Int64Type>().value(row);
            assert_eq!(found, wanted.cast_signed());
            let (low, high) =
                (number(batch, row, "bin_low").unwrap(), number(batch, row, "bin_high").unwrap());
            let inner = batch.column_by_name("of").unwrap().as_string::<i32>().value(row) == "inner_product";
            let width = if inner { 0.4 } else { 2.0 * std::f64::consts::PI / 3.0 };
            assert!((high - low - width).abs() < 1e-15);
        }
    }
}

#[test]
fn neither_chunks_nor_stops_change_a_byte() {
    for level in [Level::Cell, Level::Replica] {
        for rows_per_part in [11, 40] {
            let sweep = large(&[0.5, 4.0], 7, level, rows_per_part);
            let first = folder();
            run(first.path(), &sweep, PLAIN);
            let expected = files(first.path());
            let mut numbers = Numbers(rows_per_part);
            for attempt in 0..6 {
                let dir = folder();
                loop {
                    let manner = Manner {
                        chunk: numbers.below(5) as u32,
                        seed: numbers.next(),
                        processes: 1 + numbers.below(3) as u32,
                        stop_after: 1 + numbers.below(20) as usize,
                    };
                    if drive(dir.path(), &sweep, OpenMode::Run, manner).unwrap().is_some() {
                        break;
                    }
                }
                assert_same(&expected, &files(dir.path()), &format!("{level:?}, attempt {attempt}"));
                assert!(!layout::staging(dir.path()).exists(), "no staging is left");
            }
        }
    }
}

#[test]
fn extended_datasets_are_those_of_a_run_at_once() {
    for level in [Level::Cell, Level::Replica] {
        // More cells; more replicas; fewer replicas at first than the tables have rows of.
        for (before, replicas) in [(7, 7), (7, 10), (1, 4)] {
            let small = large(&[0.5, 4.0], before, level, 13);
            let whole = large(&[0.25, 0.5, 4.0], replicas, level, 13);
            let (at_once, dir, stopped) = (folder(), folder(), folder());
            run(at_once.path(), &whole, PLAIN);
            let expected = files(at_once.path());
            run(dir.path(), &small, MANNER);
            let Ok(Opened::Ready(dataset)) = Dataset::open(dir.path(), &whole, OpenMode::Extend) else {
                panic!()
            };
            let imported = if before == replicas { 4 * u64::from(before) } else { 0 };
            assert_eq!(dataset.progress().replicas_done, imported);
            drop(dataset);
            drive(dir.path(), &whole, OpenMode::Extend, MANNER).unwrap();
            assert_same(&expected, &files(dir.path()), &format!("{level:?} {before} {replicas}"));
            drive(stopped.path(), &small, OpenMode::Run, Manner { stop_after: 6, ..MANNER }).unwrap();
            drive(stopped.path(), &whole, OpenMode::Extend, MANNER).unwrap();
            assert_same(
                &expected,
                &files(stopped.path()),
                &format!("stopped, {level:?} {before} {replicas}"),
            );
        }
    }
}

#[test]
fn verification_compares_them() {
    let sweep = large(&[0.5], 5, Level::Cell, 20);
    let dir = folder();
    run(dir.path(), &sweep, MANNER);
    assert!(verify(dir.path(), &mut |_, _| {}).unwrap().problems.is_empty());
    let whole = Segment { cell: 1, replicas: 0..5 };
    let same = records(&sweep, std::slice::from_ref(&whole));
    assert_eq!(compare(dir.path(), &sweep, &whole, &same).unwrap(), Vec::<String>::new());
    for (table, change) in [
        (
            "tokens",
            (|record| record.tokens[3] += 1e-12) as fn(&mut metasweep_metastability::record::ReplicaRecord),
        ),
        ("attention", |record| record.attention[0] = 0.5),
        ("histogram", |record| record.histograms[7] += 1),
    ] {
        let mut other = same.clone();
        change(&mut other[0]);
        let found = compare(dir.path(), &sweep, &whole, &other).unwrap();
        assert!(found.len() == 1 && found[0].starts_with(table), "{found:?}");
    }
}
