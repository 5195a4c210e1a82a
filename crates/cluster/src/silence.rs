//! Workers that have been silent for much longer than what they do should take: named, once, in the log. Nothing is done about
//! them; SLURM and MPI end what is dead, and who only seems so goes on.

use std::collections::BTreeMap;

use crate::scheduler::Worker;

/// Silent for this many seconds …
const SECONDS: f64 = 60.0;
/// … and for this many times what the longest of its tasks should take.
const TIMES: f64 = 20.0;

/// Who was heard of when.
pub struct Silence {
    last: Vec<f64>,
    told: Vec<bool>,
    /// What each is called in the log.
    names: Vec<String>,
    seconds: f64,
    looked: f64,
}

impl Silence {
    /// Of so many workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        // Tests do not wait for a minute.
        let asked = std::env::var("METASWEEP_SILENCE").ok().and_then(|text| text.parse().ok());
        Silence {
            last: vec![0.0; workers],
            told: vec![false; workers],
            names: (0..workers).map(|worker| format!("rank {worker}")).collect(),
            seconds: asked.unwrap_or(SECONDS),
            looked: 0.0,
        }
    }

    /// What they are called.
    pub fn call(&mut self, names: Vec<String>) {
        self.names = names;
    }

    /// Something came from a worker, or went to it.
    pub fn heard(&mut self, worker: Worker, now: f64) {
        if let Some(last) = self.last.get_mut(worker) {
            *last = now;
        }
    }

    /// Whether it is time to look around again.
    #[must_use]
    pub fn is_due(&self, now: f64) -> bool {
        now - self.looked > self.seconds / 6.0
    }

    /// A sentence for each worker that has been silent for too long and was not named yet; `out` is what the longest task of each is
    /// expected to take.
    pub fn look(&mut self, now: f64, out: &BTreeMap<Worker, f64>) -> Vec<String> {
        self.looked = now;
        let mut sentences = Vec::new();
        for (&worker, &expected) in out {
            let silent = now - self.last[worker];
            if silent <= self.seconds.max(TIMES * expected) || self.told[worker] {
                continue;
            }
            self.told[worker] = true;
            sentences.push(format!(
                "{} has not been heard of for {silent:.0} s, and what it does should take {expected:.1} s: does it hang?",
                self.names[worker]
            ));
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_is_named_once() {
        let mut silence = Silence::new(3);
        silence.call(vec!["rank 0 on a".to_owned(), "rank 1 on b".to_owned(), "rank 2 on c".to_owned()]);
        silence.heard(1, 50.0);
        let out = BTreeMap::from([(0, 0.5), (1, 0.5), (2, 30.0)]);
        // Rank 1 was heard of lately; rank 2 has long tasks; rank 0 has short ones.
        assert!(!silence.is_due(5.0) && silence.is_due(70.0));
        let sentences = silence.look(70.0, &out);
        assert_eq!(sentences.len(), 1);
        assert!(sentences[0].starts_with("rank 0 on a has not been heard of for 70 s"), "{sentences:?}");
        assert!(silence.look(80.0, &out).is_empty());
        assert_eq!(silence.look(700.0, &out).len(), 2);
        // Who has nothing to do may be silent.
        assert!(Silence::new(3).look(700.0, &BTreeMap::new()).is_empty());
    }
}
