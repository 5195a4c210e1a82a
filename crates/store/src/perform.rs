//! Sealing and aggregating: pure functions of rows on disk, performed by whichever process has time.

use std::path::Path;
use std::time::Instant;

use metasweep_sweep::simulate::Checkpoint;
use metasweep_sweep::sweep::{Level, Sweep};

use crate::aggregate::aggregate_sample;
use crate::encoding::encode;
use crate::error::{Context, Result};
use crate::failpoint::{Phase, phase, reach};
use crate::files::PATIENCE;
use crate::frame::{Frame, FrameBuilder, Patience, SectionKind, to_bytes};
use crate::layout::{self, Table};
use crate::parquet_file::PartWriter;
use crate::receipt::{AggregateSource, CheckpointRef, FrameRef, Job, Kind, Receipt, Source};
use crate::schema::{schema, series_columns};
use crate::sections;
use crate::tables::{Data, TableBuilder, row_group};
use crate::writer::Writer;

/// Numbers of a block of sample times that an aggregation holds at once (64 MB), at least one time.
const BLOCK: usize = 8 << 20;

/// Performs a job; its receipt is durable when this returns. Performing it twice is harmless. Other processes' frames are waited for, as
/// long as `given_up` says no.
///
/// # Errors
/// If a frame is damaged or the disk refuses.
pub fn perform(
    dir: &Path,
    sweep: &Sweep,
    job: &Job,
    writer: &Writer,
    given_up: &dyn Fn() -> bool,
) -> Result<Receipt> {
    let started = Instant::now();
    let patience = Patience { most: PATIENCE, given_up };
    match job {
        Job::Aggregate { cell, sources } => {
            let _phase = phase(Phase::Aggregate);
            reach("aggregate").context("aggregate in", dir)?;
            let name = sweep.cells[*cell as usize].name.clone();
            let mut frame = FrameBuilder::new(name.clone(), 0..sweep.replicas);
            if sweep.observe.level == Level::Cell && !sweep.observe.series.is_empty() {
                let rows = aggregate(dir, sweep, (*cell, sources), patience)?;
                frame.section(SectionKind::SeriesAggregated, &to_bytes(&rows));
            }
            if !sweep.observe.histograms.is_empty() {
                let counts = add_up(dir, sweep, (*cell, sources), patience)?;
                frame.section(SectionKind::HistogramAggregated, &encode(&counts));
            }
            writer.commit_frame(frame, started, |frame| Kind::Aggregate {
                cell: name,
                replicas: sweep.replicas,
                frame,
            })
        }
        Job::Seal { table, partition, part, extending, rows, sources } => {
            let _phase = phase(Phase::Seal);
            let tables = layout::tables(dir, *extending);
            let place = (*table, partition.as_str(), *part);
            let (columns, rows_together) = (schema(sweep, *table), row_group(sweep, *table));
            let mut file = PartWriter::create(&tables, place, columns, rows_together, writer.scratch())?;
            fill(dir, sweep, (*table, sources), &mut file, patience)?;
            file.expect(*rows)?;
            let seal = file.finish()?;
            writer.commit_seal(seal, started)
        }
    }
}

fn aggregate(
    dir: &Path,
    sweep: &Sweep,
    (cell, sources): (u32, &[AggregateSource]),
    patience: Patience,
) -> Result<Vec<f64>> {
    let samples = sweep.cells[cell as usize].sample.len();
    let columns = series_columns(&sweep.observe).len();
    let replicas = sweep.replicas as usize;
    let (kind, mut rows) = (SectionKind::SeriesBySample, Vec::new());
    for source in sources {
        Frame::open(dir, &source.frame, patience)?.check(kind)?;
    }
    let together = (BLOCK / (columns * replicas).max(1)).clamp(1, samples.max(1));
    for first in (0..samples).step_by(together) {
        let count = together.min(samples - first);
        let mut block = vec![f64::NAN; count * columns * replicas];
        for source in sources {
            let frame = Frame::open(dir, &source.frame, patience)?;
            let held = frame.header.replicas.len();
            let skip = (source.replicas.start - frame.header.replicas.start) as usize;
            let taken = source.replicas.len();
            let numbers = frame.numbers_at(kind, first * columns * held, count * columns * held)?;
            for (line, numbers) in numbers.chunks_exact(held).enumerate() {
                let to = line * replicas + source.replicas.start as usize;
                block[to..to + taken].copy_from_slice(&numbers[skip..skip + taken]);
            }
        }
        for sample in block.chunks_exact(columns * replicas) {
            aggregate_sample(sample, replicas, &sweep.observe.quantiles, &mut rows);
        }
    }
    Ok(rows)
}

/// The histograms of a cell, one frame after the other: the sums and one frame's counts are all that is held.
fn add_up(
    dir: &Path,
    sweep: &Sweep,
    (cell, sources): (u32, &[AggregateSource]),
    patience: Patience,
) -> Result<Vec<u64>> {
    let mut sums = vec![0; sweep.observe.histogram_rows(&sweep.cells[cell as usize]) as usize];
    for source in sources {
        let frame = Frame::open(dir, &source.frame, patience)?;
        let counts: Vec<Vec<u64>> = frame.decode(SectionKind::Histogram)?;
        let skip = (source.replicas.start - frame.header.replicas.start) as usize;
        for counts in counts.iter().skip(skip).take(source.replicas.len()) {
            sections::add(&mut sums, counts);
        }
    }
    Ok(sums)
}

/// Rows of frames into a part, frame by frame, batch by batch.
fn fill(
    dir: &Path,
    sweep: &Sweep,
    (table, sources): (Table, &[Source]),
    file: &mut PartWriter,
    patience: Patience,
) -> Result<()> {
    let mut builder = TableBuilder::new(sweep, table);
    let mut held: Option<(FrameRef, Data)> = None;
    for source in sources {
        // Neighbouring sources may be two ranges of one frame.
        if held.as_ref().is_none_or(|(frame, _)| *frame != source.frame) {
            // Two frames are never held at once.
            drop(held.take());
            let frame = Frame::open(dir, &source.frame, patience)?;
            held = Some((source.frame.clone(), Data::load(&frame, table, sweep.observe.level)?));
        }
        if let Some((_, data)) = &held {
            let cell = &sweep.cells[source.cell as usize];
            let rows = source.rows.start as usize..source.rows.end as usize;
            builder.append(cell, data, rows, &mut |batch| file.write(&batch))?;
        }
    }
    file.write(&builder.finish())
}

/// The state of replicas that were stopped in the middle.
///
/// # Errors
/// If its frame is damaged.
pub fn read_checkpoint(
    dir: &Path,
    checkpoint: &CheckpointRef,
    given_up: &dyn Fn() -> bool,
) -> Result<Checkpoint> {
    let patience = Patience { most: PATIENCE, given_up };
    let mut state: Checkpoint =
        Frame::open(dir, &checkpoint.frame, patience)?.decode(SectionKind::Checkpoint)?;
    // The cell may have had another number in the sweep that this one extends.
    state.segment = checkpoint.segment.clone();
    Ok(state)
}
