//! `adaptive`: the right side of any model with a smooth one, one replica at a time, through the same [`VectorField`] that the fixed-step
//! integrators take. Nothing merges, so that tokens which have met stay a fast part of the system and keep steps of order one.
//!
//! The numbers of the state stand side by side in packs; a field wants them one in a pack.

use super::Ending;
use super::flow::Flow;
use crate::assembly::field;
use crate::ensemble::{Evaluation, Start};
use crate::ensemble_error::EnsembleError;
use crate::geometry::{circle, equiangular};
use crate::integrators::{Clock, Rates, VectorField};
use crate::model::{Geometry, Model, Normalization};
use crate::simd::{Isa, LANES, Pack};

/// The state of one replica of any model.
pub(super) struct General {
    field: Box<dyn VectorField>,
    model: Model,
    beta: f64,
    /// t of one τ: takes the factor e^β out of USA.
    unit: f64,
    members: Vec<u32>,
    /// Numbers of the state, one in a pack, their slopes, and the points that they show.
    numbers: Vec<Pack>,
    rates: Vec<Pack>,
    shown: Vec<Pack>,
}

impl General {
    pub fn new(model: &Model, start: &Start, isa: Isa) -> Result<Self, EnsembleError> {
        if model.layered || start.noise.is_some() || model.normalization == Normalization::Hardmax {
            return Err(EnsembleError::Rough);
        }
        let field = field(model, std::slice::from_ref(start), isa, Evaluation::of(model.n, 1))?;
        let size = model.places() + model.radii();
        let (n, d) = model.shown();
        Ok(Self {
            unit: 1.0 / field.scaled_step(&Pack::splat(1.0)).0[0],
            field,
            beta: start.beta,
            members: (0..n as u32).collect(),
            numbers: vec![Pack::ZERO; size],
            rates: vec![Pack::ZERO; size],
            shown: vec![Pack::ZERO; n * d],
            model: model.clone(),
        })
    }

    /// The state at a start; numbers that fill up the last pack are zero.
    pub fn state(&self, start: &Start) -> Vec<Pack> {
        let mut numbers: Vec<f64> = match self.model.geometry {
            Geometry::Circle => {
                start.tokens.chunks_exact(2).map(|point| libm::atan2(point[1], point[0])).collect()
            }
            _ => start.tokens.clone(),
        };
        numbers.extend(std::iter::repeat_n(start.radius, self.model.radii()));
        let mut state = vec![Pack::ZERO; self.packs()];
        for (at, number) in numbers.into_iter().enumerate() {
            state[at / LANES].0[at % LANES] = number;
        }
        state
    }

    fn spread(&mut self, state: &[Pack]) {
        for (at, number) in self.numbers.iter_mut().enumerate() {
            *number = Pack::splat(state[at / LANES].0[at % LANES]);
        }
    }

    /// Only the ratio of a step to the field's own counts: a step of 1.
    pub fn clock(t: f64) -> Clock {
        Clock { layer: 0, time: Pack::splat(t), step: Pack::splat(1.0) }
    }

    /// The largest of a vector's parts, token by token: chords and angles times β where that is above 1; in R^d lengths and for
    /// radii changes, relative to what is there where that is above 1.
    fn largest(&self, state: Option<&[Pack]>, vector: &[Pack]) -> f64 {
        let at = |packs: &[Pack], place: usize| packs[place / LANES].0[place % LANES];
        let length = |packs: &[Pack], first: usize, count: usize| {
            (first..first + count).fold(0.0, |sum, place| sum + at(packs, place) * at(packs, place)).sqrt()
        };
        let places = self.model.places();
        let size = if matches!(self.model.geometry, Geometry::Circle | Geometry::Equiangular) {
            1
        } else {
            self.model.d
        };
        let is_unit = self.model.geometry.is_unit();
        let weight = if is_unit { self.beta.max(1.0) } else { 1.0 };
        let mut largest: f64 = 0.0;
        let mut take = |worth: f64| {
            // What is not a number stays what it is.
            if !(worth <= largest || largest.is_nan()) {
                largest = worth;
            }
        };
        for first in (0..places).step_by(size) {
            let scale = match state {
                Some(state) if !is_unit => length(state, first, size).max(1.0),
                _ => 1.0,
            };
            take(length(vector, first, size) * weight / scale);
        }
        for radius in places..places + self.model.radii() {
            let scale = state.map_or(1.0, |state| at(state, radius).abs().max(1.0));
            take(at(vector, radius).abs() / scale);
        }
        largest
    }
}

impl Flow for General {
    fn slope(&mut self, t: f64, state: &[Pack], out: &mut [Pack]) -> f64 {
        self.spread(state);
        self.field.slope(&Self::clock(t), &self.numbers, None, &mut self.rates);
        for (at, rate) in self.rates.iter().enumerate() {
            out[at / LANES].0[at % LANES] = rate.0[0];
        }
        self.unit
    }

    fn settle(&mut self, state: &mut [Pack]) -> bool {
        self.spread(state);
        self.rates.fill(Pack::ZERO);
        let (numbers, rates) = (&mut self.numbers, &self.rates);
        let landing = self.field.land(&Self::clock(0.0), numbers, rates, Rates::Slope, &Pack::ZERO);
        for (at, number) in self.numbers.iter().enumerate() {
            state[at / LANES].0[at % LANES] = number.0[0];
        }
        landing.finite & 1 == 1
    }

    fn worth(&self, state: &[Pack], error: &[Pack]) -> f64 {
        self.largest(Some(state), error)
    }

    fn speed(&self, slope: &[Pack]) -> f64 {
        self.largest(None, slope)
    }

    /// Its states of rest are found as such: [`rests`](Flow::rests).
    fn longest(&self) -> f64 {
        f64::INFINITY
    }

    fn ending(&self, slope: &[Pack], _: f64, _: &[f64]) -> Option<Ending> {
        if !self.unit.is_normal() {
            return Some(Ending::Underflow);
        }
        (self.rests() && self.speed(slope) == 0.0).then_some(Ending::Stationary)
    }

    fn rests(&self) -> bool {
        self.model.is_autonomous()
    }

    fn points(&mut self, state: &[Pack], out: &mut Vec<f64>) {
        self.spread(state);
        let shown = match self.model.geometry {
            Geometry::Circle => {
                circle::points(&self.numbers[..self.model.n], &mut self.shown, 1);
                &self.shown
            }
            Geometry::Equiangular => {
                equiangular::points(&self.numbers, &mut self.shown);
                &self.shown
            }
            _ => &self.numbers,
        };
        out.clear();
        out.extend(shown[..self.shown.len()].iter().map(|pack| pack.0[0]));
    }

    fn packs(&self) -> usize {
        self.numbers.len().div_ceil(LANES)
    }

    fn count(&self) -> usize {
        self.members.len()
    }

    fn members(&self) -> &[u32] {
        &self.members
    }

    fn is_due_to_merge(&self, _: &[f64]) -> bool {
        false
    }

    fn merge(&mut self, _: &mut Vec<Pack>, _: &[f64]) -> bool {
        false
    }

    fn masses(&self) -> Vec<f64> {
        vec![1.0; self.members.len()]
    }

    fn restore(&mut self, _: &[u32], _: &[f64]) {}
}
