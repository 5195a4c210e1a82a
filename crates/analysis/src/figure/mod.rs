//! Figures over a dataset. One file a figure, one line in [`FIGURES`], one row in docs/figures.md, one test.

mod against;
mod captured;
mod choice;
mod clusters;
mod collapse_law;
mod count_law;
mod curves;
pub mod draw;
mod energy;
mod histogram;
mod legend;
mod lifetime_law;
mod merge_tree;
mod phase_diagram;
mod plateaus;
pub mod plot;
mod rates;
mod scale;
mod survival;
mod thresholds;
pub mod ticks;
mod trajectory;

use crate::condition::Condition;
use crate::dataset::Dataset;
use crate::error::AnalysisError;

pub use self::choice::describe;
use self::plot::Figure;
pub use self::trajectory::of_states as trajectory_of_states;

/// What a figure is made of, beside the dataset.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Which cells.
    pub condition: Condition,
    /// One cell: its name or enough of its first digits.
    pub cell: Option<String>,
    /// Which replica, where one is shown.
    pub replica: u32,
    /// Which observable, where there is a choice.
    pub observable: Option<String>,
    /// Against which key of the grid, where there is a choice.
    pub against: Option<String>,
}

impl Default for Choice {
    fn default() -> Self {
        Choice { condition: Condition::Always, cell: None, replica: 0, observable: None, against: None }
    }
}

/// A figure's entry in the registry.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it shows, in a line.
    pub shows: &'static str,
    make: fn(&Dataset, &Choice) -> Result<Figure, AnalysisError>,
}

/// Every figure.
pub const FIGURES: &[Entry] = &[
    Entry {
        name: "phase-diagram",
        shows: "an observable's mean over t and β, a panel for each d; Γ where it is known",
        make: phase_diagram::make,
    },
    Entry {
        name: "clusters",
        shows: "the number of clusters over time, with quantile bands",
        make: clusters::make,
    },
    Entry {
        name: "survival",
        shows: "the share of replicas that have not collapsed (Kaplan–Meier)",
        make: survival::make,
    },
    Entry { name: "collapse-law", shows: "collapse times against β", make: collapse_law::make },
    Entry {
        name: "lifetime-law",
        shows: "plateaus' lifetimes against β(1 − closest cosine)",
        make: lifetime_law::make,
    },
    Entry { name: "count-law", shows: "clusters of the first plateau against √β", make: count_law::make },
    Entry { name: "merge-tree", shows: "which clusters of a replica merged when", make: merge_tree::make },
    Entry { name: "energy", shows: "the energy over time: the staircase", make: energy::make },
    Entry {
        name: "plateaus",
        shows: "plateaus' lifetimes by their number of clusters",
        make: plateaus::make,
    },
    Entry {
        name: "thresholds",
        shows: "the number of clusters at the end against δ",
        make: thresholds::make,
    },
    Entry {
        name: "histogram",
        shows: "distributions of inner products, or of azimuths",
        make: histogram::make,
    },
    Entry { name: "trajectory", shows: "the tokens of a replica at its snapshots", make: trajectory::make },
    Entry {
        name: "captured",
        shows: "the fraction of tokens captured by leaders (Rényi centres)",
        make: captured::make,
    },
    Entry { name: "rates", shows: "how fast cosines go to one, by layer norm", make: rates::make },
    Entry {
        name: "against",
        shows: "an observable at the end against a key of the grid",
        make: against::make,
    },
];

/// Makes a figure.
///
/// # Errors
/// If there is none of this name, or the dataset does not hold what it shows.
pub fn make(name: &str, dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let Some(entry) = FIGURES.iter().find(|entry| entry.name == name) else {
        let names: Vec<&str> = FIGURES.iter().map(|entry| entry.name).collect();
        let nearest = names.iter().max_by(|a, b| strsim::jaro(a, name).total_cmp(&strsim::jaro(b, name)));
        let nearest = nearest.map(|nearest| format!("; do you mean `{nearest}`?")).unwrap_or_default();
        return Err(AnalysisError::Usage(format!(
            "there is no figure `{name}`{nearest} There are {}.",
            names.join(", ")
        )));
    };
    let figure = (entry.make)(dataset, choice)?;
    if figure.panels.iter().all(|panel| panel.layers.is_empty()) {
        return Err(AnalysisError::Nothing(format!("{name}: the chosen cells have nothing to show (yet)")));
    }
    Ok(figure)
}
