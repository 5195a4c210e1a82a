//! TOML text → a plain tree in which every key and every value knows its place.
//!
//! The later passes ([`crate::overrides`], [`crate::grid`], [`crate::observe`]) read this tree, never TOML.

use toml_edit::{Document, Item, TableLike, TomlError, Value};

use crate::diagnostic::{Place, Problem};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) kind: Kind,
    pub(crate) at: Place,
}

/// What TOML knows of a value.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Integer(i64),
    /// The number and its decimal text, underscores removed.
    Float(f64, String),
    Text(String),
    Boolean(bool),
    Datetime,
    Array(Vec<Raw>),
    Table(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Place,
    pub(crate) value: Raw,
}

impl Raw {
    /// What the value is, in words: "a string".
    pub(crate) fn found(&self) -> &'static str {
        match self.kind {
            Kind::Integer(_) => "an integer",
            Kind::Float(..) => "a float",
            Kind::Text(_) => "a string",
            Kind::Boolean(_) => "a truth value",
            Kind::Datetime => "a date or time",
            Kind::Array(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }
    /// The entries of a table; a problem if it is none. `name`: what should be a table.
    pub(crate) fn table(&self, name: &str) -> Result<&[Entry], Problem> {
        match &self.kind {
            Kind::Table(entries) => Ok(entries),
            _ => Err(Problem::new(&self.at, format!("`{name}` must be a table, not {}", self.found()))),
        }
    }
}

/// The entry of `key`, if there.
pub(crate) fn entry<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.key == key)
}

/// Reads a document; `source` is its number among the texts. The result is always a table.
pub(crate) fn read(text: &str, source: usize) -> Result<Raw, Problem> {
    let document = Document::parse(text).map_err(|error| syntax(text, source, &error))?;
    let reader = Reader { text, source };
    let whole = Place { source, span: 0..0 };
    Ok(Raw { kind: Kind::Table(reader.entries(document.as_table(), &whole)), at: whole })
}

/// What is not TOML, said so that one sees what to write.
fn syntax(text: &str, source: usize, error: &TomlError) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let before = text.get(..span.start).unwrap_or("").trim_end_matches([' ', '\t']);
    let after = text.get(span.start..).unwrap_or("").trim_start_matches([' ', '\t']);
    let at = Place { source, span };
    let found = error.message().split(", expected").next().unwrap_or_default();
    if found.starts_with("string values must be quoted") {
        return if before.ends_with('=') && after.starts_with(['\n', '\r', '#']) || after.is_empty() {
            Problem::new(&at, "not TOML: a value is missing after `=`")
        } else {
            Problem::new(&at, "not TOML: a string stands in quotes")
        };
    }
    if found == "duplicate key" {
        return Problem::new(&at, "not TOML: this key was given before")
            .help("a key stands once in its section; a list gives it several values");
    }
    let problem = Problem::new(&at, format!("not TOML: {}", error.message()));
    if after.starts_with(',') && before.ends_with(|c: char| c.is_ascii_digit()) {
        return problem.help("decimals have a point, `4.0`; several values are a list, `[4, 0]`");
    }
    problem
}

/// Reads one value, as in `--set key=value`: `offset` is where `text` starts in source number `source`.
/// `None` if it is not exactly one TOML value.
pub(crate) fn read_value(text: &str, source: usize, offset: usize) -> Option<Raw> {
    const KEY: &str = "v = ";
    let line = format!("{KEY}{text}");
    let raw = read(&line, source).ok()?;
    let Kind::Table(mut entries) = raw.kind else { return None };
    if entries.len() != 1 || text.contains('\n') {
        return None;
    }
    let mut value = entries.remove(0).value;
    shift(&mut value, KEY.len(), offset);
    Some(value)
}

/// Moves all places from a text in which the value starts at `from` to one in which it starts at `to`.
fn shift(raw: &mut Raw, from: usize, to: usize) {
    let moved = |place: &mut Place| {
        place.span = place.span.start.saturating_sub(from) + to..place.span.end.saturating_sub(from) + to;
    };
    moved(&mut raw.at);
    match &mut raw.kind {
        Kind::Array(values) => values.iter_mut().for_each(|value| shift(value, from, to)),
        Kind::Table(entries) => {
            for entry in entries {
                moved(&mut entry.key_at);
                shift(&mut entry.value, from, to);
            }
        }
        _ => {}
    }
}

struct Reader<'a> {
    text: &'a str,
    source: usize,
}

impl Reader<'_> {
    fn place(&self, span: Option<std::ops::Range<usize>>, otherwise: &Place) -> Place {
        span.map_or_else(|| otherwise.clone(), |span| Place { source: self.source, span })
    }

    fn entries(&self, table: &dyn TableLike, within: &Place) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (name, item) in table.iter() {
            let key_span = table.get_key_value(name).and_then(|(key, _)| key.span());
            let key_at = self.place(key_span, within);
            if let Some(value) = self.item(item, &key_at) {
                entries.push(Entry { key: name.to_owned(), key_at, value });
            }
        }
        entries
    }

    fn item(&self, item: &Item, key_at: &Place) -> Option<Raw> {
        Some(match item {
            Item::None => return None,
            Item::Value(value) => self.value(value, key_at),
            Item::Table(table) => {
                let at = self.place(table.span(), key_at);
                Raw { kind: Kind::Table(self.entries(table, &at)), at }
            }
            Item::ArrayOfTables(tables) => {
                let rows = tables
                    .iter()
                    .map(|table| {
                        let at = self.place(table.span(), key_at);
                        Raw { kind: Kind::Table(self.entries(table, &at)), at }
                    })
                    .collect();
                Raw { kind: Kind::Array(rows), at: key_at.clone() }
            }
        })
    }

    fn value(&self, value: &Value, key_at: &Place) -> Raw {
        let at = self.place(value.span(), key_at);
        let kind = match value {
            Value::String(text) => Kind::Text(text.value().clone()),
            Value::Integer(number) => Kind::Integer(*number.value()),
            Value::Float(number) => {
                let text = self.text.get(at.span.clone()).unwrap_or_default();
                Kind::Float(*number.value(), text.replace('_', ""))
            }
            Value::Boolean(truth) => Kind::Boolean(*truth.value()),
            Value::Datetime(_) => Kind::Datetime,
            Value::Array(values) => Kind::Array(values.iter().map(|value| self.value(value, &at)).collect()),
            Value::InlineTable(table) => Kind::Table(self.entries(table, &at)),
        };
        Raw { kind, at }
    }
}
