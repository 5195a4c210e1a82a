//! Ends that are not clean: a panic anywhere ends the whole job within seconds, and a rank does not outlive its
//! launcher.
//!
//! A panic that unwound through `main` would drop MPI's `Universe`, and `MPI_Finalize` waits for all other ranks,
//! which wait for work: the job would hang. So the panic hook ends the process, and under MPI all of them. Only the
//! main thread may speak MPI; a panicking compute thread therefore leaves a note and lets the main thread abort,
//! or ends the process itself if the main thread does not come round to it.

use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Exit code of a run that failed (docs/commands.md).
const EXIT_FAILED: i32 = 1;
/// The main thread looks every few milliseconds, unless a disk holds it.
const MAIN_THREAD_COMES_ROUND: Duration = Duration::from_secs(2);

static PANICKED: AtomicBool = AtomicBool::new(false);
static END_ALL: OnceLock<(thread::ThreadId, fn(i32) -> !)> = OnceLock::new();
/// The launcher's process id; 0: not watched.
static LAUNCHER: AtomicU32 = AtomicU32::new(0);

/// From now on a panic prints one message, in one write, and ends the process with exit code 1; under MPI, all ranks.
/// Called once, first thing, by the binary; tests that expect panics do without.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        say(&describe(panic));
        end();
    }));
}

/// Under MPI: how to end all ranks. `end_all` is called from the thread that registers it, and no other.
pub fn register(end_all: fn(i32) -> !) {
    let _ = END_ALL.set((thread::current().id(), end_all));
}

/// Ends everything if another thread has panicked or the launcher is gone. The main loops call it all the time.
pub fn check() {
    if PANICKED.load(Ordering::Relaxed) {
        end();
    }
    let launcher = LAUNCHER.load(Ordering::Relaxed);
    if launcher != 0 && std::os::unix::process::parent_id() != launcher {
        say("metasweep: the launcher of this rank is gone; the rank ends.\n");
        // Not through MPI: there is nobody left to talk to.
        std::process::exit(EXIT_FAILED);
    }
}

/// This rank is to die with its launcher, however the launcher dies: otherwise ranks whose mpirun was killed would go
/// on writing next to a new run. For ranks started by mpirun, srun and the like, before anything else; a process
/// started from a shell must survive its parent (`nohup`, `disown`) and does not call it.
pub fn die_with_launcher() {
    let launcher = std::os::unix::process::parent_id();
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and touches no memory.
    #[allow(unsafe_code)]
    let asked = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } == 0;
    // The launcher may have died before the call; then init or a subreaper is our parent by now.
    let orphan = std::os::unix::process::parent_id() != launcher || (launcher == 1 && !init_is_launcher());
    if asked && orphan {
        say("metasweep: the launcher of this rank is gone; the rank ends.\n");
        std::process::exit(EXIT_FAILED);
    }
    LAUNCHER.store(launcher, Ordering::Relaxed);
}

/// In a container the launcher, or a shell that waits for us, may itself be process 1.
fn init_is_launcher() -> bool {
    let name = std::fs::read_to_string("/proc/1/comm").unwrap_or_default();
    let launchers = ["mpirun", "mpiexec", "orterun", "prterun", "prted", "orted", "hydra", "slurm", "srun"];
    launchers.iter().any(|launcher| name.starts_with(launcher)) || name.trim().ends_with("sh")
}

fn end() -> ! {
    PANICKED.store(true, Ordering::Relaxed);
    match END_ALL.get() {
        Some((main, end_all)) if *main == thread::current().id() => end_all(EXIT_FAILED),
        // Without MPI_Finalize the launcher sees an abnormal end, and ends the others.
        Some(_) => {
            thread::sleep(MAIN_THREAD_COMES_ROUND);
            std::process::abort()
        }
        None => std::process::exit(EXIT_FAILED),
    }
}

/// Writes `message` to stderr in one write, so that the lines of several ranks do not mix.
pub fn say(message: &str) {
    let _ = std::io::stderr().write_all(message.as_bytes());
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("unnamed");
    let place = panic.location().map_or_else(String::new, |location| format!(" at {location}"));
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let what = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let host = crate::host::name();
    let process = std::process::id();
    format!(
        "metasweep: internal error on {host} (process {process}, thread {name}){place}: {what}\n\
         The run is ended. What was committed is safe; run again to resume. Please report this.\n"
    )
}
