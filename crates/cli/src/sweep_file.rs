//! Reads the sweep file that was named on the command line, with its overrides and the files it names.

use std::io::IsTerminal;
use std::path::Path;

use metasweep_sweep::sweep::Sweep;

use crate::arguments::SweepSource;
use crate::failure::Failure;

/// A sweep, and the text it came from.
pub struct SweepFile {
    /// Resolved.
    pub sweep: Sweep,
    /// The file as it is on disk.
    pub source: String,
}

/// Reads and resolves.
///
/// # Errors
/// Exit code 2: the file cannot be read, or what is wrong in it and where.
pub fn read(from: &SweepSource) -> Result<SweepFile, Failure> {
    let path = &from.sweep;
    let source = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read the sweep file {}: {error}", path.display())))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut load = |name: &str| std::fs::read(folder.join(name));
    let sweep =
        Sweep::parse(&source, &path.display().to_string(), &from.set, &mut load).map_err(|error| {
            let colour = std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
            Failure::usage(if colour { error.styled() } else { error.to_string() })
        })?;
    Ok(SweepFile { sweep, source })
}
