//! Arrays in numpy's `.npy` format: numbers of 8 or 4 bytes, little-endian, in C or Fortran order.
//!
//! [`ArrayFile`](crate::array_file::ArrayFile) reads its arrays here, from bytes that the caller has read. Format:
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, versions 1 to 3.

/// A matrix as numpy wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Length along each axis.
    pub shape: Vec<usize>,
    /// The numbers in C order (last index fastest), whatever the order in the file.
    pub values: Vec<f64>,
}

/// Reads a `.npy` file of type `<f8` or `<f4`, of one or two dimensions.
///
/// # Errors
/// What is wrong with the bytes, one sentence.
pub fn read(bytes: &[u8]) -> Result<Array, String> {
    let (header, data) = split(bytes)?;
    let kind = text_after(header, "'descr':").and_then(quoted).ok_or("its header does not name a type.")?;
    let fortran = match text_after(header, "'fortran_order':") {
        Some(rest) if rest.starts_with("True") => true,
        Some(rest) if rest.starts_with("False") => false,
        _ => return Err("its header does not say which order the numbers have.".to_owned()),
    };
    let shape = shape(header).ok_or("its header does not give a shape.")?;
    let width = match kind {
        "<f8" => 8,
        "<f4" => 4,
        _ => return Err(format!("its numbers are of type `{kind}`; `<f8` and `<f4` can be read.")),
    };
    let expected = shape.iter().try_fold(width, |product: usize, length| product.checked_mul(*length));
    if expected != Some(data.len()) {
        return Err(format!(
            "its header promises an array of shape {shape:?}, but {} bytes follow.",
            data.len()
        ));
    }
    let values = data.chunks_exact(width).map(number).collect();
    Ok(Array { values: if fortran { transpose(&shape, values)? } else { values }, shape })
}

/// The header's text and the bytes after it.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    let not_npy = || "it does not begin like a .npy file.".to_owned();
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(not_npy)?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return Err(not_npy()),
    };
    let (header, data) = rest.split_at_checked(length).ok_or("it ends inside its header.")?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text.".to_owned())?;
    Ok((header, data))
}

/// What follows `key` in the header, without blanks before it.
fn text_after<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    header.split_once(key).map(|(_, rest)| rest.trim_start())
}

/// The text between the single quotes that `rest` begins with.
fn quoted(rest: &str) -> Option<&str> {
    rest.strip_prefix('\'')?.split_once('\'').map(|(text, _)| text)
}

/// The tuple after `'shape':`, of one or two lengths.
fn shape(header: &str) -> Option<Vec<usize>> {
    let (tuple, _) = text_after(header, "'shape':")?.strip_prefix('(')?.split_once(')')?;
    let lengths: Option<Vec<usize>> = tuple
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().ok())
        .collect();
    lengths.filter(|lengths| matches!(lengths.len(), 1 | 2))
}

fn number(bytes: &[u8]) -> f64 {
    match *bytes {
        [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => unreachable!("the width is 4 or 8"),
    }
}

/// From Fortran order to C order.
fn transpose(shape: &[usize], values: Vec<f64>) -> Result<Vec<f64>, String> {
    match *shape {
        [_] => Ok(values),
        [rows, columns] => Ok((0..rows)
            .flat_map(|i| (0..columns).map(move |j| (i, j)))
            .map(|(i, j)| values[j * rows + i])
            .collect()),
        _ => Err("it has more than two dimensions.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn doubles(values: &[f64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    const HEADER: &str = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }   \n";

    #[test]
    fn both_orders_all_versions_both_widths() {
        let c_order = doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let wanted = Array { shape: vec![2, 3], values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        for version in 1..=3 {
            assert_eq!(read(&npy(version, HEADER, &c_order)).unwrap(), wanted);
        }
        let fortran = HEADER.replace("False", "True");
        assert_eq!(read(&npy(1, &fortran, &doubles(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]))).unwrap(), wanted);
        let singles: Vec<u8> = (1_u8..=6).flat_map(|k| f32::from(k).to_le_bytes()).collect();
        assert_eq!(read(&npy(1, &HEADER.replace("f8", "f4"), &singles)).unwrap(), wanted);
    }

    #[test]
    fn damage_is_described() {
        let good = npy(1, HEADER, &doubles(&[0.0; 6]));
        for length in 0..good.len() {
            assert!(read(&good[..length]).is_err(), "{length}");
        }
        assert!(read(&npy(1, &HEADER.replace("<f8", ">f8"), &[0; 48])).unwrap_err().contains(">f8"));
        assert!(read(&npy(1, &HEADER.replace("(2, 3)", "(2, 3, 1)"), &[0; 48])).is_err());
        assert!(read(&npy(1, &HEADER.replace("2,", "99999999999999999999,"), &[0; 48])).is_err());
        assert!(read(&npy(1, &HEADER.replace("(2, 3)", "(9223372036854775807, 9)"), &[0; 48])).is_err());
    }
}
