//! `frozen` and `weights`: points that never move, and the masses of the tokens.
//!
//! [`crate::families`] reads their texts, [`crate::start`] asks for their numbers.

use metasweep_dynamics::array_file::ArrayFile;
use metasweep_dynamics::call::{Call, CallError, Piece};
use metasweep_dynamics::constant;
use metasweep_dynamics::initial::Files;
use metasweep_dynamics::model;

/// How frozen tokens are written as a text.
pub const FROZEN: [&str; 2] =
    ["angles(a@weight, b@weight, …)", "points(file(theta.npy); weights=list(a, b, …))"];

/// How the points of frozen tokens are written.
const SOURCE: &str = "file(theta.npy)";

/// Frozen tokens as the sweep file names them.
#[derive(Debug)]
pub(crate) enum Frozen {
    /// Angles on the circle, each with its weight.
    Angles(Vec<(f64, f64)>),
    /// The rows of a file, normalized on the sphere; weights are 1 if there are none.
    Points { file: ArrayFile, weights: Vec<f64> },
}

/// The frozen tokens that `text` names.
pub(crate) fn frozen(text: &str) -> Result<Frozen, CallError> {
    let call = Call::parse(text)?;
    match call.name.text {
        "angles" => {
            call.option("", &[])?;
            if call.arguments.is_empty() {
                let message =
                    "`angles` needs an angle for each frozen token, as in `angles(0.3@1.5, 2.9@4)`.";
                return Err(CallError::at(call.name.position, message));
            }
            call.arguments.iter().map(weighted_angle).collect::<Result<_, _>>().map(Frozen::Angles)
        }
        "points" => points(&call),
        name => Err(CallError::unknown(call.name.position, "a set of frozen tokens", name, &FROZEN)),
    }
}

fn points(call: &Call<'_>) -> Result<Frozen, CallError> {
    let [piece] = &call.arguments[..] else {
        let message = "`points` takes one file, as in `points(file(theta.npy))`.";
        return Err(CallError::at(call.name.position, message));
    };
    let moved = |piece: &Piece<'_>, error: CallError| CallError {
        position: error.position + piece.position,
        ..error
    };
    let file = Call::parse(piece.text)
        .map_err(|error| CallError { allowed: vec![SOURCE.to_owned()], ..error })
        .and_then(|file| match file.name.text {
            "file" => ArrayFile::from_call(&file),
            name => Err(CallError::unknown(file.name.position, "a source of points", name, &[SOURCE])),
        })
        .map_err(|error| moved(piece, error))?;
    let weights = match call.option("weights", &["weights"])? {
        None => Vec::new(),
        Some(option) => masses(option.text).map_err(|error| moved(&option, error))?,
    };
    Ok(Frozen::Points { file, weights })
}

/// `angle@weight`, or an angle of weight 1.
fn weighted_angle(piece: &Piece<'_>) -> Result<(f64, f64), CallError> {
    let (angle, weight) = piece.text.split_once('@').unwrap_or((piece.text, "1"));
    let angle_value = constant::evaluate(angle, piece.position)?;
    let at = piece.position + angle.len() + 1;
    let weight = if weight == "1" { 1.0 } else { constant::evaluate(weight, at)? };
    if weight > 0.0 {
        return Ok((angle_value + 0.0, weight));
    }
    Err(CallError::at(at, "The weight of a frozen token must be positive."))
}

impl Frozen {
    /// The canonical text.
    pub(crate) fn canonical(&self) -> String {
        match self {
            Frozen::Angles(angles) => {
                let one = |(angle, weight): &(f64, f64)| {
                    format!("{}@{}", constant::text(*angle), constant::text(*weight))
                };
                format!("angles({})", angles.iter().map(one).collect::<Vec<_>>().join(", "))
            }
            Frozen::Points { file, weights } if weights.is_empty() => format!("points({})", file.canonical()),
            Frozen::Points { file, weights } => {
                format!("points({}; weights=list({}))", file.canonical(), constant::list(weights))
            }
        }
    }

    /// The file that it reads.
    pub(crate) fn file(&self) -> Option<&str> {
        match self {
            Frozen::Angles(_) => None,
            Frozen::Points { file, .. } => Some(file.name()),
        }
    }

    /// The points in dimension d; `unit`: on the sphere, where rows are normalized.
    ///
    /// # Errors
    /// If there are none such in this dimension, or the file does not hold them.
    pub(crate) fn tokens(&self, d: usize, unit: bool, files: &Files<'_>) -> Result<model::Frozen, String> {
        match self {
            Frozen::Angles(_) if d != 2 => {
                Err(format!("Angles are points of the circle in R^2, but d = {d}."))
            }
            Frozen::Angles(angles) => Ok(model::Frozen {
                points: angles.iter().flat_map(|(angle, _)| [libm::cos(*angle), libm::sin(*angle)]).collect(),
                weights: angles.iter().map(|(_, weight)| *weight).collect(),
            }),
            Frozen::Points { file, weights } => {
                let (count, mut points) = file.read_rows(d, files)?;
                if !weights.is_empty() && weights.len() != count {
                    let given = weights.len();
                    return Err(format!("The file holds {count} points, but {given} weights are given."));
                }
                if unit {
                    for (row, point) in points.chunks_exact_mut(d).enumerate() {
                        let length = point.iter().fold(0.0, |sum, x| sum + x * x).sqrt();
                        if !(length > 0.0 && length.is_finite()) {
                            return Err(format!("Row {row} of the file has no direction."));
                        }
                        for x in point {
                            *x /= length;
                        }
                    }
                }
                let weights = if weights.is_empty() { vec![1.0; count] } else { weights.clone() };
                Ok(model::Frozen { points, weights })
            }
        }
    }
}

/// Canonical text of `frozen`, and the file it names.
pub(crate) fn read_frozen(text: &str) -> Result<(String, Vec<String>), CallError> {
    let frozen = frozen(text)?;
    Ok((frozen.canonical(), frozen.file().map(str::to_owned).into_iter().collect()))
}

/// The masses that `list(…)` names: positive numbers.
pub(crate) fn masses(text: &str) -> Result<Vec<f64>, CallError> {
    let call = Call::parse(text)?;
    if call.name.text != "list" {
        let allowed = ["list(a, b, …)"];
        return Err(CallError::unknown(call.name.position, "a list of masses", call.name.text, &allowed));
    }
    let masses = call.numbers()?;
    match masses.iter().position(|mass| *mass <= 0.0) {
        None => Ok(masses),
        Some(at) => Err(CallError::at(
            call.arguments[at].position,
            format!("A mass must be positive, but `{}` is not.", call.arguments[at].text),
        )),
    }
}

/// Canonical text of `weights`.
pub(crate) fn read_weights(text: &str) -> Result<String, CallError> {
    Ok(format!("list({})", constant::list(&masses(text)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_a_fixed_point() {
        for (text, canonical) in [
            ("angles(0.3, pi/2@4)", "angles(0.3@1, 1.5707963267948966@4)"),
            ("points(file(a.npy))", "points(file(a.npy))"),
            ("points( file(a.npy) ; weights=list(1,2))", "points(file(a.npy); weights=list(1, 2))"),
        ] {
            assert_eq!(read_frozen(text).unwrap().0, canonical);
            assert_eq!(read_frozen(canonical).unwrap().0, canonical);
        }
        assert_eq!(read_weights("list(1,1/2)").unwrap(), "list(1, 0.5)");
    }

    #[test]
    fn mistakes_point_at_their_place() {
        for (text, position) in [
            ("angles()", 0),
            ("angles(0.3@0)", 11),
            ("angles(x)", 7),
            ("angle(0.3)", 0),
            ("points(other)", 7),
            ("points(file(a.npy); weights=list(1, -2))", 36),
        ] {
            assert_eq!(read_frozen(text).unwrap_err().position, position, "{text}");
        }
        assert_eq!(read_weights("list(1, 0)").unwrap_err().position, 8);
        assert_eq!(read_weights("normal(1)").unwrap_err().position, 0);
    }
}
