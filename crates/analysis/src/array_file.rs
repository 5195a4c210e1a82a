//! NumPy's `.npy` files, version 1.0: an array of f64 and its shape. Written by `metasweep replay`.

use std::fs;
use std::io;
use std::path::Path;

/// Writes `values` (row-major, little-endian f64) with `shape` to `path`.
///
/// # Errors
/// Those of writing the file.
///
/// # Panics
/// If `values` does not fill `shape`: a caller's mistake.
///
/// ```
/// let path = std::env::temp_dir().join(format!("metasweep-doc-{}.npy", std::process::id()));
/// metasweep_analysis::array_file::write(&path, &[2, 1], &[1.0, -1.0])?;
/// assert_eq!(std::fs::read(&path)?.len(), 128 + 16);
/// std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(path: &Path, shape: &[usize], values: &[f64]) -> io::Result<()> {
    assert_eq!(shape.iter().product::<usize>(), values.len(), "an array of shape {shape:?}");
    let mut bytes = header(shape);
    bytes.reserve(8 * values.len());
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    fs::write(path, bytes)
}

/// Magic, version, length and the Python dictionary, padded so that the data begins at a multiple of 64.
fn header(shape: &[usize]) -> Vec<u8> {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let mut text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({lengths}), }}");
    let prefix = 10;
    let padding = 63 - (prefix + text.len()) % 64;
    text.push_str(&" ".repeat(padding));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    // At most some hundred bytes: an array has few axes.
    bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_aligned() {
        for shape in [vec![], vec![7], vec![200, 32, 1024], vec![1; 12]] {
            assert_eq!(header(&shape).len() % 64, 0, "{shape:?}");
        }
    }

    #[test]
    fn the_header_is_numpys() {
        let bytes = header(&[3, 2]);
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        assert_eq!(usize::from(u16::from_le_bytes([bytes[8], bytes[9]])), bytes.len() - 10);
        let text = String::from_utf8(bytes[10..].to_vec()).unwrap();
        assert!(text.starts_with("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2, ), }"));
        assert!(text.ends_with('\n'));
    }
}
