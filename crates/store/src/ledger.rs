//! What has been committed: for each cell the replicas that are there, and where their rows are.
//!
//! Kept by rank 0, rebuilt from the journals on resume. It holds one small record a committed segment, and
//! forgets the segments of a cell once all its rows are sealed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use metasweep_sweep::cell::CellName;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::sweep::Sweep;

use crate::frames::{FrameId, Frames};
use crate::layout::Table;
use crate::receipt::{AggregateSource, Entry, FrameRef, SeriesForm};

/// Rows of one frame that count: those of a range of replicas that no earlier receipt covered.
#[derive(Clone, Debug)]
pub struct Piece {
    /// One behind the last replica.
    pub end: u32,
    /// The frame.
    pub frame: FrameId,
    /// The frame's first replica.
    pub first: u32,
    /// Rows of `plateaus` in the frame: those before, those of this piece.
    pub plateaus: (u64, u64),
    /// Rows of `merges` in the frame.
    pub merges: (u64, u64),
    /// Tables (bits) whose rows of this piece are sealed.
    pub sealed: u8,
    /// The frame is not needed any more.
    pub released: bool,
}

impl Piece {
    /// Rows before those of this piece in its frame, and rows of this piece, where they vary by replica.
    pub fn varying(&self, table: Table) -> (u64, u64) {
        if table == Table::Plateaus { self.plateaus } else { self.merges }
    }
}

/// One cell.
#[derive(Default)]
pub struct CellState {
    /// By first replica; disjoint.
    pub pieces: BTreeMap<u32, Piece>,
    /// Replicas covered.
    pub covered: u32,
    /// The frame with the aggregated series (level cell).
    pub aggregate: Option<FrameId>,
    /// Somebody has been asked to aggregate.
    pub aggregating: bool,
    /// Pieces whose frame is still needed.
    pub held: u32,
    /// The aggregated series are sealed: their frame is not needed any more.
    pub aggregate_released: bool,
    /// Everything is sealed, and the pieces are forgotten.
    pub forgotten: bool,
}

/// What is there.
pub struct Ledger {
    replicas: u32,
    /// Whether cells are aggregated once all their replicas are there.
    aggregates: bool,
    names: HashMap<CellName, u32>,
    /// By index into `Sweep::cells`.
    pub cells: Vec<CellState>,
    /// Frames in use.
    pub frames: Frames,
    /// Failed replicas by cell and replica.
    pub failed: BTreeSet<(u32, u32)>,
    /// Replicas committed.
    pub replicas_done: u64,
    /// Cells whose replicas are all committed.
    pub cells_done: u32,
}

/// What an entry brought.
pub struct Inserted {
    /// The cell.
    pub cell: u32,
    /// Replica ranges that were not covered before.
    pub fresh: Vec<Range<u32>>,
    /// The cell's aggregated series came with it.
    pub aggregated: bool,
}

impl Ledger {
    /// Nothing yet. `nonce`: the current run's.
    pub fn new(sweep: &Sweep, nonce: u64) -> Self {
        let names = sweep.cells.iter().map(|cell| cell.name.clone()).zip(0..).collect();
        Ledger {
            replicas: sweep.replicas,
            aggregates: sweep.observe.aggregates(),
            names,
            cells: sweep.cells.iter().map(|_| CellState::default()).collect(),
            frames: Frames::new(nonce),
            failed: BTreeSet::new(),
            replicas_done: 0,
            cells_done: 0,
        }
    }

    /// Replicas of each cell.
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// The index of a cell in this sweep.
    pub fn index(&self, name: &CellName) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// Takes an entry in; what is already covered is left out. `counts` gives a frame's plateaus and merges by
    /// replica, and is asked only where an entry is covered in part. `None`: the entry is of no use to this sweep.
    pub fn insert<E>(
        &mut self,
        entry: &Entry,
        counts: impl FnOnce(&FrameRef) -> Result<(Vec<u32>, Vec<u32>), E>,
    ) -> Result<Option<Inserted>, E> {
        let Some(cell) = self.index(&entry.cell) else { return Ok(None) };
        let aggregated = entry.series == SeriesForm::Aggregated;
        // Aggregates over other replicas than the sweep's are of no use, nor is their frame: it has no replica-level series.
        let fits = entry.replicas.end <= self.replicas
            && !entry.replicas.is_empty()
            && (!aggregated || entry.replicas == (0..self.replicas));
        if !fits {
            return Ok(None);
        }
        let fresh = self.uncovered(cell, entry.replicas.clone());
        let state = &mut self.cells[cell as usize];
        let aggregates = aggregated && state.aggregate.is_none() && !state.forgotten;
        if fresh.is_empty() && !aggregates {
            self.frames.add(entry.frame.clone(), 0);
            return Ok(Some(Inserted { cell, fresh, aggregated: false }));
        }
        let whole = fresh.len() == 1 && fresh[0] == entry.replicas;
        let split = if whole || fresh.is_empty() { None } else { Some(counts(&entry.frame)?) };
        let frame = self.frames.add(entry.frame.clone(), fresh.len() as u32 + u32::from(aggregates));
        for range in &fresh {
            let slice = |counts: &[u32], all: u64| match &split {
                None => (0, all),
                Some(_) => rows_of(counts, entry.replicas.start, range),
            };
            let (plateaus, merges) = split.as_ref().map_or((&[][..], &[][..]), |(p, m)| (&p[..], &m[..]));
            let piece = Piece {
                end: range.end,
                frame,
                first: entry.replicas.start,
                plateaus: slice(plateaus, entry.plateaus),
                merges: slice(merges, entry.merges),
                sealed: 0,
                released: false,
            };
            state.pieces.insert(range.start, piece);
            state.covered += range.len() as u32;
            state.held += 1;
            self.replicas_done += range.len() as u64;
        }
        if aggregates {
            state.aggregate = Some(frame);
        }
        self.cells_done += u32::from(!fresh.is_empty() && state.covered == self.replicas);
        self.failed.extend(entry.failed.iter().map(|(replica, _)| (cell, *replica)));
        Ok(Some(Inserted { cell, fresh, aggregated: aggregates }))
    }

    /// Takes in the aggregated series of a cell; the cell, if they are of use.
    pub fn insert_aggregate(&mut self, name: &CellName, replicas: u32, frame: &FrameRef) -> Option<u32> {
        let cell = self.index(name).filter(|_| replicas == self.replicas && self.aggregates)?;
        let state = &mut self.cells[cell as usize];
        if state.aggregate.is_some() || state.forgotten {
            self.frames.add(frame.clone(), 0);
            return None;
        }
        state.aggregate = Some(self.frames.add(frame.clone(), 1));
        Some(cell)
    }

    /// Replicas of a range that are not there.
    pub fn uncovered(&self, cell: u32, range: Range<u32>) -> Vec<Range<u32>> {
        let state = &self.cells[cell as usize];
        let (mut gaps, mut at) = (Vec::new(), range.start);
        if state.forgotten {
            return gaps;
        }
        let before =
            state.pieces.range(..range.start).next_back().map_or(range.start, |(_, piece)| piece.end);
        at = at.max(before);
        for (start, piece) in state.pieces.range(range.clone()) {
            if at < *start {
                gaps.push(at..*start);
            }
            at = piece.end;
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// Everything that remains to be computed.
    pub fn missing(&self) -> Vec<Segment> {
        let mut missing = Vec::new();
        for (cell, state) in (0..).zip(&self.cells) {
            if state.covered < self.replicas {
                let gaps = self.uncovered(cell, 0..self.replicas);
                missing.extend(gaps.into_iter().map(|replicas| Segment { cell, replicas }));
            }
        }
        missing
    }

    /// The sources of a cell's aggregation, if all its replicas are there and nobody has been asked yet.
    pub fn aggregation(&self, cell: u32) -> Option<Vec<AggregateSource>> {
        let state = &self.cells[cell as usize];
        let due = self.aggregates
            && state.covered == self.replicas
            && state.aggregate.is_none()
            && !state.aggregating
            && !state.forgotten;
        if !due {
            return None;
        }
        let source = |(start, piece): (&u32, &Piece)| {
            let frame = self.frames.get(piece.frame)?.clone();
            Some(AggregateSource { frame, replicas: *start..piece.end })
        };
        state.pieces.iter().map(source).collect()
    }

    /// Failed replicas of a cell.
    pub fn failed_in(&self, cell: u32) -> u32 {
        self.failed.range((cell, 0)..=(cell, u32::MAX)).count() as u32
    }
}

/// Rows of the replicas before `range` in a frame that starts at `first`, and of `range`.
fn rows_of(counts: &[u32], first: u32, range: &Range<u32>) -> (u64, u64) {
    let sum = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).sum();
    let (from, to) = ((range.start - first) as usize, (range.end - first) as usize);
    (sum(&counts[..from]), sum(&counts[from..to]))
}
