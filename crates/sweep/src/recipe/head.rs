//! Heads: how they are written, `4` or `of(head(goe, identity), …)`, and the families that each is drawn from.

use metasweep_dynamics::call::{Call, CallError, Piece};
use metasweep_dynamics::initial::Files;
use metasweep_dynamics::matrices::{self, Role, ValueRule};
use metasweep_dynamics::parameters::{Head, QueryKey};
use metasweep_dynamics::random::Stream;

use super::Fault;
use super::family::Family;
use crate::seeds::Purpose;

/// How heads are written.
const HEADS: [&str; 3] = ["1", "H", "of(head(query_key, value), head(query, key, value), …)"];

/// Most heads.
const MOST_HEADS: usize = 4096;

/// Where QᵀK comes from.
#[derive(Debug)]
pub(super) enum Score {
    Joint(Family),
    Apart { query: Family, key: Family },
}

/// The families of one head.
#[derive(Debug)]
pub(super) struct HeadRecipe {
    pub score: Score,
    pub value: Family,
}

impl HeadRecipe {
    pub(super) fn families(&self) -> impl Iterator<Item = &Family> {
        let (first, second) = match &self.score {
            Score::Joint(family) => (family, None),
            Score::Apart { query, key } => (query, Some(key)),
        };
        [Some(first), second, Some(&self.value)].into_iter().flatten()
    }

    pub(super) fn files(&self) -> Vec<String> {
        self.families().flat_map(|family| family.family.files()).map(str::to_owned).collect()
    }

    /// Whether V = c·I and QᵀK = b·I.
    pub(super) fn is_scalar(&self) -> bool {
        let score = match &self.score {
            Score::Joint(family) => family.family.is_scalar().is_some(),
            Score::Apart { query, key } => {
                query.family.is_scalar().is_some() && key.family.is_scalar().is_some()
            }
        };
        score && (self.value.family.rule() != ValueRule::Own || self.value.family.is_scalar().is_some())
    }

    /// Whether there are such matrices in dimension d; files are read. `whose` is the key that is at fault for a family.
    pub(super) fn check(
        &self,
        d: usize,
        whose: &dyn Fn(&'static str) -> &'static str,
        files: &Files<'_>,
    ) -> Result<(), Fault> {
        let mut stream = Stream::new([0; 32], 0);
        let mut of = |key: &'static str, family: &Family| -> Result<(), Fault> {
            let fault = |reason| (whose(key), reason);
            family.family.check(d).map_err(fault)?;
            if family.family.files().is_empty() {
                return Ok(());
            }
            family.family.draw(d, &mut stream, files).map(|_| ()).map_err(fault)
        };
        of("value", &self.value)?;
        match &self.score {
            Score::Joint(family) => of("query_key", family),
            Score::Apart { query, key } => {
                of("query", query)?;
                of("key", key)?;
                let mut drawn = |family: &Family| family.family.draw(d, &mut stream, files);
                let fault = |reason| (whose("query"), reason);
                let (query, key) = (drawn(query).map_err(fault)?, drawn(key).map_err(fault)?);
                matrices::bilinear(query, key, d).map(|_| ()).map_err(fault)
            }
        }
    }

    /// The matrices of this head, the `index`-th of the cell.
    pub(super) fn draw(
        &self,
        d: usize,
        index: usize,
        stream: &dyn Fn(Purpose, &str, usize) -> Stream,
        files: &Files<'_>,
    ) -> Result<Head, String> {
        let one = |purpose, family: &Family| {
            family.family.draw(d, &mut stream(purpose, &family.text, index), files)
        };
        let (query_key, norm) = match &self.score {
            Score::Joint(b) => (QueryKey::Joint(one(Purpose::QueryKey, b)?), b.family.gradient_norm(d)),
            Score::Apart { query, key } => {
                (matrices::bilinear(one(Purpose::Query, query)?, one(Purpose::Key, key)?, d)?, 1.0)
            }
        };
        let mut numbers = stream(Purpose::Value, &self.value.text, index);
        matrices::head(&*self.value.family, query_key, norm, d, &mut numbers, files)
    }
}

/// The number of heads, if it is a number.
pub(super) fn count(text: &str) -> Option<usize> {
    text.trim().parse().ok().filter(|heads| (1..=MOST_HEADS).contains(heads))
}

/// The heads that `of(…)` lists.
pub(super) fn listed(text: &str) -> Result<Vec<HeadRecipe>, CallError> {
    let call = Call::parse(text)?;
    if call.name.text != "of" {
        return Err(CallError::unknown(
            call.name.position,
            "a number or list of heads",
            call.name.text,
            &HEADS,
        ));
    }
    call.option("", &[])?;
    if call.arguments.is_empty() || call.arguments.len() > MOST_HEADS {
        let message = format!("`of` lists 1 to {MOST_HEADS} heads, as in `of(head(goe, identity))`.");
        return Err(CallError::at(call.name.position, message));
    }
    call.arguments.iter().map(listed_head).collect()
}

fn listed_head(piece: &Piece<'_>) -> Result<HeadRecipe, CallError> {
    let moved = |error: CallError| CallError { position: error.position + piece.position, ..error };
    let call = Call::parse(piece.text).map_err(moved)?;
    let at = |argument: &Piece<'_>, role| Family::part(argument, role).map_err(moved);
    if call.name.text != "head" || !call.options.is_empty() {
        let message = "A head is `head(query_key, value)` or `head(query, key, value)`.";
        return Err(moved(CallError::at(call.name.position, message)));
    }
    match &call.arguments[..] {
        [query_key, value] => Ok(HeadRecipe {
            score: Score::Joint(at(query_key, Role::QueryKey)?),
            value: at(value, Role::Value)?,
        }),
        [query, key, value] => Ok(HeadRecipe {
            score: Score::Apart { query: at(query, Role::Factor)?, key: at(key, Role::Factor)? },
            value: at(value, Role::Value)?,
        }),
        _ => {
            let message =
                "A head has two families, `head(query_key, value)`, or three, `head(query, key, value)`.";
            Err(moved(CallError::at(call.name.position, message)))
        }
    }
}

fn canonical_heads(heads: &[HeadRecipe]) -> String {
    let texts: Vec<String> = heads
        .iter()
        .map(|head| match &head.score {
            Score::Joint(b) => format!("head({}, {})", b.text, head.value.text),
            Score::Apart { query, key } => {
                format!("head({}, {}, {})", query.text, key.text, head.value.text)
            }
        })
        .collect();
    format!("of({})", texts.join(", "))
}

/// Canonical text of `heads`, and the files it names.
pub(crate) fn read_heads(text: &str) -> Result<(String, Vec<String>), CallError> {
    if let Some(heads) = count(text) {
        return Ok((heads.to_string(), Vec::new()));
    }
    if text.trim().parse::<i128>().is_ok() {
        return Err(CallError::at(0, format!("There are 1 to {MOST_HEADS} heads, not {}.", text.trim())));
    }
    let heads = listed(text)?;
    let files = heads.iter().flat_map(HeadRecipe::files).collect();
    Ok((canonical_heads(&heads), files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_a_fixed_point() {
        for (text, canonical) in [
            (" 4 ", "4"),
            ("of( head(goe,identity) )", "of(head(goe, identity))"),
            (
                "of(head(gaussian(4), gaussian( 4 ), diag(1, 1/2)), head(goe, -query_key))",
                "of(head(gaussian(4), gaussian(4), diag(1, 0.5)), head(goe, -query_key))",
            ),
        ] {
            assert_eq!(read_heads(text).unwrap().0, canonical);
            assert_eq!(read_heads(canonical).unwrap().0, canonical);
        }
    }

    #[test]
    fn mistakes_point_at_their_place() {
        for (text, position) in [
            ("0", 0),
            ("of()", 0),
            ("of(head(goe))", 3),
            ("of(head(goe, identity), head(goe, idenity))", 34),
            ("of(head(query_key, identity))", 8),
            ("off(head(goe, identity))", 0),
        ] {
            assert_eq!(read_heads(text).unwrap_err().position, position, "{text}");
        }
    }
}
