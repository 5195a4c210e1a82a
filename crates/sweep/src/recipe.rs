//! How the parameters of a cell are drawn: the families of every head, and of the feed-forward layer behind them.
//!
//! A [`Recipe`] is made of the cell's texts `value`, `query_key`, `query`, `key`, `heads` and `feed_forward`.
//! [`crate::resolve`] asks it what is possible, [`crate::start`] draws with it, once a replica or once a layer.

use metasweep_dynamics::call::{Call, CallError, Piece};
use metasweep_dynamics::constant;
use metasweep_dynamics::initial::Files;
use metasweep_dynamics::matrices::{self, MatrixFamily, Role, ValueRule};
use metasweep_dynamics::parameters::{Activation, FeedForward, Head, Operator, Parameters, QueryKey};
use metasweep_dynamics::random::Stream;

use crate::seeds::Purpose;

/// How heads are written.
pub const HEADS: [&str; 3] = ["1", "H", "of(head(query_key, value), head(query, key, value), …)"];
/// How feed-forward layers are written.
pub const FEED_FORWARD: [&str; 4] = ["none", "relu(w; bias=b)", "tanh(w; bias=b)", "gelu(w; bias=b)"];

/// Most heads.
const MOST_HEADS: usize = 4096;

/// A family with its canonical text.
#[derive(Debug)]
struct Family {
    text: String,
    family: Box<dyn MatrixFamily>,
}

impl Family {
    fn parse(text: &str, role: Role) -> Result<Self, CallError> {
        let family = matrices::parse(text, role)?;
        Ok(Self { text: family.canonical(), family })
    }

    /// The family that stands within a longer text.
    fn part(piece: &Piece<'_>, role: Role) -> Result<Self, CallError> {
        Self::parse(piece.text, role)
            .map_err(|error| CallError { position: error.position + piece.position, ..error })
    }
}

/// Where QᵀK comes from.
#[derive(Debug)]
enum Score {
    Joint(Family),
    Apart { query: Family, key: Family },
}

/// The families of one head.
#[derive(Debug)]
struct HeadRecipe {
    score: Score,
    value: Family,
}

/// The keys a family may be at fault for, in a message: the cell's own, or `heads`.
type Fault = (&'static str, String);

/// b of a feed-forward layer.
#[derive(Clone, Debug, PartialEq)]
enum Bias {
    Same(f64),
    List(Vec<f64>),
    Normal,
}

/// σ, w and b.
#[derive(Debug)]
struct FeedForwardRecipe {
    activation: Activation,
    weight: Family,
    bias: Bias,
}

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

/// The number of heads, if it is a number.
fn count(text: &str) -> Option<usize> {
    text.trim().parse().ok().filter(|heads| (1..=MOST_HEADS).contains(heads))
}

/// The heads that `of(…)` lists.
fn listed(text: &str) -> Result<Vec<HeadRecipe>, CallError> {
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

/// Canonical text of `query` or `key`, and the file it names.
pub(crate) fn read_factor(text: &str) -> Result<(String, Vec<String>), CallError> {
    let family = Family::parse(text, Role::Factor)?;
    let files = family.family.files().into_iter().map(str::to_owned).collect();
    Ok((family.text, files))
}

/// Canonical text of `feed_forward`, and the file it names.
pub(crate) fn read_feed_forward(text: &str) -> Result<(String, Vec<String>), CallError> {
    let Some(layer) = feed_forward(text)? else { return Ok(("none".to_owned(), Vec::new())) };
    let files = layer.weight.family.files().into_iter().map(str::to_owned).collect();
    Ok((layer.canonical(), files))
}

fn feed_forward(text: &str) -> Result<Option<FeedForwardRecipe>, CallError> {
    let call = Call::parse(text)?;
    let activation = match call.name.text {
        "none" => return call.no_arguments().map(|()| None),
        "relu" => Activation::Relu,
        "tanh" => Activation::Tanh,
        "gelu" => Activation::Gelu,
        name => {
            let position = call.name.position;
            return Err(CallError::unknown(position, "a feed-forward layer", name, &FEED_FORWARD));
        }
    };
    if let Some(second) = call.arguments.get(1) {
        return Err(CallError::at(second.position, "A feed-forward layer has one matrix w."));
    }
    let weight = match call.arguments.first() {
        Some(piece) => Family::part(piece, Role::Value)?,
        None => Family::parse("identity", Role::Value)?,
    };
    if weight.family.rule() != ValueRule::Own {
        let position = call.arguments.first().map_or(0, |piece| piece.position);
        return Err(CallError::at(
            position,
            "`query_key` is a matrix of a head, and w stands behind all heads.",
        ));
    }
    let bias = match call.option("bias", &["bias"])? {
        None => Bias::Same(0.0),
        Some(piece) => bias(&piece)?,
    };
    Ok(Some(FeedForwardRecipe { activation, weight, bias }))
}

fn bias(piece: &Piece<'_>) -> Result<Bias, CallError> {
    let moved = |error: CallError| CallError { position: error.position + piece.position, ..error };
    if piece.text == "normal" {
        return Ok(Bias::Normal);
    }
    if piece.text.starts_with("list") {
        let call = Call::parse(piece.text).map_err(moved)?;
        if call.name.text == "list" {
            let numbers = call.numbers().map_err(moved)?;
            return Ok(Bias::List(numbers.into_iter().map(|number| number + 0.0).collect()));
        }
    }
    constant::evaluate(piece.text, piece.position).map(|number| Bias::Same(number + 0.0)).map_err(
        |mut error| {
            error.allowed = ["a number", "list(a, b, …)", "normal"].map(str::to_owned).to_vec();
            error
        },
    )
}

impl FeedForwardRecipe {
    fn canonical(&self) -> String {
        let name = match self.activation {
            Activation::Relu => "relu",
            Activation::Tanh => "tanh",
            Activation::Gelu => "gelu",
        };
        let bias = match &self.bias {
            Bias::Same(0.0) => String::new(),
            Bias::Same(number) => constant::text(*number),
            Bias::List(numbers) => format!("list({})", constant::list(numbers)),
            Bias::Normal => "normal".to_owned(),
        };
        match (self.weight.text.as_str(), bias.as_str()) {
            ("identity", "") => name.to_owned(),
            (weight, "") => format!("{name}({weight})"),
            (weight, bias) => format!("{name}({weight}; bias={bias})"),
        }
    }
}

impl HeadRecipe {
    fn families(&self) -> impl Iterator<Item = &Family> {
        let (first, second) = match &self.score {
            Score::Joint(family) => (family, None),
            Score::Apart { query, key } => (query, Some(key)),
        };
        [Some(first), second, Some(&self.value)].into_iter().flatten()
    }

    fn files(&self) -> Vec<String> {
        self.families().flat_map(|family| family.family.files()).map(str::to_owned).collect()
    }

    /// Whether V = c·I and QᵀK = b·I.
    fn is_scalar(&self) -> bool {
        let score = match &self.score {
            Score::Joint(family) => family.family.is_scalar().is_some(),
            Score::Apart { query, key } => {
                query.family.is_scalar().is_some() && key.family.is_scalar().is_some()
            }
        };
        score && (self.value.family.rule() != ValueRule::Own || self.value.family.is_scalar().is_some())
    }
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
        let layer = self.feed_forward.as_ref();
        layer.is_some_and(|layer| layer.weight.family.is_random() || layer.bias == Bias::Normal)
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
        let layer = self.feed_forward.iter().flat_map(|layer| layer.weight.family.files());
        let mut files: Vec<String> = layer.map(str::to_owned).collect();
        files.extend(self.heads.iter().flat_map(HeadRecipe::files));
        files
    }

    /// Whether there are such matrices in dimension d; files are read.
    ///
    /// # Errors
    /// The key that is at fault, and why.
    pub(crate) fn check(&self, d: usize, files: &Files<'_>) -> Result<(), Fault> {
        let mut stream = Stream::new([0; 32], 0);
        let distinct = if self.listed { &self.heads[..] } else { &self.heads[..1] };
        for head in distinct {
            let whose = |key| if self.listed { "heads" } else { key };
            let mut of = |key: &'static str, family: &Family| -> Result<Option<Operator>, Fault> {
                let fault = |reason| (whose(key), reason);
                family.family.check(d).map_err(fault)?;
                if family.family.files().is_empty() {
                    return Ok(None);
                }
                family.family.draw(d, &mut stream, files).map(Some).map_err(fault)
            };
            of("value", &head.value)?;
            match &head.score {
                Score::Joint(family) => {
                    of("query_key", family)?;
                }
                Score::Apart { query, key } => {
                    of("query", query)?;
                    of("key", key)?;
                    let mut drawn = |family: &Family| family.family.draw(d, &mut stream, files);
                    let fault = |reason| (whose("query"), reason);
                    let (query, key) = (drawn(query).map_err(fault)?, drawn(key).map_err(fault)?);
                    matrices::bilinear(query, key, d).map_err(fault)?;
                }
            }
        }
        let Some(layer) = &self.feed_forward else { return Ok(()) };
        let fault = |reason| ("feed_forward", reason);
        layer.weight.family.check(d).map_err(fault)?;
        if !layer.weight.family.files().is_empty() {
            layer.weight.family.draw(d, &mut stream, files).map_err(fault)?;
        }
        match &layer.bias {
            Bias::List(numbers) if numbers.len() != d => {
                Err(fault(format!("A bias of {} numbers does not fit d = {d}.", numbers.len())))
            }
            _ => Ok(()),
        }
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
        let Some(layer) = &self.feed_forward else { return Ok(parameters) };
        let mut numbers = stream(Purpose::FeedForwardWeight, &layer.weight.text, 0);
        let weight = layer.weight.family.draw(d, &mut numbers, files)?;
        let bias = match &layer.bias {
            Bias::Same(0.0) => Vec::new(),
            Bias::Same(number) => vec![*number; d],
            Bias::List(numbers) => numbers.clone(),
            Bias::Normal => {
                let mut numbers = stream(Purpose::FeedForwardBias, "normal", 0);
                (0..d).map(|_| numbers.normal()).collect()
            }
        };
        parameters.feed_forward = Some(FeedForward { activation: layer.activation, weight, bias });
        Ok(parameters)
    }
}

impl HeadRecipe {
    fn draw(
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

/// `text`, or `default` where it is empty.
fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
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
        for (text, canonical) in [
            ("none", "none"),
            ("relu()", "relu"),
            ("tanh(identity; bias=0)", "tanh"),
            ("gelu(diag(1,2); bias = list(1, -0.0))", "gelu(diag(1, 2); bias=list(1, 0))"),
            ("relu(gaussian; bias=normal)", "relu(gaussian; bias=normal)"),
            ("relu(; bias=1/4)", "relu(identity; bias=0.25)"),
        ] {
            assert_eq!(read_feed_forward(text).unwrap().0, canonical);
            assert_eq!(read_feed_forward(canonical).unwrap().0, canonical);
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
        for (text, position) in [
            ("relux", 0),
            ("relu(gausian)", 5),
            ("relu(query_key)", 5),
            ("relu(goe; bais=1)", 10),
            ("relu(goe; bias=x)", 15),
        ] {
            assert_eq!(read_feed_forward(text).unwrap_err().position, position, "{text}");
        }
    }
}
