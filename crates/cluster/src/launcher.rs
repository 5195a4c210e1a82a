//! Who started this process: a person, or a launcher of parallel jobs; and whether the two sides of a parallel job
//! agree.
//!
//! An MPI library under another library's launcher does not complain: every process believes it is alone, and N of
//! them would compute the same sweep into the same folder. So the sizes that the launcher's environment and MPI
//! report must agree. `MPI_Init` is called only if a launcher started us: it costs 0.3 s otherwise.

use std::fmt;

/// What the environment says of a parallel job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// By whom, in words.
    pub launcher: &'static str,
    /// The variable that says so.
    pub variable: &'static str,
    /// Number of tasks, where the environment says.
    pub size: Option<usize>,
    /// Our number among them, where the environment says.
    pub rank: Option<usize>,
}

impl fmt::Display for Launched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}", self.launcher, self.variable)?;
        self.size.map_or(Ok(()), |size| write!(formatter, ", {size} tasks"))?;
        formatter.write_str(")")
    }
}

/// The program and its launcher do not fit: exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mismatch {
    /// What was found and what to do.
    pub message: String,
    /// Whether this task is the one to say it: one message a job is enough.
    pub speak: bool,
}

/// A launcher and the variables by which it is known.
struct Signs {
    launcher: &'static str,
    known_by: &'static str,
    size: &'static [&'static str],
    rank: &'static [&'static str],
}

/// The most telling first: under `mpirun` inside a batch job both OpenMPI's and SLURM's variables are set.
const LAUNCHERS: &[Signs] = &[
    Signs {
        launcher: "OpenMPI's mpirun",
        known_by: "OMPI_COMM_WORLD_SIZE",
        size: &["OMPI_COMM_WORLD_SIZE"],
        rank: &["OMPI_COMM_WORLD_RANK"],
    },
    Signs {
        launcher: "a PMI launcher (MPICH, Intel MPI)",
        known_by: "PMI_RANK",
        size: &["PMI_SIZE"],
        rank: &["PMI_RANK"],
    },
    Signs {
        launcher: "a PMI launcher (Hydra)",
        known_by: "PMI_FD",
        size: &["PMI_SIZE"],
        rank: &["PMI_RANK"],
    },
    Signs { launcher: "a PMI launcher", known_by: "PMI_SIZE", size: &["PMI_SIZE"], rank: &["PMI_RANK"] },
    Signs {
        launcher: "a PMIx launcher",
        known_by: "PMIX_RANK",
        size: &["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"],
        rank: &["PMIX_RANK"],
    },
];

/// How a step of srun is known if it has none of the variables above: srun was told to set up no MPI.
const BARE_STEP: &str = "SLURM_STEP_ID";

/// What `environment` (usually `std::env::var`) says. None: started by a person or a script, alone.
#[must_use]
pub fn detect(environment: &dyn Fn(&str) -> Option<String>) -> Option<Launched> {
    let number = |names: &[&str]| names.iter().find_map(|name| environment(name)?.trim().parse().ok());
    for signs in LAUNCHERS {
        if environment(signs.known_by).is_some() {
            let (size, rank) = (number(signs.size), number(signs.rank));
            return Some(Launched { launcher: signs.launcher, variable: signs.known_by, size, rank });
        }
    }
    // A batch script's own processes have SLURM's variables too, but no step; nor do `salloc`'s shells. A step of one
    // task is alone.
    let rank = number(&["SLURM_PROCID"]);
    let size = number(&["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"])?;
    let step = environment(BARE_STEP)?;
    let numbered = step.trim().parse::<u32>().is_ok_and(|step| step < 0xffff_fff0);
    (numbered && size > 1).then_some(Launched {
        launcher: "srun",
        variable: BARE_STEP,
        size: Some(size),
        rank,
    })
}

/// A build without MPI, started as one of several tasks.
///
/// # Errors
/// If the launcher started more than one task.
pub fn without_mpi(launched: &Launched) -> Result<(), Mismatch> {
    if launched.size == Some(1) {
        return Ok(());
    }
    let message = format!(
        "This metasweep was built without MPI, but was started by {launched}: every task would compute the whole \
         sweep.\nEither build it with `cargo build --release --features mpi`, or start one task per node and give it \
         `--threads`."
    );
    Err(Mismatch { message, speak: launched.rank.unwrap_or(0) == 0 })
}

/// Before MPI is initialized: OpenMPI started by srun without an MPI plugin would end the process in `MPI_Init`, with
/// an exit code of its own. Other libraries may find their ranks without a plugin.
///
/// # Errors
/// If `MPI_Init` cannot succeed.
pub fn reachable(launched: &Launched, library: &str) -> Result<(), Mismatch> {
    if launched.variable != BARE_STEP || !library.starts_with("Open MPI") {
        return Ok(());
    }
    let message = format!(
        "This task was started by {launched}, but srun set up no MPI for it, and OpenMPI cannot find the other tasks.\n\
         Start it with `srun --mpi=pmix` (see `srun --mpi=list`), or with `mpirun` inside the allocation."
    );
    Err(Mismatch { message, speak: launched.rank.unwrap_or(0) == 0 })
}

/// MPI has been initialized and reports `rank` of `size`; `library` is its version string.
///
/// # Errors
/// If the launcher says otherwise.
pub fn agree(launched: &Launched, rank: usize, size: usize, library: &str) -> Result<(), Mismatch> {
    let size_differs = launched.size.is_some_and(|told| told != size);
    let rank_differs = launched.rank.is_some_and(|told| told != rank);
    if !size_differs && !rank_differs {
        return Ok(());
    }
    let told_rank = launched.rank.map_or_else(|| "unknown".to_owned(), |rank| rank.to_string());
    let library = library.lines().next().unwrap_or_default().trim();
    let message = format!(
        "The launcher and the MPI library do not match: {launched} says that this is task {told_rank}, but the library \
         that metasweep was built with ({library}) says that it is rank {rank} of {size}.\nStart it with the launcher \
         of that library (its `mpirun`; under SLURM `srun --mpi=pmix` or `--mpi=pmi2`, see `srun --mpi=list`), or \
         build metasweep again with the launcher's library (`MPICC` chooses)."
    );
    Err(Mismatch { message, speak: launched.rank.unwrap_or(rank) == 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(variables: &[(&str, &str)]) -> Option<Launched> {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        detect(&|name| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn a_shell_and_a_batch_script_are_alone() {
        assert_eq!(under(&[]), None);
        assert_eq!(under(&[("SLURM_JOB_ID", "7"), ("SLURM_NTASKS", "8")]), None);
        // The batch step's own id is a reserved number.
        assert_eq!(under(&[("SLURM_STEP_ID", "4294967291"), ("SLURM_NTASKS", "8")]), None);
        assert_eq!(under(&[("SLURM_STEP_ID", "0"), ("SLURM_NTASKS", "1")]), None);
    }

    #[test]
    fn launchers_are_known_by_their_variables() {
        let open = under(&[("OMPI_COMM_WORLD_SIZE", "3"), ("OMPI_COMM_WORLD_RANK", "2"), ("PMIX_RANK", "2")]);
        let open = open.expect("OpenMPI sets these");
        assert_eq!((open.size, open.rank), (Some(3), Some(2)));
        let mpich =
            under(&[("PMI_SIZE", "4"), ("PMI_RANK", "0"), ("PMI_FD", "9")]).expect("Hydra sets these");
        assert_eq!((mpich.size, mpich.rank), (Some(4), Some(0)));
        let slurm = under(&[("SLURM_STEP_ID", "0"), ("SLURM_NTASKS", "5"), ("SLURM_PROCID", "4")]);
        assert_eq!(slurm.map(|launched| (launched.size, launched.rank)), Some((Some(5), Some(4))));
        let pmix = under(&[("PMIX_RANK", "1"), ("SLURM_STEP_ID", "0"), ("SLURM_STEP_NUM_TASKS", "2")]);
        assert_eq!(
            pmix.map(|launched| (launched.launcher, launched.size)),
            Some(("a PMIx launcher", Some(2)))
        );
    }

    #[test]
    fn sizes_must_agree() {
        let launched = under(&[("OMPI_COMM_WORLD_SIZE", "3"), ("OMPI_COMM_WORLD_RANK", "2")]).unwrap();
        assert_eq!(agree(&launched, 2, 3, "Open MPI v4.1.4"), Ok(()));
        let mismatch = agree(&launched, 0, 1, "MPICH Version: 4.0.2\nDevice: ch4").unwrap_err();
        assert!(mismatch.message.contains("3 tasks") && mismatch.message.contains("rank 0 of 1"));
        assert!(mismatch.message.contains("MPICH Version: 4.0.2)"));
        assert!(!mismatch.speak, "task 0 says it");
    }

    #[test]
    fn srun_without_a_plugin_is_refused_for_open_mpi_alone() {
        let bare = under(&[("SLURM_STEP_ID", "0"), ("SLURM_NTASKS", "4"), ("SLURM_PROCID", "1")]).unwrap();
        let mismatch = reachable(&bare, "Open MPI v4.1.4, package: Debian").unwrap_err();
        assert!(mismatch.message.contains("srun --mpi=pmix") && !mismatch.speak);
        assert_eq!(reachable(&bare, "Intel(R) MPI Library 2021.9"), Ok(()));
        let plugin = under(&[("SLURM_STEP_ID", "0"), ("SLURM_NTASKS", "4"), ("PMIX_RANK", "1")]).unwrap();
        assert_eq!(reachable(&plugin, "Open MPI v4.1.4"), Ok(()));
    }

    #[test]
    fn a_build_without_mpi_refuses_several_tasks_and_accepts_one() {
        let several = under(&[("PMI_SIZE", "4"), ("PMI_RANK", "0")]).unwrap();
        assert!(without_mpi(&several).unwrap_err().message.contains("--features mpi"));
        let one = under(&[("OMPI_COMM_WORLD_SIZE", "1"), ("OMPI_COMM_WORLD_RANK", "0")]).unwrap();
        assert_eq!(without_mpi(&one), Ok(()));
    }
}
