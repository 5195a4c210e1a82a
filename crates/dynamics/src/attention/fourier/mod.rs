//! Sums over all pairs of tokens on the circle by Fourier series: n·K operations instead of n².
//!
//! With B = b·I, V = c·I and the full mask, κ = βb ≥ 0 and a_k = e^{−κ} I_k(κ),
//!
//! `e^{κ(cos θ − 1)} = a_0 + 2 Σ_k a_k cos kθ`, so that with the moments `m_k = Σ_j e^{ikθ_j}`
//! `Z_i = Σ_j e^{κ(cos(θ_i − θ_j) − 1)} = n a_0 + 2 Σ_k a_k Re(m_k e^{−ikθ_i})`;
//!
//! the sums with cos(θ_j − θ_i) and sin(θ_j − θ_i), the parts of A_i along x_i and across, have the coefficients
//! a_{k−1} + a_{k+1} with the real part and a_{k−1} − a_{k+1} with the imaginary part.
//!
//! The series ends at [`orders`], where what is left of it is some 10⁻¹⁵ of the largest weight. Other sums than the direct ones
//! have other rounding errors: *where* series are taken is part of the engine ([`series_orders`]), whatever the replicas beside
//! this one. Moments are summed in blocks of [`BLOCK`] tokens, eight running sums a block, added in one fixed order; threads
//! share out the blocks.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

mod abreast;
mod bessel;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;
use std::sync::Arc;

pub use abreast::abreast_orders;
pub(super) use abreast::{Abreast, Attend};

use super::apart::SetApart;
use super::heads::{LaneHead, Score};
use super::{Attention, LaneMap, Scratch, Weighting};
use crate::crew::{Crew, Job};
use crate::model::{Geometry, Integrator, LayerNorm, Mask, Model, System};
use crate::simd::{Isa, Kernel, LANES, Lanes, Pack, dispatch};

/// Tokens of a block.
const BLOCK: usize = 1024;
/// Packs whose powers are taken together, for each other's latency.
const TOGETHER: usize = 4;
/// Fewest tokens of a series.
const FEWEST: usize = 1000;
/// Fewest tokens for each order of it.
const FEWEST_AN_ORDER: usize = 4;

/// K, the last order: ⌈8√κ⌉ + 12.
fn orders(kappa: f64) -> usize {
    (8.0 * kappa.sqrt()).ceil() as usize + 12
}

/// K, if n tokens of the circle at κ = βb go by series: a rule of these two alone, part of the engine (docs/models.md, "Many
/// tokens", says of which models).
///
/// ```
/// use metasweep_dynamics::ensemble::series_orders;
/// assert_eq!(series_orders(50_000, 50.0), Some(69));
/// assert_eq!(series_orders(999, 50.0), None);
/// ```
#[must_use]
pub fn series_orders(n: usize, kappa: f64) -> Option<usize> {
    let may = n >= FEWEST && kappa >= 0.0 && kappa < (n as f64) * (n as f64);
    may.then(|| orders(kappa)).filter(|orders| n >= FEWEST_AN_ORDER * orders)
}

/// Whether the sums of a model are those that have series, where tokens have two coordinates.
fn has_series(model: &Model, heads: &[LaneHead], plain: bool) -> bool {
    plain
        && model.mask == Mask::Full
        && model.system != (System::MeanShift { blurring: false })
        && !model.layered
        && heads.len() == 1
        && matches!(heads[0].score, Score::Symmetric)
        && matches!(heads[0].value, LaneMap::Scalar(_))
}

/// Whether small drifts drown anyway: in the rounding of steps that are fixed beforehand.
fn has_fixed_steps(model: &Model) -> bool {
    match model.integrator {
        Integrator::ProjectedEuler | Integrator::Rk4 | Integrator::Discrete { .. } => true,
        Integrator::Adaptive | Integrator::Multiscale => false,
    }
}

/// The series of all lanes abreast, of tokens on the sphere that each see themselves.
pub(super) fn abreast(model: &Model, heads: &[LaneHead], plain: bool, lanes: usize) -> Option<Abreast> {
    let is_one = has_series(model, heads, plain)
        && model.geometry == Geometry::Sphere
        && model.d == 2
        && model.layer_norm == LayerNorm::Post
        && model.system == System::Attention
        && matches!(model.integrator, Integrator::ProjectedEuler | Integrator::Discrete { .. });
    is_one.then(|| Abreast::new(model.n, &heads[0].kappa, lanes))?
}

/// The series of each lane; none where the sums are direct.
pub(super) fn series(
    model: &Model,
    heads: &[LaneHead],
    plain: bool,
    lanes: usize,
) -> Vec<Option<Arc<Series>>> {
    let of = |lane: usize| {
        let kappa = heads[0].kappa.0[lane];
        series_orders(model.n, kappa).map(|_| Arc::new(Series::new(kappa)))
    };
    let is_one =
        has_series(model, heads, plain) && has_fixed_steps(model) && model.geometry == Geometry::Circle;
    if is_one { (0..lanes).map(of).collect() } else { vec![None; lanes] }
}

/// The coefficients of the three sums.
pub(super) struct Series {
    /// a_0, a_1: of the orders 0.
    constant: [f64; 2],
    /// 2a_k, a_{k−1} + a_{k+1}, a_{k−1} − a_{k+1} for k = 1, …, K.
    coefficients: Vec<[f64; 3]>,
}

impl Series {
    fn new(kappa: f64) -> Self {
        let last = orders(kappa);
        let a = bessel::coefficients(kappa, last + 1);
        let of = |k: usize| [2.0 * a[k], a[k - 1] + a[k + 1], a[k - 1] - a[k + 1]];
        Self { constant: [a[0], a[1]], coefficients: (1..=last).map(of).collect() }
    }
}

/// The points of one replica, eight a pack, whole blocks of packs: what lies beyond the last token is 0, whose powers are 0.
struct Points {
    n: usize,
    /// cos θ_i, sin θ_i.
    packs: Vec<[Pack; 2]>,
    isa: Isa,
}

impl Points {
    fn new(tokens: &[Pack], lane: usize, isa: Isa) -> Self {
        let n = tokens.len() / 2;
        let mut packs = vec![[Pack::ZERO; 2]; n.div_ceil(LANES).next_multiple_of(TOGETHER)];
        for (i, point) in tokens.chunks_exact(2).enumerate() {
            for (pack, x) in packs[i / LANES].iter_mut().zip(point) {
                pack.0[i % LANES] = x.0[lane];
            }
        }
        Self { n, packs, isa }
    }

    fn blocks(&self) -> usize {
        self.packs.len().div_ceil(BLOCK / LANES)
    }

    fn block(&self, index: usize) -> &[[Pack; 2]] {
        let size = BLOCK / LANES;
        &self.packs[index * size..self.packs.len().min((index + 1) * size)]
    }
}

/// Σ_j e^{ikθ_j} over each block, k = 1, …, K.
struct Moments {
    points: Arc<Points>,
    orders: usize,
}

impl Job for Moments {
    type Piece = Vec<[f64; 2]>;

    fn pieces(&self) -> usize {
        self.points.blocks()
    }

    fn piece(&self, index: usize) -> Vec<[f64; 2]> {
        let mut sums = vec![[Pack::ZERO; 2]; self.orders];
        dispatch(BlockMoments { packs: self.points.block(index), sums: &mut sums }, self.points.isa);
        sums.iter().map(|[real, imaginary]| [folded(real), folded(imaginary)]).collect()
    }
}

/// The sum of the lanes.
fn folded(pack: &Pack) -> f64 {
    let [a, b, c, d, e, f, g, h] = pack.0;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

struct BlockMoments<'a> {
    packs: &'a [[Pack; 2]],
    sums: &'a mut [[Pack; 2]],
}

impl Kernel for BlockMoments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        for group in 0..LANES / L::WIDTH {
            for packs in self.packs.chunks_exact(TOGETHER) {
                let mut powers = Powers::<L>::new(packs, group);
                for [real, imaginary] in self.sums.iter_mut() {
                    let (mut x, mut y) = (L::load(real, group), L::load(imaginary, group));
                    for t in 0..TOGETHER {
                        x = x + powers.x[t];
                        y = y + powers.y[t];
                    }
                    x.store(real, group);
                    y.store(imaginary, group);
                    powers.advance();
                }
            }
        }
    }
}

/// e^{ikθ} of some packs, k = 1, 2, …, each the one before times e^{iθ}.
struct Powers<L> {
    cos: [L; TOGETHER],
    sin: [L; TOGETHER],
    x: [L; TOGETHER],
    y: [L; TOGETHER],
}

impl<L: Lanes<Scalar = f64>> Powers<L> {
    #[inline(always)]
    fn new(packs: &[[Pack; 2]], group: usize) -> Self {
        let (mut cos, mut sin) = ([L::splat(0.0); TOGETHER], [L::splat(0.0); TOGETHER]);
        for t in 0..TOGETHER {
            cos[t] = L::load(&packs[t][0], group);
            sin[t] = L::load(&packs[t][1], group);
        }
        Self { cos, sin, x: cos, y: sin }
    }

    #[inline(always)]
    fn advance(&mut self) {
        for t in 0..TOGETHER {
            let (x, y) = (self.x[t], self.y[t]);
            self.x[t] = x.mul_add(self.cos[t], -(y * self.sin[t]));
            self.y[t] = x.mul_add(self.sin[t], y * self.cos[t]);
        }
    }
}

/// Z_i and Σ_j e^{…} x_j of the tokens of each block, from the moments.
struct Sums {
    points: Arc<Points>,
    series: Arc<Series>,
    moments: Vec<[f64; 2]>,
}

impl Job for Sums {
    /// Z_i and the vector's two coordinates.
    type Piece = Vec<[Pack; 3]>;

    fn pieces(&self) -> usize {
        self.points.blocks()
    }

    fn piece(&self, index: usize) -> Vec<[Pack; 3]> {
        let packs = self.points.block(index);
        let mut sums = vec![[Pack::ZERO; 3]; packs.len()];
        dispatch(BlockSums { packs, job: self, sums: &mut sums }, self.points.isa);
        sums
    }
}

struct BlockSums<'a> {
    packs: &'a [[Pack; 2]],
    job: &'a Sums,
    sums: &'a mut [[Pack; 3]],
}

impl Kernel for BlockSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Sums { points, series, moments } = self.job;
        let n = points.n as f64;
        for group in 0..LANES / L::WIDTH {
            let packs = self.packs.chunks_exact(TOGETHER).zip(self.sums.chunks_exact_mut(TOGETHER));
            for (packs, sums) in packs {
                let mut powers = Powers::<L>::new(packs, group);
                let mut total = [L::splat(n * series.constant[0]); TOGETHER];
                let mut along = [L::splat(n * series.constant[1]); TOGETHER];
                let mut across = [L::splat(0.0); TOGETHER];
                for ([weight, real, imaginary], [cos, sin]) in series.coefficients.iter().zip(moments) {
                    let (cos, sin) = (L::splat(*cos), L::splat(*sin));
                    for t in 0..TOGETHER {
                        let (x, y) = (powers.x[t], powers.y[t]);
                        let even = cos.mul_add(x, sin * y);
                        let odd = sin.mul_add(x, -(cos * y));
                        total[t] = L::splat(*weight).mul_add(even, total[t]);
                        along[t] = L::splat(*real).mul_add(even, along[t]);
                        across[t] = L::splat(*imaginary).mul_add(odd, across[t]);
                    }
                    powers.advance();
                }
                for t in 0..TOGETHER {
                    let (cos, sin) = (powers.cos[t], powers.sin[t]);
                    total[t].store(&mut sums[t][0], group);
                    along[t].mul_add(cos, -(across[t] * sin)).store(&mut sums[t][1], group);
                    along[t].mul_add(sin, across[t] * cos).store(&mut sums[t][2], group);
                }
            }
        }
    }
}

/// Z_i and Σ_j e^{κ(cos(θ_i − θ_j) − 1)} x_j of the points of one lane, eight tokens a pack.
fn sums(tokens: &[Pack], lane: usize, series: &Arc<Series>, crew: &Crew, isa: Isa) -> Vec<[Pack; 3]> {
    let points = Arc::new(Points::new(tokens, lane, isa));
    let orders = series.coefficients.len();
    let mut moments = vec![[0.0; 2]; orders];
    for block in crew.share(Moments { points: Arc::clone(&points), orders }) {
        for (moment, block) in moments.iter_mut().zip(block) {
            moment[0] += block[0];
            moment[1] += block[1];
        }
    }
    crew.share(Sums { points, series: Arc::clone(series), moments }).into_iter().flatten().collect()
}

impl Attention {
    /// The attention vectors of the lanes that go by series; the other lanes stay as they are.
    pub(super) fn evaluate_series<W: Weighting>(&mut self, tokens: &[Pack], out: &mut [Pack]) {
        let LaneMap::Scalar(factor) = &self.schedule.current().heads[0].value else { return };
        for (lane, series) in self.series.iter().enumerate() {
            let Some(series) = series else { continue };
            let sums = sums(tokens, lane, series, &self.crew, self.isa);
            for (i, out) in out.chunks_exact_mut(2).enumerate() {
                let [total, x, y] = &sums[i / LANES];
                let divisor = if W::SUMS { total.0[i % LANES] } else { self.n as f64 };
                let coefficient = factor.0[lane] / divisor;
                out[0].0[lane] = coefficient * x.0[i % LANES];
                out[1].0[lane] = coefficient * y.0[i % LANES];
            }
        }
    }
}

impl Attention {
    /// Whether all lanes go by series abreast.
    pub(super) fn goes_abreast(&self) -> bool {
        self.abreast.as_ref().is_some_and(|series| series.is_for_all(self.lanes))
    }

    /// The attention vectors of the lanes that go by series abreast; the other lanes stay as they are.
    pub(super) fn evaluate_abreast<W: Weighting>(&mut self, tokens: &[Pack], out: &mut [Pack]) {
        let Self { n, lanes, isa, abreast: Some(series), scratch, .. } = self else { return };
        let LaneMap::Scalar(factor) = &self.schedule.current().heads[0].value else { return };
        let (n, lanes, weighting) = (*n, *lanes, PhantomData::<W>);
        let Scratch { apart, moments: rates, .. } = scratch;
        dispatch(SetApart { tokens, n, d: 2, lanes, apart }, *isa);
        dispatch(Attend { series, apart, n, lanes, factor, rates, out, onto: None, weighting }, *isa);
    }
}
