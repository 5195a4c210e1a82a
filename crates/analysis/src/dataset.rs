//! A dataset as its analysis reads it: the cells with all their parameters, and columns of the other tables.
//!
//! Only sealed parts are read, so it works while a sweep runs. Numbers are `f64` (missing: NaN), whatever their width in the
//! file; truth values are 0 and 1.
//!
//! ```no_run
//! use metasweep_analysis::dataset::Dataset;
//! let dataset = Dataset::open("out/p0-fig2".as_ref())?;
//! let replicas = dataset.read("replicas", &["collapse_time", "end"], &|_| true)?;
//! println!("{} replicas in {} cells", replicas.rows(), dataset.cells.len());
//! # Ok::<(), metasweep_analysis::error::AnalysisError>(())
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::AnalysisError;

/// A parameter of a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number; NaN if it has none.
    Number(f64),
    /// A text; None if it has none.
    Text(Option<String>),
}

impl Value {
    /// Whether the cell has none.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Value::Number(number) => number.is_nan(),
            Value::Text(text) => text.is_none(),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Number(number) if number.is_nan() => formatter.write_str("–"),
            Value::Number(number) => write!(formatter, "{number}"),
            Value::Text(text) => formatter.write_str(text.as_deref().unwrap_or("–")),
        }
    }
}

/// A cell of the sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Its name.
    pub name: String,
    /// Every column of the table `cells`.
    pub parameters: BTreeMap<String, Value>,
}

impl Cell {
    /// A parameter that is a number; NaN if it is none.
    #[must_use]
    pub fn number(&self, key: &str) -> f64 {
        match self.parameters.get(key) {
            Some(Value::Number(number)) => *number,
            _ => f64::NAN,
        }
    }

    /// A parameter that is a text; empty if it is none.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        match self.parameters.get(key) {
            Some(Value::Text(Some(text))) => text,
            _ => "",
        }
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<Option<String>>),
    /// Lists of numbers.
    Lists(Vec<Vec<f64>>),
}

/// Columns of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The index of the cell of each row.
    pub cell: Vec<usize>,
    columns: BTreeMap<String, Column>,
}

impl Table {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.cell.len()
    }

    /// A column of numbers; empty if it was not read.
    #[must_use]
    pub fn numbers(&self, name: &str) -> &[f64] {
        match self.columns.get(name) {
            Some(Column::Numbers(numbers)) => numbers,
            _ => &[],
        }
    }

    /// A text; None if it is missing.
    #[must_use]
    pub fn text(&self, name: &str, row: usize) -> Option<&str> {
        match self.columns.get(name) {
            Some(Column::Texts(texts)) => texts.get(row)?.as_deref(),
            _ => None,
        }
    }

    /// Lists; empty if they were not read.
    #[must_use]
    pub fn lists(&self, name: &str) -> &[Vec<f64>] {
        match self.columns.get(name) {
            Some(Column::Lists(lists)) => lists,
            _ => &[],
        }
    }

    /// The rows of each cell, by its index.
    #[must_use]
    pub fn by_cell(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (row, cell) in self.cell.iter().enumerate() {
            rows.entry(*cell).or_default().push(row);
        }
        rows
    }
}

/// A dataset on disk.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its folder.
    pub dir: PathBuf,
    /// The sweep's name.
    pub name: String,
    /// The sweep, as canonical TOML.
    pub sweep: String,
    /// The engine that computed it.
    pub engine: u64,
    /// Whether it is complete.
    pub complete: bool,
    /// The cells, in row order.
    pub cells: Vec<Cell>,
    /// The grid keys: those parameters that another table carries, in its order.
    pub keys: Vec<String>,
}

impl Dataset {
    /// Opens it.
    ///
    /// # Errors
    /// If there is none, or no part of `cells` is sealed yet.
    pub fn open(dir: &Path) -> Result<Dataset, AnalysisError> {
        let path = dir.join("manifest.json");
        let text = fs::read_to_string(&path).map_err(|_| AnalysisError::NoDataset { dir: dir.to_owned() })?;
        let manifest: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| AnalysisError::Damaged { path: path.clone(), what: error.to_string() })?;
        let word = |key: &str| manifest[key].as_str().unwrap_or_default().to_owned();
        let mut dataset = Dataset {
            dir: dir.to_owned(),
            name: word("name"),
            sweep: word("sweep"),
            engine: manifest["engine"].as_u64().unwrap_or_default(),
            complete: word("state") == "complete",
            cells: Vec::new(),
            keys: Vec::new(),
        };
        let parts = dataset.parts("cells")?;
        if parts.is_empty() {
            return Err(AnalysisError::NothingYet { dir: dir.to_owned() });
        }
        for (path, _) in parts {
            for batch in batches(&path, None)? {
                dataset.cells.extend(cells(&batch?));
            }
        }
        dataset.keys = dataset.grid_keys()?;
        Ok(dataset)
    }

    /// The file of every sealed part of a table with the partition keys of its path, in order.
    ///
    /// # Errors
    /// If a folder cannot be listed.
    pub fn parts(&self, table: &str) -> Result<Vec<Part>, AnalysisError> {
        let mut found = Vec::new();
        walk(&self.dir.join(table), &mut Vec::new(), &mut found)?;
        found.sort();
        Ok(found)
    }

    /// Whether the dataset has this table.
    #[must_use]
    pub fn has(&self, table: &str) -> bool {
        self.parts(table).is_ok_and(|parts| !parts.is_empty())
    }

    /// The names of a table's columns.
    ///
    /// # Errors
    /// [`AnalysisError::NoTable`] if it is not there.
    pub fn columns(&self, table: &str) -> Result<Vec<String>, AnalysisError> {
        let parts = self.parts(table)?;
        let Some((path, _)) = parts.first() else { return Err(self.no_table(table)) };
        let schema = builder(path)?.schema().clone();
        Ok(schema.fields().iter().map(|field| field.name().clone()).collect())
    }

    /// Reads columns of a table, the rows of those cells that are wanted.
    ///
    /// # Errors
    /// If the table or a column is not there, with what records it.
    pub fn read(
        &self,
        table: &str,
        columns: &[&str],
        wanted: &dyn Fn(&Cell) -> bool,
    ) -> Result<Table, AnalysisError> {
        let parts = self.parts(table)?;
        if parts.is_empty() {
            return Err(self.no_table(table));
        }
        let there = self.columns(table)?;
        for column in columns {
            if !there.iter().any(|name| name == column) {
                let name = (*column).to_owned();
                return Err(AnalysisError::NoColumn { table: table.to_owned(), name, there });
            }
        }
        let chosen: HashMap<&str, usize> = self
            .cells
            .iter()
            .enumerate()
            .filter(|(_, cell)| wanted(cell))
            .map(|(index, cell)| (cell.name.as_str(), index))
            .collect();
        let mut read = Table::default();
        for (path, _) in parts {
            for batch in batches(&path, Some(columns))? {
                append(&mut read, &batch?, columns, &chosen);
            }
        }
        Ok(read)
    }

    fn no_table(&self, table: &str) -> AnalysisError {
        AnalysisError::NoTable { dir: self.dir.clone(), table: table.to_owned() }
    }

    fn grid_keys(&self) -> Result<Vec<String>, AnalysisError> {
        let parts = self.parts("replicas")?;
        let mut keys: Vec<String> = match parts.first() {
            None => Vec::new(),
            Some((path, _)) => {
                let schema = builder(path)?.schema().clone();
                schema
                    .fields()
                    .iter()
                    .map(|field| field.name().clone())
                    .take_while(|name| name != "cell")
                    .collect()
            }
        };
        keys.extend(parts.first().into_iter().flat_map(|(_, keys)| keys.iter().map(|(key, _)| key.clone())));
        Ok(keys)
    }

    /// Grid keys that have more than one value among these cells.
    #[must_use]
    pub fn axes<'a>(&'a self, cells: &[&Cell]) -> Vec<&'a str> {
        let varies = |key: &&String| {
            cells.windows(2).any(|pair| {
                let text = |cell: &Cell| cell.parameters.get(key.as_str()).map(ToString::to_string);
                text(pair[0]) != text(pair[1])
            })
        };
        self.keys.iter().filter(varies).map(String::as_str).collect()
    }
}

/// A sealed part and the partition keys of its path.
pub type Part = (PathBuf, Vec<(String, String)>);

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, AnalysisError>>>;

fn builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, AnalysisError> {
    let damaged = |what: String| AnalysisError::Damaged { path: path.to_owned(), what };
    let file = File::open(path).map_err(|error| damaged(error.to_string()))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(error.to_string()))
}

fn batches(path: &Path, columns: Option<&[&str]>) -> Result<Batches, AnalysisError> {
    let owned = path.to_owned();
    let damaged = move |what: String| AnalysisError::Damaged { path: owned.clone(), what };
    let mut builder = builder(path)?;
    if let Some(columns) = columns {
        let wanted = columns.iter().copied().chain(["cell"]);
        let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
        builder = builder.with_projection(mask);
    }
    let reader = builder.with_batch_size(1 << 16).build().map_err(|error| damaged(error.to_string()))?;
    Ok(Box::new(reader.map(move |batch| batch.map_err(|error| damaged(error.to_string())))))
}

fn walk(folder: &Path, keys: &mut Vec<(String, String)>, found: &mut Vec<Part>) -> Result<(), AnalysisError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry
            .map_err(|error| AnalysisError::Damaged { path: folder.to_owned(), what: error.to_string() })?
            .path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let (key, value) = name.split_once('=').unwrap_or((&name, ""));
            keys.push((key.to_owned(), value.to_owned()));
            walk(&path, keys, found)?;
            keys.pop();
        } else if name.starts_with("part-") && path.extension().is_some_and(|ending| ending == "parquet") {
            found.push((path, keys.clone()));
        }
    }
    Ok(())
}

fn cells(batch: &RecordBatch) -> Vec<Cell> {
    let schema = batch.schema();
    let mut cells: Vec<Cell> =
        (0..batch.num_rows()).map(|_| Cell { name: String::new(), parameters: BTreeMap::new() }).collect();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        match column(array.as_ref()) {
            Column::Numbers(numbers) => {
                for (cell, number) in cells.iter_mut().zip(numbers) {
                    cell.parameters.insert(field.name().clone(), Value::Number(number));
                }
            }
            Column::Texts(texts) => {
                for (cell, text) in cells.iter_mut().zip(texts) {
                    if field.name() == "cell" {
                        cell.name = text.clone().unwrap_or_default();
                    }
                    cell.parameters.insert(field.name().clone(), Value::Text(text));
                }
            }
            Column::Lists(_) => {}
        }
    }
    cells
}

fn append(read: &mut Table, batch: &RecordBatch, columns: &[&str], chosen: &HashMap<&str, usize>) {
    let Some(names) = batch.column_by_name("cell") else { return };
    let names = names.as_string::<i32>();
    let rows: Vec<(usize, usize)> = (0..batch.num_rows())
        .filter_map(|row| chosen.get(names.value(row)).map(|cell| (row, *cell)))
        .collect();
    if rows.is_empty() {
        return;
    }
    read.cell.extend(rows.iter().map(|(_, cell)| *cell));
    for name in columns {
        let Some(array) = batch.column_by_name(name) else { continue };
        let fresh = column(array.as_ref());
        let held = read.columns.entry((*name).to_owned());
        match (fresh, held.or_insert_with(|| empty_like(array.data_type()))) {
            (Column::Numbers(from), Column::Numbers(to)) => to.extend(rows.iter().map(|(row, _)| from[*row])),
            (Column::Texts(from), Column::Texts(to)) => {
                to.extend(rows.iter().map(|(row, _)| from[*row].clone()));
            }
            (Column::Lists(from), Column::Lists(to)) => {
                to.extend(rows.iter().map(|(row, _)| from[*row].clone()));
            }
            _ => {}
        }
    }
}

fn empty_like(kind: &DataType) -> Column {
    match kind {
        DataType::Utf8 => Column::Texts(Vec::new()),
        DataType::List(_) => Column::Lists(Vec::new()),
        _ => Column::Numbers(Vec::new()),
    }
}

fn column(array: &dyn Array) -> Column {
    let rows = 0..array.len();
    let known = |row: usize| !array.is_null(row);
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            Column::Texts(rows.map(|row| known(row).then(|| texts.value(row).to_owned())).collect())
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let numbers = |row| match column(lists.value(row).as_ref()) {
                Column::Numbers(numbers) => numbers,
                Column::Texts(_) | Column::Lists(_) => Vec::new(),
            };
            Column::Lists(rows.map(|row| if known(row) { numbers(row) } else { Vec::new() }).collect())
        }
        kind => {
            let number = |row: usize| match kind {
                DataType::Float64 => array.as_primitive::<Float64Type>().value(row),
                DataType::Int32 => f64::from(array.as_primitive::<Int32Type>().value(row)),
                DataType::Int64 => array.as_primitive::<Int64Type>().value(row) as f64,
                DataType::Boolean => f64::from(u8::from(array.as_boolean().value(row))),
                _ => f64::NAN,
            };
            Column::Numbers(rows.map(|row| if known(row) { number(row) } else { f64::NAN }).collect())
        }
    }
}
