//! Choices that are written as calls, `mix(5)`, `ngpt(0.5)`, `normal(0, 1)`: read for the sweep file, and made into the model.
//!
//! [`crate::registry`] names the readers, [`crate::start`] asks for the values of canonical text.

use metasweep_dynamics::call::{Call, CallError};
use metasweep_dynamics::constant;
use metasweep_dynamics::model::{LayerNorm, System};
use metasweep_dynamics::random::Stream;

/// How layer norms are written.
pub const LAYER_NORMS: [&str; 6] = ["post", "pre", "mix(tau)", "peri", "ngpt(alpha)", "sqrt"];
/// How particle systems are written.
pub const MODELS: [&str; 4] = ["attention", "kuramoto", "mean_shift", "mean_shift(blurring)"];
/// How Kuramoto's frequencies are written.
pub const FREQUENCIES: [&str; 2] = ["list(a, b, …)", "normal(mean, deviation)"];

/// The layer norm that `text` names.
///
/// # Errors
/// If there is none such, with the place in `text`.
pub fn layer_norm(text: &str) -> Result<LayerNorm, CallError> {
    let call = Call::parse(text)?;
    let positive = |default: Option<f64>| {
        if let (None, Some(default)) = (call.arguments.first(), default) {
            return call.no_arguments().map(|()| default);
        }
        let number = call.number()?;
        if number > 0.0 {
            return Ok(number);
        }
        let message = format!("The argument of `{}` must be positive.", call.name.text);
        Err(CallError::at(call.arguments[0].position, message))
    };
    match call.name.text {
        "post" => call.no_arguments().map(|()| LayerNorm::Post),
        "pre" => call.no_arguments().map(|()| LayerNorm::Pre),
        "mix" => positive(None).map(|switch| LayerNorm::Mix { switch }),
        "peri" => call.no_arguments().map(|()| LayerNorm::Peri),
        "ngpt" => positive(Some(1.0)).map(|alpha| LayerNorm::Ngpt { alpha }),
        "sqrt" => call.no_arguments().map(|()| LayerNorm::Sqrt),
        name => Err(CallError::unknown(call.name.position, "a layer norm", name, &LAYER_NORMS)),
    }
}

/// Its canonical text: `ngpt` is `ngpt(1)`.
pub(crate) fn read_layer_norm(text: &str) -> Result<String, CallError> {
    layer_norm(text).map(layer_norm_text)
}

/// How a layer norm is written.
#[must_use]
pub fn layer_norm_text(layer_norm: LayerNorm) -> String {
    match layer_norm {
        LayerNorm::Post => "post".to_owned(),
        LayerNorm::Pre => "pre".to_owned(),
        LayerNorm::Mix { switch } => format!("mix({})", constant::text(switch)),
        LayerNorm::Peri => "peri".to_owned(),
        LayerNorm::Ngpt { alpha } => format!("ngpt({})", constant::text(alpha)),
        LayerNorm::Sqrt => "sqrt".to_owned(),
    }
}

/// The particle system that `text` names.
///
/// # Errors
/// If there is none such, with the place in `text`.
pub fn system(text: &str) -> Result<System, CallError> {
    let call = Call::parse(text)?;
    let argument = call.arguments.first().map(|piece| (piece.text, piece.position));
    match (call.name.text, argument) {
        ("attention", _) => call.no_arguments().map(|()| System::Attention),
        ("kuramoto", _) => call.no_arguments().map(|()| System::Kuramoto),
        ("mean_shift", None | Some(("fixed", _))) => Ok(System::MeanShift { blurring: false }),
        ("mean_shift", Some(("blurring", _))) => Ok(System::MeanShift { blurring: true }),
        ("mean_shift", Some((found, position))) => {
            Err(CallError::unknown(position, "a kind of mean shift", found, &["fixed", "blurring"]))
        }
        (name, _) => Err(CallError::unknown(call.name.position, "a particle system", name, &MODELS)),
    }
}

/// Its canonical text: `mean_shift(fixed)` is `mean_shift`.
pub(crate) fn read_system(text: &str) -> Result<String, CallError> {
    Ok(match system(text)? {
        System::Attention => "attention",
        System::Kuramoto => "kuramoto",
        System::MeanShift { blurring: false } => "mean_shift",
        System::MeanShift { blurring: true } => "mean_shift(blurring)",
    }
    .to_owned())
}

/// Natural frequencies of rotors.
#[derive(Clone, Debug, PartialEq)]
pub enum Frequencies {
    /// Given, one a rotor.
    List(Vec<f64>),
    /// Independent normals.
    Normal {
        /// Their mean.
        mean: f64,
        /// Their standard deviation.
        deviation: f64,
    },
}

/// The frequencies that `text` names.
///
/// # Errors
/// If there are none such, with the place in `text`.
pub fn frequencies(text: &str) -> Result<Frequencies, CallError> {
    let call = Call::parse(text)?;
    match call.name.text {
        "list" => call.numbers().map(Frequencies::List),
        "normal" => match call.numbers()?[..] {
            [mean, deviation] if deviation >= 0.0 => Ok(Frequencies::Normal { mean, deviation }),
            _ => Err(CallError::at(
                call.name.position,
                "`normal` takes a mean and a standard deviation that is not negative, as in `normal(0, 1)`.",
            )),
        },
        name => Err(CallError::unknown(call.name.position, "a law of frequencies", name, &FREQUENCIES)),
    }
}

/// Their canonical text.
pub(crate) fn read_frequencies(text: &str) -> Result<String, CallError> {
    Ok(match frequencies(text)? {
        Frequencies::List(numbers) => format!("list({})", constant::list(&numbers)),
        Frequencies::Normal { mean, deviation } => format!("normal({})", constant::list(&[mean, deviation])),
    })
}

impl Frequencies {
    /// ω_i of n rotors: given, or one normal each from `stream`.
    pub fn draw(&self, n: usize, stream: &mut Stream) -> Vec<f64> {
        match self {
            Frequencies::List(numbers) => numbers.clone(),
            Frequencies::Normal { mean, deviation } => {
                (0..n).map(|_| mean + deviation * stream.normal()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_a_fixed_point() {
        for (text, canonical) in
            [("post", "post"), ("mix( 5.0 )", "mix(5)"), ("ngpt", "ngpt(1)"), ("ngpt(0.50)", "ngpt(0.5)")]
        {
            assert_eq!(read_layer_norm(text).unwrap(), canonical);
            assert_eq!(read_layer_norm(canonical).unwrap(), canonical);
        }
        assert_eq!(read_system("mean_shift(fixed)").unwrap(), "mean_shift");
        assert_eq!(read_frequencies("normal(0,1)").unwrap(), "normal(0, 1)");
        assert_eq!(read_frequencies("list(1, pi)").unwrap(), "list(1, 3.141592653589793)");
    }

    #[test]
    fn mistakes_point_at_their_place() {
        for (text, position) in
            [("mix", 0), ("mix(0)", 4), ("mix(-1)", 4), ("pre(2)", 4), ("posst", 0), ("ngpt(1, 2)", 8)]
        {
            assert_eq!(layer_norm(text).unwrap_err().position, position, "{text}");
        }
        assert_eq!(system("mean_shift(bluring)").unwrap_err().nearest.as_deref(), Some("blurring"));
        assert!(frequencies("normal(0)").is_err());
        assert!(frequencies("normal(0, -1)").is_err());
    }
}
