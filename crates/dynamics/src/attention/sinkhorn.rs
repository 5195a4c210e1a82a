//! `sinkhorn`: the doubly stochastic matrix `w_ij = u_i e^{s_ij} v_j` that Sinkhorn's iteration makes of `e^{s_ij}` (P0
//! Remark 3.4). With masses, `w_ij = u_i e^{s_ij} v_j α_j` with `Σ_j w_ij = 1` and `Σ_i α_i w_ij = α_j`: a token of mass 2 is
//! two tokens.
//!
//! Two iterations. For B = b·I, b ≥ 0, the matrix is symmetric and positive semidefinite, and `u = v ← √(u / (K α u))`
//! halves the error at least, however slow Sinkhorn's own iteration would be between clusters: the eigenvalues of w lie in
//! [0, 1], and an error along λ shrinks by (1 − λ)/2. Everything is divided by the diagonal, so that no entry exceeds 1
//! and no sum vanishes. Else rows and columns are normalized in turn, in logarithms, which no β makes overflow; it
//! converges like the square of the second singular value, and from scores of order 10 on that may be no convergence
//! worth the name. What is not done after [`MOST_IN_TURN`] rounds goes on by [`dual_newton`], which no scores resist.
//!
//! A lane is done when no row sum is off by more than [`tolerance`]; it is then left as it is, whatever its neighbours still
//! do. One that no method brings there (scores that are no numbers) has no weights: its attention is NaN, and the replica
//! fails.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::dual_newton::{self, Potentials};
use super::gram::{ROWS, products};
use super::rows::gather;
use crate::simd::{Kernel, Lanes, Pack, exp, exp_below_overflow, groups};

/// Most iterations of the symmetric kind; each halves the error, and 60 are enough for any start.
pub(crate) const MOST: usize = 200;
/// Most iterations of the alternating kind.
pub(crate) const MOST_IN_TURN: usize = 10_000;

/// Relative error of a row sum that counts as none: 10⁻¹², and what n summands or scores of this size are rounded by.
#[inline(always)]
pub(crate) fn tolerance(n: usize, largest_score: f64) -> f64 {
    1e-12 + f64::EPSILON * (n as f64 + 4.0 * largest_score)
}

/// Whether there are doubly stochastic weights with w_ii = 0 and these masses (all 1 if empty): no token may have as much mass as
/// all the others together, but for two tokens of the same mass.
///
/// ```
/// use metasweep_dynamics::model::has_plan_without_self;
/// assert!(has_plan_without_self(&[1.0, 2.0, 2.5]) && has_plan_without_self(&[2.0, 2.0]));
/// assert!(!has_plan_without_self(&[1.0, 2.0, 3.0]));
/// ```
#[must_use]
pub fn has_plan_without_self(masses: &[f64]) -> bool {
    if let [one, other] = masses {
        return one == other;
    }
    let total: f64 = masses.iter().sum();
    masses.iter().all(|mass| *mass < total - mass)
}

/// What the iterations write while they work.
pub(crate) struct Plan {
    /// n × n.
    matrix: Vec<Pack>,
    /// n each: u and v, or their logarithms.
    left: Vec<Pack>,
    right: Vec<Pack>,
}

impl Plan {
    pub(crate) fn new(n: usize) -> Self {
        Self { matrix: vec![Pack::ZERO; n * n], left: vec![Pack::ZERO; n], right: vec![Pack::ZERO; n] }
    }

    /// The logarithms of u and v of one lane by Newton's method, from its v on. Whether that ended well.
    #[cold]
    #[inline(never)]
    fn solve(&mut self, lane: usize, masses: &[Pack], exclude_self: bool, tolerance: f64) -> bool {
        let n = masses.len();
        let of = |packs: &[Pack]| -> Vec<f64> { packs.iter().map(|pack| pack.0[lane]).collect() };
        let mut scores = of(&self.matrix);
        if exclude_self {
            (0..n).for_each(|i| scores[i * n + i] = f64::NEG_INFINITY);
        }
        let found = dual_newton::potentials(&scores, &of(masses), of(&self.right), tolerance);
        let Some(Potentials { rows, columns }) = found else { return false };
        self.left.iter_mut().zip(rows).for_each(|(left, f)| left.0[lane] = f);
        self.right.iter_mut().zip(columns).for_each(|(right, g)| right.0[lane] = g);
        true
    }
}

/// One head. All slices are of packs.
pub(crate) struct Sinkhorn<'a> {
    /// n × r.
    pub queries: &'a [Pack],
    /// n × r.
    pub keys: &'a [Pack],
    pub rank: usize,
    /// n × d.
    pub values: &'a [Pack],
    /// n.
    pub masses: &'a [Pack],
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    /// Whether w_ii v_i is part of the sum.
    pub self_term: bool,
    /// Whether w_ii = 0.
    pub exclude_self: bool,
    /// Whether e^{s_ij} is symmetric and positive semidefinite.
    pub is_positive: bool,
    pub kappa: &'a Pack,
    pub factor: &'a Pack,
    pub add: bool,
    pub plan: &'a mut Plan,
    /// n × d.
    pub moments: &'a mut [Pack],
    /// n × d.
    pub out: &'a mut [Pack],
}

impl Kernel for Sinkhorn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        for group in groups::<L>(self.lanes) {
            self.scores::<L>(group);
            let done = if self.is_positive && !self.exclude_self {
                self.scale_symmetric::<L>(group)
            } else {
                self.scale_in_turn::<L>(group)
            };
            let nothing = L::splat(f64::NAN);
            let factor = L::select(L::less(L::splat(0.5), done), L::load(self.factor, group), nothing);
            if !self.self_term {
                for i in 0..self.n {
                    L::splat(0.0).store(&mut self.plan.matrix[i * self.n + i], group);
                }
            }
            let (n, d) = (self.n, self.d);
            let (weights, moments) = (&self.plan.matrix, &mut *self.moments);
            let mut first = 0;
            while first + ROWS <= n {
                let rows = &mut moments[first * d..(first + ROWS) * d];
                gather::<L, ROWS>(&weights[first * n..], n, self.values, d, n, rows, group);
                first += ROWS;
            }
            while first < n {
                let row = &mut moments[first * d..(first + 1) * d];
                gather::<L, 1>(&weights[first * n..], n, self.values, d, n, row, group);
                first += 1;
            }
            for (moments, out) in self.moments.chunks_exact(d).zip(self.out.chunks_exact_mut(d)) {
                super::deliver(moments, factor, self.add, out, group);
            }
        }
    }
}

impl Sinkhorn<'_> {
    /// s_ij into the matrix.
    #[inline(always)]
    fn scores<L: Lanes<Scalar = f64>>(&mut self, group: usize) {
        let (n, rank) = (self.n, self.rank);
        let kappa = L::load(self.kappa, group);
        for i in 0..n {
            for j in 0..n {
                let [[product]] =
                    products::<L, 1, 1>(&self.queries[i * rank..], &self.keys[j * rank..], rank, group);
                (kappa * product).store(&mut self.plan.matrix[i * n + j], group);
            }
        }
    }

    /// The weights of a symmetric positive semidefinite matrix; 1 in lanes that are done.
    #[inline(always)]
    fn scale_symmetric<L: Lanes<Scalar = f64>>(&mut self, group: usize) -> L {
        let n = self.n;
        let Plan { matrix, left, right } = &mut *self.plan;
        for i in 0..n {
            (L::splat(0.5) * L::load(&matrix[i * n + i], group)).store(&mut right[i], group);
        }
        for i in 0..n {
            let mut sum = L::splat(0.0);
            for j in 0..n {
                let above = L::load(&right[i], group) + L::load(&right[j], group);
                let entry = exp(L::load(&matrix[i * n + j], group) - above);
                entry.store(&mut matrix[i * n + j], group);
                sum = entry.mul_add(L::load(&self.masses[j], group), sum);
            }
            (L::splat(1.0) / sum.sqrt()).store(&mut left[i], group);
        }
        let tolerance = L::splat(tolerance(n, 0.0));
        let mut done = L::splat(0.0);
        for _ in 0..MOST {
            for (mass, (u, share)) in self.masses.iter().zip(left.iter().zip(right.iter_mut())) {
                (L::load(mass, group) * L::load(u, group)).store(share, group);
            }
            let mut residual = L::splat(0.0);
            for i in 0..n {
                let mut sum = L::splat(0.0);
                for (entry, share) in matrix[i * n..(i + 1) * n].iter().zip(right.iter()) {
                    sum = L::load(entry, group).mul_add(L::load(share, group), sum);
                }
                let off = L::load(&left[i], group).mul_add(sum, L::splat(-1.0));
                residual = off.max(residual).max(-off);
            }
            let open = L::less(tolerance, residual);
            done = L::select(open, L::splat(0.0), L::splat(1.0));
            if L::bits(open) == 0 {
                break;
            }
            // The sums again, rather than n packs to keep them in: what is open moves, what is done stays.
            for i in 0..n {
                let mut sum = L::splat(0.0);
                for (entry, share) in matrix[i * n..(i + 1) * n].iter().zip(right.iter()) {
                    sum = L::load(entry, group).mul_add(L::load(share, group), sum);
                }
                let old = L::load(&left[i], group);
                L::select(open, (old / sum).sqrt(), old).store(&mut left[i], group);
            }
        }
        for i in 0..n {
            let u = L::load(&left[i], group);
            for j in 0..n {
                let share = L::load(&self.masses[j], group) * L::load(&left[j], group);
                (u * L::load(&matrix[i * n + j], group) * share).store(&mut matrix[i * n + j], group);
            }
        }
        done
    }

    /// The weights of any matrix, rows and columns normalized in turn; 1 in lanes that are done.
    #[inline(always)]
    fn scale_in_turn<L: Lanes<Scalar = f64>>(&mut self, group: usize) -> L {
        let n = self.n;
        let Plan { matrix, left, right } = &mut *self.plan;
        let mut largest = L::splat(0.0);
        for entry in matrix.iter() {
            let score = L::load(entry, group);
            largest = score.max(largest).max(-score);
        }
        let tolerance = L::splat(4.0 * f64::EPSILON).mul_add(largest, L::splat(tolerance(n, 0.0)));
        for (f, g) in left.iter_mut().zip(right.iter_mut()) {
            L::splat(f64::INFINITY).store(f, group);
            L::splat(0.0).store(g, group);
        }
        let mut done = L::splat(0.0);
        for _ in 0..MOST_IN_TURN {
            let active = L::less(done, L::splat(0.5));
            let mut residual = L::splat(0.0);
            for (i, left) in left.iter_mut().enumerate() {
                let own = self.exclude_self.then_some(i);
                let f = -log_sum::<L>(matrix, i * n, 1, right, self.masses, own, group);
                let old = L::load(left, group);
                let off = f - old;
                residual = off.max(residual).max(-off);
                L::select(active, f, old).store(left, group);
            }
            let open = L::less(tolerance, residual);
            done = L::select(active, L::select(open, L::splat(0.0), L::splat(1.0)), done);
            let active = L::less(done, L::splat(0.5));
            if L::bits(active) == 0 {
                break;
            }
            for (j, right) in right.iter_mut().enumerate() {
                let own = self.exclude_self.then_some(j);
                let g = -log_sum::<L>(matrix, j, n, left, self.masses, own, group);
                let old = L::load(right, group);
                L::select(active, g, old).store(right, group);
            }
        }
        if L::bits(L::less(done, L::splat(0.5))) != 0 {
            let (mut marks, mut tolerances) = (Pack::ZERO, Pack::ZERO);
            done.store(&mut marks, group);
            tolerance.store(&mut tolerances, group);
            for lane in group * L::WIDTH..(group + 1) * L::WIDTH {
                if marks.0[lane] < 0.5
                    && self.plan.solve(lane, self.masses, self.exclude_self, tolerances.0[lane])
                {
                    marks.0[lane] = 1.0;
                }
            }
            done = L::load(&marks, group);
        }
        let Plan { matrix, left, right } = &mut *self.plan;
        for i in 0..n {
            for j in 0..n {
                let mut weight = L::splat(0.0);
                if !(self.exclude_self && i == j) {
                    let exponent = L::load(&matrix[i * n + j], group)
                        + (L::load(&left[i], group) + L::load(&right[j], group));
                    weight = L::load(&self.masses[j], group) * exp(exponent);
                }
                weight.store(&mut matrix[i * n + j], group);
            }
        }
        done
    }
}

/// `log Σ_k α_k e^{s_k + h_k}` over the entries s_k of the matrix from `start` on, `stride` apart; k = `own` is left out.
#[inline(always)]
fn log_sum<L: Lanes<Scalar = f64>>(
    matrix: &[Pack],
    start: usize,
    stride: usize,
    potentials: &[Pack],
    masses: &[Pack],
    own: Option<usize>,
    group: usize,
) -> L {
    let mut highest = L::splat(f64::NEG_INFINITY);
    for (k, potential) in potentials.iter().enumerate() {
        if own != Some(k) {
            let exponent = L::load(&matrix[start + k * stride], group) + L::load(potential, group);
            highest = exponent.max(highest);
        }
    }
    let mut sum = L::splat(0.0);
    for (k, (potential, mass)) in potentials.iter().zip(masses).enumerate() {
        if own != Some(k) {
            let exponent = L::load(&matrix[start + k * stride], group) + L::load(potential, group);
            sum = L::load(mass, group).mul_add(exp_below_overflow(exponent - highest), sum);
        }
    }
    // No logarithm in the lanes: one number after the other.
    let mut pack = Pack::ZERO;
    sum.store(&mut pack, group);
    for number in &mut pack.0[group * L::WIDTH..(group + 1) * L::WIDTH] {
        *number = libm::log(*number);
    }
    highest + L::load(&pack, group)
}
