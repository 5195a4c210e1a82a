//! How much of the run is lost at its end, when some threads have nothing left to do and others still work.

use crate::scheduler::Worker;

/// Thread seconds without work since the last instant at which every thread had some.
#[derive(Debug)]
pub struct Tail {
    threads: Vec<u32>,
    tasks: Vec<u32>,
    since: f64,
    lost: f64,
}

impl Tail {
    /// Nobody works yet; `threads` of each worker.
    #[must_use]
    pub fn new(threads: Vec<u32>) -> Self {
        Self { tasks: vec![0; threads.len()], threads, since: 0.0, lost: 0.0 }
    }

    /// At `now` (seconds) this worker was given a task.
    pub fn given(&mut self, worker: Worker, now: f64) {
        self.pass(now);
        self.tasks[worker] += 1;
        if self.idle() == 0 {
            self.lost = 0.0;
        }
    }

    /// At `now` it ended one.
    pub fn ended(&mut self, worker: Worker, now: f64) {
        self.pass(now);
        self.tasks[worker] = self.tasks[worker].saturating_sub(1);
    }

    /// What had been lost when the last task ended.
    #[must_use]
    pub fn lost(&self) -> f64 {
        self.lost
    }

    fn pass(&mut self, now: f64) {
        self.lost += f64::from(self.idle()) * (now - self.since).max(0.0);
        self.since = now;
    }

    fn idle(&self) -> u32 {
        self.threads.iter().zip(&self.tasks).map(|(threads, tasks)| threads.saturating_sub(*tasks)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_counts() {
        let mut tail = Tail::new(vec![2, 1]);
        for worker in [0, 0, 1] {
            tail.given(worker, 0.0);
        }
        // One thread waits for a second, then everybody works again.
        tail.ended(1, 3.0);
        tail.ended(0, 3.5);
        assert_eq!(tail.lost(), 0.5);
        tail.given(0, 3.5);
        tail.given(1, 4.0);
        assert_eq!(tail.lost(), 0.0);
        // A task that waits behind another is no second thread's work.
        tail.given(0, 5.0);
        tail.ended(0, 6.0);
        tail.ended(0, 7.0);
        tail.ended(1, 8.0);
        tail.ended(0, 10.0);
        assert_eq!(tail.lost(), 3.0 + 2.0);
    }
}
