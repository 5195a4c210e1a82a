//! Which observables and tables a cell can have: what is refused, and the mathematical reason.
//!
//! [`crate::combinations`] has the rules about a cell's own parameters; here stand those about `[observe]` and a cell. Called by
//! [`crate::parse`] once all cells are there.

use std::collections::BTreeMap;

use metasweep_dynamics::random::Stream;
use metasweep_metastability::fixed::normal;
use metasweep_metastability::histogram::Quantity;
use metasweep_metastability::observables::Observable;

use crate::cell::Cell;
use crate::diagnostic::{Place, Problem, Problems, shown};
use crate::document::{Entry, Kind, entry};
use crate::expression::Expression;
use crate::recipe::{Recipe, Texts};
use crate::resolve::texts;
use crate::sweep::{Input, Observe};

/// Whether tokens live in R^d, not on the sphere: then thresholds are distances.
#[must_use]
pub fn is_flat(cell: &Cell) -> bool {
    matches!(cell.text("geometry"), "euclidean" | "rescaled")
}

/// The separation of Rényi centres in a cell.
///
/// # Errors
/// If the expression uses what is no number of the cell, or the separation is not positive.
pub fn separation(cell: &Cell, observe: &Observe) -> Result<f64, String> {
    let text = &observe.separation;
    let expression = Expression::parse(text).map_err(|malformed| malformed.message)?;
    let value = expression.evaluate(&mut |name, _| {
        cell.get(name).number().ok_or_else(|| format!("`{name}` is no number of the cell"))
    })?;
    // β = 0 makes the default infinite: then no two tokens are that far apart, and the first is the only centre.
    if value > 0.0 {
        Ok(value)
    } else {
        Err(format!("the separation `{text}` is {}, and must be positive", shown(value)))
    }
}

/// Refuses what no cell, or some cell, can have.
pub(crate) fn check(
    cells: &[Cell],
    observe: &Observe,
    inputs: &BTreeMap<String, Input>,
    section: Option<&Entry>,
    problems: &mut Problems,
) {
    let Some(Kind::Table(entries)) = section.map(|section| &section.value.kind) else { return };
    let mut spectra = Spectra { inputs, known: BTreeMap::new() };
    let mut refuse = |problem: Option<Problem>| {
        if let Some(problem) = problem {
            problems.push(problem);
        }
    };
    for one in unused(cells, observe, entries) {
        refuse(Some(one));
    }
    for observable in &observe.series {
        let at = place_of(entries, observable.name());
        let found = cells
            .iter()
            .find_map(|cell| observable_reason(*observable, cell, observe).map(|reason| (cell, reason)));
        let found = found.or_else(|| no_hyperplanes(*observable, cells, &mut spectra));
        refuse(
            found.map(|(cell, reason)| impossible(&at, &format!("`{}`", observable.name()), cell, &reason)),
        );
    }
    for (key, moments) in [("snapshots", &observe.snapshots), ("attention", &observe.attention)] {
        let (Some(moments), Some(entry)) = (moments, entry(entries, key)) else { continue };
        let at = &entry.value.at;
        let last = moments.times.last().copied().unwrap_or(0.0);
        let late = cells.iter().find(|cell| last > cell.horizon());
        refuse(late.map(|cell| {
            let (last, horizon) = (shown(last), shown(cell.horizon()));
            Problem::new(at, format!("`{key}` asks for t = {last}, and the horizon is {horizon}"))
                .help("times are from 0 to the shortest horizon of the sweep's cells")
        }));
        let found = cells.iter().find_map(|cell| {
            let reason = match key {
                "attention" => weights_reason(cell),
                _ => is_equiangular(cell).then_some(NO_TOKENS),
            };
            reason.map(|reason| (cell, reason))
        });
        refuse(found.map(|(cell, reason)| impossible(at, &format!("`{key}`"), cell, reason)));
    }
    for histogram in &observe.histograms {
        let Some(entry) = entry(entries, "histogram") else { continue };
        let at = &entry.value.at;
        let found =
            cells.iter().find_map(|cell| histogram_reason(histogram.of, cell).map(|reason| (cell, reason)));
        let what = format!("a histogram of `{}`", histogram.of.name());
        refuse(found.map(|(cell, reason)| impossible(at, &what, cell, reason)));
    }
}

fn impossible(at: &Place, what: &str, cell: &Cell, reason: &str) -> Problem {
    let numbers = format!("n = {}, d = {}, beta = {}", cell.n(), cell.d(), shown(cell.beta()));
    Problem::new(at, format!("{what} is impossible in the cell with {numbers}: {reason}"))
}

/// Keys that are given and that nothing would look at.
fn unused(cells: &[Cell], observe: &Observe, entries: &[Entry]) -> Vec<Problem> {
    let asks = |test: fn(Observable) -> bool| observe.series.iter().any(|observable| test(*observable));
    let flat = cells.iter().filter(|cell| is_flat(cell)).count();
    let spaces = asks(|observable| observable == Observable::LeadingEigenspaceDistance);
    let cases = [
        (
            "renyi",
            asks(Observable::needs_centres),
            "it is for the series about Rényi centres, and none is asked for",
        ),
        (
            "leading_eigenspace",
            spaces,
            "it is for the series `leading_eigenspace_distance`, which is not asked for",
        ),
        (
            "epsilon",
            flat > 0 || asks(|observable| observable == Observable::Hyperplanes),
            "it is a distance between tokens of R^d or between hyperplanes, and there are none here",
        ),
        (
            "delta",
            flat < cells.len() || observe.epsilons.is_empty(),
            "`epsilon` takes its place in R^d, and all tokens here live there",
        ),
    ];
    let unused = |(key, used, reason): (&str, bool, &str)| {
        let entry = entry(entries, key).filter(|_| !used)?;
        let problem = Problem::new(&entry.key_at, format!("`{key}` would count for nothing: {reason}"));
        Some(problem.help("leave it out"))
    };
    cases.into_iter().filter_map(unused).collect()
}

/// Where an observable's name stands in `series`; the list itself if it is nowhere.
fn place_of(entries: &[Entry], name: &str) -> Place {
    let Some(series) = entry(entries, "series") else { return Place { source: 0, span: 0..0 } };
    let values = match &series.value.kind {
        Kind::Array(values) => values.as_slice(),
        _ => &[],
    };
    let named = values.iter().find(|value| matches!(&value.kind, Kind::Text(text) if text == name));
    named.map_or_else(|| series.value.at.clone(), |value| value.at.clone())
}

/// Why a cell has no such observable.
fn observable_reason(observable: Observable, cell: &Cell, observe: &Observe) -> Option<String> {
    let needs_tokens =
        observable.needs_centres() || observable.needs_weights() || observable.needs_spectrum();
    if needs_tokens && is_equiangular(cell) {
        return Some(NO_TOKENS.to_owned());
    }
    if observable.needs_centres() {
        return separation(cell, observe).err();
    }
    if observable.needs_weights() {
        return weights_reason(cell).map(str::to_owned);
    }
    if observable.needs_spectrum() {
        let reason = match (cell.text("sharing"), cell.heads()) {
            _ if !attends(cell) => "its model has no matrix V",
            ("layer", _) => "V is another one in each layer, and no direction leads in all of them",
            (_, 2..) => "with several heads there is no one V whose spectrum decides",
            _ => return None,
        };
        return Some(reason.to_owned());
    }
    None
}

/// The first cell, if hyperplanes are asked for and no cell can have any. Where V is random, or some cells have them, the column is null
/// in those that have not.
fn no_hyperplanes<'a>(
    observable: Observable,
    cells: &'a [Cell],
    spectra: &mut Spectra<'_>,
) -> Option<(&'a Cell, String)> {
    let none = observable == Observable::Hyperplanes && cells.iter().all(|cell| spectra.has_no_normal(cell));
    let reason = "V has no leading eigenvalue that is real, positive and simple (P1 Definition 4.1), so that there is no \
                  direction φ_1 to count hyperplanes along";
    cells.first().filter(|_| none).map(|cell| (cell, reason.to_owned()))
}

const NO_TOKENS: &str =
    "its state is the common cosine alone, and no tokens (`geometry = \"sphere\"` has them)";

fn is_equiangular(cell: &Cell) -> bool {
    cell.text("geometry") == "equiangular"
}

fn attends(cell: &Cell) -> bool {
    cell.text("model") == "attention"
}

fn weights_reason(cell: &Cell) -> Option<&'static str> {
    if is_equiangular(cell) {
        return Some(NO_TOKENS);
    }
    (!attends(cell)).then_some("its model has no attention weights")
}

fn histogram_reason(quantity: Quantity, cell: &Cell) -> Option<&'static str> {
    match quantity {
        _ if is_equiangular(cell) => Some(NO_TOKENS),
        Quantity::InnerProduct => is_flat(cell)
            .then_some("tokens of R^d are no unit vectors, and their products not confined to [−1, 1]"),
        Quantity::Azimuth if !matches!(cell.d(), 2 | 3) => {
            Some("the azimuth is an angle of the circle or of the sphere of R³: d = 2 or 3")
        }
        Quantity::Azimuth if cell.initial_construction == "bartlett" => {
            Some("its tokens are drawn in their span (d > n), which has no first two axes")
        }
        Quantity::Azimuth => None,
    }
}

/// What is known beforehand of the spectra of matrices that are not random.
struct Spectra<'a> {
    inputs: &'a BTreeMap<String, Input>,
    /// By the texts that matrices are drawn from, and the dimension: whether V has no hyperplane normal.
    known: BTreeMap<(Texts, usize), bool>,
}

impl Spectra<'_> {
    /// Whether V is the same in every replica and has no normal.
    fn has_no_normal(&mut self, cell: &Cell) -> bool {
        if cell.initial_construction == "bartlett" {
            // V = c·I in d > n dimensions: its eigenvalue is not simple, whatever the dimension of the span.
            return true;
        }
        let key = (texts(&cell.parameters), cell.carried());
        let inputs = self.inputs;
        *self.known.entry(key).or_insert_with(|| {
            let Ok(recipe) = Recipe::parse(&texts(&cell.parameters)) else { return false };
            if recipe.is_value_random() {
                return false;
            }
            let (stream, d) = (|_, _: &str, _| Stream::new([0; 32], 0), cell.carried());
            let drawn = recipe.draw(d, &stream, &|name| inputs.get(name).map(|input| input.bytes.as_slice()));
            drawn.is_ok_and(|parameters| normal(&parameters.heads[0].value, d).is_none())
        })
    }
}
