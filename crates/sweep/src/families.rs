//! Initial laws and families of matrices as the sweep file names them, and the files they read.
//!
//! What a file holds counts, not its name: in canonical text it is named by its content, `file(5f3a….npy)`, and that is
//! the name under which [`crate::sweep::Sweep::inputs`] keeps it and a dataset copies it.

use std::collections::BTreeMap;

use metasweep_dynamics::call::CallError;
use metasweep_dynamics::initial::{self, Construction, InitialLaw, Space};
use metasweep_dynamics::matrices;

use crate::diagnostic::{Place, Problem, continued};
use crate::document::{Kind, Raw};
use crate::frozen;
use crate::recipe::{self, Recipe, Texts};
use crate::registry::CallReader;
use crate::setting::inside;
use crate::sweep::Input;

/// Hex digits of the content's hash in a file's canonical name.
const DIGITS: usize = 32;

/// What a family is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Initial,
    Value,
    QueryKey,
    /// Q or K.
    Factor,
    Heads,
    FeedForward,
    Frozen,
}

/// Reads a file named relative to the sweep file.
pub(crate) type Load<'a> = dyn FnMut(&str) -> std::io::Result<Vec<u8>> + 'a;

/// Parses families and loads their files, each once.
pub(crate) struct Families<'a> {
    load: &'a mut Load<'a>,
    /// Canonical name of each file read, by the name in the sweep file.
    pub(crate) names: BTreeMap<String, String>,
    /// By canonical name.
    pub(crate) inputs: BTreeMap<String, Input>,
}

impl<'a> Families<'a> {
    pub(crate) fn new(load: &'a mut Load<'a>) -> Self {
        Families { load, names: BTreeMap::new(), inputs: BTreeMap::new() }
    }

    /// The canonical text of the family that `raw`, a string, names.
    pub(crate) fn read(&mut self, role: Role, key: &str, raw: &Raw, at: &Place) -> Result<String, Problem> {
        let Kind::Text(text) = &raw.kind else {
            return Err(Problem::new(at, format!("`{key}` must be a string, not {}", raw.found())));
        };
        let (canonical, files) = parse(role, text).map_err(|error| call_problem(key, text, raw, &error))?;
        let mut canonical = canonical;
        for file in files {
            let name = self.file(&file, raw)?;
            for end in [")", ";"] {
                canonical = canonical.replace(&format!("file({file}{end}"), &format!("file({name}{end}"));
            }
        }
        Ok(canonical)
    }

    /// Loads a file; its name by content.
    fn file(&mut self, name: &str, raw: &Raw) -> Result<String, Problem> {
        if let Some(known) = self.names.get(name) {
            return Ok(known.clone());
        }
        let bytes = (self.load)(name).map_err(|error| {
            Problem::new(&inside(raw), format!("`{name}` cannot be read: {error}"))
                .help("names of files are relative to the folder of the sweep file")
        })?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let canonical = format!("{}.{ending}", &hash[..DIGITS]);
        self.names.insert(name.to_owned(), canonical.clone());
        self.inputs.insert(canonical.clone(), Input { bytes, hash });
        Ok(canonical)
    }
}

/// Canonical text and files of a family.
fn parse(role: Role, text: &str) -> Result<(String, Vec<String>), CallError> {
    let owned = |files: Vec<&str>| files.into_iter().map(str::to_owned).collect();
    match role {
        Role::Initial => initial::parse(text).map(|law| (law.canonical(), owned(law.files()))),
        Role::Value => matrices::parse(text, matrices::Role::Value)
            .map(|family| (family.canonical(), owned(family.files()))),
        Role::QueryKey => matrices::parse(text, matrices::Role::QueryKey)
            .map(|family| (family.canonical(), owned(family.files()))),
        Role::Factor => recipe::read_factor(text),
        Role::Heads => recipe::read_heads(text),
        Role::FeedForward => recipe::read_feed_forward(text),
        Role::Frozen => frozen::read_frozen(text),
    }
}

fn call_problem(key: &str, text: &str, raw: &Raw, error: &CallError) -> Problem {
    let mut problem = misread(key, text, raw, error);
    if let Some(nearest) = &error.nearest {
        problem = problem.help(format!("did you mean `{nearest}`?"));
    }
    if !error.allowed.is_empty() {
        problem = problem.help(format!("allowed: {}", error.allowed.join(", ")));
    }
    problem
}

/// A call that could not be read: at its place, with what was found.
fn misread(key: &str, text: &str, raw: &Raw, error: &CallError) -> Problem {
    let at = inside(raw);
    let exact = at.span.len() == text.len();
    let place = if exact { word_at(&at, text, error.position) } else { raw.at.clone() };
    let problem = Problem::new(&place, format!("`{key}`: {}", continued(&error.message)));
    if text.contains(['\'', '"']) { problem.help("no quotes inside a call: `file(v.npy)`") } else { problem }
}

/// The canonical text of a call that is neither a law nor a family.
pub(crate) fn read_call(key: &str, raw: &Raw, reader: CallReader) -> Result<String, Problem> {
    let Kind::Text(text) = &raw.kind else {
        return Err(Problem::new(&raw.at, format!("`{key}` must be a string, not {}", raw.found())));
    };
    reader(text).map_err(|error| {
        let mut problem = misread(key, text, raw, &error);
        if let Some(nearest) = &error.nearest {
            problem = problem.help(format!("did you mean `{nearest}`?"));
        }
        if !error.allowed.is_empty() {
            problem = problem.help(format!("allowed: {}", error.allowed.join(", ")));
        }
        problem
    })
}

/// The word of `text` that begins at byte `start`, within the place `at` of the text.
fn word_at(at: &Place, text: &str, start: usize) -> Place {
    let rest = text.get(start..).unwrap_or("");
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let length = if length == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { length };
    if length == 0 && start == 0 { at.clone() } else { at.part(start..start + length) }
}

/// The space that this geometry's tokens live in.
pub(crate) fn space(geometry: &str) -> Space {
    match geometry {
        "euclidean" | "rescaled" => Space::Euclidean,
        _ => Space::Sphere,
    }
}

/// A cell's law and families, from its canonical texts.
pub(crate) struct Drawn {
    pub(crate) initial: Box<dyn InitialLaw>,
    pub(crate) recipe: Recipe,
}

impl Drawn {
    /// Parses canonical texts; fails only if they are not canonical texts of this engine.
    pub(crate) fn parse(initial: &str, texts: &Texts) -> Result<Drawn, CallError> {
        Ok(Drawn { initial: initial::parse(initial)?, recipe: Recipe::parse(texts)? })
    }

    /// Where the tokens of the law are drawn: in their span, if the dynamics stays there.
    pub(crate) fn construction(&self, n: usize, d: usize) -> Construction {
        if self.recipe.is_scalar() { self.initial.construction_in_span(n, d) } else { Construction::Direct }
    }
}
