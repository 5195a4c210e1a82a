//! Ledger and plan together: what a receipt changes, which jobs become possible, which frames can go.

use metasweep_sweep::sweep::Sweep;

use crate::error::Result;
use crate::layout::Table;
use crate::ledger::Ledger;
use crate::plan::{PartState, Plan};
use crate::receipt::{Entry, FrameRef, Job, SealRecord};

/// The books of rank 0.
pub struct Books {
    /// What is there.
    pub ledger: Ledger,
    /// How it becomes parts.
    pub plan: Plan,
    /// Some rows come from aggregates.
    aggregates: bool,
    extending: bool,
}

/// Asks a frame for its plateaus and merges by replica.
pub type Counts<'a> = &'a dyn Fn(&FrameRef) -> Result<(Vec<u32>, Vec<u32>)>;

impl Books {
    /// Empty books. `extending`: parts go to `staging/next`.
    pub fn new(sweep: &Sweep, nonce: u64, extending: bool) -> Self {
        let aggregates = sweep.observe.aggregates();
        Books { ledger: Ledger::new(sweep, nonce), plan: Plan::new(sweep), aggregates, extending }
    }

    /// Takes in the rows of a segment.
    pub fn enter(&mut self, entry: &Entry, counts: Counts) -> Result<Vec<Job>> {
        let Some(inserted) = self.ledger.insert(entry, counts)? else { return Ok(Vec::new()) };
        let mut whole = Vec::new();
        for (index, position, stream) in self.plan.streams_of(inserted.cell) {
            let parts = if stream.by_cell() {
                if inserted.aggregated { stream.arrived(position, &(0..0)) } else { Vec::new() }
            } else {
                let arrived = |range| stream.arrived(position, range);
                let mut parts: Vec<u32> = inserted.fresh.iter().flat_map(arrived).collect();
                parts.extend(stream.advance(&self.ledger.cells));
                parts
            };
            whole.extend(parts.into_iter().map(|part| (index, part)));
        }
        if inserted.aggregated {
            self.settle_cell(inserted.cell);
        }
        let mut jobs: Vec<Job> = self.hand_out_aggregation(inserted.cell).into_iter().collect();
        jobs.extend(whole.into_iter().filter_map(|(stream, part)| self.hand_out(stream, part)));
        Ok(jobs)
    }

    /// Takes in the aggregated series of a cell.
    pub fn enter_aggregate(&mut self, cell: u32) -> Vec<Job> {
        let mut whole = Vec::new();
        for (index, position, stream) in self.plan.streams_of(cell) {
            if stream.by_cell() {
                whole.extend(stream.arrived(position, &(0..0)).into_iter().map(|part| (index, part)));
            }
        }
        self.settle_cell(cell);
        whole.into_iter().filter_map(|(stream, part)| self.hand_out(stream, part)).collect()
    }

    fn hand_out_aggregation(&mut self, cell: u32) -> Option<Job> {
        let sources = self.ledger.aggregation(cell)?;
        self.ledger.cells[cell as usize].aggregating = true;
        Some(Job::Aggregate { cell, sources })
    }

    fn hand_out(&mut self, stream: usize, part: u32) -> Option<Job> {
        let state = self.plan.streams[stream].part_mut(part);
        if *state != PartState::Open {
            return None;
        }
        *state = PartState::Handed;
        Some(self.seal_job(stream, part))
    }

    fn seal_job(&self, stream: usize, part: u32) -> Job {
        let stream = &self.plan.streams[stream];
        let rows = stream.rows_of_part(part);
        Job::Seal {
            table: stream.table,
            partition: stream.partition.clone(),
            part,
            extending: self.extending,
            rows: rows.end.saturating_sub(rows.start),
            sources: stream.sources(&self.ledger, part),
        }
    }

    /// Every job that is possible and was not handed out yet.
    pub fn pending(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for cell in 0..self.ledger.cells.len() as u32 {
            jobs.extend(self.hand_out_aggregation(cell));
        }
        for stream in 0..self.plan.streams.len() {
            let parts = self.plan.streams[stream].parts().len() as u32;
            for part in 0..parts {
                if self.plan.streams[stream].is_whole(part) {
                    jobs.extend(self.hand_out(stream, part));
                }
            }
        }
        jobs
    }

    /// Forgets which jobs were handed out: those who had them are gone.
    pub fn reopen(&mut self) {
        for cell in &mut self.ledger.cells {
            cell.aggregating = false;
        }
        for stream in &mut self.plan.streams {
            for part in 0..stream.parts().len() as u32 {
                let state = stream.part_mut(part);
                if *state == PartState::Handed {
                    *state = PartState::Open;
                }
            }
        }
    }

    /// A part is there. Call [`Books::release`] afterwards.
    pub fn sealed(&mut self, seal: &SealRecord) -> Option<(usize, u32)> {
        let stream = self.plan.find(seal.table, &seal.partition)?;
        *self.plan.streams[stream].part_mut(seal.part) = PartState::Sealed(seal.clone());
        Some((stream, seal.part))
    }

    /// Lets go of the frames whose rows are all sealed, among those with rows in this part.
    pub fn release(&mut self, stream: usize, part: u32) {
        let stream = &self.plan.streams[stream];
        let rows = stream.rows_of_part(part);
        if stream.by_cell() {
            let sealed = |(position, cell): (usize, u32)| {
                stream.is_sealed(&stream.rows_of_cell(position)).then_some(cell)
            };
            let cells: Vec<u32> = stream.positions(&rows).into_iter().filter_map(sealed).collect();
            for cell in cells {
                // The aggregates of a cell may be rows of several tables, in one frame.
                let all_sealed = self
                    .plan
                    .streams_of(cell)
                    .filter(|(_, _, stream)| stream.by_cell())
                    .all(|(_, position, stream)| stream.is_sealed(&stream.rows_of_cell(position)));
                if all_sealed {
                    self.release_aggregate(cell);
                }
            }
            return;
        }
        let bit = bit(stream.table);
        for (cell, start) in stream.sealed_pieces(&self.ledger.cells, &rows) {
            if let Some(piece) = self.ledger.cells[cell as usize].pieces.get_mut(&start) {
                piece.sealed |= bit;
            }
            self.settle(cell, start);
        }
    }

    /// Lets go of everything that sealed parts hold: after a replay.
    pub fn release_all(&mut self) {
        for stream in 0..self.plan.streams.len() {
            for part in 0..self.plan.streams[stream].parts().len() {
                if matches!(self.plan.streams[stream].parts()[part], PartState::Sealed(_)) {
                    self.release(stream, part as u32);
                }
            }
        }
    }

    fn release_aggregate(&mut self, cell: u32) {
        let state = &mut self.ledger.cells[cell as usize];
        if let Some(frame) = state.aggregate.filter(|_| !state.aggregate_released) {
            state.aggregate_released = true;
            self.ledger.frames.release(frame);
            self.forget(cell);
        }
    }

    fn settle_cell(&mut self, cell: u32) {
        let starts: Vec<u32> = self.ledger.cells[cell as usize].pieces.keys().copied().collect();
        for start in starts {
            self.settle(cell, start);
        }
    }

    /// Releases a piece's frame if all its rows are sealed, and aggregated.
    fn settle(&mut self, cell: u32, start: u32) {
        let end = self.ledger.cells[cell as usize].pieces.get(&start).map_or(start, |piece| piece.end);
        let streams = self.plan.streams_of(cell);
        let tables: Vec<(Table, bool, bool)> = streams
            .map(|(_, position, stream)| {
                (stream.table, stream.by_cell(), stream.has_no_rows(position, start, end))
            })
            .collect();
        let state = &mut self.ledger.cells[cell as usize];
        let aggregated = state.aggregate.is_some();
        let Some(piece) = state.pieces.get_mut(&start).filter(|piece| !piece.released) else { return };
        let done = tables.iter().all(|(table, by_cell, empty)| match table {
            _ if *by_cell => aggregated,
            _ if *empty => true,
            Table::Plateaus | Table::Merges if piece.varying(*table).1 == 0 => true,
            _ => piece.sealed & bit(*table) != 0,
        });
        if done {
            piece.released = true;
            state.held -= 1;
            let frame = piece.frame;
            self.ledger.frames.release(frame);
            self.forget(cell);
        }
    }

    fn forget(&mut self, cell: u32) {
        let replicas = self.ledger.replicas();
        let state = &mut self.ledger.cells[cell as usize];
        let series_done = !self.aggregates || state.aggregate_released;
        if state.covered == replicas && state.held == 0 && series_done {
            state.pieces.clear();
            state.forgotten = true;
        }
    }

    /// Whether every part is sealed.
    pub fn complete(&self) -> bool {
        self.plan.streams.iter().all(crate::plan::Stream::complete)
    }

    /// Number of parts sealed.
    pub fn parts_sealed(&self) -> u64 {
        let parts = self.plan.streams.iter().flat_map(crate::plan::Stream::parts);
        parts.filter(|part| matches!(part, PartState::Sealed(_))).count() as u64
    }

    /// All seal records, sorted.
    pub fn seals(&self) -> Vec<SealRecord> {
        let record = |part: &PartState| match part {
            PartState::Sealed(seal) => Some(seal.clone()),
            _ => None,
        };
        let mut seals: Vec<SealRecord> =
            self.plan.streams.iter().flat_map(crate::plan::Stream::parts).filter_map(record).collect();
        seals.sort();
        seals
    }
}

fn bit(table: Table) -> u8 {
    1 << table as u8
}
