//! The attention vectors of many tokens, tile by tile: never an n × n matrix, and all threads of the pool at one replica.
//!
//! The kernels of pairs ([`super::symmetric`], [`super::general`]) have replicas in the lanes, and the symmetric one keeps every pair: best
//! where eight replicas of few tokens go together. Here the tokens i of one replica are in the lanes and meet all j in order:
//! the same operations in the same order, hence the same bits, whoever computes which tile. Which way is taken is a matter of
//! time and memory alone ([`Evaluation::of`]).
//!
//! Weights that are not plain go row by row through [`super::rows`], which needs no n × n matrix either, on one thread;
//! doubly stochastic ones need the matrix ([`super::sinkhorn`]).

mod general;
mod symmetric;

use std::marker::PhantomData;
use std::sync::Arc;

use super::heads::{LaneHead, Score};
use super::{Attention, LaneMap, ONE, Sources, Weighting, image, mapped, scaled};
use crate::crew::Job;
use crate::simd::{Isa, LANES, Pack, dispatch};
use general::GeneralTile;
use symmetric::{SymmetricTile, indices};

/// Most tokens whose pairs are kept: 134 megabytes of them.
pub const MOST_IN_PAIRS: usize = 2048;
/// From so many tokens on a replica that has no company goes tile by tile: it would leave the other lanes of pairs idle.
const ALONE: usize = 256;
/// Rows that are one piece of work.
const ROWS_EACH: usize = 8 * LANES;

/// How sums over pairs of tokens are evaluated. Changes no bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// Replicas in the lanes, pairs one after the other.
    Pairs,
    /// Tokens of one replica in the lanes.
    Tiles,
}

impl Evaluation {
    /// What is taken for `lanes` replicas of n tokens.
    #[must_use]
    pub fn of(n: usize, lanes: usize) -> Self {
        if n > MOST_IN_PAIRS || (n >= ALONE && lanes == 1) { Self::Tiles } else { Self::Pairs }
    }
}

/// What all tiles of one head of one replica share.
struct Tile {
    n: usize,
    causal: bool,
    /// Whether w_ii v_i is part of the sum.
    self_term: bool,
    /// What multiplies the inner products, and what is subtracted from every score.
    kappa: f64,
    shift: f64,
}

/// Up to [`LANES`] rows in the lanes.
struct Rows {
    first: usize,
    /// The tokens' numbers.
    index: Pack,
    /// r: the queries.
    queries: Vec<Pack>,
    /// What the moments are to be divided by.
    sum: Pack,
    /// d: Σ_j w_ij v_j.
    moments: Vec<Pack>,
}

/// One head of one replica, to be computed in pieces of [`ROWS_EACH`] rows.
struct Tiles<W> {
    tile: Tile,
    symmetric: bool,
    /// Coordinate by coordinate, n each.
    queries: Arc<Vec<f64>>,
    keys: Arc<Vec<f64>>,
    values: Vec<f64>,
    isa: Isa,
    weighting: PhantomData<W>,
}

impl<W: Weighting + Send + Sync + 'static> Job for Tiles<W> {
    type Piece = Vec<Rows>;

    fn pieces(&self) -> usize {
        self.tile.n.div_ceil(ROWS_EACH)
    }

    fn piece(&self, index: usize) -> Vec<Rows> {
        let n = self.tile.n;
        let (start, end) = (index * ROWS_EACH, n.min((index + 1) * ROWS_EACH));
        let mut weights = if self.symmetric { Vec::new() } else { vec![Pack::ZERO; n] };
        let mut all = Vec::new();
        for first in (start..end).step_by(LANES) {
            let mut rows = self.rows(first);
            let (tile, weighting) = (&self.tile, PhantomData::<W>);
            let (keys, values) = (&self.keys[..], &self.values[..]);
            if self.symmetric {
                dispatch(SymmetricTile { tile, tokens: keys, values, rows: &mut rows, weighting }, self.isa);
            } else {
                let weights = &mut weights[..];
                dispatch(GeneralTile { tile, keys, values, rows: &mut rows, weights, weighting }, self.isa);
            }
            all.push(rows);
        }
        all
    }
}

impl<W> Tiles<W> {
    /// The rows from `first` on; lanes without a token repeat the last one.
    fn rows(&self, first: usize) -> Rows {
        let n = self.tile.n;
        let pack = |queries: &[f64]| Pack(std::array::from_fn(|lane| queries[(first + lane).min(n - 1)]));
        Rows {
            first,
            index: indices(first),
            queries: self.queries.chunks_exact(n).map(pack).collect(),
            sum: Pack::ZERO,
            moments: vec![Pack::ZERO; self.values.len() / n],
        }
    }
}

/// The numbers of one lane, n × `width`, coordinate by coordinate.
fn by_coordinate(packs: &[Pack], width: usize, lane: usize) -> Vec<f64> {
    (0..width).flat_map(|k| packs.iter().skip(k).step_by(width).map(move |pack| pack.0[lane])).collect()
}

impl Attention {
    /// The attention vectors of the plain kernels, tile by tile.
    pub(super) fn evaluate_tiles<W: Weighting + Send + Sync + 'static>(
        &mut self,
        sources: Sources<'_>,
        out: &mut [Pack],
    ) {
        for index in 0..self.schedule.current().heads.len() {
            for lane in 0..self.lanes {
                self.evaluate_lane::<W>(sources, index, lane, out);
            }
        }
    }

    /// One head of one lane, into `out` or added to it.
    fn evaluate_lane<W: Weighting + Send + Sync + 'static>(
        &mut self,
        sources: Sources<'_>,
        index: usize,
        lane: usize,
        out: &mut [Pack],
    ) {
        let Self { causal, n, d, lanes, isa, .. } = *self;
        let head: &LaneHead = &self.schedule.current().heads[index];
        let (values, factor, self_term) = match &head.value {
            LaneMap::Scalar(c) => (sources.values, c, self.self_term),
            map => (image(map, sources.values, d, lanes, isa, &mut self.values), &ONE, true),
        };
        let values = by_coordinate(values, d, lane);
        let kappa = scaled(head, sources.scale).0[lane];
        let symmetric = matches!(head.score, Score::Symmetric);
        let shift = if symmetric && W::SUMS { kappa } else { self.shift.0[lane] };
        let (queries, keys) = match &head.score {
            Score::Symmetric => {
                let tokens = Arc::new(by_coordinate(sources.tokens, d, lane));
                (Arc::clone(&tokens), tokens)
            }
            Score::Mapped { query, key } => {
                let queries = mapped(query.as_ref(), sources.tokens, d, lanes, isa, &mut self.queries);
                let keys = mapped(key.as_ref(), sources.others, d, lanes, isa, &mut self.keys);
                let rank = keys.len() / n;
                (Arc::new(by_coordinate(queries, rank, lane)), Arc::new(by_coordinate(keys, rank, lane)))
            }
        };
        let tile = Tile { n, causal, self_term, kappa, shift };
        let tiles = Tiles { tile, symmetric, queries, keys, values, isa, weighting: PhantomData::<W> };
        let factor = factor.0[lane];
        for rows in self.crew.share(tiles).iter().flatten() {
            for i in rows.first..n.min(rows.first + LANES) {
                let coefficient = factor / rows.sum.0[i - rows.first];
                for (moment, out) in rows.moments.iter().zip(&mut out[i * d..(i + 1) * d]) {
                    let (moment, out) = (moment.0[i - rows.first], &mut out.0[lane]);
                    *out = if index > 0 { coefficient.mul_add(moment, *out) } else { coefficient * moment };
                }
            }
        }
    }
}
