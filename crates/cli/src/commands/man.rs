//! `metasweep man`: the manual page, one section a command.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::print;

/// Prints it.
pub fn run() -> Result<ExitCode, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page).map_err(Failure::failed)?;
    for command in Arguments::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let man = clap_mangen::Man::new(command.clone());
        page.extend(format!(".SH {}\n", command.get_name().to_uppercase()).bytes());
        man.render_synopsis_section(&mut page).map_err(Failure::failed)?;
        man.render_description_section(&mut page).map_err(Failure::failed)?;
        man.render_options_section(&mut page).map_err(Failure::failed)?;
    }
    print(&String::from_utf8_lossy(&page))?;
    Ok(ExitCode::SUCCESS)
}
