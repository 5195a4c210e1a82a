//! Reading sealed parts back, in row order: for imports and for comparing recomputed rows.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;

use crate::error::{Context, Result, StoreError};
use crate::layout::Table;
use crate::parquet_file::{part_path, read_part};
use crate::receipt::SealRecord;

/// The rows of one table and partition, from its first part to its last.
pub struct Cursor {
    parts: VecDeque<(PathBuf, SealRecord)>,
    batches: Option<Box<dyn Iterator<Item = Result<RecordBatch>>>>,
    current: Option<(RecordBatch, usize)>,
}

impl Cursor {
    /// The parts of a table and partition among `seals`, whose files are below `tables`. Each is hashed before it is read.
    pub fn new(tables: &Path, seals: &[SealRecord], table: Table, partition: &str) -> Self {
        let ours = seals.iter().filter(|seal| seal.table == table && seal.partition == partition);
        let mut parts: Vec<_> = ours.map(|seal| (part_path(tables, seal), seal.clone())).collect();
        parts.sort_by_key(|(_, seal)| seal.part);
        Cursor { parts: parts.into(), batches: None, current: None }
    }

    /// Leaves parts out, by number: where the position of the wanted rows is known.
    pub fn only(&mut self, wanted: impl Fn(u32) -> bool) {
        self.parts.retain(|(_, seal)| wanted(seal.part));
    }

    /// The next rows for which `wanted(cell, replica)` holds, up to the first for which it does not; `replica` is −1
    /// in tables without one.
    ///
    /// # Errors
    /// If a part is damaged.
    pub fn take_while(&mut self, wanted: &dyn Fn(&str, i32) -> bool) -> Result<Vec<RecordBatch>> {
        let mut taken = Vec::new();
        while let Some((batch, from)) = self.fill()? {
            let keys = Keys::of(&batch)?;
            let rows = (from..batch.num_rows()).take_while(|row| keys.hold(*row, wanted)).count();
            if rows > 0 {
                taken.push(batch.slice(from, rows));
            }
            let reached = from + rows;
            let stopped = reached < batch.num_rows();
            self.current = Some((batch, reached));
            if stopped {
                break;
            }
        }
        Ok(taken)
    }

    /// A batch with rows left, and the first of them; `None` at the end.
    fn fill(&mut self) -> Result<Option<(RecordBatch, usize)>> {
        loop {
            if let Some((batch, from)) = self.current.take().filter(|(batch, from)| *from < batch.num_rows())
            {
                return Ok(Some((batch, from)));
            }
            if let Some(batch) = self.batches.as_mut().and_then(Iterator::next) {
                self.current = Some((batch?, 0));
                continue;
            }
            let Some((path, seal)) = self.parts.pop_front() else { return Ok(None) };
            check_hash(&path, &seal)?;
            self.batches = Some(Box::new(read_part(&path)?));
        }
    }
}

struct Keys {
    cell: arrow_array::StringArray,
    replica: Option<arrow_array::Int32Array>,
}

impl Keys {
    fn of(batch: &RecordBatch) -> Result<Keys> {
        let cell = batch.column_by_name("cell").and_then(|column| column.as_string_opt::<i32>());
        let cell = cell.ok_or_else(|| StoreError::damaged(Path::new("a part"), "it has no column `cell`"))?;
        let replica =
            batch.column_by_name("replica").and_then(|column| column.as_primitive_opt::<Int32Type>());
        Ok(Keys { cell: cell.clone(), replica: replica.cloned() })
    }

    fn hold(&self, row: usize, wanted: &dyn Fn(&str, i32) -> bool) -> bool {
        wanted(self.cell.value(row), self.replica.as_ref().map_or(-1, |replica| replica.value(row)))
    }
}

/// Compares a part with its seal record: size and hash.
///
/// # Errors
/// [`StoreError::Damaged`] with what differs.
pub fn check_hash(path: &Path, seal: &SealRecord) -> Result<()> {
    let file = File::open(path)
        .map_err(|error| StoreError::damaged(path, format!("it cannot be opened ({error})")))?;
    let bytes = file.metadata().context("examine", path)?.len();
    if bytes != seal.bytes {
        return Err(StoreError::damaged(
            path,
            format!("it has {bytes} bytes, its seal record says {}", seal.bytes),
        ));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).context("read", path)?;
    let hash = hasher.finalize().to_hex();
    if hash.as_str() != seal.file_hash {
        let what = format!("its bytes have the hash {hash}, its seal record says {}", seal.file_hash);
        return Err(StoreError::damaged(path, what));
    }
    Ok(())
}
