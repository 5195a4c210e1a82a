//! A small table as people (aligned), spreadsheets (`--csv`) and programs (`--json`) read it. For `metasweep theory`.

use serde_json::{Map, Value};

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A number; not a number is written as nothing (aligned: `–`; JSON: null).
    Number(f64),
    /// A whole number.
    Count(usize),
    /// A word.
    Word(String),
}

impl From<f64> for Entry {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Entry {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

impl From<&str> for Entry {
    fn from(word: &str) -> Self {
        Self::Word(word.to_owned())
    }
}

impl From<String> for Entry {
    fn from(word: String) -> Self {
        Self::Word(word)
    }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Columns side by side.
    Aligned,
    /// Comma-separated, with a header (RFC 4180).
    Csv,
    /// A list of objects.
    Json,
}

/// Columns and rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Entry>>,
}

impl Table {
    /// No rows yet.
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, an entry a column.
    pub fn push<const N: usize>(&mut self, row: [Entry; N]) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row.into());
    }

    /// The text.
    pub fn show(&self, style: Style) -> String {
        match style {
            Style::Aligned => self.aligned(),
            Style::Csv => self.csv(),
            Style::Json => self.json(),
        }
    }

    fn aligned(&self) -> String {
        let cells: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(plain).collect()).collect();
        let width = |column: usize| {
            let widest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            widest.max(self.columns[column].chars().count())
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let words: Vec<bool> = (0..self.columns.len())
            .map(|column| self.rows.iter().any(|row| matches!(row[column], Entry::Word(_))))
            .collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).zip(&words).map(|((cell, width), word)| {
                let space = " ".repeat(width - cell.chars().count());
                if *word { format!("{cell}{space}") } else { format!("{space}{cell}") }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let header: Vec<String> = self.columns.iter().map(|&column| column.to_owned()).collect();
        let mut text = line(&header);
        for row in &cells {
            text += "\n";
            text += &line(row);
        }
        text
    }

    fn csv(&self) -> String {
        let quoted = |cell: String| {
            if cell.contains(['"', ',', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
        };
        let mut text = self.columns.join(",");
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|entry| match entry {
                    Entry::Number(number) if number.is_nan() => String::new(),
                    Entry::Number(number) => exact(*number),
                    other => quoted(plain(other)),
                })
                .collect();
            text += "\n";
            text += &cells.join(",");
        }
        text
    }

    fn json(&self) -> String {
        let value = |entry: &Entry| match entry {
            // JSON knows no infinity, either.
            Entry::Number(number) => serde_json::Number::from_f64(*number).map_or(Value::Null, Value::Number),
            Entry::Count(count) => Value::from(*count),
            Entry::Word(word) => Value::from(word.as_str()),
        };
        let object = |row: &Vec<Entry>| {
            let fields = self.columns.iter().map(|&column| column.to_owned()).zip(row.iter().map(value));
            Value::Object(fields.collect::<Map<_, _>>())
        };
        let objects: Vec<Value> = self.rows.iter().map(object).collect();
        format!("{:#}", Value::Array(objects))
    }
}

/// For people: ten digits.
fn plain(entry: &Entry) -> String {
    match entry {
        Entry::Number(number) if number.is_nan() => "–".to_owned(),
        Entry::Number(number) => rounded(*number),
        Entry::Count(count) => count.to_string(),
        Entry::Word(word) => word.clone(),
    }
}

/// All digits.
fn exact(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-5..1e16).contains(&size) { format!("{number:e}") } else { format!("{number}") }
}

/// Ten significant digits, without the zeros at the end.
fn rounded(number: f64) -> String {
    if !number.is_finite() {
        return if number > 0.0 { "∞".to_owned() } else { "-∞".to_owned() };
    }
    let nearest: f64 = format!("{number:.9e}").parse().unwrap_or(number);
    exact(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["n", "what", "t"]);
        table.push([Entry::from(2_usize), "a, b".into(), (1.0 / 3.0).into()]);
        table.push([Entry::from(32_usize), "c".into(), f64::NAN.into()]);
        table.push([Entry::from(1_usize), "d".into(), 5.188_873_446_745_67e19.into()]);
        table
    }

    #[test]
    fn three_styles() {
        assert_eq!(
            table().show(Style::Aligned),
            " n  what               t\n 2  a, b    0.3333333333\n32  c                  –\n 1  d     5.188873447e19"
        );
        assert_eq!(
            table().show(Style::Csv),
            "n,what,t\n2,\"a, b\",0.3333333333333333\n32,c,\n1,d,5.18887344674567e19"
        );
        let json: Value = serde_json::from_str(&table().show(Style::Json)).unwrap();
        assert_eq!(json[0]["t"], 1.0 / 3.0);
        assert_eq!(json[1]["t"], Value::Null);
        assert_eq!(json[2]["n"], 1);
    }

    #[test]
    fn small_and_large_numbers() {
        for (number, text) in [
            (0.0, "0"),
            (-1.5, "-1.5"),
            (1e-9, "1e-9"),
            (f64::INFINITY, "∞"),
            (0.1 + 0.2, "0.3"),
            (1e20, "1e20"),
        ] {
            assert_eq!(rounded(number), text);
        }
    }
}
