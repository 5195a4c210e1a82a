//! One part: batches in, a Parquet file with pinned settings out. Equal rows give equal bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use crate::error::{Context, Result, StoreError};
use crate::failpoint::{Phase, phase, reach};
use crate::files::{create_folder, rename, sync_file, sync_folder};
use crate::layout::{self, Table};
use crate::receipt::SealRecord;
use crate::row_hash::RowHasher;
use crate::scratch::{Delivery, Scratch};

/// Rows of a row group, where they are not wide.
pub const ROW_GROUP: usize = 131_072;

fn properties(row_group: usize) -> WriterProperties {
    let level = ZstdLevel::try_new(3).expect("3 is a level of zstd");
    WriterProperties::builder()
        .set_created_by("metasweep".to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(row_group))
        .set_statistics_enabled(EnabledStatistics::Page)
        .build()
}

/// Hashes and counts what goes to the file.
struct Hashing {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
    refusal: Refusal,
}

/// What the disk said first when it refused. The Parquet writer makes a text of it in places, and a full disk is no damage.
#[derive(Clone, Default)]
struct Refusal(Arc<OnceLock<io::Error>>);

impl Refusal {
    fn noting<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        outcome.inspect_err(|error| {
            let _ = self.0.set(again(error));
        })
    }

    /// The outcome of something the Parquet writer did; the disk's own error if it had one.
    fn explain<T>(&self, outcome: parquet::errors::Result<T>, path: &Path) -> Result<T> {
        match (outcome, self.0.get()) {
            (Err(_), Some(refusal)) => Err(again(refusal)).context("write", path),
            (outcome, _) => outcome.context("write", path),
        }
    }
}

/// The same error: they cannot be cloned.
fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.refusal.noting(self.file.write(bytes))?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.refusal.noting(self.file.flush())
    }
}

/// A temporary file; removed when dropped, unless it has been renamed by then.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is none; what cannot be removed now goes when the dataset is opened again.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A part that is being written under a name that no reader picks up.
pub struct PartWriter {
    table: Table,
    partition: String,
    part: u32,
    temporary: Temporary,
    path: PathBuf,
    /// Put together on the node's own disk: then the temporary name that it gets in the dataset.
    scratch: Option<(Scratch, PathBuf)>,
    writer: ArrowWriter<Hashing>,
    refusal: Refusal,
    rows: RowHasher,
}

impl PartWriter {
    /// Starts the part below `tables` (the folder that holds the tables' folders), or in `scratch` until it is whole.
    ///
    /// # Errors
    /// If the folder or file cannot be created.
    pub fn create(
        tables: &Path,
        (table, partition, part): (Table, &str, u32),
        schema: SchemaRef,
        row_group: usize,
        scratch: Option<&Scratch>,
    ) -> Result<Self> {
        static UNIQUE: AtomicU64 = AtomicU64::new(0);
        let path = tables.join(layout::part(table, partition, part));
        let folder = path.parent().unwrap_or(tables);
        create_folder(folder)?;
        // Two processes may write the same part: each its own file, equal bytes, the last rename wins.
        let unique = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let name =
            format!(".part-{part:05}.parquet.{}-{}-{unique}.tmp", crate::owner::host(), std::process::id());
        let process = std::process::id();
        let (temporary, scratch) = match scratch {
            None => (folder.join(name), None),
            Some(scratch) => {
                let here = scratch.parts().join(format!("{process}-{unique}.part"));
                (here, Some((scratch.clone(), folder.join(name))))
            }
        };
        reach("seal.write").context("write", &temporary)?;
        let file = File::create(&temporary).context("create", &temporary)?;
        let temporary = Temporary(temporary);
        let refusal = Refusal::default();
        let (hasher, file) = (blake3::Hasher::new(), BufWriter::new(file));
        let sink = Hashing { file, hasher, bytes: 0, refusal: refusal.clone() };
        let options =
            ArrowWriterOptions::new().with_properties(properties(row_group)).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, schema, options);
        let writer = refusal.explain(writer, &temporary.0)?;
        let rows = RowHasher::default();
        Ok(PartWriter {
            table,
            partition: partition.to_owned(),
            part,
            temporary,
            path,
            scratch,
            writer,
            refusal,
            rows,
        })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows.update(batch);
        self.refusal.explain(self.writer.write(batch), &self.temporary.0)
    }

    /// Checks the number of rows written.
    ///
    /// # Errors
    /// If there are others: a part that lacks rows must never get its name.
    pub fn expect(&self, rows: u64) -> Result<()> {
        let written = self.rows.rows();
        if written == rows {
            return Ok(());
        }
        Err(StoreError::damaged(&self.path, format!("{written} of its {rows} rows were found in staging")))
    }

    /// fsync → rename → fsync of the folder.
    ///
    /// # Errors
    /// If the disk refuses; the part is not there then.
    pub fn finish(self) -> Result<SealRecord> {
        let rows = (self.rows.rows(), self.rows.finish());
        let sink = self.refusal.explain(self.writer.into_inner(), &self.temporary.0)?;
        let (hash, bytes) = (sink.hasher.finalize().to_hex().to_string(), sink.bytes);
        let file = sink.file.into_inner().map_err(io::IntoInnerError::into_error);
        let file = file.context("write", &self.temporary.0)?;
        if let Some((scratch, temporary)) = self.scratch {
            drop(file);
            scratch.deliver(&self.temporary.0, &Delivery { temporary, path: self.path })?;
        } else {
            sync_file(&file, &self.temporary.0, "seal.sync")?;
            drop(file);
            let _phase = phase(Phase::Rename);
            reach("seal.rename").context("rename", &self.temporary.0)?;
            rename(&self.temporary.0, &self.path)?;
            sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(SealRecord {
            table: self.table,
            partition: self.partition,
            part: self.part,
            rows: rows.0,
            bytes,
            file_hash: hash,
            row_hash: rows.1,
        })
    }
}

/// Path of a sealed part.
pub fn part_path(tables: &Path, seal: &SealRecord) -> PathBuf {
    tables.join(layout::part(seal.table, &seal.partition, seal.part))
}

/// The batches of a part.
///
/// # Errors
/// If the file cannot be opened, or is not Parquet.
pub fn read_part(path: &Path) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let file = File::open(path).context("open", path)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).context("read", path)?;
    let reader = builder.with_batch_size(crate::tables::BATCH).build().context("read", path)?;
    let path = path.to_owned();
    Ok(reader.map(move |batch| batch.map_err(|error| StoreError::damaged(&path, error.to_string()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::{DataType, Field, Schema};

    /// Whatever step of the Parquet writer meets a full disk first, it is told as one: exit code 1, not damage.
    #[test]
    fn a_full_disk_is_not_called_damage() {
        // Of some sizes it is the last buffer that the disk refuses, when the writer is taken apart.
        for rows in (0..6000).step_by(50) {
            let refusal = Refusal::default();
            let file = BufWriter::new(File::options().write(true).open("/dev/full").unwrap());
            let sink = Hashing { file, hasher: blake3::Hasher::new(), bytes: 0, refusal: refusal.clone() };
            let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, false)]));
            let column = arrow_array::Int64Array::from_iter_values(
                (0..rows).map(|row: i64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed())),
            );
            let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(column)]).unwrap();
            let mut writer = ArrowWriter::try_new(sink, schema, Some(properties(ROW_GROUP))).unwrap();
            let path = Path::new("/d/x");
            let written = refusal.explain(writer.write(&batch), path);
            let error = written
                .and_then(|()| refusal.explain(writer.into_inner(), path))
                .and_then(|mut sink| sink.flush().context("write", path))
                .unwrap_err();
            assert_eq!(error.exit_code(), 1, "{error}");
            assert!(error.to_string().contains("No space left on device"), "{error}");
        }
    }
}
