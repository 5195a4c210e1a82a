//! Random but reproducible models, matrices and starts.

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::ensemble::{Ensemble, Start};
use crate::model::{Frozen, Geometry, Integrator, LayerNorm, Mask, Model, Normalization, System};
use crate::noise::Noise;
use crate::parameters::{Activation, FeedForward, Head, Operator, Parameters, QueryKey};
use crate::simd::Isa;

/// SplitMix64: enough randomness for a test.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
    /// Roughly normal.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
    pub fn matrix(&mut self, rows: usize, columns: usize, size: f64) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |_, _| size * self.normal())
    }
    /// n unit vectors in R^d.
    pub fn sphere(&mut self, n: usize, d: usize) -> Vec<f64> {
        let mut tokens = Vec::new();
        for _ in 0..n {
            let x: Vec<f64> = (0..d).map(|_| self.normal()).collect();
            let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
            tokens.extend(x.iter().map(|x| x / length));
        }
        tokens
    }
    /// An operator of kind 0 scalar, 1 diagonal, 2 dense.
    pub fn operator(&mut self, kind: usize, d: usize) -> Operator {
        match kind {
            0 => Operator::Scalar(self.normal()),
            1 => Operator::Diagonal((0..d).map(|_| self.normal()).collect()),
            _ => Operator::Dense(self.matrix(d, d, 1.0 / (d as f64).sqrt())),
        }
    }
    /// Parameters with one head per pair of kinds; query-key kind 3 is factored, 4 is b ≥ 0 and 5 is b < 0.
    pub fn parameters(&mut self, kinds: &[(usize, usize)], d: usize) -> Arc<Parameters> {
        let heads = kinds
            .iter()
            .map(|&(query_key, value)| Head {
                query_key: match query_key {
                    3 => QueryKey::Factored {
                        query: self.matrix(d + 1, d, 1.0 / (d as f64).sqrt()),
                        key: self.matrix(d + 1, d, 1.0 / (d as f64).sqrt()),
                    },
                    4 => QueryKey::Joint(Operator::Scalar(self.uniform())),
                    5 => QueryKey::Joint(Operator::Scalar(-self.uniform())),
                    kind => QueryKey::Joint(self.operator(kind, d)),
                },
                value: self.operator(value, d),
            })
            .collect();
        Arc::new(Parameters::new(heads))
    }
}

/// The same heads behind a feed-forward layer, whose w is of this kind.
pub fn with_feed_forward(
    random: &mut Random,
    parameters: &Parameters,
    activation: Activation,
    kind: usize,
    d: usize,
) -> Arc<Parameters> {
    let bias = if kind == 1 { Vec::new() } else { (0..d).map(|_| 0.3 * random.normal()).collect() };
    let feed_forward = Some(FeedForward { activation, weight: random.operator(kind, d), bias });
    Arc::new(Parameters { feed_forward, ..parameters.clone() })
}

/// V = B = I.
pub fn identity() -> Arc<Parameters> {
    scalar(1.0, 1.0)
}

/// One head with B = b·I, V = c·I.
pub fn scalar(b: f64, c: f64) -> Arc<Parameters> {
    let query_key = QueryKey::Joint(Operator::Scalar(b));
    Arc::new(Parameters::new(vec![Head { query_key, value: Operator::Scalar(c) }]))
}

pub fn model(n: usize, d: usize, normalization: Normalization, mask: Mask, integrator: Integrator) -> Model {
    Model { normalization, mask, integrator, ..Model::new(n, d) }
}

pub const NORMALIZATIONS: [Normalization; 2] = [Normalization::Softmax, Normalization::Unnormalized];
pub const MASKS: [Mask; 2] = [Mask::Full, Mask::Causal];
pub const INTEGRATORS: [Integrator; 2] = [Integrator::ProjectedEuler, Integrator::Rk4];

/// Every normalization, mask and integrator.
pub fn models(n: usize, d: usize) -> Vec<Model> {
    let mut models = Vec::new();
    for normalization in NORMALIZATIONS {
        for mask in MASKS {
            for integrator in INTEGRATORS {
                models.push(model(n, d, normalization, mask, integrator));
            }
        }
    }
    models
}

/// Models whose weights the plain kernels do not know: every normalization, mask and integrator that there is with each
/// way to furnish them.
pub fn furnished(random: &mut Random, n: usize, d: usize) -> Vec<Model> {
    let masses: Vec<f64> = (0..n).map(|_| 0.5 + random.uniform()).collect();
    let frozen = Frozen { points: random.sphere(3, d), weights: vec![1.0, 2.5, 1.25] };
    let mut models = Vec::new();
    for integrator in INTEGRATORS {
        for normalization in [Normalization::Softmax, Normalization::Unnormalized, Normalization::Hardmax] {
            for mask in MASKS {
                let plain = model(n, d, normalization, mask, integrator);
                if normalization == Normalization::Hardmax {
                    models.push(plain.clone());
                }
                models.push(Model { masses: masses.clone(), ..plain.clone() });
                models.push(Model { frozen: frozen.clone(), exclude_self: true, ..plain.clone() });
                if mask == Mask::Full && n > 1 {
                    models.push(Model { exclude_self: true, masses: masses.clone(), ..plain });
                }
            }
        }
        let plain = model(n, d, Normalization::Sinkhorn, Mask::Full, integrator);
        models.push(plain.clone());
        models.push(Model { masses: masses.clone(), ..plain.clone() });
        if n > 2 {
            models.push(Model { exclude_self: true, ..plain });
        }
    }
    models
}

/// [`models`], and every other geometry, layer norm and system, with the integrators that they go with.
pub fn all_models(n: usize, d: usize) -> Vec<Model> {
    let mut models = models(n, d);
    let layers = Integrator::Discrete { residual: true };
    let forgetful = Integrator::Discrete { residual: false };
    let on = |geometry, integrator| Model { geometry, integrator, ..Model::new(n, d) };
    for geometry in [Geometry::Euclidean, Geometry::Rescaled, Geometry::Sphere] {
        models.extend([on(geometry, layers), on(geometry, Integrator::Rk4)]);
    }
    models.extend([on(Geometry::Sphere, forgetful), on(Geometry::Euclidean, forgetful)]);
    for layer_norm in LAYER_NORMS {
        for integrator in [Integrator::ProjectedEuler, Integrator::Rk4] {
            models.push(Model { layer_norm, ..on(Geometry::Sphere, integrator) });
            models.push(Model { layer_norm, ..on(Geometry::Equiangular, integrator) });
        }
        let normalization = Normalization::Unnormalized;
        models.push(Model { normalization, layer_norm, ..on(Geometry::Sphere, Integrator::Rk4) });
    }
    for blurring in [false, true] {
        models
            .push(Model { system: System::MeanShift { blurring }, ..on(Geometry::Sphere, Integrator::Rk4) });
    }
    if d == 2 {
        for normalization in NORMALIZATIONS {
            for integrator in [Integrator::Rk4, layers] {
                let circle = Model { normalization, ..on(Geometry::Circle, integrator) };
                models.push(Model { layer_norm: LayerNorm::Pre, ..circle.clone() });
                models.push(Model { system: System::Kuramoto, ..circle.clone() });
                models.push(circle);
            }
        }
    }
    models
}

/// Layer norms, each with an argument where it takes one.
pub const LAYER_NORMS: [LayerNorm; 5] = [
    LayerNorm::Pre,
    LayerNorm::Mix { switch: 0.15 },
    LayerNorm::Peri,
    LayerNorm::Ngpt { alpha: 0.7 },
    LayerNorm::Sqrt,
];

/// A start of `model` from one of attention on the sphere: what the model needs besides is made up.
pub fn suited(start: &Start, model: &Model, random: &mut Random) -> Start {
    let mut start = start.clone();
    let n = model.n;
    start.radius = 0.5 + random.uniform();
    start.coupling = random.normal();
    start.frequencies = (0..n).map(|_| random.normal()).collect();
    if model.geometry == Geometry::Equiangular {
        start.tokens = vec![random.uniform()];
    }
    let noisy = !matches!(model.geometry, Geometry::Rescaled | Geometry::Equiangular);
    if noisy
        && model.integrator != Integrator::Rk4
        && !model.layer_norm.has_radius()
        && random.uniform() < 0.5
    {
        start.noise = Some(Noise { key: [7; 32], stream: random.bits(), kappa: 1.0 + random.uniform() });
    }
    start
}

/// Kinds of (query-key, value) heads: every kind of each, alone and together.
pub const HEADS: [&[(usize, usize)]; 8] = [
    &[(4, 0)],
    &[(5, 0)],
    &[(4, 2)],
    &[(1, 1)],
    &[(2, 0)],
    &[(3, 2)],
    &[(4, 0), (4, 0)],
    &[(4, 1), (2, 0), (5, 2)],
];

pub fn ensemble(model: &Model, starts: &[Start], isa: Isa) -> Ensemble {
    Ensemble::new(model, starts, isa).expect("the test's starts are valid")
}

/// All instructions; those this machine lacks are said to be left out.
pub fn instructions() -> Vec<Isa> {
    let all = [Isa::Portable, Isa::PortableNarrow, Isa::PortableWide, Isa::Avx2, Isa::Avx512];
    let (available, missing): (Vec<_>, Vec<_>) = all.into_iter().partition(|isa| isa.is_available());
    for isa in missing {
        println!("not run: this machine has no {}", isa.name());
    }
    available
}
