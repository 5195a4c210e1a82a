//! What the user's quota on a file system is, as its own command says: there is none that all of them share.

use std::path::Path;
use std::process::Command;

/// The command for file systems of this kind (as `stat -f` names them), to be followed by the folder where `true`.
fn command(kind: &str, user: &str) -> (&'static str, Vec<String>, bool) {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    match kind {
        "lustre" => ("lfs", words(&["quota", "-h", "-u", user]), true),
        "gpfs" => ("mmlsquota", words(&["-u", user, "--block-size", "auto"]), false),
        "beegfs" => ("beegfs-ctl", words(&["--getquota", "--uid", user]), false),
        _ => ("quota", words(&["-w", "-s", "-u", user]), false),
    }
}

/// What it says of this folder's file system; or why nothing is known.
#[must_use]
pub fn quota(dir: &Path) -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let Some(user) = named.or_else(|| output(Command::new("id").arg("-un"))) else {
        return "not known: neither USER nor `id` says who you are".to_owned();
    };
    let kind = output(Command::new("stat").args(["-f", "-c", "%T"]).arg(dir)).unwrap_or_default();
    let (program, arguments, with_folder) = command(&kind, &user);
    let mut quota = Command::new(program);
    quota.args(&arguments);
    if with_folder {
        quota.arg(dir);
    }
    match quota.output() {
        Err(_) => format!("not known: {kind} is asked by `{program}`, which is not in PATH"),
        Ok(done) => {
            let said =
                [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text).trim().to_owned());
            let lines: Vec<String> = said.iter().flat_map(|text| text.lines()).map(spaced).collect();
            let what = if lines.is_empty() { "nothing".to_owned() } else { lines.join(" / ") };
            format!("`{program} {}` says: {what}", arguments.join(" "))
        }
    }
}

fn output(command: &mut Command) -> Option<String> {
    let done = command.output().ok()?;
    let text = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    (done.status.success() && !text.is_empty()).then_some(text)
}

/// Words with one space between them: these commands print wide tables.
fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_system_has_its_own_command() {
        assert_eq!(command("lustre", "ada").0, "lfs");
        assert!(command("lustre", "ada").2, "lfs wants the folder");
        assert_eq!(
            command("ext2/ext3", "ada"),
            ("quota", ["-w", "-s", "-u", "ada"].map(String::from).to_vec(), false)
        );
        let said = quota(Path::new("/tmp"));
        assert!(said.contains("quota"), "{said}");
        assert_eq!(spaced("  a   b\tc "), "a b c");
    }
}
