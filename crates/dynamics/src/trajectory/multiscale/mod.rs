//! `multiscale`: V = c·I with c > 0, QᵀK = b·I with b ≥ 0, SA and USA, full mask, tokens with masses (P0 (SA), (USA), P4 Assumption 5).
//!
//! The drift of a metastable state is exponentially small, and it keeps its relative accuracy here ([`pull`]); points that have met become one
//! ([`merging`]), so that nothing fast is left.
//!
//! Time passes through β orders of magnitude towards every merge, and ends there like a logarithm. So steps are counted in
//!
//! ```text
//! dτ = Λ dt ,    Λ = Σ_i (1/Z_i) Σ_{j≠i} m_j e^{−β(1−g_ij)} ,
//! ```
//!
//! the weights that points give to others. Λ is a rate like the fastest one, whether clusters drift or meet; in τ points move smoothly over
//! distances of order one, t is a number that is integrated along, and steps grow with the plateaus by themselves.

mod eligible;
mod merging;
mod pull;

use super::Ending;
use super::flow::Flow;
use crate::simd::{Isa, LANES, Pack, dispatch};
pub(super) use eligible::of;
use pull::Pull;

/// Weights below e^{−700} are not trusted any more: e^{−708} is the last that is no subnormal number.
const DEEPEST: f64 = 700.0;
/// Decay over a step, in orders of e, that the method still follows.
const DAMPED: f64 = 4.0;
/// A velocity that is this small beside the terms it is the sum of is rounding error.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// The points of one replica.
pub(super) struct Multiscale {
    d: usize,
    beta: f64,
    divides: bool,
    /// Λ dt/dτ: 1/c, under USA times the sum of the masses over e^β.
    unit: f64,
    isa: Isa,
    masses: Vec<f64>,
    members: Vec<u32>,
    /// Scratch.
    rows: Vec<f64>,
    force: Vec<Pack>,
    bonds: Vec<Pack>,
    weights: Vec<Pack>,
}

impl Multiscale {
    /// Tokens of these masses; `beta` is β·b, and `speed` is c.
    pub fn new(masses: Vec<f64>, d: usize, beta: f64, divides: bool, speed: f64, isa: Isa) -> Self {
        let total: f64 = masses.iter().sum();
        let unit = if divides { 1.0 } else { total * libm::exp(-beta) } / speed;
        let members = (0..masses.len() as u32).collect();
        let (rows, force, bonds, weights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut flow = Self { d, beta, divides, unit, isa, masses, members, rows, force, bonds, weights };
        flow.make_room();
        flow
    }

    fn make_room(&mut self) {
        let count = self.masses.len();
        self.rows = vec![0.0; count * self.d];
        self.force = vec![Pack::ZERO; count.div_ceil(LANES)];
        self.bonds = self.force.clone();
        self.weights = vec![Pack::ZERO; count];
    }

    /// Points `[point][coordinate]` as a state; lanes without a point repeat the first.
    pub fn state(&self, rows: &[f64]) -> Vec<Pack> {
        let blocks = self.force.len();
        let number = |c: usize, point: usize| rows.get(point * self.d + c).copied().unwrap_or(rows[c]);
        let pack =
            |at: usize| Pack(std::array::from_fn(|lane| number(at / blocks, at % blocks * LANES + lane)));
        (0..self.d * blocks).map(pack).collect()
    }

    fn write_rows(&self, state: &[Pack], rows: &mut [f64]) {
        for (c, coordinates) in state.chunks_exact(self.force.len()).enumerate() {
            for (pack, rows) in coordinates.iter().zip(rows.chunks_mut(LANES * self.d)) {
                for (number, row) in pack.0.iter().zip(rows.chunks_exact_mut(self.d)) {
                    row[c] = *number;
                }
            }
        }
    }

    /// ‖v_i‖² of every lane.
    fn squares(&self, vectors: &[Pack]) -> Vec<Pack> {
        let blocks = self.force.len();
        let mut squares = vec![Pack::ZERO; blocks];
        for coordinates in vectors.chunks_exact(blocks) {
            for (square, x) in squares.iter_mut().zip(coordinates) {
                for lane in 0..LANES {
                    square.0[lane] += x.0[lane] * x.0[lane];
                }
            }
        }
        squares
    }
}

/// The largest number, or what is not finite.
fn largest(packs: &[Pack]) -> f64 {
    let numbers = packs.iter().flat_map(|pack| pack.0);
    numbers.fold(0.0, |largest: f64, x| {
        if x <= largest {
            largest
        } else if largest.is_finite() {
            x
        } else {
            largest
        }
    })
}

impl Flow for Multiscale {
    fn slope(&mut self, _: f64, state: &[Pack], out: &mut [Pack]) -> f64 {
        let mut rows = std::mem::take(&mut self.rows);
        self.write_rows(state, &mut rows);
        let pull = Pull {
            state,
            rows: &rows,
            masses: &self.masses,
            d: self.d,
            beta: self.beta,
            divides: self.divides,
            velocity: out,
            force: &mut self.force,
            bonds: &mut self.bonds,
            weights: &mut self.weights,
        };
        dispatch(pull, self.isa);
        self.rows = rows;
        let (count, blocks) = (self.masses.len(), self.force.len());
        let bonds = self.bonds.iter().flat_map(|pack| pack.0).take(count).fold(0.0, |sum, bond| sum + bond);
        // Where no one else is in reach nothing moves, and any unit will do.
        let tau = if bonds > 0.0 { 1.0 / bonds } else { 1.0 };
        for pack in out.iter_mut().chain(&mut self.force) {
            pack.0 = pack.0.map(|x| x * tau);
        }
        // Lanes without a point repeat the first, whole groups of them included.
        for coordinates in out.chunks_exact_mut(blocks) {
            let first = coordinates[0].0[0];
            coordinates[blocks - 1].0[LANES - (blocks * LANES - count)..].fill(first);
        }
        self.unit * tau
    }

    fn settle(&mut self, state: &mut [Pack]) -> bool {
        let mut lengths = self.squares(state);
        let finite = largest(&lengths).is_finite();
        for pack in &mut lengths {
            pack.0 = pack.0.map(f64::sqrt);
        }
        for coordinates in state.chunks_exact_mut(lengths.len()) {
            for (x, length) in coordinates.iter_mut().zip(&lengths) {
                for lane in 0..LANES {
                    x.0[lane] /= length.0[lane];
                }
            }
        }
        finite
    }

    /// The largest displacement, times β where that is above 1: what it is worth in the logarithm of the time to a merge.
    fn worth(&self, _: &[Pack], error: &[Pack]) -> f64 {
        largest(&self.squares(error)).sqrt() * self.beta.max(1.0)
    }

    fn speed(&self, slope: &[Pack]) -> f64 {
        self.worth(&[], slope)
    }

    /// Points that meet do so at most at twice the largest of the bonds that make up Λ. At 6.4 times its inverse the method neither damps nor
    /// amplifies, and points whose distance the tolerance does not see would never become one.
    fn longest(&self) -> f64 {
        let bonds = self.bonds.iter().flat_map(|pack| pack.0).take(self.masses.len());
        let (largest, sum) =
            bonds.fold((0.0_f64, 0.0), |(largest, sum), bond| (largest.max(bond), sum + bond));
        if largest > 0.0 { DAMPED * sum / (2.0 * largest) } else { f64::INFINITY }
    }

    fn ending(&self, slope: &[Pack], rate: f64, gaps: &[f64]) -> Option<Ending> {
        let widest = gaps.iter().copied().fold(0.0, f64::max);
        if self.beta * widest > DEEPEST || !rate.is_normal() {
            return Some(Ending::Underflow);
        }
        let blocks = self.force.len();
        let rests = |point: usize| {
            let (block, lane) = (point / LANES, point % LANES);
            let least = ROUNDING * self.force[block].0[lane];
            slope.chunks_exact(blocks).all(|coordinates| coordinates[block].0[lane].abs() <= least)
        };
        (0..self.masses.len()).all(rests).then_some(Ending::Stationary)
    }

    fn points(&mut self, state: &[Pack], out: &mut Vec<f64>) {
        out.resize(self.rows.len(), 0.0);
        self.write_rows(state, out);
    }

    /// Here it is one of a metastable state, and [`ending`](Self::ending) knows rest from slowness.
    fn rests(&self) -> bool {
        false
    }

    fn packs(&self) -> usize {
        self.d * self.force.len()
    }

    fn count(&self) -> usize {
        self.masses.len()
    }

    fn members(&self) -> &[u32] {
        &self.members
    }

    fn is_due_to_merge(&self, gaps: &[f64]) -> bool {
        gaps.iter().any(|gap| *gap <= merging::ONE)
    }

    fn merge(&mut self, state: &mut Vec<Pack>, gaps: &[f64]) -> bool {
        let Some(number) = merging::merged(self.masses.len(), gaps) else { return false };
        let mut rows = vec![0.0; self.rows.len()];
        self.write_rows(state, &mut rows);
        let (means, masses) = merging::means(&rows, &self.masses, &number, self.d);
        self.members.iter_mut().for_each(|member| *member = number[*member as usize]);
        self.masses = masses;
        self.make_room();
        *state = self.state(&means);
        true
    }

    fn masses(&self) -> Vec<f64> {
        self.masses.clone()
    }

    fn restore(&mut self, members: &[u32], masses: &[f64]) {
        self.members = members.to_vec();
        self.masses = masses.to_vec();
        self.make_room();
    }
}
