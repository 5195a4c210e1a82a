//! The heat phase on the circle: a mixture of Gaussians that spreads or sharpens (P4 Proposition 3.9, (7); docs/oracles.md, 11).
//!
//! At large β, in the time t/β, the density of the tokens follows the heat equation with generator Δ, forwards for V = −I and backwards
//! for V = I: the variance s of a Gaussian changes by ±2t/β. At finite β a Gaussian on the line stays one under SA: its
//! attention is A(x) = x βs/(1+βs), so ẋ = ∓x/(1+βs) and
//!
//! ```text
//! ds/dt = ∓ 2s/(1+βs) ,      ln s + βs = ln s₀ + βs₀ ∓ 2t ,
//! ```
//!
//! of which the heat equation is the limit βs ≫ 1. P4 (7) writes the components as N(m_j, σ_j²(t)) with a collapse at T = min σ_j²: with the
//! generator Δ that is the heat kernel's *time*; in variances it is min s_j/2 (in t/β).

use std::f64::consts::{PI, TAU};

/// A component of a density on the circle: a wrapped Gaussian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bump {
    /// Its share of the tokens.
    pub weight: f64,
    /// Its centre, an angle.
    pub centre: f64,
    /// Its variance s.
    pub variance: f64,
}

/// Which way the heat flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// V = −I: tokens repel each other, Gaussians spread.
    Forward,
    /// V = I: tokens attract each other, Gaussians sharpen.
    Backward,
}

/// The variance at time t (the dynamics' own, not t/β) in the heat limit: s ± 2t/β; NaN from the time on at which it is nothing.
///
/// ```
/// use metasweep_metastability::theory::heat::{Direction, heat_variance};
///
/// assert_eq!(heat_variance(0.5, 40.0, 4.0, Direction::Backward), 0.3);
/// assert!(heat_variance(0.5, 40.0, 10.0, Direction::Backward).is_nan());
/// ```
#[must_use]
pub fn heat_variance(start: f64, beta: f64, t: f64, direction: Direction) -> f64 {
    let change = 2.0 * t / beta;
    let variance = if direction == Direction::Forward { start + change } else { start - change };
    if start > 0.0 && beta > 0.0 && t >= 0.0 && variance > 0.0 { variance } else { f64::NAN }
}

/// The variance at time t of a Gaussian at finite β: the root s of `ln s + βs = ln s₀ + βs₀ ∓ 2t`; at β = 0 it is s₀ e^{∓2t}.
///
/// ```
/// use metasweep_metastability::theory::heat::{Direction, variance};
///
/// // βs ≫ 1: the heat equation, up to ln(s₀/s)/β = 1.02·10⁻⁵. P4 Fig. 2 has β = 10, σ = 0.2, βs = 0.4: far from it.
/// assert!((variance(0.5, 4000.0, 40.0, Direction::Backward) - 0.48).abs() < 1.1e-5);
/// let there = variance(0.04, 10.0, 0.1, Direction::Backward);
/// assert!((there - 0.0346).abs() < 1e-4);
/// ```
#[must_use]
pub fn variance(start: f64, beta: f64, t: f64, direction: Direction) -> f64 {
    if !(start > 0.0 && beta >= 0.0 && t >= 0.0) {
        return f64::NAN;
    }
    let shift = if direction == Direction::Forward { 2.0 * t } else { -2.0 * t };
    // With s = s₀·e^x: x + βs₀(e^x − 1) = ±2t. The left side is convex and grows: Newton from the right comes down to the root.
    let load = beta * start;
    // Each term alone is at most the shift.
    let mut x = if shift <= 0.0 { 0.0 } else { shift.min(libm::log1p(shift / load)) };
    for _ in 0..200 {
        let step = (x + load * libm::expm1(x) - shift) / (1.0 + load * libm::exp(x));
        x -= step;
        if step.abs() <= 4.0 * f64::EPSILON * x.abs().max(f64::MIN_POSITIVE) {
            break;
        }
    }
    start * libm::exp(x)
}

/// The density of a mixture at an angle: Σ_j weight_j times the wrapped Gaussian; its integral over the circle is the sum of the weights.
///
/// ```
/// use metasweep_metastability::theory::heat::{Bump, density};
///
/// let flat = [Bump { weight: 1.0, centre: 0.3, variance: 60.0 }];
/// assert!((density(&flat, 2.0) - 1.0 / std::f64::consts::TAU).abs() < 1e-12);
/// ```
#[must_use]
pub fn density(mixture: &[Bump], angle: f64) -> f64 {
    mixture.iter().map(|bump| bump.weight * wrapped(angle - bump.centre, bump.variance)).sum()
}

/// The mixture at time t, each component by the law `law`: [`heat_variance`] or [`variance`]. Where a component has collapsed its variance is NaN.
#[must_use]
pub fn evolved(
    mixture: &[Bump],
    beta: f64,
    t: f64,
    direction: Direction,
    law: fn(f64, f64, f64, Direction) -> f64,
) -> Vec<Bump> {
    mixture.iter().map(|bump| Bump { variance: law(bump.variance, beta, t, direction), ..*bump }).collect()
}

/// The wrapped Gaussian: by its images on the line where it is narrow, by Poisson's sum where it is wide.
fn wrapped(angle: f64, variance: f64) -> f64 {
    /// e^{−LONG} is nothing.
    const LONG: f64 = 40.0;
    if variance.is_nan() || variance <= 0.0 {
        return f64::NAN;
    }
    let angle = angle - TAU * (angle / TAU).round();
    if variance < 2.0 {
        let images = (((2.0 * LONG * variance).sqrt() + PI) / TAU).ceil() as i32;
        let at = |k: i32| angle + TAU * f64::from(k);
        let sum: f64 = (-images..=images).map(|k| libm::exp(-0.5 * at(k) * at(k) / variance)).sum();
        sum / (TAU * variance).sqrt()
    } else {
        let waves = (2.0 * LONG / variance).sqrt().ceil() as i32;
        let wave = |k: i32| {
            let k = f64::from(k);
            libm::exp(-0.5 * k * k * variance) * libm::cos(k * angle)
        };
        (1.0 + 2.0 * (1..=waves).map(wave).sum::<f64>()) / TAU
    }
}

#[cfg(test)]
mod tests {
    use super::super::ode::solve;
    use super::*;
    use Direction::{Backward, Forward};

    const MIXTURE: [Bump; 2] =
        [Bump { weight: 0.4, centre: 0.5, variance: 0.3 }, Bump { weight: 0.6, centre: 4.0, variance: 0.8 }];

    /// The law against its equation.
    #[test]
    fn variances_solve_their_equation() {
        for (start, beta) in [(0.04, 10.0), (0.5, 100.0), (1.0, 0.0), (3.0, 1.0)] {
            for (direction, sign) in [(Forward, 1.0), (Backward, -1.0)] {
                // In ln s, whose absolute error is the relative one of s: the solver's tolerance is relative to max(1, |y|).
                let right = |_: f64, y: &[f64]| vec![sign * 2.0 / (1.0 + beta * libm::exp(y[0]))];
                for t in [0.0, 0.1, 1.0, 3.0] {
                    let exact = libm::exp(solve(&right, 0.0, t, &[libm::log(start)])[0]);
                    let found = variance(start, beta, t, direction);
                    assert!((found / exact - 1.0).abs() < 1e-10, "{start} {beta} {t}: {found} {exact}");
                }
            }
        }
    }

    #[test]
    fn far_away_times() {
        assert!((variance(1e-3, 1e3, 500.0, Forward) / 1.0 - 1.0).abs() < 0.01);
        assert_eq!(variance(0.5, 10.0, 1e4, Backward), 0.0);
        assert!(variance(-1.0, 1.0, 1.0, Forward).is_nan() && heat_variance(1.0, 0.0, 1.0, Forward).is_nan());
    }

    /// The attention of a Gaussian of tokens on the line, summed over many: x βs/(1+βs).
    #[test]
    fn the_attention_of_a_gaussian() {
        let (beta, s, x) = (7.0, 0.4, 0.9);
        let (mut whole, mut pull) = (0.0, 0.0);
        for k in -4000..=4000 {
            let y = f64::from(k) * 2e-3;
            let weight = libm::exp(-0.5 * beta * (x - y) * (x - y) - 0.5 * y * y / s);
            whole += weight;
            pull += weight * (y - x);
        }
        assert!((pull / whole + x / (1.0 + beta * s)).abs() < 1e-12);
    }

    /// Both series are one function, and integrate to the weights.
    #[test]
    fn densities() {
        for angle in [0.0, 1.0, 3.0, -2.0, 100.0] {
            let (narrow, wide) = (wrapped(angle, 2.0 - 1e-13), wrapped(angle, 2.0 + 1e-13));
            assert!((narrow / wide - 1.0).abs() < 1e-11, "{angle}");
        }
        let cells = 400;
        let sum: f64 = (0..cells).map(|k| density(&MIXTURE, TAU * f64::from(k) / f64::from(cells))).sum();
        assert!((sum * TAU / f64::from(cells) - 1.0).abs() < 1e-13);
    }

    /// The heat equation itself: ∂p/∂(t/β) = ±∂²p/∂θ², by differences of second order.
    #[test]
    fn the_heat_equation() {
        let (beta, h) = (50.0, 1e-3);
        for (direction, sign) in [(Forward, 1.0), (Backward, -1.0)] {
            let at =
                |t: f64, angle: f64| density(&evolved(&MIXTURE, beta, t, direction, heat_variance), angle);
            for angle in [0.2, 2.0, 4.4] {
                let in_time = (at(1.0 + h, angle) - at(1.0 - h, angle)) / (2.0 * h) * beta;
                let across = (at(1.0, angle + h) - 2.0 * at(1.0, angle) + at(1.0, angle - h)) / (h * h);
                assert!((in_time - sign * across).abs() < 1e-4, "{direction:?} {angle}: {in_time} {across}");
            }
        }
    }
}
