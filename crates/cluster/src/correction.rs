//! What tasks really take, learned from those that have finished; used by the scheduler alone.
//!
//! The cost model knows one thread of one machine. Neighbours on the memory bus, oversubscription, or a cell whose
//! replicas end early make it wrong by a factor that is much the same for all tasks of a class.

use std::collections::HashMap;

/// Seconds taken and seconds predicted, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    taken: f64,
    predicted: f64,
    tasks: f64,
}

/// Factors between predicted and real cost.
#[derive(Clone, Debug, Default)]
pub struct Correction {
    all: Sums,
    classes: HashMap<u32, Sums>,
}

impl Correction {
    /// A task of `class` was predicted to take `predicted` seconds and took `taken`.
    pub fn learn(&mut self, class: u32, predicted: f64, taken: f64) {
        let usable = predicted > 0.0 && taken > 0.0 && predicted.is_finite() && taken.is_finite();
        if !usable {
            return;
        }
        for sums in [&mut self.all, self.classes.entry(class).or_default()] {
            sums.taken += taken;
            sums.predicted += predicted;
            sums.tasks += 1.0;
        }
    }

    /// Σ taken / Σ predicted over all tasks; 1 before the first.
    #[must_use]
    pub fn overall(&self) -> f64 {
        if self.all.tasks > 0.0 { self.all.taken / self.all.predicted } else { 1.0 }
    }

    /// The same over a class, drawn towards the overall factor with the weight of one average task.
    #[must_use]
    pub fn factor(&self, class: u32) -> f64 {
        let overall = self.overall();
        let Some(sums) = self.classes.get(&class) else { return overall };
        let weight = sums.predicted / sums.tasks;
        (sums.taken + weight * overall) / (sums.predicted + weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_corrected_by_its_own_tasks_and_others_by_all() {
        let mut correction = Correction::default();
        assert_eq!(correction.factor(7), 1.0);
        for _ in 0..99 {
            correction.learn(7, 1.0, 3.0);
        }
        correction.learn(8, 99.0, 99.0);
        // Overall (297 + 99) / (99 + 99) = 2; class 7: (297 + 2) / (99 + 1).
        assert_eq!(correction.overall(), 2.0);
        assert_eq!(correction.factor(7), 2.99);
        assert_eq!(correction.factor(9), 2.0);
    }

    #[test]
    fn tasks_without_a_cost_teach_nothing() {
        let mut correction = Correction::default();
        correction.learn(0, 0.0, 5.0);
        correction.learn(0, f64::NAN, 5.0);
        correction.learn(0, 1.0, 0.0);
        assert_eq!(correction.factor(0), 1.0);
    }
}
