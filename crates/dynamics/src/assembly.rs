//! A model's choices made into what computes it: the right side of its equation, and its noise. [`crate::ensemble`] calls it once
//! for each ensemble.

use crate::attention::{Attention, Evaluation, gather};
use crate::ensemble::{Start, side_by_side};
use crate::ensemble_error::EnsembleError;
use crate::geometry::circle::{Circle, Rotors};
use crate::geometry::equiangular::Equiangular;
use crate::geometry::euclidean::Euclidean;
use crate::geometry::rescaled::Rescaled;
use crate::geometry::sphere::Sphere;
use crate::integrators::{VectorField, keeps_self_term};
use crate::layer_norm::scheme;
use crate::model::{Geometry, Integrator, Mask, Model, Normalization, System};
use crate::noise::Path;
use crate::simd::{Isa, Pack};

/// Whether there are such weights.
pub(crate) fn check_weights(model: &Model) -> Result<(), EnsembleError> {
    let Model { n, d, masses, frozen, .. } = model;
    let positive = |masses: &[f64]| masses.iter().all(|mass| *mass > 0.0 && mass.is_finite());
    if !(masses.is_empty() || masses.len() == *n) || !positive(masses) {
        return Err(EnsembleError::Masses { found: masses.len(), n: *n });
    }
    let (weights, numbers) = (frozen.weights.len(), frozen.points.len());
    if numbers != weights * d || !positive(&frozen.weights) {
        return Err(EnsembleError::Frozen { weights, numbers, d: *d });
    }
    let is_sinkhorn = model.normalization == Normalization::Sinkhorn;
    let alone = *n == 1 || model.mask == Mask::Causal;
    let reason = if model.exclude_self && alone && weights == 0 {
        "without itself the first token sees none"
    } else if is_sinkhorn && model.mask == Mask::Causal {
        "the only doubly stochastic matrix below the diagonal is the identity"
    } else if is_sinkhorn && weights > 0 {
        "a doubly stochastic matrix is square, and frozen tokens have no rows"
    } else if is_sinkhorn && model.exclude_self && !crate::attention::has_plan_without_self(masses) {
        "one token has at least the mass of all others together, which it cannot share out among them"
    } else {
        return Ok(());
    };
    Err(EnsembleError::Weights(reason))
}

/// The right side of the model.
pub(crate) fn field(
    model: &Model,
    starts: &[Start],
    isa: Isa,
    evaluation: Evaluation,
) -> Result<Box<dyn VectorField>, EnsembleError> {
    let Model { n, d, geometry, layer_norm, .. } = *model;
    let lanes = starts.len();
    if geometry == Geometry::Equiangular {
        let (n, beta) = (n as f64, gather(starts, |start| start.beta));
        let (normalization, exclude_self) = (model.normalization, model.exclude_self);
        let equiangular = Equiangular { n, beta, normalization, exclude_self, layer_norm, lanes, isa };
        return Ok(Box::new(equiangular));
    }
    let keeps_self_term = match geometry {
        Geometry::Sphere => keeps_self_term(model.integrator) || layer_norm.needs_whole_attention(),
        Geometry::Circle => layer_norm.needs_whole_attention(),
        Geometry::Euclidean | Geometry::Rescaled | Geometry::Equiangular => true,
    };
    let is_fixed = model.system == (System::MeanShift { blurring: false });
    let attention = Attention::new(model, starts, keeps_self_term || is_fixed, isa, evaluation)?;
    let tokens: Vec<&[f64]> = starts.iter().map(|start| start.tokens.as_slice()).collect();
    let sphere = |attention| Sphere {
        attention,
        layer_norm: scheme(layer_norm),
        speed: matches!(model.system, System::MeanShift { .. }).then(|| gather(starts, |start| start.beta)),
        targets: is_fixed.then(|| side_by_side(&tokens)),
        is_normalized: layer_norm.is_normalized(),
        n,
        d,
        lanes,
        isa,
    };
    Ok(match geometry {
        Geometry::Circle => {
            let rotors = (model.system == System::Kuramoto).then(|| Rotors {
                coupling: gather(starts, |start| start.coupling),
                frequencies: (0..n)
                    .map(|i| gather(starts, |start| start.frequencies.get(i).copied().unwrap_or(0.0)))
                    .collect(),
            });
            Box::new(Circle::new(sphere(attention), rotors, model.radii()))
        }
        Geometry::Euclidean => Box::new(Euclidean { attention, lanes, isa }),
        Geometry::Rescaled => {
            let layers = matches!(model.integrator, Integrator::Discrete { .. });
            Box::new(Rescaled::new(attention, starts, layers, n, d, isa)?)
        }
        Geometry::Sphere | Geometry::Equiangular => Box::new(sphere(attention)),
    })
}

/// The paths of all lanes, if there is noise: in all of them.
pub(crate) fn brownian(model: &Model, starts: &[Start]) -> Result<Option<Brownian>, EnsembleError> {
    let Some(_) = &starts[0].noise else {
        let noisy = starts.iter().position(|start| start.noise.is_some());
        return match noisy {
            Some(lane) => Err(EnsembleError::Noise { lane, step: starts[lane].step }),
            None => Ok(None),
        };
    };
    let places = model.places();
    let mut brownian = Brownian { paths: Vec::new(), size: Vec::new(), kick: vec![Pack::ZERO; places] };
    for (lane, start) in starts.iter().enumerate() {
        let out_of_range = EnsembleError::Noise { lane, step: start.step };
        let noise = start.noise.as_ref().ok_or(out_of_range.clone())?;
        brownian.paths.push(Path::new(noise, places, start.step).ok_or(out_of_range)?);
        brownian.size.push((2.0 / noise.kappa).sqrt());
    }
    Ok(Some(brownian))
}

/// The noise of all lanes.
pub(crate) struct Brownian {
    paths: Vec<Path>,
    /// √(2/κ) of each lane.
    size: Vec<f64>,
    /// What the current step adds to the places.
    kick: Vec<Pack>,
}

impl Brownian {
    /// What step number `step` adds.
    pub(crate) fn kick(&mut self, step: u64) -> &[Pack] {
        for (lane, path) in self.paths.iter_mut().enumerate() {
            for (kick, increment) in self.kick.iter_mut().zip(path.increment(step)) {
                kick.0[lane] = self.size[lane] * increment;
            }
        }
        &self.kick
    }
}
