//! Up to [`LANES`] replicas of one model, stepped together.
//!
//! The sweep puts the replicas of a chunk in here, the recorder reads the state after every step. Lanes never mix: a
//! replica's bits depend on its own start alone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::assembly::{Brownian, brownian, field};
pub use crate::attention::{Evaluation, MOST_IN_PAIRS, abreast_orders, pair_index, series_orders};
use crate::attention::{Gram, gather, room, weights};
use crate::cone;
pub use crate::ensemble_error::EnsembleError;
use crate::ensemble_error::check;
use crate::geometry::circle;
use crate::geometry::equiangular;
use crate::geometry::euclidean::Closeness;
use crate::geometry::rescaled;
use crate::integrators::{Clock, Integrator, Stage, VectorField, integrator};
use crate::model::{self, Geometry, Model};
use crate::parameters::{Head, Layers, Parameters};
use crate::simd::{Isa, LANES, Pack, dispatch};
pub use crate::start::Start;
use crate::turning::Turning;

/// Replicas in lanes. Unused lanes repeat lane 0 or stay as they were; they are never read.
pub struct Ensemble {
    model: Model,
    lanes: usize,
    isa: Isa,
    /// η of each lane, and what steps are taken with.
    eta: Pack,
    step: Pack,
    /// What moves: places of tokens, then radii. Behind where the tokens are [away](Turning::is_away).
    pub(crate) state: Vec<Pack>,
    turning: Option<Turning>,
    /// The tokens as observers see them, where they are not the state's places.
    shown: Vec<Pack>,
    /// The products of pairs, and behind them room that computing them takes. Allocated when it is first asked for.
    gram: Vec<Pack>,
    /// Whether `gram` is that of the tokens.
    gram_is_current: bool,
    field: Box<dyn VectorField>,
    integrator: Box<dyn Integrator>,
    noise: Option<Brownian>,
    /// β, the matrices and the layers of each lane, as they were given.
    given: Vec<Given>,
    stays_together: bool,
    steps: u64,
    /// One bit a lane.
    stationary: u8,
    finite: u8,
}

/// What a lane's weights are made of.
type Given = (f64, Arc<Parameters>, Option<Arc<dyn Layers>>);

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
        Self::evaluated(model, starts, isa, Evaluation::of(model.n, starts.len()))
    }

    /// The same, its sums over pairs evaluated in a given way: for comparisons. No choice changes a bit.
    ///
    /// # Errors
    /// As [`Ensemble::new`].
    pub fn evaluated(
        model: &Model,
        starts: &[Start],
        isa: Isa,
        evaluation: Evaluation,
    ) -> Result<Self, EnsembleError> {
        check(model, starts, isa)?;
        let field = field(model, starts, isa, evaluation)?;
        let tokens: Vec<&[f64]> = starts.iter().map(|start| start.tokens.as_slice()).collect();
        let mut state = side_by_side(&tokens);
        if model.geometry == Geometry::Circle {
            state = state.chunks_exact(2).map(circle::angle).collect();
        }
        let radius = gather(starts, |start| start.radius);
        state.extend(std::iter::repeat_n(radius, model.radii()));
        let eta = gather(starts, |start| start.step);
        let (n, d) = model.shown();
        let noise = brownian(model, starts)?;
        let integrator = integrator(model.integrator, state.len())?;
        let turns = integrator.turns() && noise.is_none() && field.turns();
        let mut ensemble = Self {
            turning: turns.then(|| Turning::new(&state, room(n, d))),
            lanes: starts.len(),
            isa,
            eta,
            step: field.scaled_step(&eta),
            shown: if model.places() == n * d { Vec::new() } else { vec![Pack::ZERO; n * d] },
            gram: Vec::new(),
            gram_is_current: false,
            field,
            integrator,
            noise,
            given: starts
                .iter()
                .map(|start| (start.beta, Arc::clone(&start.parameters), start.layers.clone()))
                .collect(),
            stays_together: cone::never_grows(model, starts),
            steps: 0,
            stationary: 0,
            finite: finite_lanes(&tokens),
            model: model.clone(),
            state,
        };
        ensemble.show();
        Ok(ensemble)
    }

    /// Brings the tokens that observers see up to date.
    fn show(&mut self) {
        match self.model.geometry {
            Geometry::Circle => circle::points(&self.state[..self.model.n], &mut self.shown, self.lanes),
            Geometry::Equiangular => equiangular::points(&self.state, &mut self.shown),
            Geometry::Sphere | Geometry::Euclidean | Geometry::Rescaled => {}
        }
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

    /// ⟨x_i, x_j⟩ of the current state for i < j, packed row by row (see [`pair_index`]); computed once per state. In R^d it
    /// is 1 − ‖x_i − x_j‖²/2, which is the same for unit vectors. It takes 32n(n − 1) bytes from the first call on: beyond
    /// [`MOST_IN_PAIRS`] tokens take products of the tokens.
    pub fn gram(&mut self) -> &[Pack] {
        if !self.gram_is_current {
            let (n, d) = self.model.shown();
            let (lanes, isa) = (self.lanes, self.isa);
            let away = self.turning.as_ref().is_some_and(Turning::is_away);
            let tokens = if self.shown.is_empty() { &self.state[..n * d] } else { &self.shown };
            let products = &mut self.gram;
            products.resize(room(n, d), Pack::ZERO);
            match self.model.geometry {
                Geometry::Euclidean | Geometry::Rescaled => {
                    dispatch(Closeness { tokens, n, d, lanes, products }, isa);
                }
                Geometry::Sphere | Geometry::Circle => {
                    let tokens = (!away).then_some(tokens);
                    dispatch(Gram { tokens, n, d, lanes, products }, isa);
                }
                Geometry::Equiangular => products[0] = Pack(self.state[0].0.map(|gap| 1.0 - gap)),
            }
            self.gram_is_current = true;
        }
        self.products()
    }

    /// Of the pairs of tokens alone.
    fn products(&self) -> &[Pack] {
        let (n, _) = self.model.shown();
        &self.gram[..n * (n - 1) / 2]
    }

    /// The tokens and their Gram matrix side by side, as [`tokens`](Self::tokens) and [`gram`](Self::gram) give them.
    pub fn state(&mut self) -> (&[Pack], &[Pack]) {
        self.gram();
        (self.tokens(), self.products())
    }

    /// The Gram matrix of the current state, if it has been computed (by [`gram`](Self::gram) or a step).
    #[must_use]
    pub fn known_gram(&self) -> Option<&[Pack]> {
        self.gram_is_current.then(|| self.products())
    }

    /// Whether a step begins with the Gram matrix of its state.
    #[must_use]
    pub fn uses_gram(&self) -> bool {
        self.field.uses_gram()
    }

    /// The matrices of one lane, and of the layer that the next step is, where every layer has its own.
    #[must_use]
    pub fn parameters(&self, lane: usize) -> Arc<Parameters> {
        let (_, parameters, layers) = &self.given[lane];
        match layers.as_ref().filter(|_| self.model.layered).map(|layers| layers.draw(self.steps)) {
            Some(Ok(drawn)) => Arc::new(drawn),
            _ => Arc::clone(parameters),
        }
    }

    /// `w_ij` of the current state of one lane: for each head n × n numbers, row-major, zero where the mask hides j from
    /// i (docs/models.md, weights). Frozen tokens have no columns here: what they take is missing from the sum of a row.
    /// Of rescaled tokens the scores are those of e^{tV} z_i. One definition written out, at n²d operations; the kernels
    /// never form it whole.
    #[must_use]
    pub fn attention_weights(&self, lane: usize) -> Vec<Vec<f64>> {
        let (beta, tokens) = (self.given[lane].0, self.lane_tokens(lane));
        let parameters = self.parameters(lane);
        let of = |head: &Head| {
            if self.model.geometry != Geometry::Rescaled {
                return weights(&self.model, beta, head, &tokens);
            }
            let layers = matches!(self.model.integrator, model::Integrator::Discrete { .. });
            let clock = Clock::at(self.steps, self.eta);
            let (points, scale) = rescaled::scored(&head.value, layers, &clock, lane, &tokens, self.model.d);
            weights(&self.model, beta * scale, head, &points)
        };
        parameters.heads.iter().map(of).collect()
    }

    /// The instructions it computes with.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The tokens, `[token][coordinate]`: as many of as many coordinates as [`Model::shown`] says.
    #[must_use]
    pub fn tokens(&self) -> &[Pack] {
        let (n, d) = self.model.shown();
        match &self.turning {
            Some(turning) if turning.is_away() => turning.packs(&self.gram, (n, d), self.lanes, self.isa),
            _ if self.shown.is_empty() => &self.state[..n * d],
            _ => &self.shown,
        }
    }

    /// The radii r_i; empty where the layer norm moves none.
    #[must_use]
    pub fn radii(&self) -> &[Pack] {
        &self.state[self.model.places()..]
    }

    /// The tokens of one lane, row-major.
    #[must_use]
    pub fn lane_tokens(&self, lane: usize) -> Vec<f64> {
        self.tokens().iter().map(|pack| pack.0[lane]).collect()
    }

    /// One step of every lane.
    pub fn step(&mut self) {
        // Tokens that turn do so from where the Gram matrix has set them apart.
        if self.field.uses_gram() || self.turning.as_ref().is_some_and(|turning| !turning.is_away()) {
            self.gram();
        }
        let noise = self.noise.as_mut().map(|noise| noise.kick(self.steps));
        let clock = Clock::at(self.steps, self.eta);
        let (field, gram) = (&mut *self.field, &mut self.gram);
        let landing = match &mut self.turning {
            Some(turning) => turning.step(gram, |gram, next| field.turn(&clock, gram, next, &self.step)),
            None => self.integrator.step(
                field,
                Stage {
                    clock,
                    state: &mut self.state,
                    gram: self.gram_is_current.then_some(gram),
                    step: self.step,
                    noise,
                    lanes: self.lanes,
                    isa: self.isa,
                },
            ),
        };
        self.gram_is_current = false;
        self.stationary = !landing.moved & landing.finite;
        if self.noise.is_some() || !self.model.is_autonomous() {
            // A state that did not move in this step may move in the next.
            self.stationary = 0;
        }
        self.finite = landing.finite;
        self.steps += 1;
        self.show();
    }

    /// Whether steps are taken in one pass, from attention vectors to landed tokens: of few tokens with V = c·I and B = b·I.
    #[must_use]
    pub fn turns(&self) -> bool {
        self.turning.is_some()
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

    /// Whether no step makes the smallest cosine of a state smaller, but for rounding errors, once it is positive: V = c·I with
    /// c ≥ 0, tokens on the sphere, steps of `projected_euler` or layers, no noise (P0, proof of Lemma 4.2).
    #[must_use]
    pub fn stays_together(&self) -> bool {
        self.stays_together
    }

    /// What a checkpoint needs.
    #[must_use]
    pub fn save(&self) -> EnsembleState {
        let used = u8::MAX >> (LANES - self.lanes);
        let state = if self.turning.is_some() { self.tokens() } else { &self.state };
        EnsembleState {
            tokens: (0..self.lanes)
                .map(|lane| state.iter().map(|pack| pack.0[lane].to_bits()).collect())
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
        let expected = ensemble.state.len();
        for lane in 0..starts.len().max(state.tokens.len()) {
            let found = state.tokens.get(lane).map_or(0, Vec::len);
            if found != expected || lane >= starts.len() {
                return Err(EnsembleError::State { lane, found, expected });
            }
        }
        let tokens: Vec<Vec<f64>> =
            state.tokens.iter().map(|lane| lane.iter().map(|&bits| f64::from_bits(bits)).collect()).collect();
        ensemble.state = side_by_side(&tokens.iter().map(Vec::as_slice).collect::<Vec<_>>());
        ensemble.steps = state.steps;
        ensemble.stationary = state.stationary;
        ensemble.finite = state.finite;
        ensemble.show();
        Ok(ensemble)
    }
}

/// The lanes' numbers as packs; unused lanes repeat lane 0.
pub(crate) fn side_by_side(lanes: &[&[f64]]) -> Vec<Pack> {
    let pack = |at: usize| Pack(std::array::from_fn(|lane| lanes.get(lane).unwrap_or(&lanes[0])[at]));
    (0..lanes[0].len()).map(pack).collect()
}

/// Bit l is set if all numbers of lane l are finite.
fn finite_lanes(lanes: &[&[f64]]) -> u8 {
    let finite = |lane: &[f64]| lane.iter().all(|x| x.is_finite());
    lanes.iter().enumerate().fold(0, |bits, (lane, numbers)| bits | u8::from(finite(numbers)) << lane)
}
