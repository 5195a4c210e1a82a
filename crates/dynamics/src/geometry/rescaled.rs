//! Rescaled tokens `z_i = e^{−tV} x_i` in R^d (P0 (8.3), P1 (3.1)): `ż_i = V (Σ_j w_ij z_j − z_i)`, the scores taken of
//! `x_i = e^{tV} z_i`; with layers of length Δt (P1 Remark 3.3, R = I + Δt V) `z_i ← z_i + Δt R⁻¹ V (Σ_j w_ij z_j − z_i)`, the
//! scores taken of `R^k z_i`.
//!
//! The z stay bounded where x grows like e^{λt}. The growth goes into the scores alone, as a factor of β: e^{tV} is kept
//! as a power of two times a matrix of size one, so nothing overflows however long t is.

use nalgebra::DMatrix;

use super::euclidean::Shift;
use crate::attention::{Apply, Attention, LaneMap, Sources, gather};
use crate::ensemble::{EnsembleError, Start};
use crate::integrators::{Clock, Landing, Rates, VectorField};
use crate::linear::{self, Scaled};
use crate::parameters::Operator;
use crate::simd::{Isa, Pack, dispatch};

/// Scores are multiplied by no more than this: they are known to 16 digits, so that a larger factor would decide
/// nothing anew, and their products with it stay finite.
const LARGEST_SCALE_EXPONENT: f64 = 500.0;

/// Rescaled tokens.
pub(crate) struct Rescaled {
    attention: Attention,
    /// V of each lane (or one of all).
    values: Vec<DMatrix<f64>>,
    value_map: LaneMap,
    /// R and R⁻¹, as `values`: with layers.
    layers: Option<Layers>,
    /// The growth at these times, and its size squared.
    grown_at: Option<(u64, Pack)>,
    growth: LaneMap,
    scale: Pack,
    /// x_i but for its size; V z_i.
    points: Vec<Pack>,
    images: Vec<Pack>,
    d: usize,
    lanes: usize,
    isa: Isa,
}

struct Layers {
    growth: Vec<DMatrix<f64>>,
    inverse: LaneMap,
}

/// A matrix as a dense one.
fn dense(operator: &Operator, d: usize) -> DMatrix<f64> {
    match operator {
        Operator::Scalar(c) => DMatrix::from_diagonal_element(d, d, *c),
        Operator::Diagonal(entries) => DMatrix::from_fn(d, d, |i, j| if i == j { entries[i] } else { 0.0 }),
        Operator::Dense(matrix) => matrix.clone(),
    }
}

/// The points `e^{tV} z_i` (layers: `R^k z_i`) of one lane whose scores are taken, but for their size; and the square of
/// that size, by which the scores are to be multiplied.
pub(crate) fn scored(
    value: &Operator,
    layers: bool,
    clock: &Clock,
    lane: usize,
    tokens: &[f64],
    d: usize,
) -> (Vec<f64>, f64) {
    let value = dense(value, d);
    let grown = if layers {
        let growth = DMatrix::identity(d, d) + clock.step.0[lane] * value;
        linear::power(&growth, clock.layer)
    } else {
        linear::exponential(&value, clock.time.0[lane])
    };
    let row = |r: usize, z: &[f64]| (0..d).fold(0.0, |sum, c| sum + grown.mantissa[(r, c)] * z[c]);
    let points = tokens.chunks_exact(d).flat_map(|z| (0..d).map(move |r| row(r, z))).collect();
    (points, scale(&grown))
}

/// The size of grown tokens squared.
fn scale(grown: &Scaled) -> f64 {
    libm::exp2(f64::clamp(2.0 * grown.exponent, -LARGEST_SCALE_EXPONENT, LARGEST_SCALE_EXPONENT))
}

impl Rescaled {
    /// `layers`: time is discrete.
    ///
    /// # Errors
    /// If I + Δt V cannot be inverted.
    pub(crate) fn new(
        attention: Attention,
        starts: &[Start],
        layers: bool,
        n: usize,
        d: usize,
        isa: Isa,
    ) -> Result<Self, EnsembleError> {
        let values: Vec<_> = starts.iter().map(|start| dense(&start.parameters.heads[0].value, d)).collect();
        let layers = layers.then(|| Layers::new(starts, &values, d)).transpose()?;
        let value_map = LaneMap::dense(&values.iter().collect::<Vec<_>>(), false);
        Ok(Self {
            attention,
            growth: value_map.clone(),
            value_map,
            values,
            layers,
            grown_at: None,
            scale: Pack::splat(1.0),
            points: vec![Pack::ZERO; n * d],
            images: vec![Pack::ZERO; n * d],
            d,
            lanes: starts.len(),
            isa,
        })
    }

    /// Puts e^{tV} (or R^k) into `growth` and `scale`.
    fn grow(&mut self, clock: &Clock) {
        let now = (clock.layer, clock.time);
        if self.grown_at == Some(now) {
            return;
        }
        let grown: Vec<Scaled> = if let Some(layers) = &self.layers {
            layers.growth.iter().map(|growth| linear::power(growth, clock.layer)).collect()
        } else {
            let times = clock.time.0;
            self.values.iter().zip(times).map(|(value, t)| linear::exponential(value, t)).collect()
        };
        let mantissas: Vec<_> = grown.iter().map(|grown| &grown.mantissa).collect();
        self.growth = LaneMap::dense(&mantissas, false);
        self.scale = gather(&grown, scale);
        self.grown_at = Some(now);
    }
}

impl Layers {
    fn new(starts: &[Start], values: &[DMatrix<f64>], d: usize) -> Result<Self, EnsembleError> {
        let identity = DMatrix::identity(d, d);
        let growth: Vec<DMatrix<f64>> =
            starts.iter().zip(values).map(|(start, value)| &identity + start.step * value).collect();
        let mut inverses = Vec::new();
        for (lane, growth) in growth.iter().enumerate() {
            inverses.push(linear::solve(growth, &identity).ok_or(EnsembleError::Singular { lane })?);
        }
        let inverse = LaneMap::dense(&inverses.iter().collect::<Vec<_>>(), false);
        Ok(Self { growth, inverse })
    }
}

impl VectorField for Rescaled {
    fn push(&mut self, clock: &Clock, state: &[Pack], _gram: Option<&[Pack]>, out: &mut [Pack]) {
        self.grow(clock);
        let Self { d, lanes, isa, .. } = *self;
        dispatch(Apply { map: &self.growth, tokens: state, d, lanes, image: &mut self.points }, isa);
        let sources = Sources {
            tokens: &self.points,
            others: &self.points,
            values: state,
            gram: None,
            scale: Some(&self.scale),
        };
        self.attention.attention(clock, sources, out);
        dispatch(Apply { map: &self.value_map, tokens: state, d, lanes, image: &mut self.images }, isa);
        // A lacks the factor that the step will bring; V z_i must lack it too.
        let factor = self.attention.scaled_step(&clock.step);
        for (rate, image) in out.iter_mut().zip(&self.images) {
            for lane in 0..lanes {
                rate.0[lane] -= image.0[lane] * (clock.step.0[lane] / factor.0[lane]);
            }
        }
        if let Some(layers) = &self.layers {
            self.images.copy_from_slice(out);
            dispatch(Apply { map: &layers.inverse, tokens: &self.images, d, lanes, image: out }, isa);
        }
    }

    fn land(
        &mut self,
        _clock: &Clock,
        state: &mut [Pack],
        rates: &[Pack],
        _kind: Rates,
        step: &Pack,
    ) -> Landing {
        dispatch(Shift { state, rates, step, lanes: self.lanes }, self.isa)
    }

    fn scaled_step(&self, step: &Pack) -> Pack {
        self.attention.scaled_step(step)
    }
}
