//! The small language of named choices in a sweep file: `name`, `-name`, `name(argument, …; key=value, …)`.
//!
//! The registries of [`initial`](crate::initial) and [`matrices`](crate::matrices) read their texts with it. Arguments
//! are numbers ([constant expressions](crate::constant)) or file names, without quotes. A mistake is answered with its
//! place in the text, the nearest name and what is allowed, for the sweep file's message to point at.

use std::fmt;

use crate::constant;

/// What is wrong with a call, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// Byte in the text that the mistake begins at.
    pub position: usize,
    /// What was found and what is wrong with it, one sentence without the suggestions below.
    pub message: String,
    /// The allowed name that is nearest to the one found, if one is near.
    pub nearest: Option<String>,
    /// What is allowed in this place, if that can be listed.
    pub allowed: Vec<String>,
}

impl CallError {
    /// A mistake at `position` that no list of names helps with.
    #[must_use]
    pub fn at(position: usize, message: impl Into<String>) -> Self {
        Self { position, message: message.into(), nearest: None, allowed: Vec::new() }
    }

    /// A name at `position` that is none of `allowed`; the nearest of them is suggested if few letters differ.
    #[must_use]
    pub fn unknown(position: usize, kind: &str, found: &str, allowed: &[&str]) -> Self {
        let close = 1 + found.chars().count() / 3;
        let nearest = allowed
            .iter()
            .map(|name| (strsim::damerau_levenshtein(found, bare(name)), name))
            .filter(|(distance, _)| *distance <= close)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, name)| (*name).to_owned());
        Self {
            position,
            message: format!("`{found}` is not {kind}."),
            nearest,
            allowed: allowed.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// The name in a usage such as `diag(a, b, …)`.
fn bare(usage: &str) -> &str {
    usage.split('(').next().unwrap_or(usage)
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if let Some(nearest) = &self.nearest {
            write!(formatter, " Did you mean `{nearest}`?")?;
        }
        if !self.allowed.is_empty() {
            write!(formatter, " Allowed: {}.", self.allowed.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for CallError {}

/// A piece of the text and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The piece, trimmed.
    pub text: &'a str,
    /// Byte in the whole text that it begins at.
    pub position: usize,
}

/// `name(argument, …; key=value, …)`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The name, a leading minus included: `-identity`.
    pub name: Piece<'a>,
    /// The arguments before the semicolon.
    pub arguments: Vec<Piece<'a>>,
    /// The `key=value` pairs after it.
    pub options: Vec<(Piece<'a>, Piece<'a>)>,
}

impl<'a> Call<'a> {
    /// Takes `text` apart.
    ///
    /// ```
    /// use metasweep_dynamics::call::Call;
    /// let call = Call::parse("spectrum(1.35, -0.07; basis=gaussian)").unwrap();
    /// assert_eq!(call.name.text, "spectrum");
    /// assert_eq!(call.arguments[1].text, "-0.07");
    /// assert_eq!(call.options[0].1.text, "gaussian");
    /// ```
    ///
    /// # Errors
    /// If there is no name, a parenthesis is not closed, an argument is empty, something follows the call, or an
    /// option has no `=`.
    pub fn parse(text: &'a str) -> Result<Self, CallError> {
        let open = text.find('(').unwrap_or(text.len());
        let name = trim(text, 0, open);
        if let Some((offset, stray)) = stray_in_name(name.text) {
            return Err(CallError::at(name.position + offset, format!("`{stray}` cannot stand in a name.")));
        }
        if name.text.is_empty() || name.text == "-" {
            return Err(CallError::at(name.position, "A name was expected here, such as `identity`."));
        }
        let mut call = Self { name, arguments: Vec::new(), options: Vec::new() };
        if open < text.len() {
            call.inside(text, open)?;
        }
        Ok(call)
    }

    fn inside(&mut self, text: &'a str, open: usize) -> Result<(), CallError> {
        let mut depth = 0_usize;
        let mut start = open + 1;
        let mut in_options = false;
        for (at, character) in text[open..].char_indices().map(|(at, c)| (at + open, c)) {
            match character {
                '(' => depth += 1,
                ')' if depth > 1 => depth -= 1,
                ',' | ';' | ')' if depth == 1 => {
                    let piece = trim(text, start, at);
                    let nothing_at_all = character != ',' && self.arguments.is_empty() && !in_options;
                    if !(piece.text.is_empty() && nothing_at_all) {
                        self.add(text, piece, in_options)?;
                    }
                    start = at + 1;
                    if character == ';' && std::mem::replace(&mut in_options, true) {
                        return Err(CallError::at(
                            at,
                            "There is one `;` too many: it stands once, before the options.",
                        ));
                    }
                    if character == ')' {
                        let rest = trim(text, start, text.len());
                        return if rest.text.is_empty() {
                            Ok(())
                        } else {
                            Err(CallError::at(
                                rest.position,
                                format!("`{}` follows the closing parenthesis.", rest.text),
                            ))
                        };
                    }
                }
                _ => {}
            }
        }
        Err(CallError::at(open, "This parenthesis is never closed."))
    }

    fn add(&mut self, text: &'a str, piece: Piece<'a>, option: bool) -> Result<(), CallError> {
        if piece.text.is_empty() {
            return Err(CallError::at(piece.position, "An argument is missing here."));
        }
        if !option {
            self.arguments.push(piece);
            return Ok(());
        }
        let Some(equals) = piece.text.find('=') else {
            return Err(CallError::at(
                piece.position,
                format!("`{}` should be an option `key=value`.", piece.text),
            ));
        };
        let middle = piece.position + equals;
        let end = piece.position + piece.text.len();
        self.options.push((trim(text, piece.position, middle), trim(text, middle + 1, end)));
        Ok(())
    }

    /// The arguments as numbers, at least one; no options.
    ///
    /// # Errors
    /// If there is none, or one is not a finite constant expression, or an option stands beside them.
    pub fn numbers(&self) -> Result<Vec<f64>, CallError> {
        self.no_options()?;
        if self.arguments.is_empty() {
            let name = self.name.text;
            return Err(CallError::at(
                self.name.position,
                format!("`{name}` needs numbers as arguments, as in `{name}(1, 0.5)`."),
            ));
        }
        self.arguments.iter().map(|piece| constant::evaluate(piece.text, piece.position)).collect()
    }

    /// The one argument as a number.
    ///
    /// # Errors
    /// As [`numbers`](Self::numbers), and if there are several.
    pub fn number(&self) -> Result<f64, CallError> {
        if self.arguments.is_empty() {
            let name = self.name.text;
            return Err(CallError::at(
                self.name.position,
                format!("`{name}` needs a number as its argument, as in `{name}(0.5)`."),
            ));
        }
        let numbers = self.numbers()?;
        match self.arguments.get(1) {
            None => Ok(numbers[0]),
            Some(second) => {
                Err(CallError::at(second.position, format!("`{}` takes one number.", self.name.text)))
            }
        }
    }

    /// The one argument as the name of a file that ends in one of `endings`; options may follow it.
    ///
    /// # Errors
    /// If there is not exactly one, or it ends otherwise.
    pub fn file(&self, endings: &[&str]) -> Result<&'a str, CallError> {
        let [piece] = self.arguments[..] else {
            return Err(CallError::at(
                self.name.position,
                "`file` takes one file name, as in `file(x0.npy)`.",
            ));
        };
        if endings.iter().any(|ending| piece.text.len() > ending.len() && piece.text.ends_with(ending)) {
            return Ok(piece.text);
        }
        let mut error = CallError::at(
            piece.position,
            format!("`{}` is not of a format that can be read here.", piece.text),
        );
        error.allowed = endings.iter().map(|ending| format!("*{ending}")).collect();
        Err(error)
    }

    /// Nothing but the name.
    ///
    /// # Errors
    /// If there are arguments or options.
    pub fn no_arguments(&self) -> Result<(), CallError> {
        if let Some(piece) = self.arguments.first() {
            return Err(CallError::at(piece.position, format!("`{}` takes no arguments.", self.name.text)));
        }
        self.no_options()
    }

    /// The value of the option `key`, one of the `allowed` ones, if it is given.
    ///
    /// # Errors
    /// If an option that is not allowed is given, or one twice.
    pub fn option(&self, key: &str, allowed: &[&str]) -> Result<Option<Piece<'a>>, CallError> {
        for (index, (given, _)) in self.options.iter().enumerate() {
            if !allowed.contains(&given.text) {
                let kind = format!("an option of `{}`", self.name.text);
                return Err(CallError::unknown(given.position, &kind, given.text, allowed));
            }
            if self.options[..index].iter().any(|(earlier, _)| earlier.text == given.text) {
                return Err(CallError::at(given.position, format!("`{}` is given twice.", given.text)));
            }
        }
        Ok(self.options.iter().find(|(given, _)| given.text == key).map(|(_, value)| *value))
    }

    fn no_options(&self) -> Result<(), CallError> {
        self.options.first().map_or(Ok(()), |(key, _)| {
            Err(CallError::at(key.position, format!("`{}` has no option `{}`.", self.name.text, key.text)))
        })
    }
}

/// The first character that cannot stand in a name (a leading minus can), and its place.
fn stray_in_name(name: &str) -> Option<(usize, char)> {
    name.char_indices().find(|&(at, c)| !(c.is_ascii_alphanumeric() || c == '_' || (c == '-' && at == 0)))
}

/// `text[from..to]` without surrounding blanks. Both ends are at character boundaries.
fn trim(text: &str, from: usize, to: usize) -> Piece<'_> {
    let raw = &text[from..to];
    let trimmed = raw.trim();
    let position = if trimmed.is_empty() { from } else { from + (raw.len() - raw.trim_start().len()) };
    Piece { text: trimmed, position }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_parentheses() {
        for text in ["goe", " goe ", "goe()", "goe( )"] {
            let call = Call::parse(text).unwrap();
            assert_eq!(call.name.text, "goe");
            call.no_arguments().unwrap();
        }
        assert_eq!(Call::parse("-query_key").unwrap().name.text, "-query_key");
    }

    #[test]
    fn pieces_know_where_they_are() {
        let call = Call::parse("diag( 1 , 2*(3+4) ; basis = haar )").unwrap();
        assert_eq!(call.arguments[0], Piece { text: "1", position: 6 });
        assert_eq!(call.arguments[1], Piece { text: "2*(3+4)", position: 10 });
        assert_eq!(call.options[0].0, Piece { text: "basis", position: 20 });
        assert_eq!(call.options[0].1, Piece { text: "haar", position: 28 });
    }

    #[test]
    fn mistakes_are_located() {
        for (text, position) in [
            ("", 0),
            ("-", 0),
            ("(1)", 0),
            ("diag(1", 4),
            ("diag(1,,2)", 7),
            ("diag(1,)", 7),
            ("diag(1) x", 8),
            ("diag(1; 2)", 8),
            ("diag(1; a=2; b=3)", 11),
            ("di ag(1)", 2),
            ("größe(1)", 2),
            ("diag(1))", 7),
        ] {
            assert_eq!(Call::parse(text).unwrap_err().position, position, "{text}");
        }
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        let allowed = ["identity", "diag(a, b, …)", "goe"];
        let nearest = |found| CallError::unknown(0, "a family", found, &allowed).nearest;
        assert_eq!(nearest("idenity").as_deref(), Some("identity"));
        assert_eq!(nearest("dag").as_deref(), Some("diag(a, b, …)"));
        assert_eq!(nearest("something_else"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC*") {
            if let Err(error) = Call::parse(&text) {
                proptest::prop_assert!(error.position <= text.len() && text.is_char_boundary(error.position));
            }
        }
    }
}
