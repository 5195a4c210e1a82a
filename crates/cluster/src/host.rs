//! This machine and this process, as provenance records and thread counts need them.

use std::collections::BTreeSet;

/// The host's name.
#[must_use]
pub fn name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "unknown-host".to_owned() } else { name.trim().to_owned() }
}

/// The processor's name.
#[must_use]
pub fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// The processors that this process may run on, as the kernel lists them ("0-3,8"); empty if it does not say.
#[must_use]
pub fn processors() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap_or_default().trim().to_owned()
}

/// Threads that can run at once in this process (affinity and cgroup quota).
#[must_use]
pub fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// CPU seconds, user and system, of all threads of this process so far.
#[must_use]
pub fn cpu_seconds() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the struct it is given; all-zero bytes are a valid `rusage` should it fail.
    #[allow(unsafe_code)]
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// The share of a host's processors that falls to one of its processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat<'a> {
    /// The host.
    pub host: &'a str,
    /// As [`processors`] lists them.
    pub processors: &'a str,
    /// As [`parallelism`] says.
    pub parallelism: usize,
}

/// Compute threads for each of `seats`: what it may use, divided by the number of processes on its host that may use
/// the same processors. So bound ranks use what they are bound to, and unbound ranks share their machine.
#[must_use]
pub fn fair_threads(seats: &[Seat<'_>]) -> Vec<usize> {
    let sets: Vec<BTreeSet<u32>> = seats.iter().map(|seat| listed(seat.processors)).collect();
    let overlap = |i: usize, j: usize| {
        seats[i].host == seats[j].host
            && (sets[i].is_empty() || sets[j].is_empty() || !sets[i].is_disjoint(&sets[j]))
    };
    let share = |i: usize| (0..seats.len()).filter(|&j| j == i || overlap(i, j)).count();
    (0..seats.len()).map(|i| (seats[i].parallelism / share(i)).max(1)).collect()
}

/// The numbers of a list such as "0-3,8"; what cannot be read is left out.
fn listed(list: &str) -> BTreeSet<u32> {
    let range = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some(low.trim().parse::<u32>().ok()?..=high.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat<'a>(host: &'a str, processors: &'a str, parallelism: usize) -> Seat<'a> {
        Seat { host, processors, parallelism }
    }

    #[test]
    fn unbound_ranks_share_their_host() {
        let seats = [seat("a", "0-7", 8), seat("a", "0-7", 8), seat("b", "0-7", 8)];
        assert_eq!(fair_threads(&seats), [4, 4, 8]);
    }

    #[test]
    fn bound_ranks_use_what_they_are_bound_to() {
        let seats = [seat("a", "0-3", 4), seat("a", "4-7", 4), seat("a", "8,9", 2)];
        assert_eq!(fair_threads(&seats), [4, 4, 2]);
    }

    #[test]
    fn more_ranks_than_processors_get_one_thread_each() {
        let seats = vec![seat("a", "0-1", 2); 5];
        assert_eq!(fair_threads(&seats), [1; 5]);
    }

    #[test]
    fn this_process_runs_somewhere() {
        assert!(parallelism() >= 1);
        assert!(!name().is_empty() && !cpu().is_empty());
        assert!(!listed(&processors()).is_empty());
        let before = cpu_seconds();
        assert!(before >= 0.0 && cpu_seconds() >= before);
    }
}
