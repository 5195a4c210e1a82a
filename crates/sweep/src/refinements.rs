//! Steps of one noisy system must refine one Brownian path: cells that differ in their step alone differ by a power of two.
//!
//! Paths are halved, and nothing else: steps of 0.1 and 0.03 would have paths of their own, and a comparison of the two would show the
//! noise, not the step. [`crate::parse`] asks for each cell as it comes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use metasweep_dynamics::noise;

use crate::cell::Cell;
use crate::diagnostic::{Place, Problem, shown};
use crate::grid::Point;

/// The first step of each noisy system, by all of its parameters but the step.
#[derive(Default)]
pub(crate) struct Refinements {
    first: BTreeMap<String, f64>,
}

impl Refinements {
    /// Refuses a cell whose step does not refine, or is not refined by, the first one of the same system.
    pub(crate) fn check(&mut self, cell: &Cell, point: &Point<'_>, grid_at: &Place) -> Result<(), Problem> {
        if cell.get("kappa").number().is_none() {
            return Ok(());
        }
        let mut system = String::new();
        for (key, value) in cell.parameters.iter().filter(|(key, _)| *key != "step") {
            let _ = writeln!(system, "{key}={value}");
        }
        let first = *self.first.entry(system).or_insert(cell.step);
        let base = |step| noise::base(step).map(|(length, _)| length.to_bits());
        if base(first) == base(cell.step) {
            return Ok(());
        }
        let at = point.get("step").map_or(grid_at, |setting| &setting.at);
        let (first, step) = (shown(first), shown(cell.step));
        let message = format!(
            "steps {first} and {step} of one noisy system cannot be: a Brownian path is refined by halving, and {step} is not {first} times a power of two"
        );
        Err(Problem::new(at, message).help("take steps such as 0.1, 0.05, 0.025"))
    }
}
