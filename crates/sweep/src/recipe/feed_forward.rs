//! The feed-forward layer behind the heads: how it is written, `relu(gaussian; bias=normal)`, and what it is drawn from.

use metasweep_dynamics::call::{Call, CallError, Piece};
use metasweep_dynamics::constant;
use metasweep_dynamics::initial::Files;
use metasweep_dynamics::matrices::{Role, ValueRule};
use metasweep_dynamics::parameters::{Activation, FeedForward};
use metasweep_dynamics::random::Stream;

use super::Fault;
use super::family::Family;
use crate::seeds::Purpose;

/// How feed-forward layers are written.
const FEED_FORWARD: [&str; 4] = ["none", "relu(w; bias=b)", "tanh(w; bias=b)", "gelu(w; bias=b)"];

/// b of a feed-forward layer.
#[derive(Clone, Debug, PartialEq)]
enum Bias {
    Same(f64),
    List(Vec<f64>),
    Normal,
}

/// σ, w and b.
#[derive(Debug)]
pub(super) struct FeedForwardRecipe {
    activation: Activation,
    weight: Family,
    bias: Bias,
}

/// Canonical text of `feed_forward`, and the file it names.
pub(crate) fn read_feed_forward(text: &str) -> Result<(String, Vec<String>), CallError> {
    let Some(layer) = feed_forward(text)? else { return Ok(("none".to_owned(), Vec::new())) };
    Ok((layer.canonical(), layer.files()))
}

/// The layer that `text` names; none for `none`.
pub(super) fn feed_forward(text: &str) -> Result<Option<FeedForwardRecipe>, CallError> {
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

    /// The files that it reads.
    pub(super) fn files(&self) -> Vec<String> {
        self.weight.files()
    }

    /// Whether w or b is drawn at random.
    pub(super) fn is_random(&self) -> bool {
        self.weight.family.is_random() || self.bias == Bias::Normal
    }

    /// Whether there is such a layer in dimension d; files are read.
    pub(super) fn check(&self, d: usize, files: &Files<'_>) -> Result<(), Fault> {
        let fault = |reason| ("feed_forward", reason);
        self.weight.family.check(d).map_err(fault)?;
        if !self.weight.family.files().is_empty() {
            self.weight.family.draw(d, &mut Stream::new([0; 32], 0), files).map_err(fault)?;
        }
        match &self.bias {
            Bias::List(numbers) if numbers.len() != d => {
                Err(fault(format!("A bias of {} numbers does not fit d = {d}.", numbers.len())))
            }
            _ => Ok(()),
        }
    }

    /// σ, w and b.
    pub(super) fn draw(
        &self,
        d: usize,
        stream: &dyn Fn(Purpose, &str, usize) -> Stream,
        files: &Files<'_>,
    ) -> Result<FeedForward, String> {
        let mut numbers = stream(Purpose::FeedForwardWeight, &self.weight.text, 0);
        let weight = self.weight.family.draw(d, &mut numbers, files)?;
        let bias = match &self.bias {
            Bias::Same(0.0) => Vec::new(),
            Bias::Same(number) => vec![*number; d],
            Bias::List(numbers) => numbers.clone(),
            Bias::Normal => {
                let mut numbers = stream(Purpose::FeedForwardBias, "normal", 0);
                (0..d).map(|_| numbers.normal()).collect()
            }
        };
        Ok(FeedForward { activation: self.activation, weight, bias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_a_fixed_point() {
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
