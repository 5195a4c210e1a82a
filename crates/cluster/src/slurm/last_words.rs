//! What SLURM says of a link: how its job stands or ended, by `scontrol` and by the job's log.

use super::chain::Ending;
use super::queue::call;
use super::submissions::Name;

/// How SLURM says that a link ended.
pub(super) fn state_of(link: &Name) -> Ending {
    ending_of(&raw_state_of(link))
}

/// In its own word; empty if it does not know the job.
pub(super) fn raw_state_of(link: &Name) -> String {
    field("JobState", link).unwrap_or_default()
}

/// A field of what SLURM knows of the link's job.
pub(super) fn field(name: &str, link: &Name) -> Option<String> {
    let id = link.element.map_or_else(|| link.job.clone(), |element| format!("{}_{element}", link.job));
    let said = call("scontrol", &["show", "job", "-o", &id], None).ok()?;
    let value = |field: &str| field.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
    said.split_whitespace().find_map(value)
}

/// Of a job that waits while its link still runs: a requeue has counted a restart; without it, a slurmctld that was killed came
/// back with what it had saved before the job began. It will take what runs for a stray and end it, and may refuse the job's
/// second start: that job is given up.
pub(super) fn forgotten(restarts: Option<&str>, own: u32) -> bool {
    restarts.and_then(|count| count.parse::<u32>().ok()).is_some_and(|count| count <= own)
}

/// slurmstepd tells a job's log why it ends it; what it does not say, somebody did.
pub(super) fn ending_in_log(log: &str) -> Ending {
    let told = log.lines().rfind(|line| line.contains("*** JOB ") && line.contains(" CANCELLED AT "));
    match told.map(|line| line.split(" DUE TO ").nth(1).unwrap_or("").trim_end_matches([' ', '*'])) {
        Some("") => Ending::Cancelled,
        Some("TIME LIMIT") => Ending::Timeout,
        Some("PREEMPTION") => Ending::Preempted,
        Some("NODE FAILURE") => Ending::NodeFail,
        Some(_) | None => Ending::Unknown,
    }
}

pub(super) fn ending_of(state: &str) -> Ending {
    match state {
        "CANCELLED" => Ending::Cancelled,
        "TIMEOUT" | "DEADLINE" => Ending::Timeout,
        "PREEMPTED" => Ending::Preempted,
        "NODE_FAIL" | "BOOT_FAIL" => Ending::NodeFail,
        "OUT_OF_MEMORY" => Ending::OutOfMemory,
        _ => Ending::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_slurm() {
        assert_eq!(ending_of("OUT_OF_MEMORY"), Ending::OutOfMemory);
        assert_eq!(ending_of("CANCELLED"), Ending::Cancelled);
        assert_eq!(ending_of("RUNNING"), Ending::Unknown);
        assert_eq!(ending_of(""), Ending::Unknown);
    }

    #[test]
    fn a_waiting_job_that_was_not_requeued_is_forgotten() {
        assert!(forgotten(Some("0"), 0) && forgotten(Some("2"), 2));
        assert!(!forgotten(Some("1"), 0) && !forgotten(None, 0), "requeued, or nothing is known");
    }

    #[test]
    fn what_slurmstepd_says() {
        let line = |why: &str| {
            format!(
                "x\nslurmstepd-n1: error: *** JOB 19 ON n1 CANCELLED AT 2026-11-27T03:00:09{why} ***\ny\n"
            )
        };
        for (why, ending) in [
            ("", Ending::Cancelled),
            (" DUE TO TIME LIMIT", Ending::Timeout),
            (" DUE TO PREEMPTION", Ending::Preempted),
            (" DUE TO NODE FAILURE", Ending::NodeFail),
            (" DUE TO JOB REQUEUE", Ending::Unknown),
        ] {
            assert_eq!(ending_in_log(&line(why)), ending, "{why}");
        }
        assert_eq!(
            ending_in_log("*** STEP 19.0 ON n1 CANCELLED AT 2026-11-27T03:00:09 ***"),
            Ending::Unknown
        );
    }
}
