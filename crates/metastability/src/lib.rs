//! Observables and statistics of one replica: what the particle systems of `metasweep-dynamics` show.
//!
//! A [`recorder::Recorder`] watches an ensemble, state after state, as a [`watch::Watch`] asks, and leaves one
//! [`record::ReplicaRecord`] a lane. [`theory`] holds the papers' formulas that simulations are compared with.
//!
//! | what | definition | where |
//! |---|---|---|
//! | series | one number a state: clusters, pair fraction, energy, … | [`observables`] |
//! | collapse time | first t with min_ij ⟨x_i, x_j⟩ ≥ 1 − δ, right-censored at the horizon | [`collapse`] |
//! | pairs | of a state, kept or formed from many tokens | [`pairs`], [`apart`] |
//! | plateaus | maximal intervals of one resolved partition | [`plateaus`] |
//! | merges | clusters becoming one, with hysteresis | [`merges`] |
//! | adaptive steps | which states a recorder has to see | [`lookout`] |
//! | portraits | tokens and attention weights of some replicas, whole | [`portraits`] |
//! | histograms | inner products, azimuths | [`histogram`] |
//! | what is fixed at t = 0 | Rényi centres, leading eigenspaces | [`fixed`], [`renyi`], [`spectrum`] |
//! | hemisphere | is there a w with ⟨w, x_i(0)⟩ > 0 for all i? | [`hemisphere`] |
//!
//! Every state is looked at with one pass of SIMD kernels over the Gram matrix ([`adjacency`]); a lane is looked
//! at again ([`tracker`]) only if a pair of its tokens crossed a threshold. A record depends on its own lane's
//! states alone.
//!
//! Two tokens on the circle, a right angle apart, that approach each other:
//!
//! ```
//! use metasweep_dynamics::model::Normalization;
//! use metasweep_dynamics::simd::{Isa, LANES, Pack};
//! use metasweep_metastability::clock::Instant;
//! use metasweep_metastability::cosines::packed_gram;
//! use metasweep_metastability::observables::Observable;
//! use metasweep_metastability::record::End;
//! use metasweep_metastability::recorder::Recorder;
//! use metasweep_metastability::scene::{Place, Scene};
//! use metasweep_metastability::watch::Watch;
//!
//! let watch = Watch {
//!     series: vec![Observable::Clusters],
//!     deltas: vec![1e-3],
//!     suffixes: vec![String::new()],
//!     samples: vec![0, 5, 10],
//!     steps: 10,
//!     step: 0.1,
//!     beta: 1.0,
//!     masses: Vec::new(),
//!     normalization: Normalization::Softmax,
//!     merges: true,
//!     plateaus: true,
//!     min_lifetime: 0.15,
//!     ..Watch::default()
//! };
//! let mut recorder = Recorder::new(&watch, 2, 1);
//! let mut records = Vec::new();
//! for step in 0..=10 {
//!     // The cosine is 0, 1/8, 2/8, … until the tokens have met.
//!     let cosine = f64::min(1.0, step as f64 / 8.0);
//!     let tokens = [1.0, 0.0, cosine, (1.0 - cosine * cosine).sqrt()].map(Pack::splat);
//!     let scene = Scene {
//!         n: 2,
//!         step,
//!         time: [Instant::of_step(step, watch.step); LANES],
//!         place: Place::Sphere,
//!         gram: &packed_gram(2, &tokens),
//!         tokens: (&tokens).into(),
//!         stationary: 0,
//!         finite: u8::MAX,
//!         stays_together: false,
//!         evaluations: step,
//!         isa: Isa::Portable,
//!         system: None,
//!     };
//!     recorder.record(&watch, &scene);
//!     if step == 10 {
//!         records = recorder.clone().conclude(&watch, &scene);
//!     }
//! }
//! let record = &records[0];
//! assert_eq!(record.series, [2.0, 2.0, 1.0]);
//! assert_eq!(record.end, End::Collapsed);
//! // 0.999 lies between 7/8, at t = 0.7, and 1, at t = 0.8.
//! assert!((record.collapse_time[0].unwrap() - 0.7992).abs() < 1e-12);
//! // Two clusters until the cosine reaches 1 − δ_hi, one from 1 − δ_lo on: a direct collapse.
//! assert_eq!(record.plateaus.len(), 2);
//! assert_eq!(record.first_plateau.unwrap().0, 1);
//! assert_eq!((record.merges[0].size_left, record.merges[0].size_right), (1, 1));
//! ```

pub mod adjacency;
pub mod apart;
pub mod bit_rows;
pub mod clock;
pub mod collapse;
pub mod cosines;
pub mod determined;
pub mod equiangular;
pub mod fixed;
pub mod hemisphere;
pub mod histogram;
pub mod levels;
pub mod lookout;
pub mod merges;
pub mod observables;
pub mod pairs;
pub mod partition;
pub mod plateaus;
pub mod portraits;
pub mod record;
pub mod recorder;
pub mod renyi;
pub mod scene;
mod shown;
pub mod spectrum;
pub mod theory;
pub mod tracker;
pub mod watch;
