//! Tokens that stand apart: group by group of lanes, registers side by side, where packs are two registers; and in strips, each of which
//! has a few coordinates of all tokens, so that what a sum over tokens reads is one piece.
//!
//! Strips have three coordinates, and the first ones two: `[group][strip][token][coordinate]`.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::slice::ChunksExact;

use super::gram::parts;
use crate::simd::{Kernel, LANES, Lanes, Pack, groups};

/// Coordinates summed together: four rows of three sums are as many as 16 registers hold beside their operands.
pub(crate) const TILE: usize = 3;

/// Runs `$body` for every tile of `$d` coordinates: `$k` is its first coordinate, `$width` its width. The first one has a register to spare
/// for Z, and tiles of one coordinate, whose few sums do not hide their latency, are avoided. Tiles are strips.
macro_rules! for_each_tile {
    ($d:expr, |$k:ident, $width:ident| $body:expr) => {{
        let d = $d;
        let narrow = $crate::attention::apart::narrow(d);
        let mut $k = 0;
        while $k < 2 * narrow {
            const $width: usize = 2;
            $body;
            $k += 2;
        }
        while $k + $crate::attention::apart::TILE <= d {
            const $width: usize = $crate::attention::apart::TILE;
            $body;
            $k += $crate::attention::apart::TILE;
        }
        if $k < d {
            const $width: usize = 1;
            $body;
        }
    }};
}
pub(crate) use for_each_tile;

/// How many tiles have two coordinates; they come first.
#[inline(always)]
pub(crate) fn narrow(d: usize) -> usize {
    match d {
        1 | 3 => 0,
        _ => TILE - d % TILE,
    }
}

/// The first coordinate of the strip of coordinate `k`, and how many it has.
#[inline(always)]
fn strip(d: usize, k: usize) -> (usize, usize) {
    let narrow = 2 * narrow(d);
    if d == 1 {
        (0, 1)
    } else if k < narrow {
        (k - k % 2, 2)
    } else {
        (k - (k - narrow) % TILE, TILE)
    }
}

/// The strips of d coordinates: their first ones, and how many they have.
fn strips(d: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut k = 0;
    std::iter::from_fn(move || {
        let strip = (k < d).then(|| strip(d, k))?;
        k += strip.1;
        Some(strip)
    })
}

/// Where coordinate `k` of token `i` of n stands, of its group's.
#[inline(always)]
pub(crate) fn place(n: usize, d: usize, i: usize, k: usize) -> usize {
    let (first, width) = strip(d, k);
    first * n + i * width + k - first
}

/// The strips of a group's tokens of at least two coordinates, each of n tokens: the narrow ones, then the others.
#[derive(Clone)]
pub(super) struct Strips<'a, L> {
    pub narrow: ChunksExact<'a, [L; 2]>,
    pub wide: ChunksExact<'a, [L; TILE]>,
}

impl<'a, L> Strips<'a, L> {
    /// Of n × d registers.
    #[inline(always)]
    pub(super) fn of(registers: &'a [L], n: usize, d: usize) -> Self {
        debug_assert!(d > 1);
        let (first, others) = registers.split_at(2 * narrow(d) * n);
        Self { narrow: first.as_chunks().0.chunks_exact(n), wide: others.as_chunks().0.chunks_exact(n) }
    }
}

/// Runs `$body` for every strip: `$strip` are its n tokens, `$width` coordinates each. What [`for_each_tile`] goes through, cut already: in the
/// innermost loops over tokens that spares the arithmetic of places.
macro_rules! for_each_strip {
    ($strips:expr, |$strip:ident, $width:ident| $body:expr) => {{
        for $strip in $strips.narrow.clone() {
            const $width: usize = 2;
            $body;
        }
        for $strip in $strips.wide.clone() {
            const $width: usize = $crate::attention::apart::TILE;
            $body;
        }
    }};
}
pub(super) use for_each_strip;

/// Sets the packs of n tokens of d coordinates apart.
#[inline(always)]
pub(super) fn set_apart<L: Lanes<Scalar = f64>>(
    packs: &[Pack],
    n: usize,
    d: usize,
    lanes: usize,
    apart: &mut [Pack],
) {
    let registers = &mut L::registers_mut(apart)[..LANES / L::WIDTH * n * d];
    // A whole pack at a time: each line is read once.
    let whole = groups::<L>(lanes).len() == LANES / L::WIDTH;
    for (k, width) in strips(d) {
        if whole && LANES == 2 * L::WIDTH {
            let (first, second) = registers.split_at_mut(n * d);
            let (first, second) = (&mut first[k * n..], &mut second[k * n..]);
            let tokens = first.chunks_exact_mut(width).zip(second.chunks_exact_mut(width));
            for (token, (first, second)) in packs.chunks_exact(d).zip(tokens) {
                for (pack, (first, second)) in token[k..].iter().zip(first.iter_mut().zip(second)) {
                    *first = L::load(pack, 0);
                    *second = L::load(pack, 1);
                }
            }
            continue;
        }
        for (group, registers) in groups::<L>(lanes).zip(registers.chunks_exact_mut(n * d)) {
            for (token, registers) in packs.chunks_exact(d).zip(registers[k * n..].chunks_exact_mut(width)) {
                for (pack, register) in token[k..].iter().zip(registers) {
                    *register = L::load(pack, group);
                }
            }
        }
    }
}

/// [`set_apart`], by itself.
pub(super) struct SetApart<'a> {
    /// n × d.
    pub tokens: &'a [Pack],
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    pub apart: &'a mut [Pack],
}

impl Kernel for SetApart<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        set_apart::<L>(self.tokens, self.n, self.d, self.lanes, self.apart);
    }
}

/// The reverse of [`set_apart`]: n × d packs of the tokens that [`Gram`](super::Gram) left apart.
pub(crate) struct Together<'a> {
    /// What [`Gram`](super::Gram) left.
    pub known: &'a [Pack],
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    pub tokens: &'a mut [Pack],
}

impl Kernel for Together<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { known, n, d, lanes, tokens } = self;
        let (_, Some((apart, _))) = parts(known, n) else { return };
        let registers = L::registers(apart);
        for (k, width) in strips(d) {
            for group in groups::<L>(lanes) {
                let strip = registers[group * n * d + k * n..].chunks_exact(width);
                for (token, strip) in tokens.chunks_exact_mut(d).zip(strip) {
                    for (pack, register) in token[k..].iter_mut().zip(strip) {
                        register.store(pack, group);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, dispatch};

    /// Strips are what [`for_each_tile`] goes through, every coordinate is in one, and every place is taken once.
    #[test]
    fn every_coordinate_has_its_place() {
        for d in 1..40 {
            let mut tiles = Vec::new();
            for_each_tile!(d, |k, C| tiles.push((k, C)));
            assert_eq!(tiles.iter().map(|tile| tile.1).sum::<usize>(), d);
            assert_eq!(strips(d).collect::<Vec<_>>(), tiles, "d = {d}");
            let n = 7;
            if d > 1 {
                // Each register is its own number.
                let registers: Vec<usize> = (0..n * d).collect();
                let mut cut = Vec::new();
                for_each_strip!(Strips::of(&registers, n, d), |strip, W| {
                    assert_eq!(strip.len(), n, "d = {d}");
                    let k = cut.iter().map(|(_, width)| width).sum::<usize>();
                    assert_eq!(strip[3][W - 1], place(n, d, 3, k + W - 1), "d = {d}");
                    cut.push((k, W));
                });
                assert_eq!(cut, tiles, "d = {d}");
            }
            let mut places: Vec<usize> =
                (0..n).flat_map(|i| (0..d).map(move |k| place(n, d, i, k))).collect();
            places.sort_unstable();
            assert!(places.into_iter().eq(0..n * d), "d = {d}");
        }
    }

    /// Apart and together again, in every instruction set, whatever the lanes.
    #[test]
    fn together_is_the_reverse_of_apart() {
        for (n, d, lanes) in [(5, 3, 8), (6, 4, 3), (9, 7, 8), (4, 16, 5), (3, 33, 8), (2, 1, 1)] {
            let tokens: Vec<Pack> =
                (0..n * d).map(|at| Pack(std::array::from_fn(|lane| (at * LANES + lane) as f64))).collect();
            for isa in [Isa::PortableNarrow, Isa::Portable, Isa::widest()] {
                let mut known = vec![Pack::ZERO; super::super::gram::room(n, d)];
                let pairs = n * (n - 1) / 2;
                let apart = &mut known[pairs..];
                dispatch(SetApart { tokens: &tokens, n, d, lanes, apart }, isa);
                let mut back = vec![Pack::ZERO; n * d];
                dispatch(Together { known: &known, n, d, lanes, tokens: &mut back }, isa);
                for (back, token) in back.iter().zip(&tokens) {
                    assert_eq!(back.0[..lanes], token.0[..lanes], "n = {n}, d = {d}, {}", isa.name());
                }
            }
        }
    }
}
