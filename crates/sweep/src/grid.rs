//! `[[grid]]`: axes, zips, ranges; the union of grids, one point after the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Place, Problem, Problems, listed, shown};
use crate::document::{Entry, Kind as RawKind, Raw};
use crate::families::Families;
use crate::registry::{self, Kind, Parameter, Section};
use crate::sample::RangeParts;
use crate::setting::{self, Given, Setting};

/// Most points of all grids together.
const MOST_POINTS: u64 = 1_000_000;

/// Keys that vary together: each row has a setting of each key.
pub(crate) struct Axis {
    keys: Vec<&'static str>,
    rows: Vec<Vec<Setting>>,
}

/// One `[[grid]]`: the product of its axes.
pub(crate) struct Grid {
    axes: Vec<Axis>,
    /// Where it begins.
    pub(crate) at: Place,
}

/// What a point of a grid fixes, by key.
pub(crate) type Point<'a> = BTreeMap<&'static str, &'a Setting>;

impl Grid {
    /// Reads the table of a grid. `None` if something is wrong with it.
    pub(crate) fn read(raw: &Raw, families: &mut Families, problems: &mut Problems) -> Option<Grid> {
        let entries = problems.keep(raw.table("grid"))?;
        let mut axes = Vec::new();
        let mut sound = true;
        for entry in entries {
            let axis = if entry.key == "zip" {
                read_zip(entry, entries, families, problems)
            } else {
                problems
                    .keep(known(entry))
                    .and_then(|parameter| read_axis(parameter, &entry.value, families, problems))
                    .map(|(key, settings)| Axis {
                        keys: vec![key],
                        rows: settings.into_iter().map(|setting| vec![setting]).collect(),
                    })
            };
            sound &= axis.is_some();
            axes.extend(axis);
        }
        let at = raw.at.clone();
        sound.then_some(Grid { axes, at })
    }

    /// The keys that this grid names.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.axes.iter().flat_map(|axis| axis.keys.iter().copied())
    }

    /// How many points it has.
    pub(crate) fn len(&self) -> u64 {
        self.axes.iter().map(|axis| axis.rows.len() as u64).fold(1, u64::saturating_mul)
    }

    /// Its points, each on top of `base`.
    pub(crate) fn points<'a>(&'a self, base: &Point<'a>) -> impl Iterator<Item = Point<'a>> {
        let base = base.clone();
        (0..self.len()).map(move |number| {
            let mut point = base.clone();
            let mut rest = number;
            for axis in &self.axes {
                let length = axis.rows.len() as u64;
                let row = &axis.rows[(rest % length) as usize];
                rest /= length;
                point.extend(axis.keys.iter().copied().zip(row));
            }
            point
        })
    }
}

/// Too many points: a problem.
pub(crate) fn check_size(grids: &[Grid], problems: &mut Problems) {
    let total = grids.iter().map(Grid::len).fold(0, u64::saturating_add);
    if let (true, Some(largest)) = (total > MOST_POINTS, grids.iter().max_by_key(|grid| grid.len())) {
        problems.push(
            Problem::new(
                &largest.at,
                format!("the grids have {total} points, and a sweep has at most {MOST_POINTS}"),
            )
            .help("split it into several sweeps"),
        );
    }
}

/// Keys that some grid names.
pub(crate) fn named(grids: &[Grid]) -> BTreeSet<&'static str> {
    grids.iter().flat_map(Grid::keys).collect()
}

/// Settings of `[time]` and of `seed`, which grids override.
pub(crate) fn read_single(
    parameter: &'static Parameter,
    raw: &Raw,
    families: &mut Families,
) -> Result<Setting, Problem> {
    let key = parameter.key;
    let is_list =
        matches!(raw.kind, RawKind::Array(_) | RawKind::Table(_)) && !matches!(parameter.kind, Kind::Sample);
    if is_list {
        let place = if parameter.section == Section::Time { "in [time]" } else { "at the top of the file" };
        return Err(Problem::new(&raw.at, format!("`{key}` {place} is one value, not {}", raw.found()))
            .help(format!("to sweep over it, write it as an axis in a [[grid]]: `{key} = [ … ]`")));
    }
    setting::read(parameter, raw, families)
}

fn known(entry: &Entry) -> Result<&'static Parameter, Problem> {
    registry::parameter(&entry.key).ok_or_else(|| {
        let key = &entry.key;
        let problem = Problem::new(&entry.key_at, format!("a grid has no key `{key}`"));
        match key.as_str() {
            "replicas" | "name" => {
                problem.help(format!("`{key}` stands at the top of the file, before any section"))
            }
            "series" | "delta" | "level" | "quantiles" | "merges" | "plateaus" | "min_lifetime"
            | "final_state" => {
                problem.help(format!("`{key}` stands in [observe]; it is the same for every cell"))
            }
            "partition_by" | "rows_per_part" => problem.help(format!("`{key}` stands in [output]")),
            _ => {
                let names = || registry::PARAMETERS.iter().map(|parameter| parameter.key);
                let problem = problem.nearest(key, names());
                if problem.help.is_empty() {
                    problem.help(format!("keys of a grid: `zip`, {}", listed(names())))
                } else {
                    problem
                }
            }
        }
    })
}

/// The settings of one key: an axis if it is a list or a range.
fn read_axis(
    parameter: &'static Parameter,
    raw: &Raw,
    families: &mut Families,
    problems: &mut Problems,
) -> Option<(&'static str, Vec<Setting>)> {
    let key = parameter.key;
    let settings = match &raw.kind {
        RawKind::Array(values) if !matches!(parameter.kind, Kind::Sample) => {
            if values.is_empty() {
                problems.push(
                    Problem::new(&raw.at, format!("the axis `{key}` is empty: the grid would have no cell"))
                        .help("give it a value, or leave the key out"),
                );
                return None;
            }
            let read: Vec<Option<Setting>> =
                values.iter().map(|value| problems.keep(element(parameter, value, families))).collect();
            read.into_iter().collect::<Option<Vec<Setting>>>()?
        }
        RawKind::Table(_) if matches!(parameter.kind, Kind::Integer(..) | Kind::Number(_) | Kind::Step) => {
            problems.keep(range(parameter, raw))?
        }
        _ => vec![problems.keep(setting::read(parameter, raw, families))?],
    };
    Some((key, settings))
}

fn element(parameter: &'static Parameter, raw: &Raw, families: &mut Families) -> Result<Setting, Problem> {
    match raw.kind {
        RawKind::Array(_) => {
            Err(Problem::new(&raw.at, format!("a value of `{}` is itself a list", parameter.key))
                .help("a list is an axis; to let several keys vary together, use `zip`"))
        }
        RawKind::Table(_) if parameter.is_numeric() => {
            Err(Problem::new(&raw.at, format!("a value of `{}` is itself a range", parameter.key))
                .help("write the range alone, or the values one by one; or use two [[grid]] sections"))
        }
        _ => setting::read(parameter, raw, families),
    }
}

/// `{ from, to, count }` as an axis.
fn range(parameter: &'static Parameter, raw: &Raw) -> Result<Vec<Setting>, Problem> {
    let key = parameter.key;
    let parts = RangeParts::read(raw, key)?;
    let missing = |end: &str| {
        Problem::new(&raw.at, format!("the range of `{key}` has no `{end}`"))
            .help("a range is `{ from = 0.1, to = 9.0, count = 90 }`")
    };
    let (from, _) = parts.from.as_ref().ok_or_else(|| missing("from"))?;
    parts.to.as_ref().ok_or_else(|| missing("to"))?;
    if parts.count as u64 > MOST_POINTS {
        return Err(Problem::new(&parts.count_at, format!("an axis has at most {MOST_POINTS} values")));
    }
    let values = parts.values(from)?;
    let setting = |given| Setting { given, at: raw.at.clone() };
    if matches!(parameter.kind, Kind::Integer(..)) {
        return integers(parameter, raw, &parts, &values)
            .map(|values| values.into_iter().map(|value| setting(Given::Integer(value))).collect());
    }
    values
        .into_iter()
        .map(|value| match setting::out_of_bounds(parameter, value) {
            None => Ok(setting(Given::Number(value + 0.0))),
            Some(message) => Err(Problem::new(&raw.at, message)),
        })
        .collect()
}

/// The values of a range of an integer key: exact ones, or the nearest ones of a geometric range.
fn integers(
    parameter: &'static Parameter,
    raw: &Raw,
    parts: &RangeParts,
    values: &[f64],
) -> Result<Vec<i64>, Problem> {
    let key = parameter.key;
    let mut integers: Vec<i64> = Vec::with_capacity(values.len());
    let last = values.len() - 1;
    for (index, value) in values.iter().enumerate() {
        let exact = !parts.log || index == 0 || index == last;
        if value.abs() > 9e15 || (exact && value.fract() != 0.0) {
            return Err(Problem::new(
                &raw.at,
                format!("`{key}` takes integers, and this range contains {}", shown(*value)),
            )
            .help("choose `count` such that the distance of neighbours is an integer"));
        }
        let integer = value.round() as i64;
        if integers.last() == Some(&integer) {
            return Err(Problem::new(
                &parts.count_at,
                format!("rounded to integers, this range has {integer} twice"),
            )
            .help("choose a smaller `count`"));
        }
        if let Some(message) = setting::out_of_range(parameter, integer) {
            return Err(Problem::new(&raw.at, message));
        }
        integers.push(integer);
    }
    Ok(integers)
}

/// `zip = { n = [8, 16], d = [8, 16] }`: one axis of several keys.
fn read_zip(entry: &Entry, grid: &[Entry], families: &mut Families, problems: &mut Problems) -> Option<Axis> {
    let columns = problems.keep(entry.value.table("zip"))?;
    let mut axis: Vec<(&'static str, Vec<Setting>, &Entry)> = Vec::new();
    let mut sound = true;
    for column in columns {
        if let Some(other) = grid.iter().find(|other| other.key == column.key) {
            let message = format!("`{}` is given in the grid and again in its zip", column.key);
            problems.push(Problem::new(&column.key_at, message).related(&other.key_at, "given here"));
            sound = false;
        }
        let read = problems.keep(known(column)).and_then(|parameter| {
            if matches!(parameter.kind, Kind::Sample) {
                problems.push(Problem::new(
                    &column.key_at,
                    "`sample` cannot be zipped: its list is never an axis",
                ));
                return None;
            }
            read_axis(parameter, &column.value, families, problems)
        });
        sound &= read.is_some();
        axis.extend(read.map(|(key, settings)| (key, settings, column)));
    }
    if !sound {
        return None;
    }
    let Some((_, first, first_column)) = axis.first() else {
        problems.push(
            Problem::new(&entry.value.at, "`zip` is empty")
                .help("it pairs axes, as in `zip = { n = [8, 16], d = [8, 16] }`"),
        );
        return None;
    };
    let length = first.len();
    if let Some((key, settings, column)) = axis.iter().find(|(_, settings, _)| settings.len() != length) {
        problems.push(
            Problem::new(
                &column.value.at,
                format!(
                    "zipped axes must be equally long: `{key}` has {} values, `{}` has {length}",
                    settings.len(),
                    first_column.key
                ),
            )
            .related(&first_column.value.at, format!("{length} values")),
        );
        return None;
    }
    let rows =
        (0..length).map(|row| axis.iter().map(|(_, settings, _)| settings[row].clone()).collect()).collect();
    Some(Axis { keys: axis.iter().map(|(key, _, _)| *key).collect(), rows })
}
