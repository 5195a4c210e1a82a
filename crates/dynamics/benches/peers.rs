//! Time of one step of the authors' scheme (SA, V = B = I, `projected_euler`, η = 0.1, β = 4) on all cores, for
//! benches/peers, which lets this program and its peers take turns.
//!
//!     cargo bench -p metasweep-dynamics --bench peers -- N D SECONDS
//!
//! Prints one line of JSON: the instructions used, the threads, in each repeat the seconds a system-step, and what all cores together could
//! do at most meanwhile; then both once more with each core in its best moment of the repeat. A thread takes [`LANES`] systems from the
//! start through [`HORIZON`] steps, as a chunk of a sweep does, then for a [`PEAK`]th of that time nothing but fused multiply-adds, and
//! again: what others on the machine take, they take from both, though not the same share.

#[path = "common/peak.rs"]
mod peak;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// For how much of the time of steps what the core can do is measured after them.
const PEAK: u32 = 8;

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

/// What a thread has taken.
#[derive(Default)]
struct Taken {
    /// For steps.
    time: Duration,
    /// Fused multiply-adds that it did between them, one lane's each, and their nanoseconds.
    peak: (f64, f64),
    /// The most system-steps, and the most fused multiply-adds, that it did a second, from one start to the next.
    best: (f64, f64),
}

/// A repeat: seconds a system-step, and fused multiply-adds a second, of all cores together.
struct Repeat {
    /// On average over the time of all threads.
    all: (f64, f64),
    /// With each core in its best moments.
    best: (f64, f64),
}

/// All threads together take [`HORIZON`] steps of [`LANES`] systems so many times: as in a sweep each takes the next systems when it is done
/// with some, so that none waits for another. Starts do not count.
fn together(systems: &[Systems], times: u64) -> Result<Repeat, String> {
    let (ready, taken) = (Barrier::new(systems.len()), AtomicU64::new(0));
    let run = |systems: &Systems| -> Result<Taken, String> {
        ready.wait();
        let mut all = Taken::default();
        while taken.fetch_add(1, Ordering::Relaxed) < times {
            let mut ensemble = systems.start()?;
            let start = Instant::now();
            for _ in 0..HORIZON {
                ensemble.step();
            }
            let time = start.elapsed();
            black_box(ensemble.tokens());
            all.time += time;
            let (operations, nanoseconds) = peak::within(systems.isa, time / PEAK);
            all.peak = (all.peak.0 + operations, all.peak.1 + nanoseconds);
            let steps = (HORIZON * LANES as u64) as f64 / time.as_secs_f64();
            all.best = (all.best.0.max(steps), all.best.1.max(1e9 * operations / nanoseconds));
        }
        Ok(all)
    };
    thread::scope(|scope| {
        let running: Vec<_> = systems.iter().map(|systems| scope.spawn(|| run(systems))).collect();
        let (mut time, mut peak, mut best) = (0.0, (0.0, 0.0), (0.0, 0.0));
        for thread in running {
            let one = thread.join().map_err(|_| "a thread panicked".to_owned())??;
            time += one.time.as_secs_f64();
            peak = (peak.0 + one.peak.0, peak.1 + one.peak.1);
            best = (best.0 + one.best.0, best.1 + one.best.1);
        }
        let (threads, steps) = (systems.len() as f64, (times * HORIZON) as f64 * LANES as f64);
        let all = (time / threads / steps, threads * 1e9 * peak.0 / peak.1);
        Ok(Repeat { all, best: (best.0.recip(), best.1) })
    })
}

fn measure(n: usize, d: usize, seconds: f64) -> Result<String, String> {
    let isa = Isa::detect().map_err(|error| error.to_string())?;
    let threads = thread::available_parallelism().map_err(|error| error.to_string())?.get();
    let all = (0..threads).map(|thread| systems(n, d, thread, isa)).collect::<Result<Vec<_>, _>>()?;

    // Of all threads together for a repeat; and what they took for `times` times.
    let wanted = threads as f64 * seconds / f64::from(REPEATS);
    let elapsed =
        |repeat: &Repeat, times: u64| repeat.all.0 * threads as f64 * (times * HORIZON) as f64 * LANES as f64;
    let mut times = threads as u64;
    let mut taken = elapsed(&together(&all, times)?, times);
    while taken < 0.1 * wanted {
        times *= 2;
        taken = elapsed(&together(&all, times)?, times);
    }
    times = ((times as f64 * wanted / taken) as u64).max(threads as u64);
    let repeats = (0..REPEATS).map(|_| together(&all, times)).collect::<Result<Vec<_>, _>>()?;
    let list = |figure: fn(&Repeat) -> f64| {
        let figures: Vec<String> = repeats.iter().map(|repeat| format!("{:e}", figure(repeat))).collect();
        format!("[{}]", figures.join(", "))
    };
    let figures = [
        ("seconds", list(|repeat| repeat.all.0)),
        ("peaks", list(|repeat| repeat.all.1)),
        ("best_seconds", list(|repeat| repeat.best.0)),
        ("best_peaks", list(|repeat| repeat.best.1)),
    ];
    let figures: Vec<String> = figures.iter().map(|(name, list)| format!(r#""{name}": {list}"#)).collect();
    Ok(format!(r#"{{"isa": "{}", "threads": {threads}, {}}}"#, isa.name(), figures.join(", ")))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (Some(n), Some(d), Some(seconds)) = (
        arguments.first().and_then(|text| text.parse().ok()),
        arguments.get(1).and_then(|text| text.parse().ok()),
        arguments.get(2).and_then(|text| text.parse().ok()),
    ) else {
        eprintln!("usage: cargo bench -p metasweep-dynamics --bench peers -- N D SECONDS");
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
