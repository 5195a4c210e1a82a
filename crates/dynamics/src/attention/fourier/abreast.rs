//! The same series for replicas abreast, a lane each: tokens of two coordinates on the sphere, few of them or many, whose steps end in
//! a normalization.
//!
//! Here the series ends where the next coefficient is below [`SMALLEST`]: what is left of it is less than the rounding of Z_i ≥ 1. e^{ikθ}
//! comes from Chebyshev's recurrence `T_{k+1} = 2 cos θ T_k − T_{k−1}`, whose rounding grows like k², but the coefficients fall like
//! e^{−k²/2κ}: in the sums it is worth κ roundings, as that of an exponent κc is. So what A_i has across x_i is known to some roundings of
//! Z_i, and a step of it to less than what x_i itself is rounded to: tokens come to rest as they do by direct sums.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use std::marker::PhantomData;

use super::bessel;
use crate::attention::Weighting;
use crate::attention::few::Onto;
use crate::geometry::landing::{ABREAST, Landed};
use crate::simd::{Kernel, LANES, Lanes, Pack, groups};

/// 2⁻⁵³: coefficients below it are left out.
const SMALLEST: f64 = f64::EPSILON / 2.0;
/// Orders of which moments are summed together.
const CHUNK: usize = 4;
/// Tokens whose sums are taken together.
const TOGETHER: usize = 2;

/// The coefficients a_0, …, a_{K+1} of κ if K ≤ n: K is the first order whose coefficient is below [`SMALLEST`], at most
/// [`orders`](super::orders); the sums with cos and sin have a_{K−1} there.
fn coefficients(n: usize, kappa: f64) -> Option<Vec<f64>> {
    let may = kappa >= 0.0 && kappa < (n as f64) * (n as f64);
    let most = may.then(|| super::orders(kappa))?;
    let mut a = bessel::coefficients(kappa, most + 1);
    let last = a[..most].iter().position(|a| *a < SMALLEST).unwrap_or(most);
    a.truncate(last + 2);
    (last <= n).then_some(a)
}

/// K, if n tokens of two coordinates on the sphere at κ = βb go by series: a rule of these two alone, part of the engine
/// (docs/models.md, "Two coordinates", says of which models).
///
/// ```
/// use metasweep_dynamics::ensemble::abreast_orders;
/// assert_eq!(abreast_orders(32, 4.0), Some(22));
/// assert_eq!(abreast_orders(32, 12.0), None);
/// ```
#[must_use]
pub fn abreast_orders(n: usize, kappa: f64) -> Option<usize> {
    coefficients(n, kappa).map(|a| a.len() - 2)
}

/// The series of the lanes of an ensemble.
pub(in crate::attention) struct Abreast {
    /// Which lanes go by series, one bit each.
    lanes: u8,
    /// n a_0, n a_1: of the order 0. 0 in lanes by direct sums, else above it.
    constant: [Pack; 2],
    /// 2a_k, a_{k−1} + a_{k+1}, a_{k−1} − a_{k+1} for k = 1, 2, …, a multiple of [`CHUNK`]; 0 beyond a lane's own K.
    coefficients: Vec<[Pack; 3]>,
    /// As many of them as any lane has, or one more: an even number.
    orders: usize,
    /// Of each token its powers of the last two orders, cos and sin.
    powers: Vec<Pack>,
    /// For each order, what cos kθ_i and sin kθ_i are multiplied by in each of the three sums.
    terms: Vec<Pack>,
}

impl Abreast {
    /// Those of n tokens at these κ, one a lane; none if the first so many go by direct sums.
    pub(super) fn new(n: usize, kappas: &Pack, lanes: usize) -> Option<Self> {
        let series = kappas.0.map(|kappa| coefficients(n, kappa));
        let last = series[..lanes].iter().flatten().map(|a| a.len() - 2).max()?;
        let mut abreast = Self {
            lanes: 0,
            constant: [Pack::ZERO; 2],
            coefficients: vec![[Pack::ZERO; 3]; last.next_multiple_of(CHUNK)],
            orders: last.next_multiple_of(2),
            powers: vec![Pack::ZERO; 4 * n],
            terms: vec![Pack::ZERO; 6 * last.next_multiple_of(CHUNK)],
        };
        for (lane, a) in series.iter().enumerate() {
            let Some(a) = a else { continue };
            abreast.lanes |= 1 << lane;
            abreast.constant[0].0[lane] = n as f64 * a[0];
            abreast.constant[1].0[lane] = n as f64 * a[1];
            for (k, of_order) in (1..a.len() - 1).zip(&mut abreast.coefficients) {
                of_order[0].0[lane] = 2.0 * a[k];
                of_order[1].0[lane] = a[k - 1] + a[k + 1];
                of_order[2].0[lane] = a[k - 1] - a[k + 1];
            }
        }
        Some(abreast)
    }

    /// Whether all of the first so many lanes go by series.
    pub(in crate::attention) fn is_for_all(&self, lanes: usize) -> bool {
        let used = u8::MAX >> (LANES - lanes);
        self.lanes & used == used
    }
}

/// The attention vectors of the lanes that go by series, or the step along them.
pub(in crate::attention) struct Attend<'a, W> {
    pub series: &'a mut Abreast,
    /// The tokens, n × 2, [apart](crate::attention::apart).
    pub apart: &'a [Pack],
    pub n: usize,
    pub lanes: usize,
    /// c of V = c·I.
    pub factor: &'a Pack,
    /// n × 2: rows of A on their way.
    pub rates: &'a mut [Pack],
    /// n × 2: A without the common factor; lanes by direct sums keep theirs. Not written where tokens land at once.
    pub out: &'a mut [Pack],
    /// Where tokens land at once, if they do: then all lanes go by series.
    pub onto: Option<Onto<'a>>,
    pub weighting: PhantomData<W>,
}

impl<W: Weighting> Kernel for Attend<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        let n = self.n;
        for group in groups::<L>(self.lanes) {
            let tokens = &L::registers(self.apart)[group * 2 * n..][..2 * n];
            let points = tokens.as_chunks().0;
            self.series.sum_powers(points, group);
            let rates = L::registers_mut(self.rates).as_chunks_mut().0;
            let rates = &mut rates[..n];
            self.series.sum_orders::<L, W>(points, L::load(self.factor, group), rates, group);
            if let Some(onto) = &mut self.onto {
                let (step, to, landing) = onto.of_group::<L>(2 * n, group);
                let mut landed = Landed::new(step, 2, group);
                let mut first = 0;
                for (points, rates) in points.chunks(ABREAST).zip(rates.chunks(ABREAST)) {
                    let mut squares = [L::splat(0.0); ABREAST];
                    let ahead = &mut to.as_chunks_mut::<2>().0[first..first + points.len()];
                    let few = points.iter().zip(rates).zip(ahead.iter_mut().zip(&mut squares));
                    for (([x, y], [a, b]), (ahead, square)) in few {
                        let [x, y] = [step.mul_add(*a, *x), step.mul_add(*b, *y)];
                        *square = y.mul_add(y, x.mul_add(x, *square));
                        *ahead = [x, y];
                    }
                    landed.land_across(tokens, to, n, first, &squares[..points.len()]);
                    first += points.len();
                }
                landed.report(landing);
                continue;
            }
            for (rate, out) in rates.iter().zip(self.out.as_chunks_mut::<2>().0) {
                for (rate, out) in rate.iter().zip(out) {
                    let direct = L::load(out, group);
                    let by_series = L::less(L::splat(0.0), L::load(&self.series.constant[0], group));
                    L::select(by_series, *rate, direct).store(out, group);
                }
            }
        }
    }
}

impl Abreast {
    /// Σ_j cos kθ_j and Σ_j sin kθ_j, a few orders at a time, token after token; and of them the terms of the three sums.
    #[inline(always)]
    fn sum_powers<L: Lanes<Scalar = f64>>(&mut self, points: &[[L; 2]], group: usize) {
        let powers = &mut L::registers_mut(&mut self.powers).as_chunks_mut::<4>().0[..points.len()];
        let terms = L::registers_mut(&mut self.terms).as_chunks_mut::<6>().0.as_chunks_mut::<CHUNK>().0;
        let coefficients = self.coefficients.as_chunks::<CHUNK>().0;
        for (index, (coefficients, terms)) in coefficients.iter().zip(terms).enumerate() {
            let sums = if index == 0 {
                orders::<L, true>(powers, points)
            } else {
                orders::<L, false>(powers, points)
            };
            for k in 0..CHUNK {
                let [cos, sin] = sums[k];
                let weight = L::load(&coefficients[k][0], group);
                let real = L::load(&coefficients[k][1], group);
                let imaginary = L::load(&coefficients[k][2], group);
                terms[k] =
                    [weight * cos, weight * sin, real * cos, real * sin, imaginary * sin, -(imaginary * cos)];
            }
        }
    }

    /// The rows of A.
    #[inline(always)]
    fn sum_orders<L: Lanes<Scalar = f64>, W: Weighting>(
        &self,
        points: &[[L; 2]],
        factor: L,
        rows: &mut [[L; 2]],
        group: usize,
    ) {
        let n = points.len();
        let (points, points_left) = points.as_chunks::<TOGETHER>();
        let (rows, rows_left) = rows.as_chunks_mut::<TOGETHER>();
        for (points, rows) in points.iter().zip(rows) {
            *rows = self.rows::<L, W, TOGETHER>(points, n, factor, group);
        }
        for (point, row) in points_left.iter().zip(rows_left) {
            [*row] = self.rows::<L, W, 1>(&[*point], n, factor, group);
        }
    }

    /// The three sums of `T` of the n tokens, and their rows of A.
    #[inline(always)]
    fn rows<L: Lanes<Scalar = f64>, W: Weighting, const T: usize>(
        &self,
        points: &[[L; 2]; T],
        n: usize,
        factor: L,
        group: usize,
    ) -> [[L; 2]; T] {
        let terms = L::registers(&self.terms).as_chunks::<6>().0;
        let terms = terms[..self.orders].as_chunks::<2>().0;
        let mut total = [L::load(&self.constant[0], group); T];
        let mut along = [L::load(&self.constant[1], group); T];
        let mut across = [L::splat(0.0); T];
        // Powers of the order k and of the one before: of the orders 1 and 0 first, and then each in the other's place.
        let (mut cos, mut sin) = ([[L::splat(1.0); T]; 2], [[L::splat(0.0); T]; 2]);
        let mut twice = [L::splat(0.0); T];
        for t in 0..T {
            let [x, y] = points[t];
            (cos[1][t], sin[1][t], twice[t]) = (x, y, x + x);
        }
        for terms in terms {
            for (order, now, before) in [(0, 1, 0), (1, 0, 1)] {
                let [total_cos, total_sin, along_cos, along_sin, across_cos, across_sin] = terms[order];
                // In this order no sum waits for its last term, and no power leaves the registers.
                for (powers, sums) in [
                    (&mut cos, [total_cos, along_cos, across_cos]),
                    (&mut sin, [total_sin, along_sin, across_sin]),
                ] {
                    for (sum, term) in [&mut total, &mut along, &mut across].into_iter().zip(sums) {
                        for t in 0..T {
                            sum[t] = term.mul_add(powers[now][t], sum[t]).in_turn();
                        }
                    }
                    for t in 0..T {
                        powers[before][t] = twice[t].mul_add(powers[now][t], -powers[before][t]).in_turn();
                    }
                }
            }
        }
        let mut rows = *points;
        for t in 0..T {
            let ([x, y], across) = (points[t], across[t]);
            let coefficient = factor / if W::SUMS { total[t] } else { L::splat(n as f64) };
            rows[t] = [
                coefficient * along[t].mul_add(x, -(across * y)),
                coefficient * along[t].mul_add(y, across * x),
            ];
        }
        rows
    }
}

/// Σ_j cos kθ_j and Σ_j sin kθ_j of the next orders: the first ones, or those after the two whose powers are known.
#[inline(always)]
fn orders<L: Lanes<Scalar = f64>, const FIRST: bool>(
    powers: &mut [[L; 4]],
    points: &[[L; 2]],
) -> [[L; 2]; CHUNK] {
    let mut sums = [[L::splat(0.0); 2]; CHUNK];
    for (power, [x, y]) in powers.iter_mut().zip(points) {
        // Those of the orders 0 and −1, or what was kept.
        let [mut cos, mut sin, mut cos_before, mut sin_before] =
            if FIRST { [L::splat(1.0), L::splat(0.0), *x, -*y] } else { *power };
        let twice = *x + *x;
        for sum in &mut sums {
            (cos, cos_before) = (twice.mul_add(cos, -cos_before), cos);
            (sin, sin_before) = (twice.mul_add(sin, -sin_before), sin);
            *sum = [sum[0] + cos, sum[1] + sin];
        }
        *power = [cos, sin, cos_before, sin_before];
    }
    sums
}
