//! `file(x.npy)` and `file(x.safetensors; tensor=name)`: the arrays that laws and families read.
//!
//! The initial law and the matrix family `file` hold an [`ArrayFile`]. What the file is called does not count, what is in
//! it does: the sweep crate puts a name made of the content into the canonical text.

use crate::call::{Call, CallError};
use crate::constant::listed;
use crate::initial::Files;
use crate::{npy, safetensors};

/// An array in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayFile {
    name: String,
    format: Format,
}

/// How the file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Format {
    Npy,
    /// Which of the file's tensors; nothing: its only one.
    Safetensors(Option<String>),
}

impl ArrayFile {
    /// Reads `file(name)` or `file(name; tensor=…)`.
    ///
    /// # Errors
    /// If there is not exactly one name, it is of a format that cannot be read, or an option does not fit it.
    pub fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        let name = call.file(&[".npy", ".safetensors"])?.to_owned();
        let tensor = call.option("tensor", &["tensor"])?;
        if let Some(piece) = tensor.filter(|piece| piece.text.is_empty()) {
            return Err(CallError::at(piece.position, "The name of a tensor is missing here."));
        }
        let format = match (name.rsplit_once('.'), tensor) {
            (Some((_, "npy")), None) => Format::Npy,
            (Some((_, "npy")), Some(piece)) => {
                let message =
                    "A .npy file holds one array, without a name: `tensor` is for .safetensors files.";
                return Err(CallError::at(piece.position, message));
            }
            (_, tensor) => Format::Safetensors(tensor.map(|piece| piece.text.to_owned())),
        };
        Ok(Self { name, format })
    }

    /// The call again.
    #[must_use]
    pub fn canonical(&self) -> String {
        match &self.format {
            Format::Safetensors(Some(tensor)) => format!("file({}; tensor={tensor})", self.name),
            _ => format!("file({})", self.name),
        }
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The array, which must be rows × columns, row-major.
    ///
    /// # Errors
    /// If the file is missing or damaged, its array is of another shape, or a number is not finite.
    pub fn read_matrix(&self, rows: usize, columns: usize, files: &Files<'_>) -> Result<Vec<f64>, String> {
        self.read(Some(rows), columns, files).map(|(_, values)| values)
    }

    /// Any number of rows of this length: how many, and the array, row-major.
    ///
    /// # Errors
    /// As [`read_matrix`](Self::read_matrix), or if there is no row.
    pub fn read_rows(&self, columns: usize, files: &Files<'_>) -> Result<(usize, Vec<f64>), String> {
        self.read(None, columns, files)
    }

    fn read(
        &self,
        rows: Option<usize>,
        columns: usize,
        files: &Files<'_>,
    ) -> Result<(usize, Vec<f64>), String> {
        let name = &self.name;
        let bytes = files(name).ok_or_else(|| format!("The file `{name}` has not been read."))?;
        let array = match &self.format {
            Format::Npy => npy::read(bytes),
            Format::Safetensors(tensor) => safetensors::read(bytes, tensor.as_deref()),
        }
        .map_err(|reason| format!("`{name}` cannot be read: {reason}"))?;
        let found_rows = match array.shape[..] {
            [found, length] if length == columns && found > 0 && rows.is_none_or(|rows| rows == found) => {
                found
            }
            _ => {
                let found = match &array.shape[..] {
                    [] => "a single number".to_owned(),
                    [length] => format!("a list of {length} numbers"),
                    shape => format!("an array of shape {}", listed(shape, " × ")),
                };
                let rows = rows.map_or_else(|| "r".to_owned(), |rows| rows.to_string());
                return Err(format!("`{name}` holds {found}, but {rows} × {columns} is needed."));
            }
        };
        if let Some(at) = array.values.iter().position(|value| !value.is_finite()) {
            let (row, column) = (at / columns, at % columns);
            return Err(format!("`{name}` holds {} in row {row}, column {column}.", array.values[at]));
        }
        Ok((found_rows, array.values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy's file of a 2 × 3 array.
    fn npy(values: &[f64]) -> Vec<u8> {
        let header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header);
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    fn file(text: &str) -> Result<ArrayFile, CallError> {
        ArrayFile::from_call(&Call::parse(text)?)
    }

    #[test]
    fn wrong_shapes_and_numbers_that_are_none_are_refused() {
        let bytes = npy(&[1.0, f64::NAN, 3.0, 4.0, 5.0, 6.0]);
        let files = |name: &str| (name == "a.npy").then_some(&bytes[..]);
        let read = |name, rows, columns| file(name).unwrap().read_matrix(rows, columns, &files).unwrap_err();
        assert!(read("file(a.npy)", 3, 2).contains("2 × 3, but 3 × 2"));
        assert!(read("file(a.npy)", 2, 3).contains("row 0, column 1"));
        assert!(read("file(b.npy)", 2, 3).contains("b.npy"));
        let header = br#"{"one":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#;
        let mut tensors = (header.len() as u64).to_le_bytes().to_vec();
        tensors.extend(header);
        tensors.extend([0; 16]);
        let files = |_: &str| Some(&tensors[..]);
        for (tensor, found) in [("one", "a single number"), ("w", "a list of 2 numbers")] {
            let array = file(&format!("file(a.safetensors; tensor={tensor})")).unwrap();
            assert!(array.read_matrix(2, 2, &files).unwrap_err().contains(found), "{tensor}");
        }
    }

    #[test]
    fn canonical_texts_and_mistakes() {
        for text in
            ["file(a.npy)", "file(a.safetensors)", "file(a.safetensors; tensor=h.0.attn.q_proj.weight)"]
        {
            assert_eq!(file(text).unwrap().canonical(), text);
        }
        for (text, position) in [
            ("file(a.npy; tensor=w)", 19),
            ("file(a.safetensors; tensor=)", 27),
            ("file(a.safetensors; tenser=w)", 20),
            ("file(a.safetensors; tensor=w, tensor=v)", 30),
            ("file(a.npy, b.npy)", 0),
            ("file(a.pt)", 5),
        ] {
            assert_eq!(file(text).unwrap_err().position, position, "{text}");
        }
    }
}
