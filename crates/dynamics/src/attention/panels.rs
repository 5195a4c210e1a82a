//! Where [`Few`](super::few::Few) keeps the weight of each pair at both its places: in a panel for each few rows,
//! `[few rows][token][row of them]`, so that a sum is one loop.
//!
//! The weights of such rows for as many tokens are a square of a panel, their transpose is one of another: both are one piece.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::apart::{Strips, TILE, for_each_strip};
use super::exponentials::exponentials;
use super::few::Few;
use super::gram::{ROWS, pair_index};
use super::{Scratch, Weighting};
use crate::geometry::landing::Landed;
use crate::integrators::Landing;
use crate::simd::{Kernel, Lanes, Pack, groups};

/// Terms of a sum that one turn of its loop takes.
const UNROLLED: usize = 4;

/// Registers that the panels of n tokens take.
pub(super) fn room(n: usize) -> usize {
    n.next_multiple_of(ROWS) * n
}

/// Row i's weight of token j.
#[inline(always)]
fn place(n: usize, i: usize, j: usize) -> usize {
    (i / ROWS * n + j) * ROWS + i % ROWS
}

/// The panel of the rows from `first` on, token by token.
#[inline(always)]
fn panel<L>(panels: &[L], n: usize, first: usize) -> &[[L; ROWS]] {
    panels[place(n, first, 0)..][..n * ROWS].as_chunks().0
}

/// [`Few`] tokens of more coordinates than stand in one strip, whose weights are kept in panels.
pub(super) struct InPanels<'a, W>(pub Few<'a, W>);

impl<W: Weighting> Kernel for InPanels<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self(mut few) = self;
        few.set_apart::<L>();
        for group in groups::<L>(few.lanes) {
            let (products, n) = (few.products, few.n);
            let (kappa, minus_shift) = (L::load(few.kappa, group), -L::load(few.shift, group));
            let in_range = few.in_range::<L>(group);
            let panels = &mut L::registers_mut(&mut few.scratch.weights)[..room(n)];
            if in_range {
                Weigh::<L, true> { products, n, group, kappa, minus_shift }.fill(panels);
            } else {
                Weigh::<L, false> { products, n, group, kappa, minus_shift }.fill(panels);
            }
            if few.onto.is_some() {
                gather::<L, W, true>(&mut few, group);
            } else {
                gather::<L, W, false>(&mut few, group);
            }
        }
    }
}

/// `A_i = (c / Z_i) Σ_j w_ij v_j`, and the step along it if `ONTO`, panel by panel.
#[inline(always)]
fn gather<L: Lanes<Scalar = f64>, W: Weighting, const ONTO: bool>(few: &mut Few<'_, W>, group: usize) {
    let (n, d, add) = (few.n, few.d, few.add);
    let factor = L::load(few.factor, group);
    let Scratch { weights, apart, .. } = &mut *few.scratch;
    let panels = &L::registers(weights)[..room(n)];
    let values = &L::registers(few.apart.unwrap_or(apart))[group * n * d..][..n * d];
    let mut nowhere = Landing::NONE;
    let (step, to, landing) = match &mut few.onto {
        Some(onto) if ONTO => onto.of_group(n * d, group),
        _ => (factor, &mut [][..], &mut nowhere),
    };
    let out = &mut *few.out;
    let strips = &Strips::of(values, n, d);
    let sums = Sums { panels, values, strips, n, d, group, add, factor, step };
    let whole = n - n % ROWS;
    for first in (0..whole).step_by(ROWS) {
        sums.rows::<W, ONTO, true>(first, ROWS, to, out, landing);
    }
    if whole < n {
        sums.rows::<W, ONTO, false>(whole, n - whole, to, out, landing);
    }
}

/// What rows of A are summed from.
#[derive(Clone, Copy)]
struct Sums<'a, L> {
    panels: &'a [L],
    /// n × d, apart.
    values: &'a [L],
    strips: &'a Strips<'a, L>,
    n: usize,
    d: usize,
    group: usize,
    add: bool,
    factor: L,
    /// h, for tokens that land at once.
    step: L,
}

impl<L: Lanes<Scalar = f64>> Sums<'_, L> {
    /// So many rows from `first` on, which have a panel to themselves; `WHOLE`: and fill it.
    #[inline(always)]
    fn rows<W: Weighting, const ONTO: bool, const WHOLE: bool>(
        self,
        first: usize,
        rows: usize,
        to: &mut [L],
        out: &mut [Pack],
        landing: &mut Landing,
    ) {
        let Self { panels, values, strips, n, d, group, add, factor, step } = self;
        let panel = panel(panels, n, first);
        let mut coefficients = [factor / L::splat(n as f64); ROWS];
        let mut squares = [L::splat(0.0); ROWS];
        let mut k = 0;
        for_each_strip!(strips, |strip, C| {
            macro_rules! sum {
                ($row:expr, $rows:expr, $z:literal) => {{
                    let sums = sum::<L, { $rows }, C, $z>(panel, $row, strip, factor, &mut coefficients);
                    if ONTO {
                        let tokens = &strip[first + $row..][..$rows];
                        let to = &mut to[k * n + (first + $row) * C..][..$rows * C];
                        for r in 0..$rows {
                            for c in 0..C {
                                let rate = coefficients[$row + r] * sums[r][c];
                                let ahead = step.mul_add(rate, tokens[r][c]);
                                squares[$row + r] = ahead.mul_add(ahead, squares[$row + r]);
                                to[r * C + c] = ahead;
                            }
                        }
                    } else {
                        for r in 0..$rows {
                            let out = &mut out[(first + $row + r) * d + k..][..C];
                            for c in 0..C {
                                let result = if add {
                                    coefficients[$row + r].mul_add(sums[r][c], L::load(&out[c], group))
                                } else {
                                    coefficients[$row + r] * sums[r][c]
                                };
                                result.store(&mut out[c], group);
                            }
                        }
                    }
                }};
            }
            // The first tile has registers to spare for Z.
            let with_totals = W::SUMS && C < TILE && k == 0;
            match (WHOLE, with_totals) {
                (true, true) => sum!(0, ROWS, true),
                (true, false) => sum!(0, ROWS, false),
                (false, true) => {
                    for row in 0..rows {
                        sum!(row, 1, true);
                    }
                }
                (false, false) => {
                    for row in 0..rows {
                        sum!(row, 1, false);
                    }
                }
            }
            k += C;
        });
        if ONTO {
            // Not kept in registers while sums fill them.
            let mut landed = Landed::after(*landing, step, d, group);
            if WHOLE {
                landed.land_across(values, to, n, first, &squares);
            } else {
                landed.land_across(values, to, n, first, &squares[..rows]);
            }
            landed.report(landing);
        }
    }
}

/// Σ_j w_ij v_j of R rows of a panel from `row` on, C coordinates. With `Z` their coefficients c/Z as well.
#[inline(always)]
fn sum<L: Lanes<Scalar = f64>, const R: usize, const C: usize, const Z: bool>(
    panel: &[[L; ROWS]],
    row: usize,
    strip: &[[L; C]],
    factor: L,
    coefficients: &mut [L; ROWS],
) -> [[L; C]; R] {
    let mut sums = [[L::splat(0.0); C]; R];
    let mut totals = [L::splat(0.0); R];
    macro_rules! take {
        ($weights:expr, $values:expr) => {
            for r in 0..R {
                let weight = $weights[if R == ROWS { r } else { (row + r) % ROWS }];
                for c in 0..C {
                    sums[r][c] = weight.mul_add($values[c], sums[r][c]);
                }
                if Z {
                    totals[r] = totals[r] + weight;
                }
            }
        };
    }
    let ((panel, panel_left), (strip, strip_left)) =
        (panel.as_chunks::<UNROLLED>(), strip.as_chunks::<UNROLLED>());
    for (weights, values) in panel.iter().zip(strip) {
        for u in 0..UNROLLED {
            take!(weights[u], values[u]);
        }
    }
    for (weights, values) in panel_left.iter().zip(strip_left) {
        take!(weights, values);
    }
    if Z {
        for r in 0..R {
            coefficients[(row + r) % ROWS] = factor / totals[r];
        }
    }
    sums
}

/// The pairs of a few rows among themselves.
const PAIRS: [[usize; 2]; ROWS * (ROWS - 1) / 2] = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];

/// What scores become weights by: `e^{κc − shift}` of inner products c.
#[derive(Clone, Copy)]
struct Weigh<'a, L, const IN_RANGE: bool> {
    /// n(n−1)/2 inner products.
    products: &'a [Pack],
    n: usize,
    group: usize,
    kappa: L,
    minus_shift: L,
}

impl<L: Lanes<Scalar = f64>, const IN_RANGE: bool> Weigh<'_, L, IN_RANGE> {
    /// Fills the panels.
    #[inline(always)]
    fn fill(self, panels: &mut [L]) {
        let Self { products, n, group, kappa, minus_shift } = self;
        let whole = n - n % ROWS;
        let [own] = exponentials::<L, 1, IN_RANGE>(kappa, [L::splat(1.0)], minus_shift);
        let (mut below, mut later) = (products, &mut *panels);
        for first in (0..whole).step_by(ROWS) {
            // These rows: their pairs with one another, and those with later tokens.
            macro_rules! next {
                ($row:literal) => {{
                    let (row, after) = below.split_at(n - 1 - first - $row);
                    below = after;
                    row.split_at(ROWS - 1 - $row)
                }};
            }
            let ((own_a, a), (own_b, b), (own_c, c), (_, d)) = (next!(0), next!(1), next!(2), next!(3));
            let among = [&own_a[0], &own_a[1], &own_a[2], &own_b[0], &own_b[1], &own_c[0]];
            let (panel, after) = later.split_at_mut(n * ROWS);
            later = after;
            let (square, squares) = panel[first * ROWS..].split_at_mut(ROWS * ROWS);
            self.among(among, own, square);
            // The squares of these rows, and the panels of the tokens in them.
            let mut transposed = &mut *later;
            let (squares, left) = squares.as_chunks_mut::<{ ROWS * ROWS }>();
            let (a, a_left) = a.as_chunks::<ROWS>();
            let (b, b_left) = b.as_chunks::<ROWS>();
            let (c, c_left) = c.as_chunks::<ROWS>();
            let (d, d_left) = d.as_chunks::<ROWS>();
            for ((((square, a), b), c), d) in squares.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let (panel, after) = transposed.split_at_mut(n * ROWS);
                transposed = after;
                let panel = &mut panel[first * ROWS..][..ROWS * ROWS];
                macro_rules! row {
                    ($r:literal, $products:ident) => {{
                        let mut cosines = [kappa; ROWS];
                        for c in 0..ROWS {
                            cosines[c] = L::load(&$products[c], group);
                        }
                        let values = exponentials::<L, ROWS, IN_RANGE>(kappa, cosines, minus_shift);
                        for c in 0..ROWS {
                            panel[$r * ROWS + c] = values[c];
                            square[c * ROWS + $r] = values[c];
                        }
                    }};
                }
                row!(0, a);
                row!(1, b);
                row!(2, c);
                row!(3, d);
            }
            // Tokens that fill no square.
            for (t, few) in left.chunks_exact_mut(ROWS).enumerate() {
                let mut cosines = [kappa; ROWS];
                for (cosine, row) in cosines.iter_mut().zip([a_left, b_left, c_left, d_left]) {
                    *cosine = L::load(&row[t], group);
                }
                let values = exponentials::<L, ROWS, IN_RANGE>(kappa, cosines, minus_shift);
                for r in 0..ROWS {
                    few[r] = values[r];
                    transposed[(first + r) * ROWS + t] = values[r];
                }
            }
        }
        for i in whole..n {
            panels[place(n, i, i)] = own;
            for j in i + 1..n {
                let cosine = L::load(&products[pair_index(n, i, j)], group);
                let [value] = exponentials::<L, 1, IN_RANGE>(kappa, [cosine], minus_shift);
                panels[place(n, i, j)] = value;
                panels[place(n, j, i)] = value;
            }
        }
    }

    /// The products of a few rows with one another become their square.
    #[inline(always)]
    fn among(self, products: [&Pack; PAIRS.len()], own: L, square: &mut [L]) {
        let Self { group, kappa, minus_shift, .. } = self;
        let mut cosines = [kappa; PAIRS.len()];
        for pair in 0..PAIRS.len() {
            cosines[pair] = L::load(products[pair], group);
        }
        let values = exponentials::<L, { PAIRS.len() }, IN_RANGE>(kappa, cosines, minus_shift);
        let square = &mut square[..ROWS * ROWS];
        for r in 0..ROWS {
            square[r * ROWS + r] = own;
        }
        for (value, [r, c]) in values.into_iter().zip(PAIRS) {
            square[r * ROWS + c] = value;
            square[c * ROWS + r] = value;
        }
    }
}
