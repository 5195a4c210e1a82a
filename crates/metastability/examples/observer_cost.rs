//! What watching costs: µs per replica and state, with nothing changing and with every state different.
//!
//! `cargo run --release -p metasweep-metastability --example observer_cost`

use std::time::Instant as Clock;

use metasweep_dynamics::model::Normalization;
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::{Isa, LANES, Pack};
use metasweep_metastability::clock::Instant;
use metasweep_metastability::cosines::packed_gram;
use metasweep_metastability::observables::Observable;
use metasweep_metastability::recorder::Recorder;
use metasweep_metastability::scene::{Place, Scene};
use metasweep_metastability::watch::Watch;

/// States in turn; the recorder sees them again and again.
struct States {
    n: usize,
    states: Vec<(Vec<Pack>, Vec<Pack>)>,
}

impl States {
    /// Tokens in `clusters` arcs of this width on the circle; `count` different states.
    fn new(n: usize, clusters: usize, width: f64, count: u64) -> Self {
        let state = |number| {
            let mut stream = Stream::new([9; 32], number);
            let mut tokens = vec![Pack([0.0; LANES]); 2 * n];
            for i in 0..n {
                for lane in 0..LANES {
                    let centre = (i % clusters) as f64 * 6.0 / clusters as f64;
                    let angle = centre + width * stream.uniform();
                    tokens[2 * i].0[lane] = libm::cos(angle);
                    tokens[2 * i + 1].0[lane] = libm::sin(angle);
                }
            }
            let gram = packed_gram(n, &tokens);
            (tokens, gram)
        };
        Self { n, states: (0..count).map(state).collect() }
    }

    /// Microseconds per replica and state, the best of many short rounds (others may use this machine too).
    fn cost(&self, watch: &Watch, states: u64) -> f64 {
        let mut best = f64::INFINITY;
        for _ in 0..60 {
            let mut recorder = Recorder::new(watch, self.n, LANES);
            self.show(&mut recorder, watch, 0);
            let start = Clock::now();
            (1..=states).for_each(|step| self.show(&mut recorder, watch, step));
            best = f64::min(best, start.elapsed().as_secs_f64() * 1e6 / (states as f64 * LANES as f64));
        }
        best
    }

    fn show(&self, recorder: &mut Recorder, watch: &Watch, step: u64) {
        let (tokens, gram) = &self.states[(step % self.states.len() as u64) as usize];
        recorder.record(
            watch,
            &Scene {
                n: self.n,
                step,
                time: [Instant::of_step(step, watch.step); LANES],
                place: Place::Sphere,
                gram,
                tokens: tokens.into(),
                stationary: 0,
                finite: u8::MAX,
                stays_together: false,
                evaluations: step,
                isa: Isa::detect().expect("METASWEEP_SIMD names instructions of this machine"),
                system: None,
            },
        );
    }
}

fn main() {
    let watch = |series: &[Observable], plateaus, merges, every: bool, rounds: u64| Watch {
        series: series.to_vec(),
        deltas: vec![1e-3],
        suffixes: vec![String::new()],
        samples: if every { (0..=rounds).collect() } else { Vec::new() },
        steps: rounds,
        step: 0.1,
        beta: 9.0,
        masses: Vec::new(),
        normalization: Normalization::Softmax,
        merges,
        plateaus,
        min_lifetime: 0.5,
        ..Watch::default()
    };
    println!("µs per replica and state");
    for (n, rounds) in [(32, 200), (200, 8)] {
        let unresolved = States::new(n, 1, 6.0, 1);
        let resolved = States::new(n, 3, 1e-6, 1);
        let moving = States::new(n, 1, 6.0, 16);
        let breathing =
            States { n, states: [&resolved, &unresolved].map(|states| states.states[0].clone()).into() };
        for (name, plateaus, merges) in
            [("collapse", false, false), ("+ plateaus", true, false), ("+ merges", true, true)]
        {
            let watch = watch(&[], plateaus, merges, false, rounds);
            println!(
                "n = {n:3}  {name:12} still {:6.3}  on a plateau {:6.3}  all pairs move {:6.3}  plateau begins or ends {:6.3}",
                unresolved.cost(&watch, rounds),
                resolved.cost(&watch, rounds),
                moving.cost(&watch, rounds),
                breathing.cost(&watch, rounds),
            );
        }
        for observable in Observable::ALL {
            let watch = watch(&[*observable], false, false, true, rounds);
            let cost = moving.cost(&watch, rounds);
            println!(
                "n = {n:3}  {:16} sampled at every state, all pairs moving {cost:7.3}",
                observable.name()
            );
        }
    }
}
