//! Values in a job script: whatever they hold, they are words, never commands.

use crate::work::Failure;

use super::refused;

/// A word for the shell. Bytes that mean nothing to it stay bare, all else goes between single quotes.
///
/// ```
/// use metasweep_cluster::slurm::quoting::shell;
/// assert_eq!(shell("out/p0-fig2"), "out/p0-fig2");
/// assert_eq!(shell("it's $(here)"), r"'it'\''s $(here)'");
/// assert_eq!(shell(""), "''");
/// ```
#[must_use]
pub fn shell(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Words for the shell, one after the other.
#[must_use]
pub fn shell_words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(shell).collect::<Vec<_>>().join(" ")
}

/// An `#SBATCH` line. sbatch reads these itself, before any shell: quotes and backslashes are the only signs it knows, and
/// a line's end ends them.
///
/// # Errors
/// If the value holds a control character: no quoting keeps it on its line.
pub fn directive(option: &str, value: &str) -> Result<String, Failure> {
    if let Some(control) = value.chars().find(|character| character.is_control()) {
        return Err(refused(format!(
            "--{option} {value:?} holds the control character {control:?}, which no #SBATCH line can carry; use printable \
             characters"
        )));
    }
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+=:,@%".contains(character);
    if !value.is_empty() && value.chars().all(plain) {
        return Ok(format!("#SBATCH --{option}={value}"));
    }
    Ok(format!("#SBATCH --{option}=\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn directives() {
        assert_eq!(directive("account", "physics").unwrap(), "#SBATCH --account=physics");
        assert_eq!(directive("account", "a b \"c\" \\").unwrap(), r#"#SBATCH --account="a b \"c\" \\""#);
        assert_eq!(directive("account", "a # b").unwrap(), "#SBATCH --account=\"a # b\"");
        for bad in ["a\nb", "a\r", "\u{1b}[0m", "a\0"] {
            let error = directive("account", bad).unwrap_err();
            assert_eq!(error.exit_code, 2);
            assert!(error.message.contains("--account"), "{error}");
        }
    }

    proptest! {
        /// The shell itself says what it understood.
        #[test]
        fn the_shell_reads_back_what_was_quoted(word in "[^\\x00]{0,24}") {
            let script = format!("printf %s {}", shell(&word));
            let done = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            prop_assert_eq!(done.stdout, word.as_bytes());
        }
    }
}
