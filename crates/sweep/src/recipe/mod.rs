//! How the parameters of a cell are drawn: the families of every head, and of the feed-forward layer behind them.
//!
//! A [`Recipe`] is made of the cell's texts `value`, `query_key`, `query`, `key`, `heads` and `feed_forward`.
//! [`crate::resolve`] asks it what is possible, [`crate::start`] draws with it, once a replica or once a layer.

use metasweep_dynamics::call::CallError;
use metasweep_dynamics::initial::Files;
use metasweep_dynamics::matrices::{Role, ValueRule};
use metasweep_dynamics::parameters::Parameters;
use metasweep_dynamics::random::Stream;

use crate::seeds::Purpose;
use family::Family;
use feed_forward::{FeedForwardRecipe, feed_forward};
use head::{HeadRecipe, Score, count, listed};

mod family;
mod feed_forward;
mod head;

pub(crate) use feed_forward::read_feed_forward;

pub(crate) use head::read_heads;

/// The keys a family may be at fault for, in a message: the cell's own, or `heads`.
type Fault = (&'static str, String);

/// How parameters are drawn.
#[derive(Debug)]
pub(crate) struct Recipe {
    heads: Vec<HeadRecipe>,
    /// Whether the heads are named one by one, in `heads`.
    listed: bool,
    feed_forward: Option<FeedForwardRecipe>,
}

/// What a recipe is made of: canonical texts, empty where nothing is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Texts {
    pub value: String,
    pub query_key: String,
    pub query: String,
    pub key: String,
    pub heads: String,
    pub feed_forward: String,
}

impl Recipe {
    /// Of a cell's canonical texts; fails only if they are not canonical texts of this engine.
    pub(crate) fn parse(texts: &Texts) -> Result<Self, CallError> {
        let Texts { value, query_key, query, key, heads, feed_forward: layer } = texts;
        let mut recipe =
            Self { heads: Vec::new(), listed: false, feed_forward: feed_forward(or(layer, "none"))? };
        let Some(heads) = count(or(heads, "1")) else {
            recipe.heads = listed(heads)?;
            recipe.listed = true;
            return Ok(recipe);
        };
        for _ in 0..heads {
            let score = if query.is_empty() && key.is_empty() {
                Score::Joint(Family::parse(query_key, Role::QueryKey)?)
            } else {
                // The one that is not given is the identity.
                Score::Apart {
                    query: Family::parse(or(query, "identity"), Role::Factor)?,
                    key: Family::parse(or(key, "identity"), Role::Factor)?,
                }
            };
            recipe.heads.push(HeadRecipe { score, value: Family::parse(value, Role::Value)? });
        }
        Ok(recipe)
    }

    /// Whether the dynamics stays in the span of the tokens and depends on their Gram matrix alone.
    pub(crate) fn is_scalar(&self) -> bool {
        self.feed_forward.is_none() && self.heads.iter().all(HeadRecipe::is_scalar)
    }

    /// Whether a matrix is drawn at random.
    pub(crate) fn is_random(&self) -> bool {
        self.feed_forward.as_ref().is_some_and(FeedForwardRecipe::is_random)
            || self.heads.iter().flat_map(HeadRecipe::families).any(|family| family.family.is_random())
    }

    /// Whether a V is drawn at random, or follows a Q or K that is.
    pub(crate) fn is_value_random(&self) -> bool {
        self.heads.iter().any(|head| {
            let own = head.value.family.rule() == ValueRule::Own;
            head.families().any(|family| {
                family.family.is_random() && (!own || std::ptr::eq(family, &raw const head.value))
            })
        })
    }

    /// Names of all files.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = self.feed_forward.iter().flat_map(FeedForwardRecipe::files).collect();
        files.extend(self.heads.iter().flat_map(HeadRecipe::files));
        files
    }

    /// Whether there are such matrices in dimension d; files are read.
    ///
    /// # Errors
    /// The key that is at fault, and why.
    pub(crate) fn check(&self, d: usize, files: &Files<'_>) -> Result<(), Fault> {
        let whose = |key| if self.listed { "heads" } else { key };
        let distinct = if self.listed { &self.heads[..] } else { &self.heads[..1] };
        for head in distinct {
            head.check(d, &whose, files)?;
        }
        self.feed_forward.as_ref().map_or(Ok(()), |layer| layer.check(d, files))
    }

    /// The parameters in dimension d; `stream` gives the numbers of a purpose, family and head.
    ///
    /// # Errors
    /// As [`MatrixFamily::draw`].
    pub(crate) fn draw(
        &self,
        d: usize,
        stream: &dyn Fn(Purpose, &str, usize) -> Stream,
        files: &Files<'_>,
    ) -> Result<Parameters, String> {
        let mut parameters = Parameters::new(Vec::new());
        for (index, head) in self.heads.iter().enumerate() {
            parameters.heads.push(head.draw(d, index, stream, files)?);
        }
        if let Some(layer) = &self.feed_forward {
            parameters.feed_forward = Some(layer.draw(d, stream, files)?);
        }
        Ok(parameters)
    }
}

/// Canonical text of `query` or `key`, and the file it names.
pub(crate) fn read_factor(text: &str) -> Result<(String, Vec<String>), CallError> {
    let family = Family::parse(text, Role::Factor)?;
    let files = family.files();
    Ok((family.text, files))
}

/// `text`, or `default` where it is empty.
fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}
