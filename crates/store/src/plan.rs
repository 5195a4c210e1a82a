//! How rows become parts: by row count alone, in row order, one stream a table and partition.
//!
//! Where the number of rows is known beforehand (`replicas`, `series`, `tokens`, `attention`, `histogram`) a part can be sealed as soon as its rows are there,
//! in any order. Where it is not (`plateaus`, `merges`) parts follow the *frontier*: the first row whose
//! position is not known because a replica before it is missing.

use std::ops::Range;

use metasweep_sweep::cell::Cell;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::{Level, Observe, Sweep};

use crate::layout::Table;
use crate::ledger::{CellState, Ledger, Piece};
use crate::receipt::{SealRecord, Source};
use crate::schema::{partition, tables};

/// How far a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum PartState {
    /// Rows are missing, or nobody has been asked to seal it.
    Open,
    /// Somebody has been asked to.
    Handed,
    /// It is there.
    Sealed(SealRecord),
}

enum Rows {
    /// Rows of a replica (0: rows belong to the cell), and rows not there of each part.
    Fixed { left: Vec<u64> },
    /// Cell (position in the stream) and replica of the first row whose position is not known; rows before it.
    Found { cell: usize, replica: u32, known: u64 },
}

/// The rows of one table in one partition.
pub struct Stream {
    /// The table.
    pub table: Table,
    /// The partition.
    pub partition: String,
    /// Its cells, in row order.
    pub cells: Vec<u32>,
    /// Rows before each cell, as far as known; with the total at the end once that is known.
    starts: Vec<u64>,
    rows: Rows,
    parts: Vec<PartState>,
    per_part: u64,
    /// Replicas of a cell, and how many of them, from the first on, have rows.
    replicas: u32,
    counted: u32,
    level: Level,
}

/// Every stream of a sweep, and where each cell is.
pub struct Plan {
    /// The streams.
    pub streams: Vec<Stream>,
    /// For each cell its partition and its position there (the same in every table).
    places: Vec<(u32, u32)>,
    partitions: usize,
}

impl Plan {
    /// The plan of a sweep of which nothing is there yet.
    pub fn new(sweep: &Sweep) -> Self {
        let (mut names, mut members) = (Vec::<String>::new(), Vec::<Vec<u32>>::new());
        let mut places = Vec::new();
        for (cell, index) in sweep.cells.iter().zip(0..) {
            let name = partition(sweep, &cell.parameters);
            let at = names.iter().position(|other| *other == name).unwrap_or_else(|| {
                names.push(name);
                members.push(Vec::new());
                names.len() - 1
            });
            places.push((at as u32, members[at].len() as u32));
            members[at].push(index);
        }
        let mut streams = Vec::new();
        for table in tables(sweep).into_iter().filter(|table| *table != Table::Cells) {
            for (name, cells) in names.iter().zip(&members) {
                streams.push(Stream::new(sweep, table, name, cells));
            }
        }
        Plan { streams, places, partitions: names.len() }
    }

    /// The streams that have rows of a cell, each with the cell's position in it.
    pub fn streams_of(&mut self, cell: u32) -> impl Iterator<Item = (usize, usize, &mut Stream)> {
        let (partition, position) = self.places[cell as usize];
        // Streams stand table by table, each with every partition.
        let streams = self.streams.iter_mut().enumerate();
        let ours = streams.skip(partition as usize).step_by(self.partitions.max(1));
        ours.map(move |(index, stream)| (index, position as usize, stream))
    }

    /// The parts that may hold rows of a segment, where that is known from the sweep alone.
    pub fn parts_of(&mut self, table: Table, segment: &Segment) -> Option<Range<u64>> {
        let mut streams = self.streams_of(segment.cell);
        let (_, position, stream) = streams.find(|(_, _, stream)| stream.table == table)?;
        matches!(stream.rows, Rows::Fixed { .. }).then(|| {
            let rows = stream.piece_rows(position, segment.replicas.start, segment.replicas.end);
            rows.start / stream.per_part..rows.end.div_ceil(stream.per_part)
        })
    }

    /// The stream of a table and partition.
    pub fn find(&self, table: Table, partition: &str) -> Option<usize> {
        self.streams.iter().position(|stream| stream.table == table && stream.partition == partition)
    }
}

impl Stream {
    fn new(sweep: &Sweep, table: Table, partition: &str, cells: &[u32]) -> Self {
        let per_part = sweep.output.rows_per_part.max(1);
        let mut stream = Stream {
            table,
            partition: partition.to_owned(),
            cells: cells.to_vec(),
            starts: vec![0],
            rows: Rows::Found { cell: 0, replica: 0, known: 0 },
            parts: Vec::new(),
            per_part,
            replicas: sweep.replicas,
            counted: counted(sweep, table),
            level: sweep.observe.level,
        };
        if !matches!(table, Table::Plateaus | Table::Merges) {
            let mut total = 0;
            for cell in cells {
                total += stream.fixed_rows(&sweep.observe, &sweep.cells[*cell as usize]);
                stream.starts.push(total);
            }
            let left = (0..total).step_by(per_part as usize).map(|from| per_part.min(total - from)).collect();
            stream.rows = Rows::Fixed { left };
            stream.parts = vec![PartState::Open; stream.part_count().unwrap_or(0)];
        }
        stream
    }

    fn fixed_rows(&self, observe: &Observe, cell: &Cell) -> u64 {
        let each = match (self.table, self.level) {
            (Table::Series, Level::Cell) => return cell.sample.len() as u64,
            (Table::Histogram, _) => return observe.histogram_rows(cell),
            (Table::Series, Level::Replica) => cell.sample.len() as u64,
            (Table::Tokens, _) => observe.token_rows(cell),
            (Table::Attention, _) => observe.attention_rows(cell),
            _ => 1,
        };
        each * u64::from(self.counted)
    }

    /// Rows belong to the cell as a whole, and come when it is aggregated.
    pub fn by_cell(&self) -> bool {
        self.table == Table::Histogram || self.table == Table::Series && self.level == Level::Cell
    }

    /// Number of parts, once known: at least one, so that readers find the schema.
    pub fn part_count(&self) -> Option<usize> {
        let total = (self.starts.len() == self.cells.len() + 1).then(|| self.starts[self.cells.len()])?;
        Some((total.div_ceil(self.per_part) as usize).max(1))
    }

    /// Rows [a, b) of a part; the last one is cut at the total once that is known.
    pub fn rows_of_part(&self, part: u32) -> Range<u64> {
        let from = u64::from(part) * self.per_part;
        let total = if self.part_count().is_some() { self.starts[self.cells.len()] } else { u64::MAX };
        from..(from + self.per_part).min(total)
    }

    /// A part's state.
    pub fn part_mut(&mut self, part: u32) -> &mut PartState {
        let part = part as usize;
        if self.parts.len() <= part {
            self.parts.resize(part + 1, PartState::Open);
        }
        &mut self.parts[part]
    }

    /// All states.
    pub fn parts(&self) -> &[PartState] {
        &self.parts
    }

    /// Rows of a fixed stream have come: those of `replicas` of the cell at `position`. Returns the parts that are whole now.
    pub fn arrived(&mut self, position: usize, replicas: &Range<u32>) -> Vec<u32> {
        if matches!(self.rows, Rows::Found { .. }) {
            return Vec::new();
        }
        let rows = self.piece_rows(position, replicas.start, replicas.end);
        let Rows::Fixed { left } = &mut self.rows else { return Vec::new() };
        let mut whole = Vec::new();
        let mut at = rows.start;
        while at < rows.end {
            let part = (at / self.per_part) as usize;
            let until = ((part as u64 + 1) * self.per_part).min(rows.end);
            left[part] -= until - at;
            if left[part] == 0 {
                whole.push(part as u32);
            }
            at = until;
        }
        whole
    }

    /// Rows of a fixed stream that belong to replicas [start, end) of the cell at `position`.
    fn piece_rows(&self, position: usize, start: u32, end: u32) -> Range<u64> {
        let (from, until) = (self.starts[position], self.starts[position + 1]);
        if self.by_cell() {
            return from..until;
        }
        let unit = (until - from) / u64::from(self.counted.max(1));
        let before = |replica: u32| from + unit * u64::from(replica.min(self.counted));
        before(start)..before(end)
    }

    /// Whether it is known that replicas [start, end) of the cell at `position` have no row.
    pub fn has_no_rows(&self, position: usize, start: u32, end: u32) -> bool {
        matches!(self.rows, Rows::Fixed { .. }) && self.piece_rows(position, start, end).is_empty()
    }

    /// Whether every row of a part is there.
    pub fn is_whole(&self, part: u32) -> bool {
        match &self.rows {
            Rows::Fixed { left } => left.get(part as usize).is_none_or(|left| *left == 0),
            Rows::Found { cell, known, .. } => {
                *cell == self.cells.len() || (u64::from(part) + 1) * self.per_part <= *known
            }
        }
    }

    /// Moves the frontier on. Returns the parts that are whole now.
    pub fn advance(&mut self, cells: &[CellState]) -> Vec<u32> {
        let (table, replicas) = (self.table, self.replicas);
        let Rows::Found { cell, replica, known } = &mut self.rows else { return Vec::new() };
        let before = *known / self.per_part;
        let was_complete = *cell == self.cells.len();
        while let Some(index) = self.cells.get(*cell) {
            let pieces = &cells[*index as usize].pieces;
            // A cell is forgotten before the frontier reaches it only if it has no rows in this table.
            if cells[*index as usize].forgotten {
                *replica = replicas;
            }
            while let Some(piece) = pieces.get(replica) {
                *known += piece.varying(table).1;
                *replica = piece.end;
            }
            if *replica < replicas {
                break;
            }
            (*cell, *replica) = (*cell + 1, 0);
            self.starts.push(*known);
        }
        let complete = *cell == self.cells.len();
        let after = *known / self.per_part;
        let end = if complete && !was_complete { self.part_count().unwrap_or(0) as u64 } else { after };
        if end > 0 {
            self.part_mut(end as u32 - 1);
        }
        (before as u32..end as u32).collect()
    }

    /// Visits the pieces with rows in `rows`: cell, first replica, the piece, its rows in the stream.
    fn visit(
        &self,
        cells: &[CellState],
        rows: &Range<u64>,
        mut visit: impl FnMut(u32, u32, &Piece, Range<u64>),
    ) {
        let first = self.starts.partition_point(|start| *start <= rows.start).saturating_sub(1);
        for position in first..self.cells.len().min(self.starts.len()) {
            let mut at = self.starts[position];
            if at >= rows.end {
                break;
            }
            let cell = self.cells[position];
            for (start, piece) in &cells[cell as usize].pieces {
                let range = match self.rows {
                    Rows::Fixed { .. } => self.piece_rows(position, *start, piece.end),
                    Rows::Found { .. } => at..at + piece.varying(self.table).1,
                };
                at = range.end;
                if !range.is_empty() && range.start < rows.end && rows.start < range.end {
                    visit(cell, *start, piece, range);
                }
            }
        }
    }

    /// The sources of a part whose rows are all there, in row order.
    pub fn sources(&self, ledger: &Ledger, part: u32) -> Vec<Source> {
        let rows = self.rows_of_part(part);
        if self.by_cell() {
            return self.cell_sources(ledger, &rows);
        }
        let mut sources = Vec::new();
        self.visit(&ledger.cells, &rows, |cell, start, piece, range| {
            let Some(frame) = ledger.frames.get(piece.frame) else { return };
            let skip = match self.rows {
                Rows::Fixed { .. } => {
                    // Rows come from the first replicas, and there are some here: all before them have as many each.
                    let having = piece.end.min(self.counted) - start;
                    (range.end - range.start) / u64::from(having) * u64::from(start - piece.first)
                }
                Rows::Found { .. } => piece.varying(self.table).0,
            };
            let from = rows.start.max(range.start) - range.start + skip;
            let until = rows.end.min(range.end) - range.start + skip;
            sources.push(Source { cell, frame: frame.clone(), rows: from..until });
        });
        sources
    }

    fn cell_sources(&self, ledger: &Ledger, rows: &Range<u64>) -> Vec<Source> {
        let mut sources = Vec::new();
        for (position, cell) in self.positions(rows) {
            let frame = ledger.cells[cell as usize].aggregate.and_then(|id| ledger.frames.get(id));
            let Some(frame) = frame else { continue };
            let (start, end) = (self.starts[position], self.starts[position + 1]);
            let range = rows.start.max(start) - start..rows.end.min(end) - start;
            sources.push(Source { cell, frame: frame.clone(), rows: range });
        }
        sources
    }

    /// Cells (with positions) of a fixed stream that have rows in `rows`.
    pub fn positions(&self, rows: &Range<u64>) -> Vec<(usize, u32)> {
        let first = self.starts.partition_point(|start| *start <= rows.start).saturating_sub(1);
        let range = first..self.cells.len();
        range
            .take_while(|position| self.starts[*position] < rows.end)
            .map(|position| (position, self.cells[position]))
            .collect()
    }

    /// Whether every part with one of these rows is sealed.
    pub fn is_sealed(&self, rows: &Range<u64>) -> bool {
        let parts = rows.start / self.per_part..rows.end.div_ceil(self.per_part);
        let sealed = |part: u64| matches!(self.parts.get(part as usize), Some(PartState::Sealed(_)));
        rows.is_empty() || parts.into_iter().all(sealed)
    }

    /// Rows of the cell at `position` of a fixed stream.
    pub fn rows_of_cell(&self, position: usize) -> Range<u64> {
        self.starts[position]..self.starts[position + 1]
    }

    /// Pieces, as (cell, first replica), whose rows in this stream are all sealed, among those with rows in `rows`.
    pub fn sealed_pieces(&self, cells: &[CellState], rows: &Range<u64>) -> Vec<(u32, u32)> {
        let mut sealed = Vec::new();
        self.visit(cells, rows, |cell, start, _, range| {
            if self.is_sealed(&range) {
                sealed.push((cell, start));
            }
        });
        sealed
    }

    /// Whether every part is sealed.
    pub fn complete(&self) -> bool {
        let all = |count| {
            self.parts.len() >= count
                && self.parts[..count].iter().all(|part| matches!(part, PartState::Sealed(_)))
        };
        self.part_count().is_some_and(all)
    }
}

/// How many replicas of a cell, from the first on, have rows in a table.
fn counted(sweep: &Sweep, table: Table) -> u32 {
    let moments = match table {
        Table::Tokens => sweep.observe.snapshots.as_ref(),
        Table::Attention => sweep.observe.attention.as_ref(),
        _ => return sweep.replicas,
    };
    moments.map_or(0, |moments| moments.replicas.min(sweep.replicas))
}
