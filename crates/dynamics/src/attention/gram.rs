//! The Gram matrix ⟨x_i, x_j⟩, i < j: computed once a state, shared by the observers and the attention.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::apart::{Strips, for_each_strip, for_each_tile, set_apart};
use crate::simd::{Kernel, LANES, Lanes, Pack, groups};

/// Position of the pair i < j in the packed Gram matrix of n tokens.
#[must_use]
pub fn pair_index(n: usize, i: usize, j: usize) -> usize {
    debug_assert!(i < j && j < n);
    i * (2 * n - i - 1) / 2 + (j - i - 1)
}

/// Where row i (the pairs (i, i+1), (i, i+2), …) starts in the packed Gram matrix.
#[inline(always)]
pub(crate) fn row_start(n: usize, i: usize) -> usize {
    i * (2 * n - i - 1) / 2
}

/// Rows taken together, so that what is loaded for one serves the others. Changes no bit: every sum has its own order.
pub(crate) const ROWS: usize = 4;

/// Tokens that a block of rows meets together: ROWS × COLUMNS sums, as many as 16 registers hold beside their operands and
/// enough to hide the latency of a fused multiply-add.
pub(super) const COLUMNS: usize = 3;

/// Packs that [`Gram`] takes for n tokens of d coordinates: the products of the n(n−1)/2 pairs, behind them the tokens
/// [apart](set_apart), and the [longest] token's square.
pub(crate) fn room(n: usize, d: usize) -> usize {
    n * (n - 1) / 2 + n * d + 1
}

/// Where [`Gram`] leaves tokens apart, and the longest one's square.
pub(super) fn apart_mut(known: &mut [Pack], n: usize) -> Option<(&mut [Pack], &mut Pack)> {
    let (_, rest) = known.split_at_mut(n * (n - 1) / 2);
    rest.split_last_mut().map(|(longest, apart)| (apart, longest))
}

/// What [`Gram`] left: the products; the tokens apart and the longest one's square, if they were kept.
pub(super) fn parts(known: &[Pack], n: usize) -> (&[Pack], Option<(&[Pack], &Pack)>) {
    let (products, rest) = known.split_at(known.len().min(n * (n - 1) / 2));
    (products, rest.split_last().map(|(longest, apart)| (apart, longest)))
}

/// Fills `products` with the inner products of the `n` tokens of `d` coordinates, and what is behind them with the tokens.
pub(crate) struct Gram<'a> {
    /// n × d; none if they stand apart behind the products already, and the longest one's square with them.
    pub tokens: Option<&'a [Pack]>,
    pub n: usize,
    pub d: usize,
    /// Lanes in use.
    pub lanes: usize,
    /// As many as [`room`] says.
    pub products: &'a mut [Pack],
}

impl Kernel for Gram<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { tokens, n, d, lanes, products } = self;
        let (gram, rest) = products.split_at_mut(n * (n - 1) / 2);
        let Some((longest, apart)) = rest.split_last_mut() else { return };
        if let Some(tokens) = tokens {
            set_apart::<L>(tokens, n, d, lanes, apart);
        }
        let of_group = |group: usize| &L::registers(apart)[group * n * d..][..n * d];
        if tokens.is_some() {
            for group in groups::<L>(lanes) {
                self::longest(of_group(group), n, d).store(longest, group);
            }
        }
        // Row by row, or a few rows at a time, of all groups: each line of the products stays in the nearest cache until it is whole.
        let whole = LANES == 2 * L::WIDTH && groups::<L>(lanes).len() == 2;
        macro_rules! short {
            ($($d:literal)*) => {
                match d {
                    $($d if whole => return rows::<L, $d, 2>([of_group(0), of_group(1)], n, 0, gram),
                    $d => {
                        return groups::<L>(lanes).for_each(|group| rows::<L, $d, 1>([of_group(group)], n, group, gram));
                    })*
                    _ => {}
                }
            };
        }
        short!(1 2 3);
        macro_rules! stripped {
            ($($d:literal: $($strip:ident $width:literal)*;)*) => {
                match d {
                    $($d if whole => {
                        return rows_of_strips!(2, [of_group(0), of_group(1)], n, 0, gram, $($strip $width)*);
                    }
                    $d => {
                        return groups::<L>(lanes).for_each(|group| {
                            rows_of_strips!(1, [of_group(group)], n, group, gram, $($strip $width)*);
                        });
                    })*
                    _ => {}
                }
            };
        }
        stripped!(4: a 2 b 2; 5: a 2 b 3; 6: a 2 b 2 c 2; 7: a 2 b 2 c 3; 8: a 2 b 3 c 3;);
        for first in (0..n).step_by(ROWS) {
            for group in groups::<L>(lanes) {
                let strips = Strips::of(of_group(group), n, d);
                let end = n.min(first + ROWS);
                match end - first {
                    1 => {}
                    2 => triangle::<L, 2>(&strips, n, first, group, gram),
                    3 => triangle::<L, 3>(&strips, n, first, group, gram),
                    _ => triangle::<L, ROWS>(&strips, n, first, group, gram),
                }
                let mut j = end;
                while j + COLUMNS <= n {
                    block::<L, COLUMNS>(&strips, n, first, j, group, gram);
                    j += COLUMNS;
                }
                match n - j {
                    2 => block::<L, 2>(&strips, n, first, j, group, gram),
                    1 => block::<L, 1>(&strips, n, first, j, group, gram),
                    _ => {}
                }
            }
        }
    }
}

/// The largest ‖x‖²: no product is larger, but for rounding. NaN where a token is none, and infinite where to look costs more
/// than it saves.
#[inline(always)]
fn longest<L: Lanes<Scalar = f64>>(tokens: &[L], n: usize, d: usize) -> L {
    if 2 * d > n {
        return L::splat(f64::INFINITY);
    }
    // The maximum forgets a NaN, a sum does not.
    let (mut longest, mut poison) = (L::splat(0.0), L::splat(0.0));
    macro_rules! some {
        ($first:expr, $count:literal) => {{
            // So many sums, that need not wait for each other.
            let mut squares = [L::splat(0.0); $count];
            macro_rules! strip {
                ($k:expr, $width:expr) => {{
                    let strip = &tokens[$k * n + $first * $width..][..$count * $width];
                    for c in 0..$width {
                        for i in 0..$count {
                            let coordinate = strip[i * $width + c];
                            squares[i] = coordinate.mul_add(coordinate, squares[i]);
                        }
                    }
                }};
            }
            for_each_tile!(d, |k, C| strip!(k, C));
            for square in squares {
                longest = longest.max(square);
                poison = square.mul_add(L::splat(0.0), poison);
            }
        }};
    }
    let whole = n - n % ROWS;
    for first in (0..whole).step_by(ROWS) {
        some!(first, 4);
    }
    for i in whole..n {
        some!(i, 1);
    }
    longest + poison
}

/// All products of tokens of few coordinates, of `G` groups from `group` on: a row at a time, its token in registers.
#[inline(always)]
fn rows<L: Lanes<Scalar = f64>, const D: usize, const G: usize>(
    tokens: [&[L]; G],
    n: usize,
    group: usize,
    mut gram: &mut [Pack],
) {
    let tokens = tokens.map(|tokens| &tokens.as_chunks::<D>().0[..n]);
    for i in 0..n {
        let (products, rest) = gram.split_at_mut(n - 1 - i);
        gram = rest;
        let own = tokens.map(|tokens| tokens[i]);
        let others = tokens.map(|tokens| &tokens[i + 1..][..products.len()]);
        for j in 0..products.len() {
            for g in 0..G {
                let mut sum = L::splat(0.0);
                for k in 0..D {
                    sum = own[g][k].mul_add(others[g][j][k], sum);
                }
                sum.store(&mut products[j], group + g);
            }
        }
    }
}

/// Products of one token with so many others are summed side by side: each sum is a chain, and few instructions wait for another.
const ABREAST: usize = 4;

/// The same of tokens that stand in a few strips of these widths, of so many groups from `$group` on.
macro_rules! rows_of_strips {
    ($groups:literal, $tokens:expr, $n:expr, $group:expr, $gram:expr, $($strip:ident $width:literal)*) => {{
        let (n, mut gram) = ($n, &mut *$gram);
        $(let mut $strip = [&[[L::splat(0.0); $width]; 0][..]; $groups];)*
        for (g, tokens) in $tokens.into_iter().enumerate() {
            $(
                let (strip, tokens) = tokens.split_at(n * $width);
                $strip[g] = &strip.as_chunks().0[..n];
            )*
            debug_assert!(tokens.is_empty());
        }
        for i in 0..n {
            let (products, after) = gram.split_at_mut(n - 1 - i);
            gram = after;
            let count = products.len();
            let (products, products_left) = products.as_chunks_mut::<ABREAST>();
            macro_rules! of_group {
                ($g:expr) => {{
                    $(
                        let (others, left) = $strip[$g][i + 1..][..count].as_chunks::<ABREAST>();
                        let $strip = ($strip[$g][i], others, left);
                    )*
                    for j in 0..products.len() {
                        let mut sums = [L::splat(0.0); ABREAST];
                        $(along(&$strip.0, &$strip.1[j], &mut sums);)*
                        for c in 0..ABREAST {
                            sums[c].store(&mut products[j][c], $group + $g);
                        }
                    }
                    macro_rules! left {
                        ($count:literal) => {{
                            let mut sums = [L::splat(0.0); $count];
                            $(along(&$strip.0, $strip.2, &mut sums);)*
                            for c in 0..$count {
                                sums[c].store(&mut products_left[c], $group + $g);
                            }
                        }};
                    }
                    match products_left.len() {
                        1 => left!(1),
                        2 => left!(2),
                        3 => left!(3),
                        _ => {}
                    }
                }};
            }
            of_group!(0);
            if $groups == 2 {
                of_group!($groups - 1);
            }
        }
    }};
}
use rows_of_strips;

/// Adds ⟨left, right_c⟩ to each of the sums, coordinate by coordinate.
#[inline(always)]
fn along<L: Lanes<Scalar = f64>, const W: usize, const C: usize>(
    left: &[L; W],
    right: &[[L; W]],
    sums: &mut [L; C],
) {
    let right = &right[..C];
    for k in 0..W {
        for c in 0..C {
            sums[c] = left[k].mul_add(right[c][k], sums[c]).in_turn();
        }
    }
}

/// The products of rows `first .. first + ROWS` with tokens `j .. j + C`.
#[inline(always)]
fn block<L: Lanes<Scalar = f64>, const C: usize>(
    strips: &Strips<'_, L>,
    n: usize,
    first: usize,
    j: usize,
    group: usize,
    gram: &mut [Pack],
) {
    // Each sum runs over the coordinates in order, by fused multiply-adds from zero.
    let mut sums = [[L::splat(0.0); C]; ROWS];
    for_each_strip!(strips, |strip, W| {
        let (rows, columns) = (&strip[first..first + ROWS], &strip[j..j + C]);
        for k in 0..W {
            for r in 0..ROWS {
                for c in 0..C {
                    sums[r][c] = rows[r][k].mul_add(columns[c][k], sums[r][c]);
                }
            }
        }
    });
    let mut start = pair_index(n, first, j);
    for (row, sums) in sums.iter().enumerate() {
        let products = &mut gram[start..][..C];
        for c in 0..C {
            sums[c].store(&mut products[c], group);
        }
        start += n - 2 - first - row;
    }
}

/// The products of `R` rows with one another.
#[inline(always)]
fn triangle<L: Lanes<Scalar = f64>, const R: usize>(
    strips: &Strips<'_, L>,
    n: usize,
    first: usize,
    group: usize,
    gram: &mut [Pack],
) {
    let mut sums = [[L::splat(0.0); R]; R];
    for_each_strip!(strips, |strip, W| {
        let rows = &strip[first..first + R];
        for k in 0..W {
            for r in 0..R {
                for c in r + 1..R {
                    sums[r][c] = rows[r][k].mul_add(rows[c][k], sums[r][c]);
                }
            }
        }
    });
    for r in 0..R {
        for c in r + 1..R {
            sums[r][c].store(&mut gram[pair_index(n, first + r, first + c)], group);
        }
    }
}

/// ⟨left_r, right_c⟩ for the first `R` vectors of `left` and the first `C` of `right`, all of `d` coordinates, packs.
#[inline(always)]
pub(crate) fn products<L: Lanes<Scalar = f64>, const R: usize, const C: usize>(
    left: &[Pack],
    right: &[Pack],
    d: usize,
    group: usize,
) -> [[L; C]; R] {
    let mut rows = [&left[..d]; R];
    for r in 1..R {
        rows[r] = &left[r * d..][..d];
    }
    let mut columns = [&right[..d]; C];
    for c in 1..C {
        columns[c] = &right[c * d..][..d];
    }
    let mut sums = [[L::splat(0.0); C]; R];
    for k in 0..d {
        let mut loaded = [L::splat(0.0); C];
        for c in 0..C {
            loaded[c] = L::load(&columns[c][k], group);
        }
        for r in 0..R {
            let row = L::load(&rows[r][k], group);
            for c in 0..C {
                sums[r][c] = row.mul_add(loaded[c], sums[r][c]);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, dispatch};

    /// What [`Gram`] says of the longest of these tokens, lane by lane.
    fn longest_of(tokens: &[Pack], n: usize, d: usize, isa: Isa) -> [f64; LANES] {
        let mut products = vec![Pack::ZERO; room(n, d)];
        dispatch(Gram { tokens: Some(tokens), n, d, lanes: LANES, products: &mut products }, isa);
        parts(&products, n).1.map(|(_, longest)| longest.0).unwrap_or_default()
    }

    /// The largest square; a NaN or an infinity in any token of a lane stays in sight, and in its lane.
    #[test]
    fn the_longest_token_is_found_and_no_nan_is_lost() {
        let (n, d) = (7, 3);
        for isa in [Isa::PortableNarrow, Isa::Portable, Isa::widest()] {
            for bad in 0..n {
                let mut tokens: Vec<Pack> =
                    (0..n * d).map(|index| Pack::splat((index / d) as f64 + 1.0)).collect();
                tokens[bad * d + 1].0[5] = f64::NAN;
                tokens[bad * d].0[2] = f64::INFINITY;
                tokens[bad * d + 2].0[6] = -100.0;
                let found = longest_of(&tokens, n, d, isa);
                assert!(found[5].is_nan() && !found[2].is_finite(), "token {bad}, {}: {found:?}", isa.name());
                let own = (bad + 1) as f64;
                for lane in [0, 1, 3, 4, 7] {
                    assert!((found[lane] - 147.0).abs() < 1e-12, "lane {lane}, {}", isa.name());
                }
                assert!((found[6] - (1e4 + 2.0 * own * own)).abs() < 1e-9, "{}", isa.name());
            }
            assert!(longest_of(&[Pack::splat(0.5); 8], 2, 4, isa)[0].is_infinite(), "not looked for");
            assert!((longest_of(&[Pack::splat(0.5); 180], 20, 9, isa)[0] - 2.25).abs() < 1e-12);
        }
    }
}
