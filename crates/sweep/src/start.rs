//! A cell made ready to compute: its model, what to watch, and where each replica starts.

use std::sync::Arc;

use metasweep_dynamics::ENGINE;
use metasweep_dynamics::ensemble::Start;
use metasweep_dynamics::initial::Construction;
use metasweep_dynamics::matrices;
use metasweep_dynamics::model::{Geometry, Integrator, Mask, Model, Normalization, System};
use metasweep_dynamics::noise::{self, Noise};
use metasweep_dynamics::parameters::Parameters;
use metasweep_dynamics::random::Stream;
use metasweep_metastability::watch::Watch;

use crate::cell::{Cell, Value, steps_until};
use crate::choices;
use crate::families::{Drawn, space};
use crate::seeds::{self, Purpose, Sharing};
use crate::sweep::{Observe, Sweep};

/// A cell, ready.
pub(crate) struct Prepared<'a> {
    sweep: &'a Sweep,
    cell: &'a Cell,
    drawn: Drawn,
    construction: Construction,
    pub(crate) model: Model,
    pub(crate) watch: Arc<Watch>,
    /// The matrices of all replicas, where all have the same.
    shared: Option<Arc<Parameters>>,
}

impl<'a> Prepared<'a> {
    /// Makes a cell of the sweep ready.
    ///
    /// # Errors
    /// If matrices cannot be drawn; a parsed sweep has none such.
    pub(crate) fn new(sweep: &'a Sweep, cell: &'a Cell) -> Result<Self, String> {
        let drawn = Drawn::parse(cell.text("initial"), cell.text("value"), cell.text("query_key"))
            .map_err(|error| error.to_string())?;
        let construction = match cell.initial_construction.as_str() {
            "bartlett" => Construction::Bartlett,
            _ => Construction::Direct,
        };
        let model = model(cell);
        let watch = Arc::new(watch(cell, &sweep.observe));
        let mut prepared = Prepared { sweep, cell, drawn, construction, model, watch, shared: None };
        if !prepared.drawn.is_random() || prepared.sharing() != Sharing::Replica {
            prepared.shared = Some(Arc::new(prepared.matrices(0)?));
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
            None => Arc::new(self.matrices(replica)?),
        };
        let tokens = self.tokens(replica)?;
        Ok(Start {
            radius: self.cell.number("radius"),
            coupling: self.coupling(),
            frequencies: self.frequencies(replica)?,
            noise: self.noise(replica)?,
            ..Start::new(self.cell.beta(), self.cell.step, tokens, parameters)
        })
    }

    fn tokens(&self, replica: u32) -> Result<Vec<f64>, String> {
        let (n, d) = (self.cell.n(), self.cell.d());
        if self.model.geometry == Geometry::Equiangular {
            let cosine = self.drawn.initial.common_cosine();
            return cosine
                .map(|cosine| vec![1.0 - cosine])
                .ok_or_else(|| "The tokens are not equiangular.".to_owned());
        }
        let key = seeds::initial_key(ENGINE, self.seed(), self.cell.text("initial"), n, d, self.construction);
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
        let key = seeds::frequencies_key(ENGINE, self.seed(), n, law);
        let law = choices::frequencies(law).map_err(|error| error.to_string())?;
        Ok(law.draw(n, &mut Stream::new(key, u64::from(replica))))
    }

    fn noise(&self, replica: u32) -> Result<Option<Noise>, String> {
        let Some(kappa) = self.cell.get("kappa").number() else { return Ok(None) };
        let (base, _) = noise::base(self.cell.step).ok_or("No Brownian path can be refined to this step.")?;
        let coordinates = self.model.places() / self.model.n;
        let key = seeds::noise_key(ENGINE, self.seed(), self.model.n, coordinates, base);
        Ok(Some(Noise { key, stream: u64::from(replica), kappa }))
    }

    fn matrices(&self, replica: u32) -> Result<Parameters, String> {
        let sharing = self.sharing();
        let stream = |purpose, family: &str| {
            let key = seeds::matrix_key(ENGINE, self.seed(), purpose, family, self.cell.d(), sharing);
            Stream::new(key, sharing.stream(u64::from(replica)))
        };
        matrices::draw(
            &*self.drawn.value,
            &*self.drawn.query_key,
            // Scalar matrices are the same in the span; others have no construction in it.
            self.model.d,
            &mut stream(Purpose::Value, self.cell.text("value")),
            &mut stream(Purpose::QueryKey, self.cell.text("query_key")),
            &|name| self.file(name),
        )
    }

    fn sharing(&self) -> Sharing<'a> {
        match self.cell.text("sharing") {
            "cell" => Sharing::Cell(&self.cell.name.0),
            "sweep" => Sharing::Sweep,
            _ => Sharing::Replica,
        }
    }

    fn seed(&self) -> i64 {
        match self.cell.get("seed") {
            Value::Integer(seed) => *seed,
            _ => 0,
        }
    }

    fn file(&self, name: &str) -> Option<&[u8]> {
        self.sweep.inputs.get(name).map(|input| input.bytes.as_slice())
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
            "discrete" => Integrator::Discrete { residual: *cell.get("residual") != Value::Boolean(false) },
            _ => Integrator::ProjectedEuler,
        },
        ..default
    }
}

fn normalization(cell: &Cell) -> Normalization {
    if cell.text("normalization") == "unnormalized" {
        Normalization::Unnormalized
    } else {
        Normalization::Softmax
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
    let speed = match model(cell).system {
        System::Attention => 1.0,
        System::Kuramoto => coupling(cell).abs(),
        System::MeanShift { .. } => beta,
    };
    let relaxation = if speed > 0.0 { relaxation / speed } else { relaxation };
    Watch {
        series: observe.series.clone(),
        deltas: observe.deltas.clone(),
        suffixes: observe.suffixes.clone(),
        samples: cell.sample.iter().map(|t| steps_until(*t, cell.step)).collect(),
        steps: cell.steps(),
        step: cell.step,
        beta,
        normalization,
        merges: observe.merges,
        plateaus: observe.plateaus,
        min_lifetime: observe.min_lifetime.unwrap_or(relaxation),
    }
}
