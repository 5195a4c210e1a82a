//! The `metasweep` binary: flags, progress, messages, exit codes; no logic of its own.

mod arguments;
mod closing;
mod commands;
mod duration;
mod failure;
mod output;
mod progress;
mod sweep_file;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    metasweep_cluster::abort::install();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap's own exit codes are the contract's: 0 for --help and --version, 2 for bad usage.
            let code = error.exit_code();
            let _ = error.print();
            return ExitCode::from(u8::try_from(code).unwrap_or(2));
        }
    };
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let verbosity = arguments.verbosity();
    match &arguments.command {
        Command::Run(options) => commands::run::run(options, verbosity),
        Command::Plan(options) => commands::plan::run(options),
        Command::Check(options) => commands::check::run(options, verbosity),
        Command::Status(options) => commands::status::run(options),
        Command::Summary(options) => commands::summary::run(options),
        Command::Figure(options) => commands::figure::run(options, verbosity),
        Command::Report(options) => commands::report::run(options, verbosity),
        Command::Show(options) => commands::show::run(options, verbosity),
        Command::Completions(options) => commands::completions::run(options),
        Command::Schema(options) => commands::schema::run(options),
        Command::Man => commands::man::run(),
        Command::Submit(options) => commands::submit::run(options, verbosity),
        Command::Cancel(options) => commands::cancel::run(options),
        Command::Logs(options) => commands::logs::run(options),
        Command::Doctor(options) => commands::doctor::run(options),
        Command::Link(options) => commands::link::run(options),
        Command::Verify(options) => commands::verify::run(options, verbosity),
        Command::Archive(options) => commands::archive::run(options, verbosity),
        Command::Replay(options) => commands::replay::run(options, verbosity),
        Command::Explain(options) => commands::explain::run(options),
        Command::Theory(options) => commands::theory::run(options),
        Command::New(options) => commands::new::run(options),
    }
}
