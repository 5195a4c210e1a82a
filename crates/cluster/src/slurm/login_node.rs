//! Whether this is a cluster's login node, where a sweep's computing would disturb everybody.

use std::path::Path;

use super::queue::call;
use crate::host;

/// Where SLURM's configuration is looked for.
const CONFIGURATIONS: &[&str] =
    &["/etc/slurm/slurm.conf", "/etc/slurm-llnl/slurm.conf", "/run/slurm/conf/slurm.conf"];

/// Whether a SLURM is configured here, this process is in none of its jobs, and this host is none of its nodes. In doubt it
/// is no login node.
#[must_use]
pub fn is_login_node(environment: &dyn Fn(&str) -> Option<String>) -> bool {
    if environment("SLURM_JOB_ID").is_some() {
        return false;
    }
    let configured = environment("SLURM_CONF").is_some_and(|path| Path::new(&path).is_file())
        || CONFIGURATIONS.iter().any(|path| Path::new(path).is_file());
    if !configured {
        return false;
    }
    let host = host::name();
    let short = host.split('.').next().unwrap_or(&host);
    match call("scontrol", &["show", "node", short], None) {
        Ok(_) => false,
        Err(failure) => failure.message.contains("not found"),
    }
}

/// What to say there.
pub const ADVICE: &str = "this is a login node of a cluster: others work here. `metasweep submit` sends the sweep to compute nodes; if it is \
                          small and you mean it, say --here";
