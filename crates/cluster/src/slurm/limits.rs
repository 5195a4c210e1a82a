//! How many jobs a user may submit here: SLURM's MaxArraySize, and MaxSubmitJobs of the accounting, if the site has it.

use super::queue::call;
use super::refused;
use super::request::{Form, JobRequest};
use crate::work::Failure;

/// Refuses an array that SLURM would refuse, in words that say what to do.
///
/// # Errors
/// If there are too many elements; or slurmctld does not answer.
pub fn check(request: &JobRequest) -> Result<(), Failure> {
    let Form::Array { elements } = request.form else { return Ok(()) };
    let refuse = |message: String| Err(refused(message));
    let config = call("scontrol", &["show", "config"], None)?;
    if let Some(most) = setting(&config, "MaxArraySize").filter(|most| u64::from(elements) > *most) {
        return refuse(format!(
            "--array {elements}: this SLURM allows {most} elements (MaxArraySize); take fewer, with more --threads each"
        ));
    }
    let account = request.settings.account.as_deref();
    let Some(most) = associations().and_then(|text| submit_limit(&text, account)) else { return Ok(()) };
    let waiting = call("squeue", &["--me", "-h", "-r", "-t", "pending,running,suspended", "-o", "%i"], None)?;
    let waiting = waiting.lines().count() as u64;
    if waiting + u64::from(elements) > most {
        return refuse(format!(
            "--array {elements}: you may have {most} jobs here (MaxSubmitJobs, each element is one) and have {waiting}; take at most \
             {} elements, with more --threads each, or wait",
            most.saturating_sub(waiting)
        ));
    }
    Ok(())
}

/// A number of `scontrol show config`.
fn setting(config: &str, name: &str) -> Option<u64> {
    let line = config.lines().find(|line| line.split('=').next().is_some_and(|key| key.trim() == name))?;
    line.split_once('=')?.1.trim().parse().ok()
}

/// The user's associations, if the site keeps accounts: account, MaxSubmitJobs, GrpSubmitJobs.
fn associations() -> Option<String> {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok())?;
    let who = format!("user={user}");
    let what = ["-n", "-P", "show", "associations", &who, "format=Account,MaxSubmitJobs,GrpSubmitJobs"];
    call("sacctmgr", &what, None).ok()
}

/// The smallest limit of the associations with this account, or of all if none is given.
fn submit_limit(associations: &str, account: Option<&str>) -> Option<u64> {
    let of_account = |line: &&str| account.is_none_or(|account| line.split('|').next() == Some(account));
    let numbers = |line: &str| line.split('|').skip(1).filter_map(|field| field.parse().ok()).min();
    associations.lines().filter(of_account).filter_map(numbers).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_as_slurm_prints_them() {
        let config = "Configuration data as of 2026-11-28\nMaxArraySize            = 1001\nMaxJobCount             = 10000\n";
        assert_eq!(setting(config, "MaxArraySize"), Some(1001));
        assert_eq!(setting(config, "MaxArray"), None);
        let accounts = "physics|100|\nphysics|20|500\nmathematics||\n";
        assert_eq!(submit_limit(accounts, Some("physics")), Some(20));
        assert_eq!(submit_limit(accounts, Some("mathematics")), None);
        assert_eq!(submit_limit(accounts, None), Some(20));
        assert_eq!(submit_limit("", None), None);
    }
}
