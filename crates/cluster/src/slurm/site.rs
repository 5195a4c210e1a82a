//! Settings of a site: account, partition, modules, launcher, whatever else its jobs need.
//!
//! From the weakest to the strongest: a profile of `slurm/sites/` that recognizes the site by its environment, the user's
//! `$XDG_CONFIG_HOME/metasweep/site.toml` (`~/.config/…`), the project's `metasweep.toml` in the working folder, flags.
//!
//! ```
//! use metasweep_cluster::slurm::site::{Launcher, Settings};
//! let settings = Settings::parse("account = \"physics\"\nlauncher = \"mpirun\"", "site.toml").unwrap();
//! assert_eq!(settings.launcher, Launcher::Mpirun);
//! assert!(Settings::parse("acount = \"physics\"", "site.toml").unwrap_err().message.contains("acount"));
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::work::Failure;

use super::chain::Chain;
use super::refused;

/// The project's file, in the working folder.
pub const PROJECT: &str = "metasweep.toml";
/// The profiles that come with the program.
const PROFILES: &[(&str, &str)] = &[("perlmutter", include_str!("../../../../slurm/sites/perlmutter.toml"))];

/// How ranks are started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// `srun --mpi=…`.
    Srun {
        /// The plugin.
        mpi: String,
    },
    /// OpenMPI's mpirun, one rank a task.
    Mpirun,
    /// These words, before the program's.
    Words(Vec<String>),
}

/// What a site needs, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `--account`.
    pub account: Option<String>,
    /// `--partition`.
    pub partition: Option<String>,
    /// `--qos`.
    pub qos: Option<String>,
    /// `--constraint`.
    pub constraint: Option<String>,
    /// For `module load`.
    pub modules: Vec<String>,
    /// How ranks are started.
    pub launcher: Launcher,
    /// Further options of sbatch: `--exclusive`, `--mem=4G`.
    pub directives: Vec<String>,
    /// Variables of the job.
    pub environment: BTreeMap<String, String>,
    /// The chain that the site allows.
    pub chain: Chain,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            account: None,
            partition: None,
            qos: None,
            constraint: None,
            modules: Vec::new(),
            launcher: Launcher::Srun { mpi: "pmix".to_owned() },
            directives: Vec::new(),
            environment: BTreeMap::new(),
            chain: Chain::Requeue,
        }
    }
}

/// What one source says; what it does not say is left to the weaker ones.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// See [`Settings`].
    pub account: Option<String>,
    /// See [`Settings`].
    pub partition: Option<String>,
    /// See [`Settings`].
    pub qos: Option<String>,
    /// See [`Settings`].
    pub constraint: Option<String>,
    /// See [`Settings`].
    pub modules: Option<Vec<String>>,
    /// `"srun"`, `"mpirun"`, or a list of words.
    pub launcher: Option<LauncherText>,
    /// The plugin of `srun --mpi`.
    pub mpi: Option<String>,
    /// See [`Settings`].
    pub directives: Option<Vec<String>>,
    /// See [`Settings`].
    pub environment: Option<BTreeMap<String, String>>,
    /// See [`Settings`].
    pub chain: Option<Chain>,
    /// Of a profile: the variables, with their values, by which the site is known.
    pub recognized_by: Option<BTreeMap<String, String>>,
}

/// A launcher as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum LauncherText {
    /// One of the known ones.
    Name(String),
    /// Any.
    Words(Vec<String>),
}

impl Settings {
    /// Of one source alone.
    ///
    /// # Errors
    /// The file, the place and what is allowed there.
    pub fn parse(text: &str, name: &str) -> Result<Settings, Failure> {
        let mut settings = Settings::default();
        settings.apply(Partial::parse(text, name)?, name)?;
        Ok(settings)
    }

    /// Everything but the flags; `environment` is usually `std::env::var`. Says which files were read.
    ///
    /// # Errors
    /// If a file is wrong.
    pub fn gather(environment: &dyn Fn(&str) -> Option<String>) -> Result<(Settings, Vec<String>), Failure> {
        let (mut settings, mut sources) = (Settings::default(), Vec::new());
        for (name, text) in PROFILES {
            let profile = Partial::parse(text, name)?;
            let signs = profile.recognized_by.clone().unwrap_or_default();
            let here = |(variable, value): (&String, &String)| environment(variable).as_ref() == Some(value);
            if !signs.is_empty() && signs.iter().all(here) {
                settings.apply(profile, name)?;
                sources.push(format!("profile {name}"));
            }
        }
        let user = environment("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| environment("HOME").map(|home| Path::new(&home).join(".config")));
        let files = user.map(|folder| folder.join("metasweep/site.toml")).into_iter().chain([PROJECT.into()]);
        for path in files.filter(|path| path.is_file()) {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(&path)
                .map_err(|error| refused(format!("cannot read {name}: {error}")))?;
            settings.apply(Partial::parse(&text, &name)?, &name)?;
            sources.push(name);
        }
        Ok((settings, sources))
    }

    /// What `stronger` says replaces what was there.
    ///
    /// # Errors
    /// If a launcher or a variable's name is none.
    pub fn apply(&mut self, stronger: Partial, source: &str) -> Result<(), Failure> {
        let wrong = |what: String| refused(format!("{source}: {what}"));
        self.account = stronger.account.or(self.account.take());
        self.partition = stronger.partition.or(self.partition.take());
        self.qos = stronger.qos.or(self.qos.take());
        self.constraint = stronger.constraint.or(self.constraint.take());
        if let Some(modules) = stronger.modules {
            self.modules = modules;
        }
        if let Some(directives) = stronger.directives {
            self.directives = directives;
        }
        if let Some(chain) = stronger.chain {
            self.chain = chain;
        }
        for (name, value) in stronger.environment.into_iter().flatten() {
            let valid = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !name.is_empty()
                && !name.starts_with(|first: char| first.is_ascii_digit());
            if !valid {
                return Err(wrong(format!("{name:?} is no name of a variable: letters, digits and _")));
            }
            self.environment.insert(name, value);
        }
        match stronger.launcher {
            None => {}
            Some(LauncherText::Name(name)) if name == "srun" => {
                self.launcher = Launcher::Srun { mpi: "pmix".to_owned() };
            }
            Some(LauncherText::Name(name)) if name == "mpirun" => self.launcher = Launcher::Mpirun,
            Some(LauncherText::Words(words)) if !words.is_empty() => self.launcher = Launcher::Words(words),
            Some(other) => {
                let (LauncherText::Name(_) | LauncherText::Words(_)) = &other;
                return Err(wrong(format!(
                    "launcher is \"srun\", \"mpirun\", or a list of words such as [\"mpiexec.hydra\", \"-n\", \"8\"]; not {other:?}"
                )));
            }
        }
        if let Some(plugin) = stronger.mpi {
            let Launcher::Srun { mpi } = &mut self.launcher else {
                return Err(wrong("mpi is srun's plugin, and the launcher is another".to_owned()));
            };
            *mpi = plugin;
        }
        Ok(())
    }
}

impl Partial {
    fn parse(text: &str, name: &str) -> Result<Partial, Failure> {
        toml_edit::de::from_str(text)
            .map_err(|error| refused(format!("{name}: {}", error.to_string().trim_end())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stronger_sources_win_key_by_key() {
        let mut settings =
            Settings::parse("account = \"a\"\npartition = \"p\"\nmodules = [\"m\"]", "weak").unwrap();
        let stronger =
            Partial::parse("account = \"b\"\nmpi = \"pmi2\"\nchain = \"dependency:3\"", "strong").unwrap();
        settings.apply(stronger, "strong").unwrap();
        assert_eq!(settings.account.as_deref(), Some("b"));
        assert_eq!(settings.partition.as_deref(), Some("p"));
        assert_eq!(settings.modules, ["m"]);
        assert_eq!(settings.launcher, Launcher::Srun { mpi: "pmi2".to_owned() });
        assert_eq!(settings.chain, Chain::Dependency(3));
    }

    #[test]
    fn a_site_is_recognized_by_its_environment() {
        let perlmutter = |name: &str| (name == "NERSC_HOST").then(|| "perlmutter".to_owned());
        let (settings, sources) = Settings::gather(&perlmutter).unwrap();
        assert_eq!(settings.constraint.as_deref(), Some("cpu"));
        assert_eq!(sources, ["profile perlmutter"]);
        assert_eq!(Settings::gather(&|_| None).unwrap().0, Settings::default());
    }

    #[test]
    fn mistakes_are_told_with_their_file() {
        for (text, word) in [
            ("acount = \"x\"", "acount"),
            ("launcher = \"mpiexec\"", "a list of words"),
            ("launcher = \"mpirun\"\nmpi = \"pmix\"", "srun's plugin"),
            ("chain = \"forever\"", "dependency:N"),
            ("[environment]\n\"A B\" = \"x\"", "no name of a variable"),
        ] {
            let error = Settings::parse(text, "site.toml").unwrap_err();
            assert!(error.message.starts_with("site.toml: ") && error.message.contains(word), "{error}");
            assert_eq!(error.exit_code, 2);
        }
    }
}
