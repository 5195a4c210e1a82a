//! Signals: the first asks for a drain, a second SIGINT or SIGTERM stops at once.
//!
//! Only the main thread reacts to the first, when it next looks; compute threads notice through the pool. The
//! second one ends the process inside the handler, so that it works even while the main thread waits for a disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

/// Incomplete but consistent: run again to resume (docs/commands.md, exit codes).
pub const EXIT_INCOMPLETE: i32 = 75;

/// One request often arrives twice: `timeout` and `mpirun` signal both a process and its group, batch systems both
/// a job and its steps. Within this time two signals are one; a person is slower.
const SAME_INTERRUPT: Duration = Duration::from_millis(100);
const SAME_TERMINATION: Duration = Duration::from_secs(1);

/// Whether this process was asked to end.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    raised: Arc<AtomicBool>,
}

impl Signals {
    /// Hears nothing but [`Self::raise`].
    #[must_use]
    pub fn deaf() -> Self {
        Self::default()
    }

    /// Hears SIGINT, SIGTERM and SIGUSR1 from now on.
    ///
    /// # Errors
    /// If a handler cannot be installed.
    pub fn install() -> io::Result<Self> {
        let signals = Self::default();
        for (signal, same) in [(SIGINT, SAME_INTERRUPT), (SIGTERM, SAME_TERMINATION)] {
            stop_on_second(signal, same)?;
        }
        for signal in [SIGINT, SIGTERM, SIGUSR1] {
            signal_hook::flag::register(signal, signals.raised.clone())?;
        }
        Ok(signals)
    }

    /// Whether a drain was asked for.
    #[must_use]
    pub fn raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// As if a signal had arrived.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Relaxed);
    }
}

/// Ends the process at the first `signal` that comes more than `same` after an earlier one of its kind.
fn stop_on_second(signal: i32, same: Duration) -> io::Result<()> {
    let start = Instant::now();
    let first = AtomicU64::new(u64::MAX);
    let handler = move || {
        let now = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        let earlier = first.fetch_min(now, Ordering::Relaxed);
        if earlier != u64::MAX && u128::from(now.saturating_sub(earlier)) > same.as_millis() {
            signal_hook::low_level::exit(EXIT_INCOMPLETE);
        }
    };
    // SAFETY: the handler reads the monotonic clock, touches one atomic and calls _exit: all async-signal-safe.
    #[allow(unsafe_code)]
    unsafe { signal_hook::low_level::register(signal, handler) }.map(drop)
}
