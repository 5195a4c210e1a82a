//! The matrices of all lanes side by side, and their action on tokens.
//!
//! Lanes that share one draw (the same `Arc`) keep one copy, broadcast as it is used; lanes with their own draws
//! keep packs. The operations are the same, so are the bits.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use nalgebra::DMatrix;

use crate::simd::{Isa, Kernel, Lanes, Pack, dispatch, groups};

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
        match map {
            LaneMap::Scalar(c) => {
                for group in groups::<L>(lanes) {
                    for (x, y) in tokens.iter().zip(&mut *image) {
                        (L::load(c, group) * L::load(x, group)).store(y, group);
                    }
                }
            }
            LaneMap::Diagonal(entries) => {
                for group in groups::<L>(lanes) {
                    for (token, image) in tokens.chunks_exact(d).zip(image.chunks_exact_mut(d)) {
                        for ((x, y), a) in token.iter().zip(image).zip(entries) {
                            (L::load(a, group) * L::load(x, group)).store(y, group);
                        }
                    }
                }
            }
            LaneMap::Shared { rows, entries } => {
                dense::<L, f64>(entries, *rows, Tokens { packs: tokens, d, lanes }, image);
            }
            LaneMap::PerLane { rows, entries } => {
                dense::<L, Pack>(entries, *rows, Tokens { packs: tokens, d, lanes }, image);
            }
        }
    }
}

/// An entry of a matrix, in every lane of a register.
trait Entry {
    /// Whether the matrix is the larger thing to read, so that it is to be read once.
    const IS_LARGE: bool;

    fn register<L: Lanes<Scalar = f64>>(&self, group: usize) -> L;
}

impl Entry for f64 {
    const IS_LARGE: bool = false;

    #[inline(always)]
    fn register<L: Lanes<Scalar = f64>>(&self, _group: usize) -> L {
        L::splat(*self)
    }
}

impl Entry for Pack {
    const IS_LARGE: bool = true;

    #[inline(always)]
    fn register<L: Lanes<Scalar = f64>>(&self, group: usize) -> L {
        L::load(self, group)
    }
}

/// What a dense map is applied to.
#[derive(Clone, Copy)]
struct Tokens<'a> {
    packs: &'a [Pack],
    d: usize,
    lanes: usize,
}

/// Rows and tokens that meet in one block: ROWS × COLUMNS sums, as many as 16 registers hold beside their operands.
const ROWS: usize = 4;
const COLUMNS: usize = 3;

/// Coordinates that go by before the next block: sums so far wait in the image, which changes no bit of them.
const PANEL: usize = 32;

/// Panels of coordinates, and in each of them blocks of rows and tokens; what is large stays in the nearest cache.
#[inline(always)]
fn dense<L: Lanes<Scalar = f64>, E: Entry>(
    entries: &[E],
    rows: usize,
    tokens: Tokens<'_>,
    image: &mut [Pack],
) {
    let (d, n) = (tokens.d, tokens.packs.len() / tokens.d);
    for from in (0..d).step_by(PANEL) {
        let panel = (from, PANEL.min(d - from));
        if E::IS_LARGE {
            for row in (0..rows).step_by(ROWS) {
                for token in (0..n).step_by(COLUMNS) {
                    block::<L, E>(entries, rows, tokens, image, panel, (row, token));
                }
            }
        } else {
            for token in (0..n).step_by(COLUMNS) {
                for row in (0..rows).step_by(ROWS) {
                    block::<L, E>(entries, rows, tokens, image, panel, (row, token));
                }
            }
        }
    }
}

/// The rows and tokens from `corner` on, as many as a block holds or are left, in one panel of coordinates.
#[inline(always)]
fn block<L: Lanes<Scalar = f64>, E: Entry>(
    entries: &[E],
    rows: usize,
    Tokens { packs: tokens, d, lanes }: Tokens<'_>,
    image: &mut [Pack],
    (from, width): (usize, usize),
    (row, token): (usize, usize),
) {
    let (entries, tokens) = (&entries[row * d + from..], &tokens[token * d + from..]);
    let left = tokens.len().div_ceil(d);
    let image = &mut image[token * rows + row..];
    let at = Place { d, width, rows, is_first: from == 0 };
    for group in groups::<L>(lanes) {
        if rows - row >= ROWS {
            match left {
                1 => sums::<L, E, ROWS, 1>(entries, tokens, image, at, group),
                2 => sums::<L, E, ROWS, 2>(entries, tokens, image, at, group),
                _ => sums::<L, E, ROWS, COLUMNS>(entries, tokens, image, at, group),
            }
        } else {
            for row in 0..rows - row {
                let (entries, image) = (&entries[row * d..], &mut image[row..]);
                match left {
                    1 => sums::<L, E, 1, 1>(entries, tokens, image, at, group),
                    2 => sums::<L, E, 1, 2>(entries, tokens, image, at, group),
                    _ => sums::<L, E, 1, COLUMNS>(entries, tokens, image, at, group),
                }
            }
        }
    }
}

/// How a block lies in its arrays.
#[derive(Clone, Copy)]
struct Place {
    /// From one row or token to the next.
    d: usize,
    /// Coordinates in the panel.
    width: usize,
    /// From one token's image to the next.
    rows: usize,
    /// Whether the sums begin in this panel.
    is_first: bool,
}

/// `R` rows times `C` tokens, one panel of coordinates, in order: a product, then fused multiply-adds.
#[inline(always)]
fn sums<L: Lanes<Scalar = f64>, E: Entry, const R: usize, const C: usize>(
    entries: &[E],
    tokens: &[Pack],
    image: &mut [Pack],
    Place { d, width, rows, is_first }: Place,
    group: usize,
) {
    // Slices of one known length: no index below is checked.
    let mut left = [&entries[..width]; R];
    for r in 1..R {
        left[r] = &entries[r * d..][..width];
    }
    let mut right = [&tokens[..width]; C];
    for c in 1..C {
        right[c] = &tokens[c * d..][..width];
    }
    let mut sums = [[L::splat(0.0); C]; R];
    for r in 0..R {
        for c in 0..C {
            sums[r][c] = if is_first {
                left[r][0].register::<L>(group) * L::load(&right[c][0], group)
            } else {
                L::load(&image[c * rows + r], group)
            };
        }
    }
    for k in usize::from(is_first)..width {
        let mut columns = [L::splat(0.0); C];
        for c in 0..C {
            columns[c] = L::load(&right[c][k], group);
        }
        for r in 0..R {
            let entry = left[r][k].register::<L>(group);
            for c in 0..C {
                sums[r][c] = entry.mul_add(columns[c], sums[r][c]);
            }
        }
    }
    for r in 0..R {
        for c in 0..C {
            sums[r][c].store(&mut image[c * rows + r], group);
        }
    }
}

/// `map` applied to all tokens, or the tokens themselves.
pub(super) fn mapped<'a>(
    map: Option<&LaneMap>,
    tokens: &'a [Pack],
    d: usize,
    lanes: usize,
    isa: Isa,
    buffer: &'a mut Vec<Pack>,
) -> &'a [Pack] {
    map.map_or(tokens, |map| image(map, tokens, d, lanes, isa, buffer))
}

/// `map` applied to all tokens, into `buffer`.
pub(super) fn image<'a>(
    map: &LaneMap,
    tokens: &[Pack],
    d: usize,
    lanes: usize,
    isa: Isa,
    buffer: &'a mut Vec<Pack>,
) -> &'a [Pack] {
    buffer.resize(tokens.len() / d * map.rows(d), Pack::ZERO);
    dispatch(Apply { map, tokens, d, lanes, image: buffer }, isa);
    buffer
}
