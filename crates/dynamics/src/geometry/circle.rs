//! The circle in angles (P0 (6.1)): `θ̇_i = (1/s_i) ⟨A_i, (−sin θ_i, cos θ_i)⟩`, and Kuramoto's rotors,
//! `θ̇_i = ω_i + K ⟨A_i, (−sin θ_i, cos θ_i)⟩` with V = QᵀK = I (P0 (6.2), (6.5)): the same as `sphere` with d = 2, but that a
//! step adds angles.
//!
//! Angles are not reduced modulo 2π: how often a rotor has turned is part of its state.

use super::euclidean::Shift;
use super::sphere::Sphere;
use crate::integrators::{Clock, Landing, Rates, VectorField};
use crate::simd::{Pack, dispatch};

/// Angles, and behind them radii where the layer norm moves these.
pub(crate) struct Circle {
    pub sphere: Sphere,
    pub rotors: Option<Rotors>,
    /// The state as points of the plane, radii behind them, and what the sphere makes of it.
    points: Vec<Pack>,
    push: Vec<Pack>,
}

/// What turns rotors besides each other.
pub(crate) struct Rotors {
    /// K of each lane.
    pub coupling: Pack,
    /// ω_i, n; empty if all are zero.
    pub frequencies: Vec<Pack>,
}

impl Circle {
    pub(crate) fn new(sphere: Sphere, rotors: Option<Rotors>, radii: usize) -> Self {
        let size = 2 * sphere.n + radii;
        Self { sphere, rotors, points: vec![Pack::ZERO; size], push: vec![Pack::ZERO; size] }
    }
}

/// `(cos θ_i, sin θ_i)`, n × 2, of the lanes in use; the others repeat the first.
pub(crate) fn points(angles: &[Pack], points: &mut [Pack], lanes: usize) {
    for (angle, point) in angles.iter().zip(points.chunks_exact_mut(2)) {
        let (first, others) = (angle.0[0], 1..lanes);
        point[0] = Pack::splat(libm::cos(first));
        point[1] = Pack::splat(libm::sin(first));
        for lane in others {
            point[0].0[lane] = libm::cos(angle.0[lane]);
            point[1].0[lane] = libm::sin(angle.0[lane]);
        }
    }
}

impl VectorField for Circle {
    fn push(&mut self, clock: &Clock, state: &[Pack], _gram: Option<&[Pack]>, out: &mut [Pack]) {
        let n = self.sphere.n;
        points(&state[..n], &mut self.points, self.sphere.lanes);
        self.points[2 * n..].copy_from_slice(&state[n..]);
        self.sphere.push(clock, &self.points, None, &mut self.push);
        for (i, rate) in out[..n].iter_mut().enumerate() {
            for (lane, rate) in rate.0.iter_mut().enumerate() {
                let (cos, sin) = (self.points[2 * i].0[lane], self.points[2 * i + 1].0[lane]);
                let (a, b) = (self.push[2 * i].0[lane], self.push[2 * i + 1].0[lane]);
                *rate = b.mul_add(cos, -(a * sin));
            }
        }
        out[n..].copy_from_slice(&self.push[2 * n..]);
        if let Some(rotors) = &self.rotors {
            rotors.turn(&mut out[..n], &self.sphere, clock);
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
        let landing = dispatch(Shift { state, rates, step, lanes: self.sphere.lanes }, self.sphere.isa);
        let n = self.sphere.n;
        let mut finite = landing.finite;
        for radius in &mut state[n..] {
            for (lane, radius) in radius.0.iter_mut().enumerate() {
                if *radius <= 0.0 {
                    *radius = f64::NAN;
                    finite &= !(1 << lane);
                }
            }
        }
        Landing { finite, ..landing }
    }

    fn scaled_step(&self, step: &Pack) -> Pack {
        self.sphere.scaled_step(step)
    }
}

impl Rotors {
    /// `rate ← ω + K·rate`. The rate comes without the sphere's common factor, so ω is divided by it.
    fn turn(&self, rates: &mut [Pack], sphere: &Sphere, clock: &Clock) {
        let scaled = sphere.scaled_step(&clock.step);
        for (i, rate) in rates.iter_mut().enumerate() {
            for (lane, rate) in rate.0.iter_mut().enumerate() {
                let own = self.frequencies.get(i).map_or(0.0, |frequency| frequency.0[lane]);
                let own = if own == 0.0 { 0.0 } else { own * (clock.step.0[lane] / scaled.0[lane]) };
                *rate = self.coupling.0[lane].mul_add(*rate, own);
            }
        }
    }
}

/// The angle of a point of the plane.
pub(crate) fn angle(point: &[Pack]) -> Pack {
    Pack(std::array::from_fn(|lane| libm::atan2(point[1].0[lane], point[0].0[lane])))
}
