//! `--set key=value`: changes the tree of [`crate::document`] before anything is checked.
//!
//! `time.horizon=5` is a dotted path; a bare key is one of the top, one of `[time]`, or a grid key, which is set in every
//! grid. The value is TOML, or else a bare string: `beta=sqrt(d)`.

use crate::diagnostic::{Place, Problem};
use crate::document::{Entry, Kind, Raw, read_value};
use crate::registry::{self, Section};

/// Keys at the top of a sweep file that hold a plain value.
const TOP: [&str; 4] = ["name", "seed", "replicas", "grid_keys"];

/// Applies override number `source` (from 1).
pub(crate) fn apply(document: &mut Raw, text: &str, source: usize) -> Result<(), Problem> {
    let whole = Place { source, span: 0..text.len() };
    let Some((path, written)) = text.split_once('=') else {
        return Err(Problem::new(&whole, format!("`--set {text}` has no `=`"))
            .help("write `--set key=value`, for instance `--set replicas=8` or `--set time.horizon=5`"));
    };
    let key_at = Place { source, span: 0..path.len() };
    let start = path.len() + 1;
    let at = Place { source, span: start..text.len() };
    let value = match read_value(written, source, start) {
        Some(value) => value,
        None if written.trim_start().starts_with(['[', '{', '"', '\'']) => {
            return Err(Problem::new(&at, format!("`{written}` is not a TOML value"))
                .help("a list is closed by `]`, a table by `}`, a string by its quote"));
        }
        None => {
            // The place of the text itself: with the blanks around it, it would pass for a string and its quotes.
            let text = written.trim();
            let first = start + (written.len() - written.trim_start().len());
            let at = Place { source, span: first..first + text.len() };
            Raw { kind: Kind::Text(text.to_owned()), at }
        }
    };
    let path = path.trim();
    if path.split('.').any(|part| part.trim().is_empty()) {
        let message = if path.is_empty() {
            "there is no key before the `=`".to_owned()
        } else {
            format!("`{path}` is not the name of a key")
        };
        return Err(Problem::new(&key_at, message)
            .help("write `--set key=value`; sections are named with a point, as in `time.horizon=5`"));
    }
    let parts: Vec<&str> = path.split('.').map(str::trim).collect();
    match parts[..] {
        [key] => set_bare(document, key, &key_at, value),
        ["grid", key] => set_in_grids(document, key, &key_at, &value),
        ["grid", number, key] if number.parse::<usize>().is_ok() => {
            set_in_grid(document, number.parse().unwrap_or(0), key, &key_at, value)
        }
        _ => set_path(document, &parts, &key_at, value),
    }
}

fn set_bare(document: &mut Raw, key: &str, key_at: &Place, value: Raw) -> Result<(), Problem> {
    let is_axis = matches!(value.kind, Kind::Array(_) | Kind::Table(_)) && key != "sample";
    match registry::parameter(key).map(|parameter| parameter.section) {
        Some(Section::Grid) => set_in_grids(document, key, key_at, &value),
        Some(Section::Time | Section::Top) if is_axis => set_in_grids(document, key, key_at, &value),
        Some(Section::Time) => {
            for grid in grids(document) {
                remove(grid, key);
            }
            set_path(document, &["time", key], key_at, value)
        }
        Some(Section::Top) => {
            set(document, key, key_at, value);
            Ok(())
        }
        None if key == "zip" => set_in_grids(document, key, key_at, &value),
        None if TOP.contains(&key) => {
            set(document, key, key_at, value);
            Ok(())
        }
        None => {
            let names = registry::PARAMETERS.iter().map(|parameter| parameter.key).chain(TOP);
            Err(Problem::new(key_at, format!("there is no key `{key}`")).nearest(key, names).help(
                "keys of [observe] and [output] are set by their path, as in `--set observe.delta=1e-4`",
            ))
        }
    }
}

/// Sets a key in every grid; one that stands in a zip is not to be set alone.
fn set_in_grids(document: &mut Raw, key: &str, key_at: &Place, value: &Raw) -> Result<(), Problem> {
    let count = grids(document).count();
    if count == 0 {
        return Err(Problem::new(key_at, format!("`{key}` cannot be set: the file has no [[grid]]")));
    }
    (0..count).try_for_each(|number| set_in_grid(document, number, key, key_at, value.clone()))
}

fn set_in_grid(
    document: &mut Raw,
    number: usize,
    key: &str,
    key_at: &Place,
    value: Raw,
) -> Result<(), Problem> {
    let count = grids(document).count();
    let Some(grid) = grids(document).nth(number) else {
        return Err(Problem::new(key_at, format!("there is no grid {number}"))
            .help(format!("the file has {count} [[grid]] sections, counted from 0")));
    };
    if let Kind::Table(entries) = &grid.kind
        && let Some(zip) = entries.iter().find(|entry| entry.key == "zip")
        && let Kind::Table(zipped) = &zip.value.kind
        && let Some(old) = zipped.iter().find(|entry| entry.key == key)
    {
        return Err(Problem::new(
            key_at,
            format!("`{key}` is zipped with other keys and cannot be set alone"),
        )
        .related(&old.key_at, "zipped here")
        .help("set the whole `zip`, or edit the file"));
    }
    // β and γ stand for each other.
    match key {
        "beta" => remove(grid, "gamma"),
        "gamma" => remove(grid, "beta"),
        _ => {}
    }
    set(grid, key, key_at, value);
    Ok(())
}

fn set_path(document: &mut Raw, parts: &[&str], key_at: &Place, value: Raw) -> Result<(), Problem> {
    let [first, rest @ ..] = parts else { return Ok(()) };
    let Kind::Table(entries) = &mut document.kind else {
        return Err(Problem::new(
            key_at,
            format!("`{}` cannot be set: it leads into a value that is no table", parts.join(".")),
        ));
    };
    if rest.is_empty() {
        set(document, first, key_at, value);
        return Ok(());
    }
    if !entries.iter().any(|entry| entry.key == *first) {
        let table = Raw { kind: Kind::Table(Vec::new()), at: key_at.clone() };
        entries.push(Entry { key: (*first).to_owned(), key_at: key_at.clone(), value: table });
    }
    match entries.iter_mut().find(|entry| entry.key == *first) {
        Some(entry) => set_path(&mut entry.value, rest, key_at, value),
        None => Ok(()),
    }
}

fn set(table: &mut Raw, key: &str, key_at: &Place, value: Raw) {
    if let Kind::Table(entries) = &mut table.kind {
        entries.retain(|entry| entry.key != key);
        entries.push(Entry { key: key.to_owned(), key_at: key_at.clone(), value });
    }
}

fn remove(table: &mut Raw, key: &str) {
    if let Kind::Table(entries) = &mut table.kind {
        entries.retain(|entry| entry.key != key);
    }
}

/// The tables of `[[grid]]`; none if there are none, or `grid` is something else (which is found later).
fn grids(document: &mut Raw) -> impl Iterator<Item = &mut Raw> {
    let tables = match &mut document.kind {
        Kind::Table(entries) => entries.iter_mut().find(|entry| entry.key == "grid"),
        _ => None,
    };
    let rows = match tables.map(|entry| &mut entry.value.kind) {
        Some(Kind::Array(rows)) => rows.as_mut_slice(),
        _ => &mut [],
    };
    rows.iter_mut().filter(|row| matches!(row.kind, Kind::Table(_)))
}
