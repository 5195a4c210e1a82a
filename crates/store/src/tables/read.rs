//! From Arrow batches back to the values they were made of: for rows that an extension takes over.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use metasweep_metastability::record::{End, Merge, Plateau, ReplicaRecord};
use metasweep_sweep::sweep::{Level, Observe};

use crate::error::{Result, StoreError};
use crate::schema::{aggregate_columns, typed_series_columns};

/// The columns of a batch, by name.
struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl Row<'_> {
    fn column(&self, name: &str) -> Result<&dyn Array> {
        let column = self.batch.column_by_name(name);
        column.map(AsRef::as_ref).ok_or_else(|| lacking(name, "is not there"))
    }
    fn primitive<T: ArrowPrimitiveType>(&self, name: &str) -> Result<Option<T::Native>> {
        let array = self.column(name)?;
        let array = array.as_primitive_opt::<T>().ok_or_else(|| lacking(name, "has another type"))?;
        Ok(array.is_valid(self.row).then(|| array.value(self.row)))
    }
    fn number(&self, name: &str) -> Result<Option<f64>> {
        self.primitive::<Float64Type>(name)
    }
    fn given(&self, name: &str) -> Result<f64> {
        Ok(self.number(name)?.unwrap_or(f64::NAN))
    }
    fn count(&self, name: &str) -> Result<Option<u32>> {
        Ok(self.primitive::<Int32Type>(name)?.map(i32::cast_unsigned))
    }
    fn counted(&self, name: &str) -> Result<u32> {
        self.count(name)?.ok_or_else(|| lacking(name, "has a null"))
    }
    fn steps(&self, name: &str) -> Result<u64> {
        Ok(self.primitive::<Int64Type>(name)?.unwrap_or(0).cast_unsigned())
    }
    fn truth(&self, name: &str) -> Result<Option<bool>> {
        let array = self.column(name)?.as_boolean_opt().ok_or_else(|| lacking(name, "has another type"))?;
        Ok(array.is_valid(self.row).then(|| array.value(self.row)))
    }
    fn text(&self, name: &str) -> Result<&str> {
        let array = self.column(name)?.as_string_opt::<i32>();
        Ok(array.ok_or_else(|| lacking(name, "has another type"))?.value(self.row))
    }
}

fn lacking(name: &str, what: &str) -> StoreError {
    StoreError::damaged(Path::new("a part"), format!("its column `{name}` {what}"))
}

fn rows(batches: &[RecordBatch]) -> impl Iterator<Item = Row<'_>> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| Row { batch, row }))
}

/// The records of `replicas` rows, without lists.
///
/// # Errors
/// If a column is missing or of another type; so below.
pub fn replicas(batches: &[RecordBatch], suffixes: &[String]) -> Result<Vec<ReplicaRecord>> {
    let record = |row: Row| -> Result<ReplicaRecord> {
        let end = match row.text("end")? {
            "collapsed" => End::Collapsed,
            "stationary" => End::Stationary,
            "horizon" => End::Horizon,
            "underflow" => End::Underflow,
            _ => End::Failed,
        };
        let first_plateau = match row.count("first_plateau_clusters")? {
            None => None,
            Some(clusters) => Some((
                clusters,
                row.given("first_plateau_from")?,
                row.given("first_plateau_until")?,
                row.truth("first_plateau_censored")?.unwrap_or(false),
            )),
        };
        let collapse_time = suffixes.iter().map(|suffix| row.number(&format!("collapse_time{suffix}")));
        let clusters_final = suffixes.iter().map(|suffix| row.count(&format!("clusters_final{suffix}")));
        Ok(ReplicaRecord {
            collapse_time: collapse_time.collect::<Result<_>>()?,
            end,
            status: row.text("status")?.to_owned(),
            clusters_final: clusters_final.collect::<Result<_>>()?,
            min_cosine_final: row.number("min_cosine_final")?,
            energy_final: row.number("energy_final")?,
            hemisphere_initial: row.truth("hemisphere_initial")?,
            first_plateau,
            steps: row.steps("steps")?,
            evaluations: row.steps("evaluations")?,
            plateaus: Vec::new(),
            merges: Vec::new(),
            series: Vec::new(),
            tokens: Vec::new(),
            attention: Vec::new(),
            histograms: Vec::new(),
        })
    };
    rows(batches).map(record).collect()
}

/// The plateaus of `plateaus` rows, each with its replica.
pub fn plateaus(batches: &[RecordBatch]) -> Result<Vec<(u32, Plateau)>> {
    let plateau = |row: Row| -> Result<(u32, Plateau)> {
        let sizes =
            row.column("sizes")?.as_list_opt::<i32>().ok_or_else(|| lacking("sizes", "has another type"))?;
        let sizes = sizes.value(row.row);
        let sizes =
            sizes.as_primitive_opt::<Int32Type>().ok_or_else(|| lacking("sizes", "has another type"))?;
        let value = Plateau {
            from: row.given("from")?,
            until: row.given("until")?,
            lifetime: row.given("lifetime")?,
            censored: row.truth("censored")?.unwrap_or(false),
            clusters: row.counted("clusters")?,
            sizes: sizes.values().iter().map(|size| size.cast_unsigned()).collect(),
            closest_cosine: row.number("closest_cosine")?,
            energy: row.given("energy")?,
        };
        Ok((row.counted("replica")?, value))
    };
    rows(batches).map(plateau).collect()
}

/// The merges of `merges` rows, each with its replica.
pub fn merges(batches: &[RecordBatch]) -> Result<Vec<(u32, Merge)>> {
    let merge = |row: Row| -> Result<(u32, Merge)> {
        let value = Merge {
            event: row.counted("event")?,
            t: row.given("t")?,
            dt: row.given("dt")?,
            clusters_before: row.counted("clusters_before")?,
            clusters_after: row.counted("clusters_after")?,
            size_left: row.counted("size_left")?,
            size_right: row.counted("size_right")?,
            closest_cosine_before: row.given("closest_cosine_before")?,
            was_closest_pair: row.truth("was_closest_pair")?.unwrap_or(false),
        };
        Ok((row.counted("replica")?, value))
    };
    rows(batches).map(merge).collect()
}

/// The coordinates of `tokens` rows, `width` a row; NaN where there are none.
pub fn tokens(batches: &[RecordBatch], width: usize) -> Result<Vec<f64>> {
    let mut numbers = Vec::new();
    for row in rows(batches) {
        let lists = row.column("x")?.as_list_opt::<i32>().ok_or_else(|| lacking("x", "has another type"))?;
        if lists.is_null(row.row) {
            numbers.resize(numbers.len() + width, f64::NAN);
            continue;
        }
        let list = lists.value(row.row);
        let list = list.as_primitive_opt::<Float64Type>().ok_or_else(|| lacking("x", "has another type"))?;
        if list.len() != width {
            return Err(lacking("x", "has lists of another length"));
        }
        numbers.extend_from_slice(list.values());
    }
    Ok(numbers)
}

/// The weights of `attention` rows.
pub fn attention(batches: &[RecordBatch]) -> Result<Vec<f64>> {
    rows(batches).map(|row| row.given("weight")).collect()
}

/// The counts of `histogram` rows.
pub fn histogram(batches: &[RecordBatch]) -> Result<Vec<u64>> {
    rows(batches).map(|row| row.steps("count")).collect()
}

/// The numbers of `series` rows, as a frame's section has them: `[column][row]` at level replica, `[row][statistic]`
/// (the number of replicas last) at level cell.
pub fn series(batches: &[RecordBatch], observe: &Observe) -> Result<Vec<f64>> {
    let mut numbers = Vec::new();
    if observe.level == Level::Replica {
        for (name, counts) in typed_series_columns(observe) {
            for row in rows(batches) {
                let number = if counts { row.count(&name)?.map(f64::from) } else { row.number(&name)? };
                numbers.push(number.unwrap_or(f64::NAN));
            }
        }
        return Ok(numbers);
    }
    let names = aggregate_columns(observe);
    for row in rows(batches) {
        for name in &names {
            numbers.push(row.given(name)?);
        }
        numbers.push(f64::from(row.counted("replicas")?));
    }
    Ok(numbers)
}
