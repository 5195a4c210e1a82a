//! The matrices of all lanes side by side, and their action on tokens.
//!
//! Lanes that share one draw (the same `Arc`) keep one copy, broadcast as it is used; lanes with their own draws
//! keep packs. The operations are the same, so are the bits.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use nalgebra::DMatrix;

use crate::simd::{Kernel, Lanes, Pack, groups};

/// One linear map a lane.
#[derive(Clone, Debug)]
pub(crate) enum LaneMap {
    /// c·I, c of each lane.
    Scalar(Pack),
    /// diag(a_1, …, a_d).
    Diagonal(Vec<Pack>),
    /// rows × d, row-major, the same in all lanes.
    Shared { rows: usize, entries: Vec<f64> },
    /// rows × d, row-major, one of each lane.
    PerLane { rows: usize, entries: Vec<Pack> },
}

impl LaneMap {
    /// Dense maps: one matrix a lane, all of the same shape; `shared` if they are one and the same.
    pub(crate) fn dense(matrices: &[&DMatrix<f64>], shared: bool) -> Self {
        let (rows, columns) = matrices[0].shape();
        let entry = |at: usize| (at / columns, at % columns);
        if shared {
            Self::Shared { rows, entries: (0..rows * columns).map(|at| matrices[0][entry(at)]).collect() }
        } else {
            let entries =
                (0..rows * columns).map(|at| gather(matrices, |matrix| matrix[entry(at)])).collect();
            Self::PerLane { rows, entries }
        }
    }

    /// Length of the image vectors.
    pub(crate) fn rows(&self, d: usize) -> usize {
        match self {
            Self::Scalar(_) | Self::Diagonal(_) => d,
            Self::Shared { rows, .. } | Self::PerLane { rows, .. } => *rows,
        }
    }
}

/// A pack of one number of each lane's `source`; unused lanes repeat the first.
pub(crate) fn gather<T>(sources: &[T], number: impl Fn(&T) -> f64) -> Pack {
    let mut pack = Pack::splat(number(&sources[0]));
    for (lane, source) in pack.0.iter_mut().zip(sources) {
        *lane = number(source);
    }
    pack
}

/// `image_j = M x_j` for all tokens; each sum over the coordinates in order.
pub(crate) struct Apply<'a> {
    pub map: &'a LaneMap,
    pub tokens: &'a [Pack],
    pub d: usize,
    pub lanes: usize,
    pub image: &'a mut [Pack],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { map, tokens, d, lanes, image } = self;
        let rows = map.rows(d);
        for group in groups::<L>(lanes) {
            for (token, image) in tokens.chunks_exact(d).zip(image.chunks_exact_mut(rows)) {
                match map {
                    LaneMap::Scalar(c) => {
                        for (x, y) in token.iter().zip(image) {
                            (L::load(c, group) * L::load(x, group)).store(y, group);
                        }
                    }
                    LaneMap::Diagonal(entries) => {
                        for ((x, y), a) in token.iter().zip(image).zip(entries) {
                            (L::load(a, group) * L::load(x, group)).store(y, group);
                        }
                    }
                    LaneMap::Shared { entries, .. } => {
                        for (row, y) in entries.chunks_exact(d).zip(image) {
                            let mut sum = L::splat(row[0]) * L::load(&token[0], group);
                            for (a, x) in row[1..].iter().zip(&token[1..]) {
                                sum = L::splat(*a).mul_add(L::load(x, group), sum);
                            }
                            sum.store(y, group);
                        }
                    }
                    LaneMap::PerLane { entries, .. } => {
                        for (row, y) in entries.chunks_exact(d).zip(image) {
                            let mut sum = L::load(&row[0], group) * L::load(&token[0], group);
                            for (a, x) in row[1..].iter().zip(&token[1..]) {
                                sum = L::load(a, group).mul_add(L::load(x, group), sum);
                            }
                            sum.store(y, group);
                        }
                    }
                }
            }
        }
    }
}
