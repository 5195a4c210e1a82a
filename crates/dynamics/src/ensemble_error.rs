//! Why replicas cannot be put side by side: the errors of [`Ensemble`](crate::ensemble::Ensemble).

use thiserror::Error;

use crate::model::{Geometry, Model};
use crate::simd::{Isa, LANES};
use crate::start::Start;

/// Why replicas cannot be put into an ensemble.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EnsembleError {
    /// None, or more than there are lanes.
    #[error("an ensemble holds 1 to {LANES} replicas, not {0}")]
    Lanes(usize),
    /// n or d is 0.
    #[error("a model needs at least one token and one coordinate, not n = {n}, d = {d}")]
    Empty {
        /// Number of tokens.
        n: usize,
        /// Number of coordinates.
        d: usize,
    },
    /// The tokens do not fill n × d.
    #[error("the tokens of lane {lane} are {found} numbers; n × d = {n} × {d} are needed")]
    Tokens {
        /// The lane.
        lane: usize,
        /// Numbers found.
        found: usize,
        /// Number of tokens.
        n: usize,
        /// Number of coordinates.
        d: usize,
    },
    /// β is negative or not finite.
    #[error("β of lane {lane} is {beta}; it must be finite and not negative")]
    Beta {
        /// The lane.
        lane: usize,
        /// Its β.
        beta: f64,
    },
    /// η is not finite.
    #[error("the step of lane {lane} is {step}; it must be finite")]
    Step {
        /// The lane.
        lane: usize,
        /// Its η.
        step: f64,
    },
    /// Parameters without a head.
    #[error("the parameters have no attention head; at least one is needed")]
    NoHeads,
    /// A matrix that does not act on R^d.
    #[error(
        "{what} of head {head} of lane {lane} is {found}, which does not act on vectors of {expected} coordinates"
    )]
    MatrixShape {
        /// The lane.
        lane: usize,
        /// The head, from 0.
        head: usize,
        /// Which matrix.
        what: &'static str,
        /// Its shape.
        found: String,
        /// d.
        expected: usize,
    },
    /// Lanes whose matrices need different operations.
    #[error("lane {lane} differs from lane 0 in the {what}; the replicas of an ensemble must agree in it")]
    MixedParameters {
        /// The lane.
        lane: usize,
        /// In what.
        what: &'static str,
    },
    /// I + Δt V has no inverse: no rescaled layers (P1 Remark 3.3).
    #[error("I + Δt V of lane {lane} cannot be inverted, so that its tokens cannot be rescaled")]
    Singular {
        /// The lane.
        lane: usize,
    },
    /// A feed-forward layer that does not act on R^d.
    #[error("the feed-forward layer of lane {lane} does not act on vectors of {d} coordinates")]
    FeedForward {
        /// The lane.
        lane: usize,
        /// d.
        d: usize,
    },
    /// A layered model without a source of layers.
    #[error("the model has matrices for every layer, but lane {lane} has no source of them")]
    NoLayers {
        /// The lane.
        lane: usize,
    },
    /// A layer whose matrices cannot be drawn.
    #[error("the matrices of layer {layer} of lane {lane} cannot be drawn: {reason}")]
    Layer {
        /// The lane.
        lane: usize,
        /// The layer, from 0.
        layer: u64,
        /// Why not.
        reason: String,
    },
    /// Masses that are not one positive number a token.
    #[error("{n} tokens need as many positive masses, or none; there are {found}")]
    Masses {
        /// Masses given.
        found: usize,
        /// Number of tokens.
        n: usize,
    },
    /// Frozen tokens that are not m points of R^d with m positive weights.
    #[error(
        "{weights} frozen tokens need as many positive weights and {weights} × {d} numbers, not {numbers}"
    )]
    Frozen {
        /// Weights given.
        weights: usize,
        /// Numbers given.
        numbers: usize,
        /// d.
        d: usize,
    },
    /// A row of weights without a token, or a doubly stochastic matrix that cannot be.
    #[error("these weights do not exist: {0}")]
    Weights(&'static str),
    /// Frequencies that are not one a token.
    #[error("the frequencies of lane {lane} are {found} numbers; {n} tokens need as many, or none")]
    Frequencies {
        /// The lane.
        lane: usize,
        /// Numbers found.
        found: usize,
        /// Number of tokens.
        n: usize,
    },
    /// Noise in some lanes, or a step that no Brownian path can be refined to.
    #[error("the noise of lane {lane} does not fit its step {step} or the other lanes")]
    Noise {
        /// The lane.
        lane: usize,
        /// Its η.
        step: f64,
    },
    /// A saved state of other replicas.
    #[error("the saved state holds {found} numbers for lane {lane}, but its replica has {expected}")]
    State {
        /// The lane.
        lane: usize,
        /// Numbers saved (0: the lane was not saved).
        found: usize,
        /// n × d.
        expected: usize,
    },
    /// A model that `multiscale` is not for.
    #[error("`multiscale` is not for this model: {0}")]
    Multiscale(&'static str),
    /// A right side that adaptive steps cannot follow.
    #[error(
        "adaptive steps are for smooth right sides: not for noise, hardmax, or matrices drawn for each layer"
    )]
    Rough,
    /// Adaptive steps are not shared between replicas.
    #[error("an ensemble takes fixed steps; adaptive ones are those of a trajectory")]
    Adaptive,
    /// Instructions this machine lacks.
    #[error("this machine has no {0} instructions")]
    Isa(&'static str),
}

/// Whether these starts fit the model and each other, and the machine has `isa`.
///
/// # Errors
/// Why not.
pub(crate) fn check(model: &Model, starts: &[Start], isa: Isa) -> Result<(), EnsembleError> {
    let Model { n, d, .. } = *model;
    if !(1..=LANES).contains(&starts.len()) {
        return Err(EnsembleError::Lanes(starts.len()));
    }
    if n == 0 || d == 0 {
        return Err(EnsembleError::Empty { n, d });
    }
    if !isa.is_available() {
        return Err(EnsembleError::Isa(isa.name()));
    }
    crate::assembly::check_weights(model)?;
    for (lane, start) in starts.iter().enumerate() {
        let expected = if model.geometry == Geometry::Equiangular { 1 } else { n * d };
        if start.tokens.len() != expected {
            return Err(EnsembleError::Tokens { lane, found: start.tokens.len(), n, d });
        }
        let found = start.frequencies.len();
        if found != 0 && found != n {
            return Err(EnsembleError::Frequencies { lane, found, n });
        }
        if !(start.beta.is_finite() && start.beta >= 0.0) {
            return Err(EnsembleError::Beta { lane, beta: start.beta });
        }
        if !start.step.is_finite() {
            return Err(EnsembleError::Step { lane, step: start.step });
        }
    }
    Ok(())
}
