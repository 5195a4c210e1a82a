//! Data on stdout. A reader that has seen enough (`| head`) ends the command quietly; a full disk is an error.

use std::io::{ErrorKind, Write};

use crate::failure::Failure;

/// Writes `text` and a line feed.
///
/// # Errors
/// If stdout cannot take it.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// `1 cell`, `2 cells`.
pub fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Three digits and a unit.
pub fn show_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            return if unit == "B" {
                format!("{value:.0} B")
            } else {
                format!("{value:.0$} {unit}", digits(value))
            };
        }
        value /= 1000.0;
    }
    format!("{value:.0} PB")
}

/// Of a number below 1000, after the point: three digits in all.
fn digits(value: f64) -> usize {
    2 - usize::from(value >= 10.0) - usize::from(value >= 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits() {
        for (bytes, expected) in
            [(0, "0 B"), (999, "999 B"), (1500, "1.50 kB"), (23_400, "23.4 kB"), (123_456_789, "123 MB")]
        {
            assert_eq!(show_bytes(bytes), expected);
        }
    }
}
