//! `wrapped_normal_mixture(0.2@pi/2, 0.5@0, 0.3@4pi/3; sigma=0.2)`: bumps on a great circle (P4 §4, scenario 2).

use std::f64::consts::FRAC_PI_2;

use super::{Construction, Files, InitialLaw, Space, normalize, positive};
use crate::call::{Call, CallError, Piece};
use crate::constant;
use crate::random::Stream;

/// Independent tokens. The azimuth θ, on the great circle of the first two coordinates, is drawn from the mixture
/// `Σ_k w_k N(θ_k, σ²)` of normals wrapped around the circle. The elevation φ is uniform on [−e, e]:
///
/// ```text
/// x = (cos φ cos θ, cos φ sin θ, sin φ · u),
/// ```
///
/// u the third unit vector if d = 3, else uniform on the unit sphere of the other d − 2 coordinates. By default e = 0,
/// and the tokens lie on the circle. P4's scenario 2 is d = 3, e = π/2: uniform in the angle, not in the area.
#[derive(Debug)]
pub struct WrappedNormalMixture {
    /// (weight, centre).
    components: Vec<(f64, f64)>,
    sigma: f64,
    /// e.
    elevation: f64,
}

const OPTIONS: [&str; 2] = ["sigma", "elevation"];

impl WrappedNormalMixture {
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, CallError> {
        let components = call.arguments.iter().map(component).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = call.arguments.first() else {
            let usage = "`wrapped_normal_mixture` needs weights and centres, as in \
                         `wrapped_normal_mixture(0.5@0, 0.5@pi; sigma=0.2)`.";
            return Err(CallError::at(call.name.position, usage));
        };
        let total = components.iter().fold(0.0, |sum, (weight, _)| sum + weight);
        // Each weight and each sum is rounded once.
        if (total - 1.0).abs() > components.len() as f64 * f64::EPSILON {
            let message =
                format!("The weights of a mixture sum to 1, but these sum to {total}; 1/3 may be written.");
            return Err(CallError::at(first.position, message));
        }
        let Some(piece) = call.option("sigma", &OPTIONS)? else {
            let message =
                "`wrapped_normal_mixture` needs the common standard deviation, as in `…; sigma=0.2)`.";
            return Err(CallError::at(call.name.position, message));
        };
        let sigma = constant::evaluate(piece.text, piece.position)?;
        positive(sigma, &piece, "A standard deviation is positive")?;
        let elevation = call.option("elevation", &OPTIONS)?.map_or(Ok(0.0), |piece| elevation(&piece))?;
        Ok(Self { components, sigma, elevation })
    }

    /// The component whose share of (0, 1] holds u; its centre.
    fn centre(&self, u: f64) -> f64 {
        let mut sum = 0.0;
        for (weight, centre) in &self.components {
            sum += weight;
            if u <= sum {
                return *centre;
            }
        }
        // The weights may sum to a little less than 1. There is at least one.
        self.components.last().map_or(0.0, |(_, centre)| *centre)
    }
}

/// `weight@centre`.
fn component(piece: &Piece<'_>) -> Result<(f64, f64), CallError> {
    let Some((weight, centre)) = piece.text.split_once('@') else {
        let message = format!("`{}` should be a weight and a centre, as in `0.5@pi/2`.", piece.text);
        return Err(CallError::at(piece.position, message));
    };
    let value = constant::evaluate(weight, piece.position)?;
    positive(value, &Piece { text: weight.trim(), ..*piece }, "A weight is positive")?;
    // + 0.0: no minus zero.
    Ok((value, constant::evaluate(centre, piece.position + weight.len() + 1)? + 0.0))
}

/// e: `none`, `uniform`, or an angle.
fn elevation(piece: &Piece<'_>) -> Result<f64, CallError> {
    match piece.text {
        "none" => return Ok(0.0),
        "uniform" => return Ok(FRAC_PI_2),
        _ => {}
    }
    if piece.text.starts_with(|c: char| c.is_ascii_alphabetic()) && !piece.text.starts_with("pi") {
        let allowed = ["none", "uniform", "an angle up to pi/2"];
        return Err(CallError::unknown(piece.position, "a range of elevations", piece.text, &allowed));
    }
    let angle = constant::evaluate(piece.text, piece.position)? + 0.0;
    if (0.0..=FRAC_PI_2).contains(&angle) {
        Ok(angle)
    } else {
        let message = format!("The elevation is uniform on [−e, e] with 0 ≤ e ≤ π/2, but e is {angle}.");
        Err(CallError::at(piece.position, message))
    }
}

impl InitialLaw for WrappedNormalMixture {
    fn canonical(&self) -> String {
        let components: Vec<String> = self
            .components
            .iter()
            .map(|(weight, centre)| format!("{}@{}", constant::text(*weight), constant::text(*centre)))
            .collect();
        let elevation = if self.elevation == 0.0 {
            String::new()
        } else {
            format!(", elevation={}", constant::text(self.elevation))
        };
        let sigma = constant::text(self.sigma);
        format!("wrapped_normal_mixture({}; sigma={sigma}{elevation})", components.join(", "))
    }

    fn check(&self, n: usize, d: usize) -> Result<(), String> {
        if n == 0 || d < 2 {
            return Err(format!(
                "A circle needs two coordinates, and a law a token, but n = {n} and d = {d}."
            ));
        }
        if self.elevation > 0.0 && d == 2 {
            return Err("In R^2 all is on the circle: there is no elevation over it, but d = 2.".to_owned());
        }
        Ok(())
    }

    fn draw(
        &self,
        n: usize,
        d: usize,
        _construction: Construction,
        _space: Space,
        stream: &mut Stream,
        _files: &Files<'_>,
    ) -> Result<Vec<f64>, String> {
        self.check(n, d)?;
        let mut tokens = vec![0.0; n * d];
        for row in tokens.chunks_exact_mut(d) {
            let centre = self.centre(stream.uniform());
            let azimuth = centre + self.sigma * stream.normal();
            let (circle, others) = row.split_at_mut(2);
            circle.copy_from_slice(&[libm::cos(azimuth), libm::sin(azimuth)]);
            if self.elevation == 0.0 {
                continue;
            }
            let elevation = self.elevation * (2.0 * stream.uniform() - 1.0);
            let (along, up) = (libm::cos(elevation), libm::sin(elevation));
            if let [third] = others {
                *third = 1.0;
            } else {
                others.fill_with(|| stream.normal());
                // No normal is ever zero, so the length is positive.
                normalize(others);
            }
            for x in circle {
                *x *= along;
            }
            for x in others {
                *x *= up;
            }
        }
        Ok(tokens)
    }
}
