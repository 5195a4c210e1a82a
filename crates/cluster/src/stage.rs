//! `--scratch`: where a process writes first, and which process of a node takes it from there to the dataset.

use std::path::{Path, PathBuf};
use std::time::Duration;

use metasweep_store::{Courier, Scratch};

use crate::host;
use crate::messages::Present;
use crate::work::Failure;

/// Journeys a second of all couriers of a job together, at most.
const JOURNEYS_A_SECOND: f64 = 500.0;
/// Between two journeys of one, at least.
const PAUSE: Duration = Duration::from_millis(50);

/// Of each process the one that is the courier of its node: the first one there.
pub(crate) fn couriers(present: &[Present]) -> Vec<u32> {
    let first = |who: &Present| present.iter().position(|other| other.host == who.host).unwrap_or(0) as u32;
    present.iter().map(first).collect()
}

/// How many nodes there are.
pub(crate) fn nodes(couriers: &[u32]) -> u32 {
    couriers.iter().zip(0..).filter(|(courier, process)| **courier == *process).count() as u32
}

/// What `--scratch` says on this node: a folder, or `$NAME` (and what follows) for one that the site names in the environment of each job.
fn root(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, Failure> {
    let Some(rest) = text.strip_prefix('$') else { return Ok(PathBuf::from(text)) };
    let (name, below) = rest.split_once('/').unwrap_or((rest, ""));
    match environment(name).filter(|value| !value.is_empty()) {
        Some(value) => Ok(Path::new(&value).join(below)),
        None => Err(Failure {
            message: format!(
                "--scratch {text}: the variable {name} is not set on {}; give a folder on the node's own disk",
                host::name()
            ),
            exit_code: 2,
        }),
    }
}

/// Whether `--scratch` says anything on this node: asked before a dataset is begun.
///
/// # Errors
/// If it names a variable that is not set.
pub(crate) fn check(text: Option<&str>) -> Result<(), Failure> {
    text.map_or(Ok(()), |text| root(text, &|name| std::env::var(name).ok()).map(drop))
}

/// Of a process of a run: where it writes first, and the courier if it is this one.
#[derive(Default)]
pub(crate) struct Stage {
    /// None: at once into the dataset.
    pub scratch: Option<Scratch>,
    /// Held as long as anybody on the node writes.
    _courier: Option<Courier>,
}

impl Stage {
    /// Of process `process` of the run `nonce` in `dir`, whose node's courier is `courier`, of so many nodes; `text` is what `--scratch` says.
    ///
    /// # Errors
    /// If there is no such folder and it cannot be made.
    pub fn set_up(
        text: Option<&str>,
        dir: &Path,
        nonce: u64,
        (process, courier): (u32, u32),
        nodes: u32,
    ) -> Result<Stage, Failure> {
        let Some(text) = text else { return Ok(Stage::default()) };
        let scratch = Scratch::new(&root(text, &|name| std::env::var(name).ok())?, nonce, courier);
        let pause = PAUSE.max(Duration::from_secs_f64(f64::from(nodes) / JOURNEYS_A_SECOND));
        let ours = (process == courier).then(|| Courier::start(dir, &scratch, nonce, pause));
        Ok(Stage { scratch: Some(scratch), _courier: ours.transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_process_of_a_node_is_its_courier() {
        let on = |host: &str| Present {
            host: host.to_owned(),
            pid: 1,
            processors: String::new(),
            parallelism: 1,
            cpu: String::new(),
            isa: String::new(),
            program: String::new(),
        };
        let found = couriers(&[on("a"), on("b"), on("a"), on("c"), on("b")]);
        assert_eq!((found.as_slice(), nodes(&found)), (&[0, 1, 0, 3, 1][..], 3));
    }

    #[test]
    fn a_folder_may_be_named_by_the_environment() {
        let environment = |name: &str| (name == "TMPDIR").then(|| "/local/job 7".to_owned());
        assert_eq!(root("/scratch", &environment), Ok(PathBuf::from("/scratch")));
        assert_eq!(root("$TMPDIR", &environment), Ok(PathBuf::from("/local/job 7")));
        assert_eq!(root("$TMPDIR/x/y", &environment), Ok(PathBuf::from("/local/job 7/x/y")));
        let refused = root("$NOWHERE/x", &environment).unwrap_err();
        assert!(refused.message.starts_with("--scratch $NOWHERE/x: the variable NOWHERE is not set on "));
    }
}
