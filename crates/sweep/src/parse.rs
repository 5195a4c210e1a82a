//! [`Sweep::parse`]: the passes in order. Text → tree → overrides → sections and grids → cells, sorted, each once.

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical;
use crate::cell::{Cell, CellName};
use crate::diagnostic::{Place, Problem, Problems, Source, SweepError, listed};
use crate::document::{self, Entry, Kind, Raw, entry};
use crate::families::Families;
use crate::fitting;
use crate::folders;
use crate::grid::{self, Grid, Point};
use crate::observe::{read_observe, read_output, unknown_key};
use crate::overrides;
use crate::refinements::Refinements;
use crate::registry::{self, PARAMETERS, Section};
use crate::required;
use crate::resolve::Resolver;
use crate::setting::Setting;
use crate::sweep::Sweep;

/// The column `replica` has 32 bits with a sign.
const MOST_REPLICAS: u32 = i32::MAX as u32;
/// Of a name: files and folders are named after it.
const LONGEST_NAME: usize = 200;

pub(crate) const TOP: [&str; 8] =
    ["name", "seed", "replicas", "grid", "time", "observe", "output", "grid_keys"];

impl Sweep {
    /// Reads a sweep file. `path_for_messages` names it in messages; `overrides` are the `key=value` of `--set`;
    /// `load` reads the files it names, relative to the sweep file.
    ///
    /// ```
    /// use metasweep_sweep::sweep::Sweep;
    /// let text = r#"
    ///     name = "example"
    ///     seed = 1
    ///     replicas = 8
    ///     [[grid]]
    ///     n = 32
    ///     d = [2, 8]
    ///     beta = { from = 0.5, to = 2.0, count = 4 }
    ///     [time]
    ///     horizon = 5.0
    ///     integrator = "projected_euler"
    ///     step = 0.1
    ///     sample = { count = 6 }
    /// "#;
    /// let sweep = Sweep::parse(text, "example.toml", &[], &mut |_| unreachable!()).unwrap();
    /// assert_eq!(sweep.cells.len(), 8);
    /// assert_eq!(sweep.grid_keys, ["n", "d", "beta"]);
    /// ```
    ///
    /// # Errors
    /// All that is wrong with the file or the overrides, each with its place.
    pub fn parse(
        source: &str,
        path_for_messages: &str,
        overrides: &[String],
        load: &mut dyn FnMut(&str) -> std::io::Result<Vec<u8>>,
    ) -> Result<Sweep, SweepError> {
        let mut sources = vec![Source { name: path_for_messages.to_owned(), text: source.to_owned() }];
        sources.extend(overrides.iter().map(|text| Source { name: "--set".to_owned(), text: text.clone() }));
        let mut problems = Problems::default();
        let sweep = read(source, overrides, load, &mut problems);
        match sweep {
            Some(sweep) if problems.is_empty() => Ok(sweep),
            _ => Err(problems.into_error(&sources)),
        }
    }
}

/// The sweep, or `None` with at least one problem.
fn read(
    source: &str,
    overrides: &[String],
    load: &mut dyn FnMut(&str) -> std::io::Result<Vec<u8>>,
    problems: &mut Problems,
) -> Option<Sweep> {
    let mut document = problems.keep(document::read(source, 0))?;
    for (index, text) in overrides.iter().enumerate() {
        problems.keep(overrides::apply(&mut document, text, index + 1));
    }
    let Kind::Table(entries) = &document.kind else { return None };
    for unknown in entries.iter().filter(|entry| !TOP.contains(&entry.key.as_str())) {
        problems.push(unknown_top(unknown));
    }
    let mut families = Families::new(load);
    let name = problems.keep(name(entries));
    let replicas = problems.keep(replicas(entries));
    let singles = read_singles(entries, &mut families, problems);
    let grids = read_grids(entries, &mut families, problems);
    let observe = read_observe(entry(entries, "observe"), problems);
    let output = read_output(entry(entries, "output"), problems);
    let explicit_keys = entry(entries, "grid_keys").and_then(|entry| problems.keep(explicit_keys(entry)));
    required::check(entries, problems);
    let (grids, name, replicas) = (grids?, name?, replicas?);
    // What the cells would say is of no use if a value they are made of is wrong or missing.
    if !problems.is_empty() {
        return None;
    }
    grid::check_size(&grids, problems);
    if !problems.is_empty() {
        return None;
    }
    let Families { inputs, names, .. } = families;
    let cells = cells(&grids, &singles, &mut Resolver::new(&inputs, &names), problems)?;
    fitting::check(&cells, &observe, &inputs, entry(entries, "observe"), problems);
    let named = explicit_keys.unwrap_or_else(|| grid::named(&grids));
    let grid_keys = ordered(named);
    let mut sweep =
        Sweep { name, replicas, cells, grid_keys, observe, output, canonical: String::new(), inputs };
    sweep.canonical = canonical::text(&sweep);
    folders::check(&sweep, entry(entries, "output"), problems);
    Some(sweep)
}

fn unknown_top(entry: &Entry) -> Problem {
    let key = entry.key.as_str();
    let problem = Problem::new(&entry.key_at, format!("a sweep file has no `{key}` at its top"));
    match registry::parameter(key).map(|parameter| parameter.section) {
        Some(Section::Grid) => problem.help(format!("`{key}` stands in a [[grid]]")),
        Some(_) => problem.help(format!("`{key}` stands in [time], or in a [[grid]]")),
        None => {
            let elsewhere = unknown_key("the top of the file", key, &entry.key_at, &TOP[..7]);
            Problem { message: problem.message, ..elsewhere }
        }
    }
}

/// [A-Za-z0-9._-]+, no leading dot: it names a folder.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed)
}

fn name(entries: &[Entry]) -> Result<String, Problem> {
    let start = Place { source: 0, span: 0..0 };
    let Some(entry) = entry(entries, "name") else {
        return Err(Problem::new(&start, "`name` is missing")
            .help("write at the top of the file for instance `name = \"phase-diagram\"`"));
    };
    let Kind::Text(name) = &entry.value.kind else {
        return Err(Problem::new(
            &entry.value.at,
            format!("`name` must be a string, not {}", entry.value.found()),
        ));
    };
    if name.len() > LONGEST_NAME {
        return Err(Problem::new(&entry.value.at, format!("the name has {} characters", name.len()))
            .help(format!("at most {LONGEST_NAME}: it names a folder")));
    }
    if !is_name(name) {
        return Err(Problem::new(&entry.value.at, format!("`{name}` cannot be the name of a sweep"))
            .help("a name has letters, digits, `.`, `_` and `-`, and does not begin with a point: it names a folder"));
    }
    Ok(name.clone())
}

fn replicas(entries: &[Entry]) -> Result<u32, Problem> {
    let start = Place { source: 0, span: 0..0 };
    let Some(entry) = entry(entries, "replicas") else {
        return Err(Problem::new(&start, "`replicas` is missing: how many realizations each cell has")
            .help("write at the top of the file for instance `replicas = 64`"));
    };
    match &entry.value.kind {
        Kind::Integer(number) => match u32::try_from(*number) {
            Ok(number) if (1..=MOST_REPLICAS).contains(&number) => Ok(number),
            _ => Err(Problem::new(
                &entry.value.at,
                format!("`replicas` must be from 1 to {MOST_REPLICAS}, not {number}"),
            )),
        },
        Kind::Float(value, text) => {
            let problem = Problem::new(
                &entry.value.at,
                format!("`replicas` must be an integer, and `{text}` is a float"),
            );
            let whole = value.fract() == 0.0 && value.abs() < 1e15;
            Err(if whole { problem.help(format!("write `{value:.0}`")) } else { problem })
        }
        _ => Err(Problem::new(
            &entry.value.at,
            format!("`replicas` must be an integer, not {}", entry.value.found()),
        )),
    }
}

/// `seed` and the keys of `[time]`: what every grid has unless it says otherwise.
fn read_singles(
    entries: &[Entry],
    families: &mut Families,
    problems: &mut Problems,
) -> BTreeMap<&'static str, Setting> {
    let mut singles = BTreeMap::new();
    if let (Some(entry), Some(parameter)) = (entry(entries, "seed"), registry::parameter("seed")) {
        let setting = problems.keep(grid::read_single(parameter, &entry.value, families));
        singles.extend(setting.map(|setting| ("seed", setting)));
    } else {
        problems.push(
            Problem::new(&Place { source: 0, span: 0..0 }, "`seed` is missing: the master seed")
                .help("write at the top of the file for instance `seed = 1`"),
        );
    }
    let Some(time) = entry(entries, "time").and_then(|entry| problems.keep(entry.value.table("time"))) else {
        return singles;
    };
    let keys: Vec<&str> = PARAMETERS
        .iter()
        .filter(|parameter| parameter.section == Section::Time)
        .map(|parameter| parameter.key)
        .collect();
    for entry in time {
        let parameter = registry::parameter(&entry.key).filter(|parameter| keys.contains(&parameter.key));
        let read = match parameter {
            Some(parameter) => grid::read_single(parameter, &entry.value, families)
                .map(|setting| singles.insert(parameter.key, setting)),
            None => Err(unknown_key("[time]", &entry.key, &entry.key_at, &keys)),
        };
        problems.keep(read);
    }
    singles
}

fn read_grids(entries: &[Entry], families: &mut Families, problems: &mut Problems) -> Option<Vec<Grid>> {
    let Some(entry) = entry(entries, "grid") else {
        problems.push(
            Problem::new(&Place { source: 0, span: 0..0 }, "there is no [[grid]]: the sweep has no cell")
                .help("write for instance `[[grid]]`, and under it `n = 32`, `d = 2`, `beta = [1.0, 4.0]`"),
        );
        return None;
    };
    let Kind::Array(tables) = &entry.value.kind else {
        let mut problem = Problem::new(
            &entry.key_at,
            format!("`grid` must be a list of tables, not {}", entry.value.found()),
        );
        if matches!(entry.value.kind, Kind::Table(_)) {
            problem = problem.help("write `[[grid]]`, with two brackets: there may be several");
        }
        problems.push(problem);
        return None;
    };
    if tables.is_empty() {
        problems.push(Problem::new(&entry.value.at, "`grid` is empty: the sweep has no cell"));
        return None;
    }
    let grids: Vec<Option<Grid>> =
        tables.iter().map(|table: &Raw| Grid::read(table, families, problems)).collect();
    grids.into_iter().collect()
}

/// The cells of all grids, in row order, equal ones once.
fn cells(
    grids: &[Grid],
    singles: &BTreeMap<&'static str, Setting>,
    resolver: &mut Resolver<'_>,
    problems: &mut Problems,
) -> Option<Vec<Cell>> {
    let base: Point<'_> = singles.iter().map(|(key, setting)| (*key, setting)).collect();
    let mut names: BTreeSet<CellName> = BTreeSet::new();
    let mut cells = Vec::new();
    let mut refinements = Refinements::default();
    for grid in grids {
        for point in grid.points(&base) {
            if problems.is_full() {
                return None;
            }
            let cell = resolver
                .cell(&point, &grid.at)
                .and_then(|cell| refinements.check(&cell, &point, &grid.at).map(|()| cell));
            if let Some(cell) = problems.keep(cell)
                && names.insert(cell.name.clone())
            {
                cells.push(cell);
            }
        }
    }
    cells.sort_by(Cell::compare);
    Some(cells)
}

/// `grid_keys` of a canonical file: which parameters count as named by a grid.
fn explicit_keys(entry: &Entry) -> Result<BTreeSet<&'static str>, Problem> {
    let Kind::Array(values) = &entry.value.kind else {
        return Err(Problem::new(
            &entry.value.at,
            format!("`grid_keys` must be a list, not {}", entry.value.found()),
        ));
    };
    let key = |value: &Raw| match &value.kind {
        Kind::Text(text) => registry::parameter(text).map(|parameter| parameter.key).ok_or_else(|| {
            Problem::new(&value.at, format!("there is no parameter `{text}`"))
                .nearest(text, PARAMETERS.iter().map(|parameter| parameter.key))
        }),
        _ => Err(Problem::new(&value.at, format!("a key is a string, not {}", value.found()))
            .help(listed(["n", "d", "beta"]))),
    };
    values.iter().map(key).collect()
}

/// Keys in the order of columns: n, d, beta, the others by name. Those three are always there.
fn ordered(named: BTreeSet<&'static str>) -> Vec<String> {
    let mut keys: Vec<&str> = named.into_iter().chain(["n", "d", "beta"]).collect();
    keys.sort_by_key(|key| registry::rank(key));
    keys.dedup();
    keys.into_iter().map(str::to_owned).collect()
}
