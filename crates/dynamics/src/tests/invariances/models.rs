//! Random members of every model that there is: the table that the invariances beside it run over.
//!
//! [`combinations`] are all choices of system, geometry, normalization, mask, layer norm and integrator that docs/models.md
//! allows together, with noise where there can be noise; [`furnish`] adds what else a model may have (masses, frozen tokens,
//! heads, matrices of every kind, a feed-forward layer), β in [0, 12], n ≤ 10 and d ≤ 6 at random.

use std::sync::Arc;

use super::super::support::{LAYER_NORMS, MASKS, Random, with_feed_forward};
use crate::ensemble::Start;
use crate::model::{Frozen, Geometry, Integrator, LayerNorm, Mask, Model, Normalization, System};
use crate::noise::Noise;
use crate::parameters::{Activation, Operator, Parameters, QueryKey};

/// One model with one start.
#[derive(Clone, Debug)]
pub struct Case {
    pub model: Model,
    pub start: Start,
}

/// Choices without a size, and whether there is noise.
#[derive(Clone, Debug)]
pub struct Choice {
    pub model: Model,
    pub is_noisy: bool,
}

pub const NORMALIZATIONS: [Normalization; 4] =
    [Normalization::Softmax, Normalization::Unnormalized, Normalization::Hardmax, Normalization::Sinkhorn];
const SYSTEMS: [System; 4] = [
    System::Attention,
    System::Kuramoto,
    System::MeanShift { blurring: false },
    System::MeanShift { blurring: true },
];
const GEOMETRIES: [Geometry; 5] =
    [Geometry::Sphere, Geometry::Circle, Geometry::Euclidean, Geometry::Rescaled, Geometry::Equiangular];
const INTEGRATORS: [Integrator; 4] = [
    Integrator::ProjectedEuler,
    Integrator::Rk4,
    Integrator::Discrete { residual: true },
    Integrator::Discrete { residual: false },
];
const FORGETFUL: Integrator = Integrator::Discrete { residual: false };

/// Whether docs/models.md ("What goes together") allows this combination, everything else at its default.
fn exists(model: &Model, is_noisy: bool) -> bool {
    let Model { system, geometry, normalization, mask, layer_norm, integrator, .. } = *model;
    let on_sphere = matches!(geometry, Geometry::Sphere | Geometry::Circle);
    let fits_system = match system {
        System::Attention => true,
        System::Kuramoto => geometry == Geometry::Circle && layer_norm == LayerNorm::Post,
        System::MeanShift { .. } => {
            on_sphere
                && layer_norm == LayerNorm::Post
                && normalization == Normalization::Softmax
                && mask == Mask::Full
        }
    };
    let fits_geometry = match geometry {
        Geometry::Sphere => true,
        Geometry::Circle => integrator != Integrator::ProjectedEuler && integrator != FORGETFUL,
        Geometry::Euclidean => integrator != Integrator::ProjectedEuler && layer_norm == LayerNorm::Post,
        Geometry::Rescaled => {
            !is_noisy
                && integrator != Integrator::ProjectedEuler
                && integrator != FORGETFUL
                && layer_norm == LayerNorm::Post
        }
        Geometry::Equiangular => {
            !is_noisy
                && integrator != Integrator::ProjectedEuler
                && integrator != FORGETFUL
                && mask == Mask::Full
        }
    };
    let fits_noise = !is_noisy || (integrator != Integrator::Rk4 && !layer_norm.has_radius());
    let fits_weights = match normalization {
        Normalization::Softmax | Normalization::Unnormalized => true,
        Normalization::Hardmax => integrator != Integrator::Rk4,
        Normalization::Sinkhorn => mask == Mask::Full,
    };
    fits_system && fits_geometry && fits_noise && fits_weights
}

/// Every combination of choices that exists.
pub fn combinations() -> Vec<Choice> {
    let mut all = Vec::new();
    for (system, geometry) in SYSTEMS.iter().flat_map(|system| GEOMETRIES.map(|geometry| (*system, geometry)))
    {
        for (normalization, mask) in NORMALIZATIONS.iter().flat_map(|one| MASKS.map(|mask| (*one, mask))) {
            for layer_norm in [LayerNorm::Post].into_iter().chain(LAYER_NORMS) {
                for (integrator, is_noisy) in INTEGRATORS.iter().flat_map(|one| [(*one, false), (*one, true)])
                {
                    let model = Model {
                        system,
                        normalization,
                        mask,
                        geometry,
                        layer_norm,
                        integrator,
                        ..Model::new(1, 2)
                    };
                    if exists(&model, is_noisy) {
                        all.push(Choice { model, is_noisy });
                    }
                }
            }
        }
    }
    all
}

/// `count` random members of every combination for which `has` says yes.
pub fn cases(seed: u64, count: usize, has: impl Fn(&Choice) -> bool) -> Vec<Case> {
    let mut random = Random(seed);
    let mut cases = Vec::new();
    for choice in combinations().iter().filter(|choice| has(choice)) {
        for _ in 0..count {
            cases.push(furnish(choice, &mut random));
        }
    }
    assert!(!cases.is_empty(), "no model has it");
    cases
}

/// Whether an event of this probability happens.
pub fn chance(random: &mut Random, probability: f64) -> bool {
    random.uniform() < probability
}

fn below(random: &mut Random, bound: usize) -> usize {
    (random.bits() % bound as u64) as usize
}

/// A random member of a combination.
fn furnish(choice: &Choice, random: &mut Random) -> Case {
    let mut model = choice.model.clone();
    let is_equiangular = model.geometry == Geometry::Equiangular;
    model.n = if is_equiangular { 2 + below(random, 5) } else { 1 + below(random, 10) };
    model.d = match model.geometry {
        Geometry::Circle => 2,
        Geometry::Equiangular => model.n,
        Geometry::Sphere => 2 + below(random, 5),
        Geometry::Euclidean | Geometry::Rescaled => 1 + below(random, 6),
    };
    let (n, d) = (model.n, model.d);
    let is_sinkhorn = model.normalization == Normalization::Sinkhorn;
    if !is_equiangular && chance(random, 0.3) {
        model.masses = (0..n).map(|_| 0.5 + random.uniform()).collect();
    }
    let may_freeze = !is_equiangular && !is_sinkhorn && model.geometry != Geometry::Rescaled;
    if may_freeze && chance(random, 0.3) {
        let m = 1 + below(random, 3);
        let weights = (0..m).map(|_| 1.0 + 3.0 * random.uniform()).collect();
        model.frozen = Frozen { points: random.sphere(m, d), weights };
    }
    let can_look_away = (n > 1 && model.mask == Mask::Full) || !model.frozen.weights.is_empty();
    let can_share_out = !is_sinkhorn || (n > 3 && model.masses.is_empty());
    model.exclude_self = can_look_away && can_share_out && chance(random, 0.25);
    let parameters = parameters(&model, random);
    let beta = if chance(random, 0.1) { 0.0 } else { 12.0 * random.uniform() * random.uniform() };
    let tokens = match model.geometry {
        Geometry::Equiangular => vec![0.05 + random.uniform()],
        Geometry::Euclidean | Geometry::Rescaled => (0..n * d).map(|_| 0.7 * random.normal()).collect(),
        Geometry::Sphere | Geometry::Circle => random.sphere(n, d),
    };
    let mut start = Start::new(beta, 0.0, tokens, parameters);
    start.radius = 0.5 + random.uniform();
    if model.system == System::Kuramoto {
        start.coupling = random.normal();
        start.frequencies = (0..n).map(|_| random.normal()).collect();
    }
    if choice.is_noisy {
        start.noise = Some(Noise { key: [11; 32], stream: random.bits(), kappa: 1.0 + random.uniform() });
    }
    let mut case = Case { model, start };
    case.settle();
    if model_switches(&case.model) {
        // Half of the runs are before the switch, at a step's beginning.
        case.model.layer_norm = LayerNorm::Mix { switch: 2.0 * case.start.step };
    }
    case
}

fn model_switches(model: &Model) -> bool {
    matches!(model.layer_norm, LayerNorm::Mix { .. })
}

/// Matrices that the model may have.
fn parameters(model: &Model, random: &mut Random) -> Arc<Parameters> {
    if model.system != System::Attention || model.geometry == Geometry::Equiangular {
        return super::super::support::identity();
    }
    let heads =
        if model.geometry == Geometry::Rescaled || chance(random, 0.6) { 1 } else { 2 + below(random, 2) };
    let kinds: Vec<(usize, usize)> = (0..heads).map(|_| (below(random, 6), below(random, 3))).collect();
    let parameters = random.parameters(&kinds, model.d);
    if model.geometry == Geometry::Rescaled || chance(random, 0.8) {
        return parameters;
    }
    let activation = [Activation::Relu, Activation::Tanh, Activation::Gelu][below(random, 3)];
    let kind = below(random, 3);
    with_feed_forward(random, &parameters, activation, kind, model.d)
}

/// A bound of ‖M‖.
fn size(operator: &Operator, d: usize) -> f64 {
    match operator {
        Operator::Scalar(c) => c.abs(),
        Operator::Diagonal(entries) => entries.iter().fold(0.0, |most, entry| entry.abs().max(most)),
        Operator::Dense(matrix) => matrix.norm().max(1.0 / d as f64),
    }
}

impl Case {
    /// The largest length of what tokens look at.
    fn reach(&self) -> f64 {
        if self.model.geometry.is_unit() {
            return 1.0;
        }
        let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let points = self.start.tokens.chunks(self.model.d).map(length);
        // Tokens of R^d grow by half at most in the runs of these tests.
        1.5 * points.fold(1.0, f64::max)
    }

    /// A bound of the modulus of every score.
    pub fn largest_score(&self) -> f64 {
        let reach = self.reach();
        let form = |query_key: &QueryKey| match query_key {
            QueryKey::Joint(operator) => size(operator, self.model.d),
            QueryKey::Factored { query, key } => query.norm() * key.norm(),
        };
        let forms = self.start.parameters.heads.iter().map(|head| form(&head.query_key));
        self.start.beta * reach * reach * forms.fold(0.0, f64::max)
    }

    /// A bound of the Lipschitz constant of the right side, in order of magnitude: the largest speed times 1 + the largest score.
    pub fn rate(&self) -> f64 {
        let Self { model, start } = self;
        let values: f64 = start.parameters.heads.iter().map(|head| size(&head.value, model.d)).sum();
        let score = self.largest_score();
        let weight = if model.normalization == Normalization::Unnormalized { libm::exp(score) } else { 1.0 };
        let mut speed = weight * values * self.reach();
        if let Some(layer) = &start.parameters.feed_forward {
            let bias = layer.bias.iter().map(|b| b * b).sum::<f64>().sqrt();
            speed = 2.0 * size(&layer.weight, model.d) * (speed + bias);
        }
        speed = match model.system {
            System::Attention => speed,
            System::Kuramoto => {
                start.coupling.abs() * speed + start.frequencies.iter().fold(0.0, |most, w| w.abs().max(most))
            }
            System::MeanShift { .. } => start.beta * speed,
        };
        speed = match model.layer_norm {
            LayerNorm::Post | LayerNorm::Sqrt => speed,
            LayerNorm::Pre | LayerNorm::Mix { .. } => speed * (1.0 + 1.0 / start.radius),
            LayerNorm::Peri => 1.0 + 1.0 / start.radius,
            LayerNorm::Ngpt { alpha } => alpha,
        };
        (speed * (1.0 + score)).max(0.1)
    }

    /// Whether a layer forgets where its tokens were; its step has no length.
    pub fn forgets(&self) -> bool {
        self.model.integrator == FORGETFUL
    }

    /// Chooses a step that the flow does not outrun. Brownian paths cannot be refined without end: where there is noise, β is made
    /// small enough for a step of 1e-5.
    pub fn settle(&mut self) {
        while self.start.noise.is_some() && self.rate() > 1e4 {
            self.start.beta *= 0.7;
        }
        self.start.step = if self.forgets() { 1.0 } else { 0.1 / self.rate() };
    }

    /// A short name for messages.
    pub fn name(&self) -> String {
        let Model { n, d, system, geometry, normalization, mask, layer_norm, integrator, .. } = &self.model;
        let furniture =
            (!self.model.masses.is_empty(), self.model.frozen.weights.len(), self.model.exclude_self);
        format!(
            "{system:?} {geometry:?} {normalization:?} {mask:?} {layer_norm:?} {integrator:?}, n = {n}, d = {d}, β = {}, \
             (masses, frozen, exclude_self) = {furniture:?}, {:?}",
            self.start.beta, self.start.parameters
        )
    }
}
