//! The job script: a page that a person can read, change and submit by hand.

use std::path::Path;
use std::time::Duration;

use crate::work::Failure;

use super::chain::Chain;
use super::queue::clock;
use super::quoting::{directive, shell, shell_words};
use super::refused;
use super::request::{Form, JobRequest};
use super::site::Launcher;

/// Seconds before the end of its time at which a job is told, at most; a tenth of short ones.
const NOTICE: u64 = 120;

/// Renders the script.
///
/// # Errors
/// If a value cannot be written into it.
pub fn render(request: &JobRequest) -> Result<String, Failure> {
    let mut lines = vec![
        "#!/bin/bash".to_owned(),
        format!(
            "# Written by metasweep {}. It can be submitted by hand from its folder: sbatch {}",
            env!("CARGO_PKG_VERSION"),
            super::submissions::SCRIPT
        ),
    ];
    lines.extend(directives(request)?);
    lines.push(String::new());
    for (name, value) in &request.settings.environment {
        lines.push(format!("export {name}={}", shell(value)));
    }
    if !request.settings.modules.is_empty() {
        lines.push(format!(
            "module load {}",
            shell_words(request.settings.modules.iter().map(String::as_str))
        ));
    }
    if !literal(request) {
        let folder = super::submissions::folder(&request.out);
        let log = if matches!(request.form, Form::Array { .. }) {
            "\"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}.log\""
        } else {
            "\"$SLURM_JOB_ID.log\""
        };
        lines.push(format!("exec >> {}/{log} 2>&1", shell(&text(&folder)?)));
    }
    lines.push("# The shell becomes `metasweep link`: it starts the work, passes signals on, and sees to what follows.".to_owned());
    lines.push(format!("exec {} \\", shell(&text(&request.program)?)));
    lines.push(format!("  link {} --chain {} -- \\", shell(&text(&request.out)?), request.chain));
    lines.push(format!("  {}", work(request)?));
    Ok(lines.join("\n") + "\n")
}

fn directives(request: &JobRequest) -> Result<Vec<String>, Failure> {
    let settings = &request.settings;
    let mut lines = vec![directive("job-name", &format!("metasweep-{}", request.name))?];
    match request.form {
        Form::Ranks { nodes, ranks_per_node } => {
            lines.push(directive("nodes", &nodes.to_string())?);
            lines.push(directive("ntasks-per-node", &ranks_per_node.to_string())?);
        }
        Form::Array { elements } => {
            lines.push(directive("array", &format!("0-{}", elements - 1))?);
            lines.push(directive("ntasks", "1")?);
        }
    }
    lines.push(directive("cpus-per-task", &request.threads.to_string())?);
    lines.push(directive("time", &clock(request.time))?);
    let named = [
        ("account", &settings.account),
        ("partition", &settings.partition),
        ("qos", &settings.qos),
        ("constraint", &settings.constraint),
    ];
    for (option, value) in named {
        if let Some(value) = value {
            lines.push(directive(option, value)?);
        }
    }
    // In the folder that it is submitted from, unless SLURM would read that folder's own name as a pattern.
    let log = match (literal(request), request.form) {
        (false, _) => "/dev/null",
        (true, Form::Array { .. }) => "%A_%a.log",
        (true, Form::Ranks { .. }) => "%j.log",
    };
    lines.push(directive("output", log)?);
    lines.push("#SBATCH --open-mode=append".to_owned());
    lines.push(format!("#SBATCH --signal=B:USR1@{}", notice(request.time)));
    let requeue = if request.chain == Chain::None { "no-requeue" } else { "requeue" };
    lines.push(format!("#SBATCH --{requeue}"));
    for extra in &settings.directives {
        lines.push(extra_directive(extra)?);
    }
    Ok(lines)
}

/// Whether SLURM takes the folder of the logs as it stands.
fn literal(request: &JobRequest) -> bool {
    !request.out.to_string_lossy().contains(['%', '\\'])
}

/// `--exclusive`, `--mem=4G`: an option, and what follows its first `=` is a value.
fn extra_directive(text: &str) -> Result<String, Failure> {
    let body = text.strip_prefix("--").filter(|body| !body.is_empty());
    let name = body.map(|body| body.split('=').next().unwrap_or(body));
    let valid =
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let (Some(body), true) = (body, valid) else {
        return Err(refused(format!(
            "the extra directive {text:?} is not of the form --option or --option=value, as in \"--mem=4G\""
        )));
    };
    match body.split_once('=') {
        Some((option, value)) => directive(option, value),
        None => Ok(format!("#SBATCH --{body}")),
    }
}

/// Seconds before the end at which SLURM signals: it looks only twice a minute.
#[must_use]
pub fn notice(time: Duration) -> u64 {
    (time.as_secs() / 10).clamp(1, NOTICE)
}

/// The line that does the work.
fn work(request: &JobRequest) -> Result<String, Failure> {
    let mut run = vec![text(&request.program)?, "run".to_owned(), text(&request.sweep)?];
    run.extend(["--out".to_owned(), text(&request.out)?]);
    run.extend(["--threads".to_owned(), request.threads.to_string()]);
    run.extend(request.arguments.iter().cloned());
    let run = shell_words(run.iter().map(String::as_str));
    let (nodes, ranks) = match request.form {
        Form::Array { elements } => {
            return Ok(format!("{run} --share \"$SLURM_ARRAY_TASK_ID/{elements}\""));
        }
        Form::Ranks { nodes, ranks_per_node } => (nodes, ranks_per_node),
    };
    let start = match &request.settings.launcher {
        // Since 22.05 srun does not take the job's CPUs for each task from sbatch.
        Launcher::Srun { mpi } => format!("srun --mpi={} --cpus-per-task={}", shell(mpi), request.threads),
        Launcher::Mpirun => format!("mpirun -n {} --map-by ppr:{ranks}:node --bind-to none", nodes * ranks),
        Launcher::Words(words) => shell_words(words.iter().map(String::as_str)),
    };
    Ok(format!("{start} {run}"))
}

/// A path as the script can hold it.
fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().ok_or_else(|| {
        refused(format!(
            "the path {} is not valid UTF-8, which a job script cannot be sure to carry",
            path.display()
        ))
    })?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slurm::site::Settings;

    fn request() -> JobRequest {
        JobRequest {
            name: "p0-fig2".to_owned(),
            program: "/opt/metasweep".into(),
            sweep: "/home/u/sweeps/p0-fig2.toml".into(),
            out: "/scratch/u/p0-fig2".into(),
            arguments: vec!["--set".to_owned(), "value=\"diag(1, -1)\"".to_owned()],
            form: Form::Ranks { nodes: 4, ranks_per_node: 2 },
            threads: 8,
            time: Duration::from_secs(7200),
            chain: Chain::Requeue,
            settings: Settings {
                account: Some("a b".to_owned()),
                modules: vec!["openmpi/4.1".to_owned()],
                environment: [("OMPI_MCA_btl".to_owned(), "self,tcp".to_owned())].into(),
                directives: vec!["--exclusive".to_owned(), "--mem=4G".to_owned()],
                ..Settings::default()
            },
        }
    }

    #[test]
    fn an_mpi_job() {
        assert_eq!(
            render(&request()).unwrap(),
            r#"#!/bin/bash
# Written by metasweep 0.1.0. It can be submitted by hand from its folder: sbatch job.sh
#SBATCH --job-name=metasweep-p0-fig2
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=8
#SBATCH --time=02:00:00
#SBATCH --account="a b"
#SBATCH --output=%j.log
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --exclusive
#SBATCH --mem=4G

export OMPI_MCA_btl=self,tcp
module load openmpi/4.1
# The shell becomes `metasweep link`: it starts the work, passes signals on, and sees to what follows.
exec /opt/metasweep \
  link /scratch/u/p0-fig2 --chain requeue -- \
  srun --mpi=pmix --cpus-per-task=8 /opt/metasweep run /home/u/sweeps/p0-fig2.toml --out /scratch/u/p0-fig2 --threads 8 --set 'value="diag(1, -1)"'
"#
        );
    }

    #[test]
    fn an_array() {
        let mut request = request();
        request.form = Form::Array { elements: 6 };
        request.chain = Chain::None;
        let script = render(&request).unwrap();
        for line in [
            "#SBATCH --array=0-5",
            "#SBATCH --ntasks=1",
            "#SBATCH --output=%A_%a.log",
            "#SBATCH --no-requeue",
        ] {
            assert!(script.contains(&format!("{line}\n")), "{script}");
        }
        assert!(script.contains("--share \"$SLURM_ARRAY_TASK_ID/6\"\n"));
        assert!(!script.contains("srun"));
    }

    #[test]
    fn what_no_line_can_carry_is_refused() {
        for (directives, account) in [
            (vec!["rm -rf /".to_owned()], None),
            (vec!["--mem=4G\n#SBATCH -A x".to_owned()], None),
            (vec![], Some("a\nb")),
        ] {
            let mut request = request();
            request.settings.directives = directives;
            request.settings.account = account.map(str::to_owned);
            assert_eq!(render(&request).unwrap_err().exit_code, 2);
        }
    }
}
