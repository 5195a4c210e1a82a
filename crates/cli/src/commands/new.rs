//! `metasweep new`: a commented sweep file to begin with.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::arguments::New;
use crate::failure::Failure;

/// Writes NAME.toml into this folder; never over a file that is there.
pub fn run(options: &New) -> Result<ExitCode, Failure> {
    let text = metasweep_sweep::template::sweep_file(&options.name).ok_or_else(|| {
        Failure::usage(format!(
            "{:?} is no name for a sweep: letters, digits, `.`, `_` and `-`, not beginning with a dot",
            options.name
        ))
    })?;
    let path = PathBuf::from(format!("{}.toml", options.name));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| {
        let hint =
            if error.kind() == std::io::ErrorKind::AlreadyExists { "; choose another name" } else { "" };
        Failure::usage(format!("cannot make {}: {error}{hint}", path.display()))
    })?;
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
    eprintln!("metasweep: wrote {0}; next: metasweep plan {0}, metasweep run {0}", path.display());
    Ok(ExitCode::SUCCESS)
}
