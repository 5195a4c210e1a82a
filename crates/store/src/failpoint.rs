//! Named places where a test can make the process die or the disk fail.
//!
//! `METASWEEP_FAILPOINT="name[:count][=action]"` arms one of them for the whole process: the `count`-th time
//! (from 1) it is reached the action happens: `kill` (SIGKILL to ourselves, the default), `panic`, `eio`
//! (the operation fails with EIO), `exit` (exit code 99, no destructors). Several are separated by commas.
//! Tests in one process use [`arm`] instead. Unarmed, a failpoint costs one load.
//!
//! | name | just before |
//! |---|---|
//! | `compute` | a task begins to simulate |
//! | `frame.write`, `frame.sync` | a frame is appended; staging is synced |
//! | `journal.write`, `journal.sync` | a record is appended; the journal is synced |
//! | `aggregate` | a cell is aggregated |
//! | `checkpoint.write` | a checkpoint's frame is appended |
//! | `seal.write`, `seal.sync`, `seal.rename`, `seal.record` | a part's first byte; its fsync; its rename; its seal record |
//! | `manifest.write`, `manifest.rename` | the manifest is written under a temporary name; renamed |
//! | `owner.link` | the owner record is linked |
//! | `input.write` | an input file is copied |
//! | `frames.remove` | a consumed staging file is removed |
//! | `finish.cells`, `finish.manifest`, `finish.staging` | cells is sealed; the manifest says complete; staging is removed |
//! | `extend.begin`, `extend.import` | the extension is recorded; a cell's old rows are imported |
//! | `swap.begin`, `swap.old`, `swap.new` | the swap is recorded; an old table is moved away; a new one takes its place |

use std::cell::RefCell;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use crate::trace::{Phase, phase};

/// What happens at an armed failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL to this process.
    Kill,
    /// A panic.
    Panic,
    /// The operation fails with EIO.
    Eio,
    /// `exit(99)`.
    Exit,
}

struct Armed {
    name: String,
    left: AtomicU32,
    action: Action,
}

fn from_environment() -> &'static [Armed] {
    static ARMED: OnceLock<Vec<Armed>> = OnceLock::new();
    ARMED.get_or_init(|| match std::env::var("METASWEEP_FAILPOINT") {
        Ok(text) => text.split(',').filter_map(parse).collect(),
        Err(_) => Vec::new(),
    })
}

fn parse(text: &str) -> Option<Armed> {
    let (place, action) = text.trim().split_once('=').unwrap_or((text.trim(), "kill"));
    let (name, count) = place.split_once(':').unwrap_or((place, "1"));
    let action = match action {
        "panic" => Action::Panic,
        "eio" => Action::Eio,
        "exit" => Action::Exit,
        _ => Action::Kill,
    };
    (!name.is_empty()).then(|| Armed {
        name: name.to_owned(),
        left: AtomicU32::new(count.parse().unwrap_or(1)),
        action,
    })
}

thread_local! {
    static LOCAL: RefCell<Option<Armed>> = const { RefCell::new(None) };
}

/// Arms one failpoint for the current thread: at the `count`-th time it is reached, `action` happens. For tests.
pub fn arm(name: &str, count: u32, action: Action) {
    LOCAL.set(Some(Armed { name: name.to_owned(), left: AtomicU32::new(count), action }));
}

/// Undoes [`arm`]; true if it was armed and had not happened.
#[must_use]
pub fn disarm() -> bool {
    LOCAL.take().is_some_and(|armed| armed.left.load(Ordering::Relaxed) > 0)
}

/// Marks a place; every write, sync and rename of the store goes through one.
///
/// # Errors
/// EIO where a test asked for it; in production never.
pub fn reach(name: &str) -> io::Result<()> {
    for armed in from_environment() {
        hit(armed, name)?;
    }
    LOCAL.with_borrow(|armed| armed.as_ref().map_or(Ok(()), |armed| hit(armed, name)))
}

fn hit(armed: &Armed, name: &str) -> io::Result<()> {
    if armed.name != name {
        return Ok(());
    }
    let before = armed.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    if before != Ok(1) {
        return Ok(());
    }
    match armed.action {
        Action::Eio => Err(io::Error::from_raw_os_error(libc::EIO)),
        Action::Panic => panic!("failpoint {name}"),
        Action::Exit => std::process::exit(99),
        Action::Kill => kill_ourselves(),
    }
}

#[allow(unsafe_code)]
fn kill_ourselves() -> ! {
    // SAFETY: kill(2) takes two integers and touches no memory of ours; the process does not outlive it.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_counted_and_happens_once() {
        arm("a", 2, Action::Eio);
        assert!(reach("b").is_ok() && reach("a").is_ok());
        assert_eq!(reach("a").unwrap_err().raw_os_error(), Some(libc::EIO));
        assert!(reach("a").is_ok());
        assert!(!disarm());
    }

    #[test]
    fn the_environment_form_is_read() {
        let armed = parse("seal.rename:3=eio").unwrap();
        assert_eq!(
            (armed.name.as_str(), armed.left.into_inner(), armed.action),
            ("seal.rename", 3, Action::Eio)
        );
        assert_eq!(parse("x").unwrap().action, Action::Kill);
    }
}
