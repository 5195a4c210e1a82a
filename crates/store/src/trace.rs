//! What each thread is doing right now, in a file that survives SIGKILL.
//!
//! With `METASWEEP_TRACE=FILE` every process writes `FILE.<pid>`: one slot of [`SLOT`] bytes a thread, padded with
//! spaces and ended by a newline, rewritten in place as the thread enters a phase. After a kill the file tells
//! a test harness which phases it hit. Without the variable, [`phase`] does nothing.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a thread's slot.
pub const SLOT: usize = 16;

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for work.
    Idle,
    /// Simulating replicas.
    Compute,
    /// Appending or syncing a frame.
    Frame,
    /// Appending or syncing a journal record.
    Journal,
    /// Aggregating a cell.
    Aggregate,
    /// Writing a part under its temporary name.
    Seal,
    /// Giving a part, or a table, its final name.
    Rename,
    /// Writing the manifest.
    Manifest,
    /// Copying old rows for an extension.
    Import,
}

impl Phase {
    /// Its name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Compute => "compute",
            Phase::Frame => "frame",
            Phase::Journal => "journal",
            Phase::Aggregate => "aggregate",
            Phase::Seal => "seal",
            Phase::Rename => "rename",
            Phase::Manifest => "manifest",
            Phase::Import => "import",
        }
    }
}

thread_local! {
    static CURRENT: Cell<(Option<u64>, Phase)> = const { Cell::new((None, Phase::Idle)) };
}

/// The phase before comes back when this is dropped.
#[must_use = "the phase ends when this is dropped"]
pub struct InPhase {
    before: Phase,
}

/// The current thread is in `phase` from now until the returned value is dropped.
pub fn phase(phase: Phase) -> InPhase {
    let (_, before) = CURRENT.get();
    enter(phase);
    InPhase { before }
}

impl Drop for InPhase {
    fn drop(&mut self) {
        enter(self.before);
    }
}

fn enter(phase: Phase) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (slot, _) = CURRENT.get();
    let Some(file) = file() else {
        CURRENT.set((slot, phase));
        return;
    };
    let slot = slot.unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed));
    CURRENT.set((Some(slot), phase));
    let text = format!("{:<width$}\n", phase.name(), width = SLOT - 1);
    // A trace that cannot be written must not disturb the run.
    let _ = file.write_all_at(text.as_bytes(), slot * SLOT as u64);
}

fn file() -> Option<&'static File> {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    FILE.get_or_init(|| {
        let path = std::env::var_os("METASWEEP_TRACE")?;
        let mut name = path;
        name.push(format!(".{}", std::process::id()));
        File::create(name).ok()
    })
    .as_ref()
}
