//! A cell made ready to compute: its model, what to watch, and where each replica starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use metasweep_dynamics::ensemble::Start;
use metasweep_dynamics::initial::Construction;
use metasweep_dynamics::model::{Geometry, Integrator, Mask, Model, Normalization, System};
use metasweep_dynamics::noise::{self, Noise};
use metasweep_dynamics::parameters::{Layers, Parameters};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::LANES;
use metasweep_metastability::scene::{LaneMask, lane_bit};
use metasweep_metastability::watch::Watch;

use crate::cell::{Cell, Value, steps_until};
use crate::choices;
use crate::families::{Drawn, space};
use crate::fitting::separation;
use crate::frozen;
use crate::moments::Moments;
use crate::recipe::Recipe;
use crate::resolve::texts;
use crate::seeds::{self, Sharing};
use crate::sweep::{Observe, Sweep};

/// A cell, ready.
pub(crate) struct Prepared<'a> {
    sweep: &'a Sweep,
    cell: &'a Cell,
    drawn: Drawn,
    construction: Construction,
    pub(crate) model: Model,
    pub(crate) watch: Arc<Watch>,
    source: Arc<Source>,
    /// The matrices of all replicas, where all have the same.
    shared: Option<Arc<Parameters>>,
}

impl<'a> Prepared<'a> {
    /// Makes a cell of the sweep ready.
    ///
    /// # Errors
    /// If matrices cannot be drawn; a parsed sweep has none such.
    pub(crate) fn new(sweep: &'a Sweep, cell: &'a Cell) -> Result<Self, String> {
        let texts = texts(&cell.parameters);
        let drawn = Drawn::parse(cell.text("initial"), &texts).map_err(|error| error.to_string())?;
        let construction = match cell.initial_construction.as_str() {
            "bartlett" => Construction::Bartlett,
            _ => Construction::Direct,
        };
        let mut model = model(cell);
        if let Some(text) = cell.get("frozen").text() {
            let files = |name: &str| sweep.inputs.get(name).map(|input| input.bytes.as_slice());
            let frozen = frozen::frozen(text).map_err(|error| error.to_string())?;
            model.frozen = frozen.tokens(model.d, model.geometry.is_unit(), &files)?;
        }
        let watch = Arc::new(watch(cell, &sweep.observe));
        let files: BTreeMap<String, Vec<u8>> = drawn
            .recipe
            .files()
            .into_iter()
            .filter_map(|name| sweep.inputs.get(&name).map(|input| (name, input.bytes.clone())))
            .collect();
        let source = Arc::new(Source {
            recipe: Recipe::parse(&texts).map_err(|error| error.to_string())?,
            files,
            seed: seed(cell),
            d: cell.d(),
            carried: model.d,
            sharing: cell.text("sharing").to_owned(),
            cell: cell.name.0.clone(),
        });
        let mut prepared = Prepared { sweep, cell, drawn, construction, model, watch, source, shared: None };
        let is_shared = !matches!(prepared.source.sharing(), Sharing::Replica | Sharing::Layer);
        if !prepared.drawn.recipe.is_random() || is_shared {
            prepared.shared = Some(Arc::new(prepared.source.draw(0, 0)?));
        }
        Ok(prepared)
    }

    /// Where a replica starts.
    ///
    /// # Errors
    /// If its tokens or matrices cannot be drawn.
    pub(crate) fn start(&self, replica: u32) -> Result<Start, String> {
        let parameters = match &self.shared {
            Some(shared) => Arc::clone(shared),
            None => Arc::new(self.source.draw(u64::from(replica), 0)?),
        };
        let layers = self.model.layered.then(|| -> Arc<dyn Layers> {
            Arc::new(ReplicaLayers { source: Arc::clone(&self.source), replica: u64::from(replica) })
        });
        let tokens = self.tokens(replica)?;
        Ok(Start {
            radius: self.cell.number("radius"),
            coupling: self.coupling(),
            frequencies: self.frequencies(replica)?,
            noise: self.noise(replica)?,
            layers,
            ..Start::new(self.cell.beta(), self.cell.step, tokens, parameters)
        })
    }

    /// Replicas computed side by side: as many as there are lanes, but where each has steps of its own.
    pub(crate) fn abreast(&self) -> u32 {
        if self.model.integrator.is_adaptive() { 1 } else { LANES as u32 }
    }

    /// The tolerance of adaptive steps.
    pub(crate) fn tolerance(&self) -> f64 {
        self.cell.number("tolerance")
    }

    /// The lanes whose tokens, and whose attention weights, are kept whole; `replicas` are the lanes' numbers.
    pub(crate) fn portraits(&self, replicas: &[u32]) -> (LaneMask, LaneMask) {
        let mask = |moments: Option<&Moments>| {
            let most = moments.map_or(0, |moments| moments.replicas);
            let asked = replicas.iter().enumerate().filter(|(_, replica)| **replica < most);
            asked.fold(0, |mask, (lane, _)| mask | lane_bit(lane))
        };
        let observe = &self.sweep.observe;
        (mask(observe.snapshots.as_ref()), mask(observe.attention.as_ref()))
    }

    fn tokens(&self, replica: u32) -> Result<Vec<f64>, String> {
        let (n, d) = (self.cell.n(), self.cell.d());
        if self.model.geometry == Geometry::Equiangular {
            let cosine = self.drawn.initial.common_cosine();
            return cosine
                .map(|cosine| vec![1.0 - cosine])
                .ok_or_else(|| "The tokens are not equiangular.".to_owned());
        }
        let key =
            seeds::initial_key(seeds::DRAWS, self.seed(), self.cell.text("initial"), n, d, self.construction);
        let mut stream = Stream::new(key, u64::from(replica));
        let space = space(self.cell.text("geometry"));
        self.drawn.initial.draw(n, d, self.construction, space, &mut stream, &|name| self.file(name))
    }

    /// K; 1 where none is given.
    fn coupling(&self) -> f64 {
        coupling(self.cell)
    }

    fn frequencies(&self, replica: u32) -> Result<Vec<f64>, String> {
        let Some(law) = self.cell.get("frequencies").text() else { return Ok(Vec::new()) };
        let n = self.cell.n();
        let key = seeds::frequencies_key(seeds::DRAWS, self.seed(), n, law);
        let law = choices::frequencies(law).map_err(|error| error.to_string())?;
        Ok(law.draw(n, &mut Stream::new(key, u64::from(replica))))
    }

    fn noise(&self, replica: u32) -> Result<Option<Noise>, String> {
        let Some(kappa) = self.cell.get("kappa").number() else { return Ok(None) };
        let (base, _) = noise::base(self.cell.step).ok_or("No Brownian path can be refined to this step.")?;
        let coordinates = self.model.places() / self.model.n;
        let key = seeds::noise_key(seeds::DRAWS, self.seed(), self.model.n, coordinates, base);
        Ok(Some(Noise { key, stream: u64::from(replica), kappa }))
    }

    fn seed(&self) -> i64 {
        seed(self.cell)
    }

    fn file(&self, name: &str) -> Option<&[u8]> {
        self.sweep.inputs.get(name).map(|input| input.bytes.as_slice())
    }
}

/// What matrices are drawn with. It owns all of that: layers are drawn while the ensemble runs.
#[derive(Debug)]
struct Source {
    recipe: Recipe,
    /// The files that it reads.
    files: BTreeMap<String, Vec<u8>>,
    seed: i64,
    /// As in the sweep file: part of the keys.
    d: usize,
    /// Scalar matrices are the same in the span of the tokens; others have no construction in it.
    carried: usize,
    sharing: String,
    cell: String,
}

impl Source {
    fn sharing(&self) -> Sharing<'_> {
        match self.sharing.as_str() {
            "cell" => Sharing::Cell(&self.cell),
            "sweep" => Sharing::Sweep,
            "layer" => Sharing::Layer,
            _ => Sharing::Replica,
        }
    }

    /// The matrices of a replica, and of one of its layers where they have their own.
    fn draw(&self, replica: u64, layer: u64) -> Result<Parameters, String> {
        let sharing = self.sharing();
        let stream = |purpose, family: &str, head| {
            let (seed, d) = (self.seed, self.d);
            let key = seeds::layer_matrix_key(seeds::DRAWS, seed, purpose, family, d, sharing, head, layer);
            Stream::new(key, sharing.stream(replica))
        };
        self.recipe.draw(self.carried, &stream, &|name| self.files.get(name).map(Vec::as_slice))
    }
}

/// The layers of one replica.
#[derive(Debug)]
struct ReplicaLayers {
    source: Arc<Source>,
    replica: u64,
}

impl Layers for ReplicaLayers {
    fn draw(&self, layer: u64) -> Result<Parameters, String> {
        self.source.draw(self.replica, layer)
    }
}

/// The master seed of a cell.
fn seed(cell: &Cell) -> i64 {
    match cell.get("seed") {
        Value::Integer(seed) => *seed,
        _ => 0,
    }
}

/// K of Kuramoto's model; 1 where none is given.
fn coupling(cell: &Cell) -> f64 {
    cell.get("coupling").number().unwrap_or(1.0)
}

/// The model of a cell. Its texts have been read before: those of another engine would be at their defaults here.
pub(crate) fn model(cell: &Cell) -> Model {
    let default = Model::new(cell.n(), cell.carried());
    Model {
        system: choices::system(cell.text("model")).unwrap_or(default.system),
        normalization: normalization(cell),
        mask: if cell.text("mask") == "causal" { Mask::Causal } else { Mask::Full },
        exclude_self: *cell.get("exclude_self") == Value::Boolean(true),
        masses: masses(cell),
        layered: cell.text("sharing") == "layer",
        geometry: match cell.text("geometry") {
            "circle" => Geometry::Circle,
            "euclidean" => Geometry::Euclidean,
            "rescaled" => Geometry::Rescaled,
            "equiangular" => Geometry::Equiangular,
            _ => Geometry::Sphere,
        },
        layer_norm: choices::layer_norm(cell.text("layer_norm")).unwrap_or(default.layer_norm),
        integrator: match cell.text("integrator") {
            "rk4" => Integrator::Rk4,
            "adaptive" => Integrator::Adaptive,
            "multiscale" => Integrator::Multiscale,
            "discrete" => Integrator::Discrete { residual: *cell.get("residual") != Value::Boolean(false) },
            _ => Integrator::ProjectedEuler,
        },
        ..default
    }
}

/// The masses of the tokens; empty if all are 1.
fn masses(cell: &Cell) -> Vec<f64> {
    let text = cell.get("weights").text();
    text.and_then(|text| frozen::masses(text).ok()).unwrap_or_default()
}

fn normalization(cell: &Cell) -> Normalization {
    match cell.text("normalization") {
        "unnormalized" => Normalization::Unnormalized,
        "hardmax" => Normalization::Hardmax,
        "sinkhorn" => Normalization::Sinkhorn,
        _ => Normalization::Softmax,
    }
}

/// What to record of the replicas of a cell.
pub(crate) fn watch(cell: &Cell, observe: &Observe) -> Watch {
    let normalization = normalization(cell);
    let beta = cell.beta();
    // One terminal relaxation time (docs/models.md).
    let relaxation = match normalization {
        Normalization::Softmax | Normalization::Hardmax | Normalization::Sinkhorn => 0.5,
        Normalization::Unnormalized => libm::exp(-beta) / 2.0,
    };
    let times_of = |moments: Option<&Moments>| moments.map_or(&[][..], |moments| &moments.times).to_vec();
    let (tokens_at, attention_at) =
        (times_of(observe.snapshots.as_ref()), times_of(observe.attention.as_ref()));
    let mut moments = Vec::new();
    if cell.is_adaptive() {
        moments = [&cell.sample[..], &tokens_at, &attention_at].concat();
        moments.retain(|t| *t <= cell.horizon());
        moments.sort_unstable_by(f64::total_cmp);
        moments.dedup();
    }
    // Where steps are adaptive, states are numbered after the moments (see `metasweep_metastability::lookout`).
    let state_at = |t: &f64| {
        if cell.is_adaptive() {
            2 * moments.partition_point(|moment| moment < t) as u64 + 1
        } else {
            steps_until(*t, cell.step)
        }
    };
    let speed = match model(cell).system {
        System::Attention => 1.0,
        System::Kuramoto => coupling(cell).abs(),
        System::MeanShift { .. } => beta,
    };
    let relaxation = if speed > 0.0 { relaxation / speed } else { relaxation };
    Watch {
        series: observe.series.clone(),
        deltas: observe.thresholds(cell),
        suffixes: observe.suffixes.clone(),
        samples: cell.sample.iter().map(state_at).collect(),
        steps: if cell.is_adaptive() { 1 } else { cell.steps() },
        step: if cell.is_adaptive() { cell.horizon() } else { cell.step },
        beta,
        masses: masses(cell),
        normalization,
        merges: observe.merges,
        plateaus: observe.plateaus,
        min_lifetime: observe.min_lifetime.unwrap_or(relaxation),
        final_state: observe.final_state,
        // A parsed sweep has one wherever centres are asked for.
        separation: separation(cell, observe).unwrap_or(f64::NAN),
        epsilon: observe.epsilon(),
        spaces: observe.spaces.clone(),
        tokens_at: tokens_at.iter().map(state_at).collect(),
        attention_at: attention_at.iter().map(state_at).collect(),
        histograms: observe.histograms.clone(),
        moments,
    }
}
