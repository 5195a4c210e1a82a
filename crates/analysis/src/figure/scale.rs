//! An axis as plotters sees it, with our own ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::ticks::{tick, ticks};

/// From one end to the other; positions on a log axis are powers of ten.
pub(super) struct Scale {
    log: bool,
    ends: (f64, f64),
}

impl Scale {
    pub(super) fn new(log: bool, ends: (f64, f64)) -> Self {
        Scale { log, ends }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.ends.0) / (self.ends.1 - self.ends.0);
        limit.0 + (f64::from(limit.1 - limit.0) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        ticks(self.log, self.ends)
    }

    fn range(&self) -> Range<f64> {
        self.ends.0..self.ends.1
    }
}

impl ValueFormatter<f64> for Scale {
    fn format(value: &f64) -> String {
        super::ticks::short(*value)
    }

    fn format_ext(&self, value: &f64) -> String {
        tick(self.log, *value)
    }
}
