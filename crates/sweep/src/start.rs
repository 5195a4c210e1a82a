//! A cell made ready to compute: its model, what to watch, and where each replica starts.

use std::sync::Arc;

use metasweep_dynamics::ENGINE;
use metasweep_dynamics::ensemble::Start;
use metasweep_dynamics::initial::Construction;
use metasweep_dynamics::matrices;
use metasweep_dynamics::model::{Geometry, Integrator, LayerNorm, Mask, Model, Normalization};
use metasweep_dynamics::parameters::Parameters;
use metasweep_dynamics::random::Stream;
use metasweep_metastability::scene::{LaneMask, lane_bit};
use metasweep_metastability::watch::Watch;

use crate::cell::{Cell, Value, steps_until};
use crate::families::Drawn;
use crate::fitting::{is_flat, separation};
use crate::moments::Moments;
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
        Ok(Start { beta: self.cell.beta(), step: self.cell.step, tokens, parameters })
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
        let key = seeds::initial_key(ENGINE, self.seed(), self.cell.text("initial"), n, d, self.construction);
        let mut stream = Stream::new(key, u64::from(replica));
        self.drawn.initial.draw(n, d, self.construction, &mut stream, &|name| self.file(name))
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

/// The model of a cell.
pub(crate) fn model(cell: &Cell) -> Model {
    Model {
        n: cell.n(),
        d: cell.carried(),
        normalization: normalization(cell),
        mask: if cell.text("mask") == "causal" { Mask::Causal } else { Mask::Full },
        geometry: Geometry::Sphere,
        layer_norm: LayerNorm::Post,
        integrator: if cell.text("integrator") == "rk4" {
            Integrator::Rk4
        } else {
            Integrator::ProjectedEuler
        },
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
        Normalization::Softmax => 0.5,
        Normalization::Unnormalized => libm::exp(-beta) / 2.0,
    };
    let states_at = |moments: Option<&Moments>| {
        let times = moments.map_or(&[][..], |moments| &moments.times);
        times.iter().map(|t| steps_until(*t, cell.step)).collect()
    };
    Watch {
        series: observe.series.clone(),
        deltas: observe.thresholds(cell),
        suffixes: observe.suffixes.clone(),
        samples: cell.sample.iter().map(|t| steps_until(*t, cell.step)).collect(),
        steps: cell.steps(),
        step: cell.step,
        beta,
        normalization,
        merges: observe.merges,
        plateaus: observe.plateaus,
        min_lifetime: observe.min_lifetime.unwrap_or(relaxation),
        flat: is_flat(cell),
        // A parsed sweep has one wherever centres are asked for.
        separation: separation(cell, observe).unwrap_or(f64::NAN),
        epsilon: observe.epsilons[0],
        spaces: observe.spaces.clone(),
        tokens_at: states_at(observe.snapshots.as_ref()),
        attention_at: states_at(observe.attention.as_ref()),
        histograms: observe.histograms.clone(),
    }
}
