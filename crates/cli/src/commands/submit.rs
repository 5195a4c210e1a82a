//! `metasweep submit`: from a sweep to a job in the queue.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use metasweep_cluster::slurm::chain::Chain;
use metasweep_cluster::slurm::limits;
use metasweep_cluster::slurm::queue;
use metasweep_cluster::slurm::request::{Form, JobRequest};
use metasweep_cluster::slurm::script::render;
use metasweep_cluster::slurm::site::{LauncherText, Partial, Settings};
use metasweep_cluster::slurm::submissions::{self, Happened, SCRIPT};

use crate::arguments::{Submit, Verbosity};
use crate::failure::Failure;
use crate::output::print;
use crate::sweep_file;

impl From<metasweep_cluster::work::Failure> for Failure {
    fn from(failure: metasweep_cluster::work::Failure) -> Self {
        Failure::with_code(failure.exit_code, failure.message)
    }
}

/// Writes the script beside the dataset and submits it.
pub fn run(options: &Submit, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    // A mistake in the sweep is found here, not in the job.
    let sweep = sweep_file::read(&options.source)?.sweep;
    let out = options.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&sweep.name));
    let (mut settings, sources) = Settings::gather(&|name| std::env::var(name).ok())?;
    settings.apply(flags(options), "the command line")?;
    if let Some(chain) = options.chain {
        settings.chain = chain;
    }
    let request = JobRequest {
        name: sweep.name.clone(),
        program: absolute(&std::env::current_exe().map_err(Failure::failed)?)?,
        sweep: absolute(&options.source.sweep)?,
        out: absolute(&out)?,
        arguments: arguments(options),
        form: match options.array {
            Some(elements) => Form::Array { elements },
            None => Form::Ranks { nodes: options.nodes, ranks_per_node: options.ranks_per_node },
        },
        threads: options.threads,
        time: options.time,
        chain: settings.chain,
        settings,
    };
    let script = render(&request)?;
    if options.dry_run {
        print(&script)?;
        return Ok(ExitCode::SUCCESS);
    }
    check(&request)?;
    let folder = submissions::folder(&request.out);
    std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(SCRIPT), &script)).map_err(
        |error| Failure::failed(format!("cannot write {}: {error}", folder.join(SCRIPT).display())),
    )?;
    let jobs = submit(&folder, request.chain)?;
    let happened = Happened::Chain { chain: request.chain, jobs: jobs.clone() };
    submissions::append(&request.out, &format!("submit-{}", jobs[0]), happened)?;
    if verbosity > Verbosity::Quiet {
        for source in sources {
            eprintln!("metasweep: settings from {source}");
        }
        eprintln!(
            "metasweep: submitted job {} → {}\n  the script: {}\n  how far it is: metasweep status {}",
            jobs.join(", "),
            out.display(),
            folder.join(SCRIPT).display(),
            out.display()
        );
    }
    print(&jobs[0])?;
    Ok(ExitCode::SUCCESS)
}

/// The first job, and those that wait for the one before.
fn submit(folder: &Path, chain: Chain) -> Result<Vec<String>, Failure> {
    let mut jobs = vec![queue::submit(folder, SCRIPT, &[])?];
    if let Chain::Dependency(links) = chain {
        for _ in 1..links {
            let after = format!("--dependency=afterany:{}", jobs[jobs.len() - 1]);
            match queue::submit(folder, SCRIPT, &[after]) {
                Ok(job) => jobs.push(job),
                Err(failure) => {
                    // MaxSubmitJobs, usually: fewer links are better than none.
                    eprintln!("metasweep: only {} of {links} links were submitted: {failure}", jobs.len());
                    break;
                }
            }
        }
    }
    Ok(jobs)
}

/// What SLURM would refuse in a less helpful way.
fn check(request: &JobRequest) -> Result<(), Failure> {
    let history = submissions::History::of(&submissions::read(&request.out));
    let alive = queue::jobs(&history.jobs)?;
    let waiting = |state: &str| {
        ["PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "SUSPENDED"].contains(&state)
    };
    if let Some(job) = alive.iter().find(|job| waiting(&job.state)) {
        return Err(Failure::with_code(
            4,
            format!(
                "job {} of this dataset is {}: one chain at a time (`metasweep cancel {}` ends it)",
                job.id,
                job.state,
                request.out.display()
            ),
        ));
    }
    Ok(limits::check(request)?)
}

fn arguments(options: &Submit) -> Vec<String> {
    let mut arguments = Vec::new();
    for set in &options.source.set {
        arguments.extend(["--set".to_owned(), set.clone()]);
    }
    if options.extend {
        arguments.push("--extend".to_owned());
    }
    if let Some(scratch) = &options.scratch {
        arguments.extend(["--scratch".to_owned(), scratch.clone()]);
    }
    arguments
}

fn flags(options: &Submit) -> Partial {
    let some = |words: &Vec<String>| (!words.is_empty()).then(|| words.clone());
    let launcher = options.launcher.as_ref().map(|text| match text.as_str() {
        "srun" | "mpirun" => LauncherText::Name(text.clone()),
        words => LauncherText::Words(words.split_whitespace().map(str::to_owned).collect()),
    });
    Partial {
        account: options.account.clone(),
        partition: options.partition.clone(),
        qos: options.qos.clone(),
        modules: some(&options.module),
        directives: some(&options.directive),
        launcher,
        ..Partial::default()
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}
