//! Up to [`LANES`] replicas of one model, stepped together.
//!
//! The sweep puts the replicas of a chunk in here, the recorder reads the state after every step. Lanes never mix: a
//! replica's bits depend on its own start alone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use crate::attention::pair_index;
use crate::attention::{Attention, Gram, weights};
use crate::integrators::{Clock, Integrator, Stage, VectorField, integrator, keeps_self_term};
use crate::layer_norm::{Scheme, scheme};
use crate::model::Model;
use crate::parameters::Parameters;
use crate::simd::{Isa, LANES, Pack, dispatch};

/// Where one replica starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// Inverse temperature β ≥ 0.
    pub beta: f64,
    /// η, the step actually used.
    pub step: f64,
    /// The initial tokens, n × d row-major, unit rows.
    pub tokens: Vec<f64>,
    /// The matrices. Starts that share one `Arc` share the memory too.
    pub parameters: Arc<Parameters>,
}

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
    /// Instructions this machine lacks.
    #[error("this machine has no {0} instructions")]
    Isa(&'static str),
}

/// Replicas in lanes. Unused lanes repeat lane 0 or stay as they were; they are never read.
pub struct Ensemble {
    model: Model,
    lanes: usize,
    isa: Isa,
    /// η of each lane.
    step: Pack,
    tokens: Vec<Pack>,
    gram: Vec<Pack>,
    /// Whether `gram` is that of `tokens`.
    gram_is_current: bool,
    field: Flow,
    integrator: Box<dyn Integrator>,
    /// β and the matrices of each lane, as they were given.
    given: Vec<(f64, Arc<Parameters>)>,
    steps: u64,
    /// One bit a lane.
    stationary: u8,
    finite: u8,
}

/// Attention divided by the layer norm's speed: the right-hand side of a model.
struct Flow {
    attention: Attention,
    layer_norm: Box<dyn Scheme>,
}

impl VectorField for Flow {
    fn attention(&mut self, clock: Clock, tokens: &[Pack], gram: Option<&[Pack]>, out: &mut [Pack]) {
        self.attention.attention(clock, tokens, gram, out);
        self.layer_norm.divide(clock, out);
    }
    fn uses_gram(&self) -> bool {
        self.attention.uses_gram()
    }
    fn scaled_step(&self, step: &Pack) -> Pack {
        self.attention.scaled_step(step)
    }
}

/// What a checkpoint keeps of an ensemble: with the same model and starts it goes on bit-equal, on any machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnsembleState {
    /// The tokens of each lane, n × d row-major, as bits: states with equal bits are equal, NaNs included.
    tokens: Vec<Vec<u64>>,
    steps: u64,
    stationary: u8,
    finite: u8,
}

impl EnsembleState {
    /// Steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

impl Ensemble {
    /// Puts `starts` (1 to [`LANES`] of them) into lanes 0, 1, ….
    ///
    /// # Errors
    /// If the starts do not fit the model or each other, or the machine has no `isa`.
    pub fn new(model: &Model, starts: &[Start], isa: Isa) -> Result<Self, EnsembleError> {
        check(model, starts, isa)?;
        let Model { n, d, .. } = *model;
        let self_term = keeps_self_term(model.integrator);
        let attention = Attention::new(model, starts, self_term, isa)?;
        let tokens: Vec<&[f64]> = starts.iter().map(|start| start.tokens.as_slice()).collect();
        let field = Flow { attention, layer_norm: scheme(model.layer_norm) };
        let mut step = Pack::splat(starts[0].step);
        for (lane, start) in step.0.iter_mut().zip(starts) {
            *lane = start.step;
        }
        Ok(Self {
            lanes: starts.len(),
            isa,
            step: field.scaled_step(&step),
            tokens: side_by_side(&tokens),
            gram: vec![Pack::ZERO; n * (n - 1) / 2],
            gram_is_current: false,
            field,
            integrator: integrator(model.integrator, n * d),
            given: starts.iter().map(|start| (start.beta, Arc::clone(&start.parameters))).collect(),
            steps: 0,
            stationary: 0,
            finite: finite_lanes(&tokens),
            model: model.clone(),
        })
    }

    /// Number of lanes in use.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// ⟨x_i, x_j⟩ of the current state for i < j, packed row by row (see [`pair_index`]); computed once per state.
    pub fn gram(&mut self) -> &[Pack] {
        if !self.gram_is_current {
            let Model { n, d, .. } = self.model;
            dispatch(
                Gram { tokens: &self.tokens, n, d, lanes: self.lanes, products: &mut self.gram },
                self.isa,
            );
            self.gram_is_current = true;
        }
        &self.gram
    }

    /// The tokens and their Gram matrix side by side, as [`tokens`](Self::tokens) and [`gram`](Self::gram) give them.
    pub fn state(&mut self) -> (&[Pack], &[Pack]) {
        self.gram();
        (&self.tokens, &self.gram)
    }

    /// The Gram matrix of the current state, if it has been computed (by [`gram`](Self::gram) or a step).
    #[must_use]
    pub fn known_gram(&self) -> Option<&[Pack]> {
        self.gram_is_current.then_some(&self.gram)
    }

    /// The matrices of one lane.
    #[must_use]
    pub fn parameters(&self, lane: usize) -> &Parameters {
        &self.given[lane].1
    }

    /// `w_ij` of the current state of one lane: for each head n × n numbers, row-major, zero where the mask hides j from
    /// i (docs/models.md, weights). One definition written out, at n²d operations; the kernels never form it whole.
    #[must_use]
    pub fn attention_weights(&self, lane: usize) -> Vec<Vec<f64>> {
        let (beta, parameters) = &self.given[lane];
        let tokens = self.lane_tokens(lane);
        parameters.heads.iter().map(|head| weights(&self.model, *beta, head, &tokens)).collect()
    }

    /// The instructions it computes with.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The tokens, `[token][coordinate]`.
    #[must_use]
    pub fn tokens(&self) -> &[Pack] {
        &self.tokens
    }

    /// The tokens of one lane, n × d row-major.
    #[must_use]
    pub fn lane_tokens(&self, lane: usize) -> Vec<f64> {
        self.tokens.iter().map(|pack| pack.0[lane]).collect()
    }

    /// One step of every lane.
    pub fn step(&mut self) {
        if self.field.uses_gram() {
            self.gram();
        }
        let landing = self.integrator.step(
            &mut self.field,
            Stage {
                clock: Clock { layer: self.steps },
                tokens: &mut self.tokens,
                gram: self.gram_is_current.then_some(&self.gram),
                step: self.step,
                d: self.model.d,
                lanes: self.lanes,
                isa: self.isa,
            },
        );
        self.gram_is_current = false;
        self.stationary = !landing.moved & landing.finite;
        self.finite = landing.finite;
        self.steps += 1;
    }

    /// Steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Evaluations of the attention vector so far (rk4: four a step).
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.steps * self.integrator.evaluations()
    }

    /// Whether the last step changed no bit of this lane's state. False before the first step, and for a lane that is
    /// not finite.
    #[must_use]
    pub fn stationary(&self, lane: usize) -> bool {
        self.stationary >> lane & 1 == 1
    }

    /// Whether every number of this lane's state is finite. Once false it stays so: the replica has failed.
    #[must_use]
    pub fn finite(&self, lane: usize) -> bool {
        self.finite >> lane & 1 == 1
    }

    /// What a checkpoint needs.
    #[must_use]
    pub fn save(&self) -> EnsembleState {
        let used = u8::MAX >> (LANES - self.lanes);
        EnsembleState {
            tokens: (0..self.lanes)
                .map(|lane| self.tokens.iter().map(|pack| pack.0[lane].to_bits()).collect())
                .collect(),
            steps: self.steps,
            stationary: self.stationary & used,
            finite: self.finite & used,
        }
    }

    /// Goes on from `state`, bit-equal; `starts` as given to [`Ensemble::new`].
    ///
    /// # Errors
    /// As [`Ensemble::new`], or if the state is that of other replicas.
    pub fn restore(
        model: &Model,
        starts: &[Start],
        state: &EnsembleState,
        isa: Isa,
    ) -> Result<Self, EnsembleError> {
        let mut ensemble = Self::new(model, starts, isa)?;
        let expected = model.n * model.d;
        for lane in 0..starts.len().max(state.tokens.len()) {
            let found = state.tokens.get(lane).map_or(0, Vec::len);
            if found != expected || lane >= starts.len() {
                return Err(EnsembleError::State { lane, found, expected });
            }
        }
        let tokens: Vec<Vec<f64>> =
            state.tokens.iter().map(|lane| lane.iter().map(|&bits| f64::from_bits(bits)).collect()).collect();
        ensemble.tokens = side_by_side(&tokens.iter().map(Vec::as_slice).collect::<Vec<_>>());
        ensemble.steps = state.steps;
        ensemble.stationary = state.stationary;
        ensemble.finite = state.finite;
        Ok(ensemble)
    }
}

fn check(model: &Model, starts: &[Start], isa: Isa) -> Result<(), EnsembleError> {
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
    for (lane, start) in starts.iter().enumerate() {
        if start.tokens.len() != n * d {
            return Err(EnsembleError::Tokens { lane, found: start.tokens.len(), n, d });
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

/// The lanes' numbers as packs; unused lanes repeat lane 0.
fn side_by_side(lanes: &[&[f64]]) -> Vec<Pack> {
    let pack = |at: usize| Pack(std::array::from_fn(|lane| lanes.get(lane).unwrap_or(&lanes[0])[at]));
    (0..lanes[0].len()).map(pack).collect()
}

/// Bit l is set if all numbers of lane l are finite.
fn finite_lanes(lanes: &[&[f64]]) -> u8 {
    let finite = |lane: &[f64]| lane.iter().all(|x| x.is_finite());
    lanes.iter().enumerate().fold(0, |bits, (lane, numbers)| bits | u8::from(finite(numbers)) << lane)
}
