//! Why a command did not do what was asked, and with which exit code it ends.

use std::fmt::Display;
use std::process::ExitCode;

/// A message for people and a code for scripts.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Something went wrong: exit code 1.
    pub fn failed(message: impl Display) -> Self {
        Failure { code: 1, message: message.to_string() }
    }

    /// What was typed, or the sweep file, is wrong: exit code 2.
    pub fn usage(message: impl Display) -> Self {
        Failure { code: 2, message: message.to_string() }
    }

    /// An error that knows its exit code.
    pub fn with_code(code: u8, message: impl Display) -> Self {
        Failure { code, message: message.to_string() }
    }

    /// Prints it, in one write so that ranks do not interleave.
    pub fn print(&self) {
        if self.message.is_empty() {
            return;
        }
        // A sweep file's errors come with their own heading.
        let text = if self.message.starts_with("error") {
            format!("{}\n", self.message.trim_end())
        } else {
            format!("error: {}\n", self.message.trim_end())
        };
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}
