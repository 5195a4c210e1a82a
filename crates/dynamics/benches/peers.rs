//! Time of one step of the authors' scheme (SA, V = B = I, `projected_euler`, η = 0.1, β = 4) on all cores, for
//! benches/peers, which lets this program and its peers take turns.
//!
//!     cargo bench -p metasweep-dynamics --bench peers -- N D SECONDS
//!     cargo bench -p metasweep-dynamics --bench peers -- peak         # what all cores together can do at most
//!
//! Prints one line of JSON: the instructions used, the threads, and the seconds a system-step in each repeat. A thread
//! takes [`LANES`] systems from the start through [`HORIZON`] steps, as a chunk of a sweep does, and again.

#[path = "common/peak.rs"]
mod peak;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use metasweep_dynamics::ensemble::{Ensemble, Start};
use metasweep_dynamics::initial::{self, Space};
use metasweep_dynamics::matrices;
use metasweep_dynamics::model::Model;
use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;
use metasweep_dynamics::simd::{Isa, LANES};

const REPEATS: u32 = 5;

/// Of the measurement of the peak: a fifth of a second.
const RUNS: usize = 500;

/// Steps until a thread starts anew, as often as P0's Figure 2 does: of systems that came to rest long ago a sweep takes none.
const HORIZON: u64 = 300;

/// Systems of n tokens at the beginning.
struct Systems {
    model: Model,
    starts: Vec<Start>,
    isa: Isa,
}

impl Systems {
    fn start(&self) -> Result<Ensemble, String> {
        Ensemble::new(&self.model, &self.starts, self.isa).map_err(|error| error.to_string())
    }
}

/// Systems of n tokens, uniform on the sphere; where d > n they are drawn in their span, as in a sweep.
fn systems(n: usize, d: usize, thread: usize, isa: Isa) -> Result<Systems, String> {
    let law = initial::parse("uniform_sphere").map_err(|error| error.message)?;
    let identity = |role| matrices::parse("identity", role).map_err(|error| error.message);
    let (value, query_key) = (identity(matrices::Role::Value)?, identity(matrices::Role::QueryKey)?);
    let construction = initial::construction(&*law, &*value, &*query_key, n, d);
    let operator = || Operator::Scalar(1.0);
    let head = Head { query_key: QueryKey::Joint(operator()), value: operator() };
    let parameters = Arc::new(Parameters::new(vec![head]));
    let mut starts = Vec::new();
    for lane in 0..LANES {
        let mut stream = Stream::new([7; 32], (thread * LANES + lane) as u64);
        let tokens = law.draw(n, d, construction, Space::Sphere, &mut stream, &|_| None)?;
        starts.push(Start::new(4.0, 0.1, tokens, Arc::clone(&parameters)));
    }
    Ok(Systems { model: Model::new(n, construction.coordinates(n, d)), starts, isa })
}

/// Time that the slowest of the threads, which go at once, takes for `steps` steps; starts do not count.
fn together(systems: &[Systems], steps: u64) -> Result<Duration, String> {
    let ready = Barrier::new(systems.len());
    let run = |systems: &Systems| -> Result<Duration, String> {
        ready.wait();
        let (mut left, mut time) = (steps, Duration::ZERO);
        while left > 0 {
            let mut ensemble = systems.start()?;
            let start = Instant::now();
            for _ in 0..left.min(HORIZON) {
                ensemble.step();
            }
            time += start.elapsed();
            black_box(ensemble.tokens());
            left = left.saturating_sub(HORIZON);
        }
        Ok(time)
    };
    thread::scope(|scope| {
        let running: Vec<_> = systems.iter().map(|systems| scope.spawn(|| run(systems))).collect();
        let mut slowest = Duration::ZERO;
        for thread in running {
            slowest = slowest.max(thread.join().map_err(|_| "a thread panicked".to_owned())??);
        }
        Ok(slowest)
    })
}

fn measure(n: usize, d: usize, seconds: f64) -> Result<String, String> {
    let isa = Isa::detect().map_err(|error| error.to_string())?;
    let threads = thread::available_parallelism().map_err(|error| error.to_string())?.get();
    let all = (0..threads).map(|thread| systems(n, d, thread, isa)).collect::<Result<Vec<_>, _>>()?;

    let wanted = seconds / f64::from(REPEATS);
    let mut steps = 1;
    let mut elapsed = together(&all, steps)?.as_secs_f64();
    while elapsed < 0.1 * wanted {
        steps *= 2;
        elapsed = together(&all, steps)?.as_secs_f64();
    }
    steps = ((steps as f64 * wanted / elapsed) as u64).max(1);
    let systems = (threads * LANES) as f64;
    let sample = |_| {
        let elapsed = together(&all, steps)?.as_secs_f64();
        Ok(format!("{:e}", elapsed / (steps as f64 * systems)))
    };
    let samples = (0..REPEATS).map(sample).collect::<Result<Vec<String>, String>>()?;
    Ok(format!(r#"{{"isa": "{}", "threads": {threads}, "seconds": [{}]}}"#, isa.name(), samples.join(", ")))
}

/// Fused multiply-adds a second of all cores at once, one lane's each.
fn all_cores() -> Result<String, String> {
    let isa = Isa::detect().map_err(|error| error.to_string())?;
    let threads = thread::available_parallelism().map_err(|error| error.to_string())?.get();
    let ready = Barrier::new(threads);
    let total: f64 = thread::scope(|scope| {
        let one = || {
            ready.wait();
            peak::peak(isa, RUNS)
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or(f64::NAN)).sum()
    });
    Ok(format!(r#"{{"peak": {:e}}}"#, 1e9 * total))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments == ["peak"] {
        return report(all_cores());
    }
    let (Some(n), Some(d), Some(seconds)) = (
        arguments.first().and_then(|text| text.parse().ok()),
        arguments.get(1).and_then(|text| text.parse().ok()),
        arguments.get(2).and_then(|text| text.parse().ok()),
    ) else {
        eprintln!("usage: cargo bench -p metasweep-dynamics --bench peers -- N D SECONDS, or -- peak");
        return ExitCode::from(2);
    };
    report(measure(n, d, seconds))
}

fn report(result: Result<String, String>) -> ExitCode {
    match result {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
