//! What is wrong with a sweep file, and where: messages that show the line, what is allowed and the nearest name.
//!
//! Every pass of the parser pushes [`Problem`]s into a [`Problems`]; [`SweepError`] shows them all at once.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Level, Renderer, Snippet};

/// Shown at most; the rest is counted.
const MOST_SHOWN: usize = 12;

/// A byte range of the sweep file (source 0) or of one `--set` override (source 1, 2, …).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which text.
    pub source: usize,
    /// Bytes of it.
    pub span: Range<usize>,
}

impl Place {
    /// Part of this place: `range` counted from its start.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Place {
        let limit = |offset: usize| (self.span.start + offset).min(self.span.end);
        Place { source: self.source, span: limit(range.start)..limit(range.end) }
    }
}

/// A text that a [`Place`] points into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The sweep file's name, or `--set`.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A sentence: what was found.
    pub message: String,
    /// Where.
    pub at: Place,
    /// A few words beside the underline.
    pub label: String,
    /// Other places that have a part in it.
    pub related: Vec<(Place, String)>,
    /// What is allowed, the nearest name, what to do.
    pub help: Vec<String>,
}

impl Problem {
    /// A problem at a place.
    #[must_use]
    pub fn new(at: &Place, message: impl Into<String>) -> Self {
        Problem {
            message: message.into(),
            at: at.clone(),
            label: String::new(),
            related: Vec::new(),
            help: Vec::new(),
        }
    }
    /// With words beside the underline.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
    /// With a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
    /// With another place.
    #[must_use]
    pub fn related(mut self, at: &Place, label: impl Into<String>) -> Self {
        self.related.push((at.clone(), label.into()));
        self
    }
    /// With the nearest of `names` to `found` as help, if one is near enough.
    #[must_use]
    pub fn nearest<'a>(self, found: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(found, names) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// The name nearest to `found`, if it is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&found, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4 && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A number as a person writes it: `30`, `0.1`, `1e-300`.
#[must_use]
pub fn shown(number: f64) -> String {
    if number == 0.0 || (1e-4..1e15).contains(&number.abs()) {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}

/// A sentence as the second half of another: without its first capital (unless that is a name, as V) and its last point.
#[must_use]
pub fn continued(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let word = sentence.split(' ').next().unwrap_or("");
    let is_name = word.len() == 1 && word != "A" || word.chars().skip(1).any(|c| !c.is_ascii_lowercase());
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) if !is_name => first.to_lowercase().chain(letters).collect(),
        _ => sentence.to_owned(),
    }
}

/// Names as a person lists them: `` `a`, `b` ``.
#[must_use]
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Collects problems, each place and message once.
#[derive(Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one, unless it is there.
    pub(crate) fn push(&mut self, problem: Problem) {
        if !self.0.iter().any(|old| old.at == problem.at && old.message == problem.message) {
            self.0.push(problem);
        }
    }
    /// Puts the problem of a failure here and goes on without the value.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }
    /// Nothing wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Enough to show; looking further is waste.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= 4 * MOST_SHOWN
    }
    /// The error, in the order of the text.
    pub(crate) fn into_error(mut self, sources: &[Source]) -> SweepError {
        self.0.sort_by_key(|problem| (problem.at.source, problem.at.span.start, problem.at.span.end));
        SweepError { sources: sources.to_vec(), problems: self.0 }
    }
}

/// All that is wrong with a sweep file. Its `Display` shows each problem with its line (plain text, no colour).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepError {
    sources: Vec<Source>,
    problems: Vec<Problem>,
}

impl std::error::Error for SweepError {}

impl SweepError {
    /// What is wrong, in the order of the file, overrides last. Never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The first problem's line and column in its text, both from 1.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        let at = &self.problems.first()?.at;
        let before = self.sources.get(at.source)?.text.get(..at.span.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Some((line, column))
    }

    /// As `Display` shows it, but with colours for a terminal.
    #[must_use]
    pub fn styled(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut shown: Vec<String> = Vec::new();
        for problem in self.problems.iter().take(MOST_SHOWN) {
            let mut group =
                Level::ERROR.primary_title(problem.message.as_str()).elements(self.snippets(problem));
            for help in &problem.help {
                group = group.element(Level::HELP.message(help.as_str()));
            }
            shown.push(renderer.render(&[group]));
        }
        let rest = self.problems.len().saturating_sub(MOST_SHOWN);
        if rest > 0 {
            shown.push(format!("… and {rest} more"));
        }
        shown.join("\n\n")
    }

    fn snippets(&self, problem: &Problem) -> Vec<Element<'_>> {
        let mut elements = Vec::new();
        for (index, source) in self.sources.iter().enumerate() {
            let length = source.text.len();
            let clamp = |span: &Range<usize>| {
                let start = floor_boundary(&source.text, span.start.min(length));
                start..floor_boundary(&source.text, span.end.min(length)).max(start)
            };
            let mut annotations = Vec::new();
            if problem.at.source == index {
                let annotation = AnnotationKind::Primary.span(clamp(&problem.at.span));
                annotations.push(if problem.label.is_empty() {
                    annotation
                } else {
                    annotation.label(problem.label.clone())
                });
            }
            for (at, label) in problem.related.iter().filter(|(at, _)| at.source == index) {
                annotations.push(AnnotationKind::Context.span(clamp(&at.span)).label(label.clone()));
            }
            if !annotations.is_empty() {
                elements.push(Element::from(
                    Snippet::source(source.text.as_str()).path(source.name.as_str()).annotations(annotations),
                ));
            }
        }
        elements
    }
}

/// The character boundary at or before `offset`.
fn floor_boundary(text: &str, offset: usize) -> usize {
    (0..=offset).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

impl fmt::Display for SweepError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(&Renderer::plain()))
    }
}
