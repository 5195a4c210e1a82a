//! Taking over the rows of a complete dataset when it is extended: sealed parts → frames, cell by cell.
//!
//! Old parts are hashed before they are read, so no damage is carried over. What is imported is journalled like any other
//! work: after a kill the import goes on where it was. At level cell a cell's aggregates need every replica: if
//! the larger sweep has more of them, the cell is computed again as a whole (its rows do not change where they existed).

use std::ops::Range;
use std::path::Path;

use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::{Level, Sweep};

use crate::cursor::Cursor;
use crate::dataset::Dataset;
use crate::encoding::encode;
use crate::error::{Context, Result, StoreError};
use crate::failpoint::{Phase, phase, reach};
use crate::frame::{SectionKind, to_bytes};
use crate::layout::Table;
use crate::manifest::{Manifest, State};
use crate::receipt::{Kind, SeriesForm};
use crate::rows::pack_with_sections;
use crate::schema::partition;
use crate::tables::read;
use crate::writer::{IMPORTER, Writer};

/// Series rows of a frame at most (level replica): bounds the memory.
const BLOCK_ROWS: usize = 1 << 17;

/// Imports what is not there yet.
///
/// # Errors
/// If an old part is damaged, or the disk refuses.
pub fn import(dataset: &mut Dataset, old: &Manifest, sweep: &Sweep) -> Result<()> {
    let aggregates = sweep.observe.aggregates();
    if old.state != State::Complete || aggregates && old.replicas != sweep.replicas {
        return Ok(());
    }
    let _phase = phase(Phase::Import);
    let dir = dataset.dir().to_owned();
    let writer = Writer::create(&dir, sweep, dataset.nonce(), IMPORTER);
    // Old cells by partition, in their old order: that of the rows in the parts.
    let mut partitions: Vec<(String, Vec<u32>)> = Vec::new();
    for name in &old.cells {
        let Some(cell) = dataset.index(name) else { continue };
        let folder = partition(sweep, &sweep.cells[cell as usize].parameters);
        match partitions.iter_mut().find(|(name, _)| *name == folder) {
            Some((_, cells)) => cells.push(cell),
            None => partitions.push((folder, vec![cell])),
        }
    }
    for (folder, cells) in partitions {
        let wanted = |dataset: &Dataset, cell| !dataset.uncovered(cell, 0..old.replicas).is_empty();
        if !cells.iter().any(|cell| wanted(dataset, *cell)) {
            continue;
        }
        let mut tables = OldTables::open(&dir, old, &folder);
        for cell in cells {
            reach("extend.import").context("import into", &dir)?;
            // Others may not think this run dead because the old parts are large.
            dataset.heartbeat()?;
            for range in blocks(sweep, cell, old.replicas) {
                let rows = tables.take(sweep, cell, &range)?;
                // Level cell: only a whole cell is of use, since its aggregates are.
                if dataset.uncovered(cell, range.clone()) == [range] {
                    let receipt = writer.commit_entries(vec![rows], 0.0, Kind::Import)?;
                    // The jobs that become possible here are handed out later, with all others.
                    dataset.accept(&receipt)?;
                }
            }
        }
    }
    dataset.books.reopen();
    writer.sync()
}

fn blocks(sweep: &Sweep, cell: u32, replicas: u32) -> Vec<Range<u32>> {
    let samples = sweep.cells[cell as usize].sample.len().max(1);
    let block = match sweep.observe.level {
        Level::Replica if !sweep.observe.aggregates() => (BLOCK_ROWS / samples).max(1) as u32,
        // Aggregates are those of whole cells.
        _ => replicas,
    };
    (0..replicas)
        .step_by(block.max(1) as usize)
        .map(|from| from..replicas.min(from.saturating_add(block)))
        .collect()
}

struct OldTables {
    replicas: Cursor,
    series: Cursor,
    plateaus: Cursor,
    merges: Cursor,
    tokens: Cursor,
    attention: Cursor,
    histogram: Cursor,
}

impl OldTables {
    fn open(dir: &Path, old: &Manifest, folder: &str) -> Self {
        let cursor = |table| Cursor::new(dir, &old.parts, table, folder);
        OldTables {
            replicas: cursor(Table::Replicas),
            series: cursor(Table::Series),
            plateaus: cursor(Table::Plateaus),
            merges: cursor(Table::Merges),
            tokens: cursor(Table::Tokens),
            attention: cursor(Table::Attention),
            histogram: cursor(Table::Histogram),
        }
    }

    /// The rows of some replicas of a cell; cells and replicas must be asked for in row order.
    fn take(&mut self, sweep: &Sweep, cell: u32, range: &Range<u32>) -> Result<crate::rows::PendingEntry> {
        let (index, cell) = (cell, &sweep.cells[cell as usize]);
        let end = i32::try_from(range.end).unwrap_or(i32::MAX);
        let wanted = |name: &str, replica: i32| name == cell.name.0 && replica < end;
        let mut records = read::replicas(&self.replicas.take_while(&wanted)?, &sweep.observe.suffixes)?;
        if records.len() != range.len() {
            let what = format!("cell {} has {} rows for replicas {range:?}", cell.name, records.len());
            return Err(StoreError::damaged(Path::new("replicas"), what));
        }
        let misplaced = || {
            StoreError::damaged(
                Path::new("plateaus or merges"),
                format!("rows of cell {} are out of order", cell.name),
            )
        };
        for (replica, plateau) in read::plateaus(&self.plateaus.take_while(&wanted)?)? {
            let position = replica.checked_sub(range.start).ok_or_else(misplaced)? as usize;
            records.get_mut(position).ok_or_else(misplaced)?.plateaus.push(plateau);
        }
        for (replica, merge) in read::merges(&self.merges.take_while(&wanted)?)? {
            let position = replica.checked_sub(range.start).ok_or_else(misplaced)? as usize;
            records.get_mut(position).ok_or_else(misplaced)?.merges.push(merge);
        }
        let series = read::series(&self.series.take_while(&wanted)?, &sweep.observe)?;
        let kind = match sweep.observe.level {
            Level::Cell if !sweep.observe.series.is_empty() => SectionKind::SeriesAggregated,
            _ => SectionKind::SeriesByReplica,
        };
        let form = if sweep.observe.aggregates() { SeriesForm::Aggregated } else { SeriesForm::Replicas };
        let mut sections = vec![(kind, to_bytes(&series))];
        let tokens = read::tokens(&self.tokens.take_while(&wanted)?, cell.carried())?;
        if !tokens.is_empty() {
            sections.push((SectionKind::Tokens, to_bytes(&tokens)));
        }
        let attention = read::attention(&self.attention.take_while(&wanted)?)?;
        if !attention.is_empty() {
            sections.push((SectionKind::Attention, to_bytes(&attention)));
        }
        if !sweep.observe.histograms.is_empty() {
            let counts = read::histogram(&self.histogram.take_while(&wanted)?)?;
            sections.push((SectionKind::HistogramAggregated, encode(&counts)));
        }
        let segment = Segment { cell: index, replicas: range.clone() };
        Ok(pack_with_sections(&segment, cell, &records, form, &sections))
    }
}
