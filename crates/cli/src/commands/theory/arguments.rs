//! What can be typed after `metasweep theory`: one struct a formula. Numbers may be expressions such as `pi/2`; lists are separated by commas, and every
//! combination of listed values is a row.

use clap::{Args, Subcommand, ValueEnum};
use metasweep_dynamics::constant;
use metasweep_dynamics::model::{LayerNorm, Normalization};

/// `metasweep theory`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  metasweep theory\n  metasweep theory wendel --help")]
pub struct Theory {
    /// The formula; without one they are listed.
    #[command(subcommand)]
    pub formula: Option<Formula>,
    /// As comma-separated values, with all digits.
    #[arg(long, global = true)]
    pub csv: bool,
    /// As JSON.
    #[arg(long, global = true, conflicts_with = "csv")]
    pub json: bool,
}

/// The formulas.
#[derive(Debug, Subcommand)]
pub enum Formula {
    /// γ_β(t), the cosine of tokens that start orthogonal: P0 Thm 4.6, (4.8), (4.9).
    Gamma(Gamma),
    /// The curve Γ_{∞,δ}, where γ_β(t) = 1 − δ: P0 (4.11).
    Boundary(Boundary),
    /// How often uniform points lie in one hemisphere: P0 Thm 4.5 (Wendel).
    Wendel(Wendel),
    /// Cosine and radius of equiangular tokens under a layer norm: P2 §6.1, §6.2.
    Equiangular(Equiangular),
    /// When two tokens meet: P0 (SA), (USA) with n = 2.
    PairCollapse(PairCollapse),
    /// Clusters on the circle merging pair by pair: P2 Thm 6, P4 Prop. 3.11.
    Cascade(Cascade),
    /// Numbers of Rényi centres: P3 §5.1, C.4.
    Renyi(Renyi),
    /// Gaussians on the circle that spread or sharpen: P4 Prop. 3.9, (7).
    Heat(Heat),
    /// Order of noisy rotors at equilibrium, and when the uniform law becomes unstable: P2 §7.
    Kuramoto(Kuramoto),
    /// Cosine after one attention layer at β = γ log n: P2 Thm 7.
    OneLayer(OneLayer),
    /// Modes of the density of uniform tokens, the order of the number of clusters: P2 §5.3, P3 §5.
    Modes(Modes),
    /// E_max, where tokens end at β → ∞: P4 Thm 3.2, Prop. 3.4.
    LeadingSpace(LeadingSpace),
}

/// SA or USA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    /// SA.
    Softmax,
    /// USA.
    Unnormalized,
}

impl Weights {
    /// As in the model.
    pub fn normalization(self) -> Normalization {
        match self {
            Weights::Softmax => Normalization::Softmax,
            Weights::Unnormalized => Normalization::Unnormalized,
        }
    }

    /// As in a sweep file.
    pub fn name(self) -> &'static str {
        match self {
            Weights::Softmax => "softmax",
            Weights::Unnormalized => "unnormalized",
        }
    }
}

/// SA, USA or both.
#[derive(Clone, Debug, Args)]
pub struct Normalizations {
    /// SA or USA, or both with a comma.
    #[arg(long, value_delimiter = ',', default_value = "softmax")]
    pub normalization: Vec<Weights>,
}

fn number(text: &str) -> Result<f64, String> {
    constant::evaluate(text, 0).map_err(|error| error.message)
}

fn bounded(text: &str, allowed: fn(f64) -> bool, words: &str) -> Result<f64, String> {
    let value = number(text)?;
    if allowed(value) { Ok(value) } else { Err(format!("it must be {words}, not {value}")) }
}

fn positive(text: &str) -> Result<f64, String> {
    bounded(text, |value| value > 0.0, "positive")
}

fn not_negative(text: &str) -> Result<f64, String> {
    bounded(text, |value| value >= 0.0, "0 or more")
}

fn delta(text: &str) -> Result<f64, String> {
    bounded(text, |value| value > 0.0 && value <= 1.0, "above 0 and at most 1")
}

fn inner_cosine(text: &str) -> Result<f64, String> {
    bounded(text, |value| value > -1.0 && value < 1.0, "above -1 and below 1")
}

fn open_share(text: &str) -> Result<f64, String> {
    bounded(text, |value| value > 0.0 && value < 1.0, "above 0 and below 1")
}

fn separation(text: &str) -> Result<f64, String> {
    bounded(text, |value| value > 0.0 && value <= std::f64::consts::PI, "above 0 and at most pi")
}

/// A natural number that is not below `least`.
fn count(text: &str, least: usize) -> Result<usize, String> {
    match text.trim().parse::<usize>() {
        Ok(count) if (least..=1_000_000_000_000).contains(&count) => Ok(count),
        _ => Err(format!("it must be a whole number from {least} on, not `{text}`")),
    }
}

fn from_one(text: &str) -> Result<usize, String> {
    count(text, 1)
}

fn from_two(text: &str) -> Result<usize, String> {
    count(text, 2)
}

/// Wendel's sum is of whole numbers of n bits.
fn points(text: &str) -> Result<usize, String> {
    match count(text, 1)? {
        n if n <= 100_000 => Ok(n),
        n => Err(format!("it must be at most 100000, not {n}: the sum is exact, and takes n² operations")),
    }
}

fn layer_norm(text: &str) -> Result<LayerNorm, String> {
    metasweep_sweep::choices::layer_norm(text).map_err(|error| {
        let allowed = metasweep_sweep::choices::LAYER_NORMS.join(", ");
        format!("{} One of {allowed} is meant.", error.message)
    })
}

/// Rows of a square matrix: `2,1;0,1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// d.
    pub d: usize,
    /// d × d, in rows.
    pub entries: Vec<f64>,
}

fn matrix(text: &str) -> Result<Matrix, String> {
    let rows: Vec<Vec<f64>> = text
        .split(';')
        .map(|row| row.split(',').map(|entry| number(entry.trim())).collect::<Result<_, _>>())
        .collect::<Result<_, _>>()?;
    let d = rows.len();
    if let Some(row) = rows.iter().find(|row| row.len() != d) {
        return Err(format!(
            "it has {d} rows and a row of {}: a square matrix is written with `;` between rows and `,` between numbers",
            row.len()
        ));
    }
    if d > 64 {
        return Err(format!("it must have at most 64 rows, not {d}"));
    }
    Ok(Matrix { d, entries: rows.concat() })
}

/// `theory gamma`.
#[derive(Debug, Args)]
pub struct Gamma {
    /// Tokens.
    #[arg(long, value_delimiter = ',', value_parser = from_two, required = true, allow_hyphen_values = true)]
    pub n: Vec<usize>,
    /// Inverse temperatures.
    #[arg(long, value_delimiter = ',', value_parser = not_negative, required = true, allow_hyphen_values = true)]
    pub beta: Vec<f64>,
    /// Times.
    #[arg(long, value_delimiter = ',', value_parser = not_negative, required = true, allow_hyphen_values = true)]
    pub t: Vec<f64>,
    #[command(flatten)]
    pub weights: Normalizations,
}

/// `theory boundary`.
#[derive(Debug, Args)]
pub struct Boundary {
    /// Tokens.
    #[arg(long, value_delimiter = ',', value_parser = from_two, required = true, allow_hyphen_values = true)]
    pub n: Vec<usize>,
    /// Inverse temperatures.
    #[arg(long, value_delimiter = ',', value_parser = not_negative, required = true, allow_hyphen_values = true)]
    pub beta: Vec<f64>,
    /// Thresholds δ.
    #[arg(long, value_delimiter = ',', value_parser = delta, default_value = "1e-3")]
    pub delta: Vec<f64>,
    #[command(flatten)]
    pub weights: Normalizations,
}

/// `theory wendel`.
#[derive(Debug, Args)]
pub struct Wendel {
    /// Points.
    #[arg(long, value_delimiter = ',', value_parser = points, required = true)]
    pub n: Vec<usize>,
    /// Dimensions.
    #[arg(long, value_delimiter = ',', value_parser = from_one, required = true)]
    pub d: Vec<usize>,
}

/// `theory equiangular`.
#[derive(Debug, Args)]
pub struct Equiangular {
    /// Tokens.
    #[arg(long, value_delimiter = ',', value_parser = from_two, required = true, allow_hyphen_values = true)]
    pub n: Vec<usize>,
    /// Inverse temperatures.
    #[arg(long, value_delimiter = ',', value_parser = not_negative, required = true, allow_hyphen_values = true)]
    pub beta: Vec<f64>,
    /// Times.
    #[arg(long, value_delimiter = ',', value_parser = not_negative, required = true, allow_hyphen_values = true)]
    pub t: Vec<f64>,
    /// post, pre, mix(tau), peri, ngpt(alpha), sqrt; several are separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = layer_norm, default_value = "post")]
    pub layer_norm: Vec<LayerNorm>,
    /// Cosine at time 0.
    #[arg(long, value_parser = inner_cosine, default_value = "0", allow_hyphen_values = true)]
    pub rho: f64,
    /// Radius at time 0.
    #[arg(long, value_parser = positive, default_value = "1", allow_hyphen_values = true)]
    pub radius: f64,
    #[command(flatten)]
    pub weights: Normalizations,
}

/// `theory pair-collapse`.
#[derive(Debug, Args)]
pub struct PairCollapse {
    /// Inverse temperatures.
    #[arg(long, value_delimiter = ',', value_parser = not_negative, required = true, allow_hyphen_values = true)]
    pub beta: Vec<f64>,
    /// Cosine at time 0.
    #[arg(long, value_delimiter = ',', value_parser = inner_cosine, default_value = "0", allow_hyphen_values = true)]
    pub start: Vec<f64>,
    /// Thresholds δ.
    #[arg(long, value_delimiter = ',', value_parser = delta, default_value = "1e-3")]
    pub delta: Vec<f64>,
    #[command(flatten)]
    pub weights: Normalizations,
}

/// `theory cascade`.
#[derive(Debug, Args)]
pub struct Cascade {
    /// Angles of the clusters.
    #[arg(long, value_delimiter = ',', value_parser = number, required = true, allow_hyphen_values = true)]
    pub angles: Vec<f64>,
    /// Their masses [default: equal, 1 in sum].
    #[arg(long, value_delimiter = ',', value_parser = positive, allow_hyphen_values = true)]
    pub masses: Option<Vec<f64>>,
    /// Inverse temperature.
    #[arg(long, value_parser = positive, required = true, allow_hyphen_values = true)]
    pub beta: f64,
    /// A pair has merged at the cosine 1 − δ.
    #[arg(long, value_parser = delta, default_value = "1e-3")]
    pub delta: f64,
    /// The formulas for large β instead of the pair's own equation.
    #[arg(long)]
    pub large_beta: bool,
    /// SA or USA.
    #[arg(long, default_value = "softmax")]
    pub normalization: Weights,
}

/// `theory renyi`.
#[derive(Debug, Args)]
pub struct Renyi {
    /// Tokens.
    #[arg(long, value_delimiter = ',', value_parser = from_one, required = true)]
    pub n: Vec<usize>,
    /// Dimensions.
    #[arg(long, value_delimiter = ',', value_parser = from_two, default_value = "2", allow_hyphen_values = true)]
    pub d: Vec<usize>,
    /// Geodesic separations δ.
    #[arg(long, value_delimiter = ',', value_parser = separation, required_unless_present = "beta", allow_hyphen_values = true)]
    pub delta: Option<Vec<f64>>,
    /// Inverse temperatures: δ = 4/√β, the papers' choice.
    #[arg(long, value_delimiter = ',', value_parser = positive, conflicts_with = "delta", allow_hyphen_values = true)]
    pub beta: Option<Vec<f64>>,
}

/// `theory heat`.
#[derive(Debug, Args)]
pub struct Heat {
    /// Centres of the Gaussians.
    #[arg(long, value_delimiter = ',', value_parser = number, required = true, allow_hyphen_values = true)]
    pub centres: Vec<f64>,
    /// Their standard deviations: one each, or one for all.
    #[arg(long, value_delimiter = ',', value_parser = positive, required = true, allow_hyphen_values = true)]
    pub deviations: Vec<f64>,
    /// Their weights [default: equal, 1 in sum].
    #[arg(long, value_delimiter = ',', value_parser = positive, allow_hyphen_values = true)]
    pub weights: Option<Vec<f64>>,
    /// Inverse temperature.
    #[arg(long, value_parser = positive, required = true, allow_hyphen_values = true)]
    pub beta: f64,
    /// Times.
    #[arg(long, value_delimiter = ',', value_parser = not_negative, required = true, allow_hyphen_values = true)]
    pub t: Vec<f64>,
    /// V = −I: they spread. Otherwise V = I, and they sharpen.
    #[arg(long)]
    pub repulsive: bool,
    /// The density at these angles instead of the variances.
    #[arg(long, value_delimiter = ',', value_parser = number, allow_hyphen_values = true)]
    pub at: Option<Vec<f64>>,
}

/// `theory kuramoto`.
#[derive(Debug, Args)]
pub struct Kuramoto {
    /// Dimensions.
    #[arg(long, value_delimiter = ',', value_parser = from_two, default_value = "2", allow_hyphen_values = true)]
    pub d: Vec<usize>,
    /// κ, the inverse strength of the noise (times the coupling K).
    #[arg(long, value_delimiter = ',', value_parser = positive, required = true, allow_hyphen_values = true)]
    pub kappa: Vec<f64>,
    /// Inverse temperatures of noisy USA, for the stability of the uniform law; the order is that of β = 0.
    #[arg(long, value_delimiter = ',', value_parser = not_negative, default_value = "0", allow_hyphen_values = true)]
    pub beta: Vec<f64>,
}

/// `theory one-layer`.
#[derive(Debug, Args)]
pub struct OneLayer {
    /// Tokens.
    #[arg(long, value_delimiter = ',', value_parser = from_two, required = true, allow_hyphen_values = true)]
    pub n: Vec<usize>,
    /// γ: β = γ log n.
    #[arg(long, value_delimiter = ',', value_parser = not_negative, required = true, allow_hyphen_values = true)]
    pub gamma: Vec<f64>,
    /// Cosine of the inputs.
    #[arg(long, value_delimiter = ',', value_parser = open_share, required = true)]
    pub rho: Vec<f64>,
}

/// `theory modes`.
#[derive(Debug, Args)]
pub struct Modes {
    /// Inverse temperatures.
    #[arg(long, value_delimiter = ',', value_parser = positive, required = true, allow_hyphen_values = true)]
    pub beta: Vec<f64>,
    /// Dimensions.
    #[arg(long, value_delimiter = ',', value_parser = from_two, default_value = "2", allow_hyphen_values = true)]
    pub d: Vec<usize>,
}

/// `theory leading-space`.
#[derive(Debug, Args)]
pub struct LeadingSpace {
    /// V: `2,1;0,1`.
    #[arg(long, value_parser = matrix, required = true, allow_hyphen_values = true)]
    pub value: Matrix,
    /// B = QᵀK [default: the identity].
    #[arg(long, value_parser = matrix, allow_hyphen_values = true)]
    pub query_key: Option<Matrix>,
}
