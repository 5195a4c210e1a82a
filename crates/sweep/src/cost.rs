//! What a replica costs, in seconds of one core: a formula in n, d, steps and what is observed, with measured constants.
//!
//! Only the order of work and the size of chunks depend on it, never a row.

use metasweep_dynamics::ensemble::MOST_IN_PAIRS;
use metasweep_dynamics::model::{Integrator, Mask, Normalization};
use metasweep_metastability::observables::Observable;
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::ending::share_of_steps;
use crate::series;
use crate::start::model;
use crate::sweep::{Observe, Sweep};

/// Seconds of one core for the pieces of work that a replica consists of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// An evaluation, besides its pairs: what small systems consist of.
    pub evaluation: f64,
    /// A pair of tokens in one evaluation, besides its coordinates: exponential, weights.
    pub pair: f64,
    /// A coordinate of a pair of tokens in one evaluation.
    pub pair_coordinate: f64,
    /// A multiplication and addition of a full d × d matrix with a token.
    pub matrix_entry: f64,
    /// A pair of tokens looked at by the recorder after each step.
    pub observed_pair: f64,
    /// A pair of tokens looked at while a merge is located in adaptive steps, all looks together.
    pub located_pair: f64,
    /// An adaptive step, besides its evaluations.
    pub adaptive_step: f64,
    /// A pair of tokens in a sample of the series, for each observable.
    pub sampled_pair: f64,
    /// A number drawn at the start.
    pub drawn_number: f64,
    /// A matrix exponential, besides its products: where tokens are rescaled by e^{tV}.
    pub exponential: f64,
    /// The same, for each of the d³ products of a matrix with itself.
    pub exponential_entry: f64,
    /// A coordinate of a pair of tokens made orthogonal at the start.
    pub frame_entry: f64,
    /// A replica, whatever it is.
    pub replica: f64,
}

impl Default for Costs {
    /// About those of a core with AVX2 at 3 GHz; [`crate::calibration`] measures them.
    fn default() -> Self {
        Costs {
            evaluation: 150e-9,
            pair: 0.9e-9,
            pair_coordinate: 0.14e-9,
            matrix_entry: 0.1e-9,
            observed_pair: 0.6e-9,
            located_pair: 240e-9,
            adaptive_step: 6e-6,
            sampled_pair: 0.3e-9,
            drawn_number: 20e-9,
            exponential: 5e-6,
            exponential_entry: 15e-9,
            frame_entry: 2.3e-9,
            replica: 5e-6,
        }
    }
}

impl Costs {
    /// Seconds of one replica of a cell whose vectors are full.
    #[must_use]
    pub fn replica(&self, cell: &Cell, observe: &Observe) -> f64 {
        self.start(cell) + self.motion(cell, observe)
    }

    /// Seconds of so many replicas of a cell: starts are drawn one by one, steps are taken in vectors.
    #[must_use]
    pub fn replicas(&self, cell: &Cell, observe: &Observe, replicas: u32) -> f64 {
        f64::from(replicas) * self.start(cell) + occupied(cell, replicas) * self.motion(cell, observe)
    }

    /// Seconds of one replica's initial tokens and matrices.
    fn start(&self, cell: &Cell) -> f64 {
        let (n, d) = model(cell).shown();
        let (n, d) = (n as f64, d as f64);
        let drawn = (n * d + full_matrices(cell) * d * d) * self.drawn_number;
        self.replica + drawn + self.frame(cell)
    }

    /// Seconds of one replica's steps and of what is seen of them, where vectors are full.
    fn motion(&self, cell: &Cell, observe: &Observe) -> f64 {
        let model = model(cell);
        let (tokens, d) = model.shown();
        let (n, d) = (tokens as f64, d as f64);
        let pairs = n * (n - 1.0) / 2.0;
        let heads = cell.heads() as f64;
        // Kernels that do not see the symmetry of the scores; Sinkhorn's weights by some 40 products with the matrix.
        let furnished = model.exclude_self || !model.masses.is_empty() || !model.frozen.weights.is_empty();
        let iterated = if model.normalization == Normalization::Sinkhorn { 20.0 } else { 1.0 };
        let apart = !cell.text("query").is_empty() || !cell.text("key").is_empty();
        let plain = is_scalar(cell.text("query_key")) && heads == 1.0 && !apart && !furnished;
        let tiled = tokens > MOST_IN_PAIRS;
        // Tiles do not see it either.
        let asymmetry = if plain && !tiled { 1.0 } else { 2.0 };
        let causal = if model.mask == Mask::Causal { 0.7 } else { 1.0 };
        let full_matrices = full_matrices(cell);
        let general = if model.geometry.is_unit() { 1.0 } else { 2.0 };
        // An exponential of scores that are no multiple of the Gram matrix, or row by row, has more operations and less company.
        let apart_from_plain = if plain && !tiled && model.geometry.is_unit() { 1.0 } else { 2.0 };
        let of_pair = apart_from_plain * self.pair + self.pair_coordinate * d;
        let direct = heads * iterated * general * pairs * asymmetry * causal * of_pair;
        // Powers, moments, three sums: some twelve operations on a number.
        let of_orders = |orders: usize| 12.0 * n * orders as f64 * self.pair_coordinate;
        // Without powers that are kept, and without angles.
        let abreast = |orders: usize| of_orders(orders) / 3.0;
        let sums =
            series::orders(cell).map(of_orders).or(series::abreast(cell).map(abreast)).unwrap_or(direct);
        let evaluation = self.evaluation + sums + full_matrices * n * d * d * self.matrix_entry;
        let evaluations = match model.integrator {
            Integrator::ProjectedEuler | Integrator::Discrete { .. } => 1.0,
            Integrator::Rk4 => 4.0,
            Integrator::Adaptive => 12.0,
            // Points merge, and on the circle soon: a third of the pairs are there on average.
            Integrator::Multiscale => 12.0 * (d / 6.0).min(1.0),
        };
        let watched = observe.plateaus || observe.merges || cell.is_adaptive();
        let observed = if tiled && !watched { 2.0 * n } else { pairs };
        let besides = if cell.is_adaptive() { self.adaptive_step } else { 0.0 };
        let step =
            evaluations * evaluation + observed * self.observed_pair + besides + self.exponentials(cell);
        let weighed = |observable: Observable| weight(observable, n, tiled, observe);
        let observables: f64 = observe.series.iter().map(|observable| weighed(*observable)).sum();
        // Of the last state energy, smallest cosine and clusters are always asked for.
        let last =
            weighed(Observable::Energy) + weighed(Observable::MinCosine) + weighed(Observable::Clusters);
        let looks = cell.sample.len() as f64 * observables + last;
        let samples = looks * pairs * self.sampled_pair;
        // Two numbers a step and coordinate: docs/determinism.md.
        let noise = if cell.get("kappa").number().is_some() { 2.0 * n * d * self.drawn_number } else { 0.0 };
        let layers = if model.layered { full_matrices * d * d * self.drawn_number } else { 0.0 };
        // Each merge is looked for between two states, halfway and again.
        let merges =
            if model.integrator == Integrator::Multiscale { n * pairs * self.located_pair } else { 0.0 };
        let steps = cell.steps() as f64 * (step + noise + layers);
        share_of_steps(cell, observe) * (steps + samples) + merges
    }

    /// Seconds of the matrix exponentials of one step: one for each time at which the step evaluates.
    fn exponentials(&self, cell: &Cell) -> f64 {
        if cell.text("geometry") != "rescaled" {
            return 0.0;
        }
        let times = if cell.text("integrator") == "rk4" { 2.0 } else { 1.0 };
        times * (self.exponential + libm::pow(cell.d() as f64, 3.0) * self.exponential_entry)
    }

    /// Seconds of the initial frame, where tokens are made of an orthonormal one.
    fn frame(&self, cell: &Cell) -> f64 {
        let initial = cell.text("initial");
        let is_framed = initial.starts_with("orthonormal") || initial.starts_with("equiangular");
        if !is_framed || cell.text("geometry") == "equiangular" {
            return 0.0;
        }
        let (n, d) = (cell.n() as f64, cell.d() as f64);
        n * n * d * self.frame_entry
    }

    /// Seconds of the whole sweep.
    #[must_use]
    pub fn sweep(&self, sweep: &Sweep) -> f64 {
        sweep.cells.iter().map(|cell| self.replicas(cell, &sweep.observe, sweep.replicas)).sum()
    }
}

/// Replicas share vectors: so many cost as many as fill whole vectors of four, the width of AVX2.
#[must_use]
pub fn in_lanes(replicas: u32) -> f64 {
    4.0 * f64::from(replicas.div_ceil(4))
}

/// What so many replicas of a cell cost as multiples of one in a full vector: of many tokens each fills vectors by itself.
#[must_use]
pub fn occupied(cell: &Cell, replicas: u32) -> f64 {
    if model(cell).shown().0 > MOST_IN_PAIRS { f64::from(replicas) } else { in_lanes(replicas) }
}

/// About how many adaptive steps a replica takes to its horizon, or until nothing moves any more: of order 8, so that they grow like the
/// eighth root of the tolerance.
///
/// `multiscale`: a merge from m points to m − 1 takes a few steps, fewer where many merge at once, and more the more orders of e the time
/// passes through: β times how far apart the closest of m uniform points are, which falls like m^(−2/(d − 1)). `adaptive`: steps of order one, of the fastest rate.
pub(crate) fn adaptive_steps(cell: &Cell) -> f64 {
    let (n, d, beta, horizon) = (cell.n() as f64, cell.d() as f64, cell.beta(), cell.horizon());
    let root = libm::pow(cell.number("tolerance").max(1e-13), -0.125);
    if cell.text("integrator") == "multiscale" {
        let exponent = -2.0 / (d - 1.0).max(1.0);
        let closest: f64 = (2..=cell.n().min(4096)).map(|m| libm::pow(m as f64 / 2.0, exponent)).sum();
        let orders = 0.15 * beta.min(libm::log1p(horizon));
        let merges = (n - 1.0) * (beta / 50.0).min(1.0);
        return (root * (4.0 + merges + orders * closest)).clamp(1.0, 1e9);
    }
    let fastest = if cell.text("normalization") == "unnormalized" { libm::exp(beta) } else { 1.0 };
    (0.05 * root * horizon.max(1.0) * fastest).clamp(1.0, 1e15)
}

/// How much dearer than one look at each pair an observable is; `tiled`: pairs are formed one by one.
fn weight(observable: Observable, n: f64, tiled: bool, observe: &Observe) -> f64 {
    let thresholds = if observable.depends_on_delta() { observe.suffixes.len() as f64 } else { 1.0 };
    thresholds
        * match observable {
            // Eigenvalues and ranks take n³ operations.
            Observable::SpanDimension | Observable::ThresholdRank => n,
            Observable::AttentionRank => 18.0 * n,
            Observable::Energy if tiled => 16.0,
            Observable::Energy | Observable::Leaders => 4.0,
            Observable::RenyiDrift | Observable::CapturedFraction => 6.0,
            _ => 1.0,
        }
}

/// The keys whose families are matrices.
const FAMILIES: [&str; 4] = ["value", "query_key", "query", "key"];

/// Full matrices of a cell, of all heads.
fn full_matrices(cell: &Cell) -> f64 {
    cell.heads() as f64 * FAMILIES.iter().filter(|key| is_full(cell.text(key))).count() as f64
}

fn is_scalar(family: &str) -> bool {
    matches!(family, "identity" | "-identity")
}

fn is_full(family: &str) -> bool {
    !family.is_empty() && !is_scalar(family) && !family.starts_with("diag") && !family.ends_with("query_key")
}
