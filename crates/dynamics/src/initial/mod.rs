//! Initial laws: how the tokens of a replica are drawn (docs/models.md).
//!
//! The sweep crate parses a cell's `initial` with [`parse`], checks it against n and d, and draws each replica's tokens
//! from the stream of purpose `initial`. A new law is one file here, one line in [`parse`] and one in [`USAGES`].
//!
//! ```
//! use metasweep_dynamics::initial::{self, Construction, Space};
//! use metasweep_dynamics::random::Stream;
//!
//! let law = initial::parse("uniform_sphere").unwrap();
//! let mut stream = Stream::new([0; 32], 3); // replica 3
//! let tokens = law.draw(5, 2, Construction::Direct, Space::Sphere, &mut stream, &|_| None).unwrap();
//! assert_eq!(tokens.len(), 5 * 2);
//! ```

use std::fmt;

use crate::call::{Call, CallError, Piece};
use crate::matrices::{self, MatrixFamily};
use crate::random::Stream;

mod angles;
mod equiangular;
mod file;
mod frame;
mod gaussian;
mod hemisphere;
mod hypercube;
mod orthonormal;
mod uniform_sphere;
mod wrapped_normal_mixture;

pub(crate) use frame::haar_frame;

/// The bytes of the file of this name (as the sweep file writes it), if the caller has read it.
pub type Files<'a> = dyn Fn(&str) -> Option<&'a [u8]> + 'a;

/// In which space the tokens are drawn; column `initial_construction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Construction {
    /// In R^d.
    Direct,
    /// In the n-dimensional span of the tokens, by a Bartlett factor (docs/models.md): d > n and only the Gram matrix counts.
    Bartlett,
}

impl Construction {
    /// `direct` or `bartlett`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Bartlett => "bartlett",
        }
    }

    /// How many coordinates a token of R^d carries when there are n of them.
    #[must_use]
    pub fn coordinates(self, n: usize, d: usize) -> usize {
        match self {
            Self::Direct => d,
            Self::Bartlett => n,
        }
    }
}

/// Where the tokens live. It is no part of the stream's key: a law of unit vectors starts both alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// The unit sphere S^{d−1}: tokens are unit vectors, and the rows of a file are normalized.
    Sphere,
    /// R^d: the rows of a file are taken as they are.
    Euclidean,
}

/// A law of n tokens in R^d.
pub trait InitialLaw: fmt::Debug + Send + Sync {
    /// The law in canonical form: equal laws have equal text. Part of the stream's key.
    fn canonical(&self) -> String;

    /// The files it reads.
    fn files(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Whether its tokens are unit vectors on [`Space::Sphere`]. If not, the law is for [`Space::Euclidean`] alone.
    fn on_sphere(&self) -> bool {
        true
    }

    /// Whether n tokens in R^d can have this law; if it says nothing of them, any n and d from 1 on.
    ///
    /// # Errors
    /// The mathematical reason why not, one sentence.
    fn check(&self, n: usize, d: usize) -> Result<(), String> {
        at_least_one(n, d)
    }

    /// ⟨x_i, x_j⟩ for i ≠ j, if it is the same number for all pairs and replicas: then a start of `geometry = "equiangular"`.
    fn common_cosine(&self) -> Option<f64> {
        None
    }

    /// How to draw if V = c·I and QᵀK = b·I, so that the dynamics depends on the Gram matrix alone.
    fn construction_in_span(&self, n: usize, d: usize) -> Construction {
        if self.has_factor() && d > n { Construction::Bartlett } else { Construction::Direct }
    }

    /// Whether it can be drawn in the span of its tokens, by a Bartlett factor.
    fn has_factor(&self) -> bool {
        false
    }

    /// The tokens, n × [`coordinates`](Construction::coordinates), row-major; if the law is [on the
    /// sphere](Self::on_sphere) and `space` is the sphere, rows of unit length to rounding.
    ///
    /// # Errors
    /// If [`check`](Self::check) fails, or a file is missing or does not hold what the law needs.
    fn draw(
        &self,
        n: usize,
        d: usize,
        construction: Construction,
        space: Space,
        stream: &mut Stream,
        files: &Files<'_>,
    ) -> Result<Vec<f64>, String>;
}

/// Makes the list of usages and the reader of lines `file::Type = usage`; a law's name is its file's.
macro_rules! laws {
    ($($file:ident::$law:ident = $usage:literal;)*) => {
        /// How each law is written.
        pub const USAGES: &[&str] = &[$($usage),*];

        /// The law that `text` names.
        ///
        /// # Errors
        /// If the name is unknown or the arguments do not fit it, with the place in `text`.
        pub fn parse(text: &str) -> Result<Box<dyn InitialLaw>, CallError> {
            let call = Call::parse(text)?;
            $(if call.name.text == stringify!($file) {
                return Ok(Box::new($file::$law::from_call(&call)?));
            })*
            Err(CallError::unknown(call.name.position, "an initial law", call.name.text, USAGES))
        }
    };
}

// The registry.
laws! {
    uniform_sphere::UniformSphere = "uniform_sphere";
    orthonormal::Orthonormal = "orthonormal";
    equiangular::Equiangular = "equiangular(rho)";
    hemisphere::Hemisphere = "hemisphere";
    angles::Angles = "angles(a, b, …)";
    wrapped_normal_mixture::WrappedNormalMixture = "wrapped_normal_mixture(weight@centre, …; sigma=s, elevation=e)";
    hypercube::Hypercube = "hypercube(a)";
    gaussian::Gaussian = "gaussian(sigma)";
    file::TokenFile = "file(x0.npy)";
}

/// How the tokens of a cell are drawn: [`Bartlett`](Construction::Bartlett) if and only if V = c·I, QᵀK = b·I, and the
/// law is rotation invariant with independent rows (`uniform_sphere`, `hemisphere`, `gaussian`) and d > n.
#[must_use]
pub fn construction(
    law: &dyn InitialLaw,
    value: &dyn MatrixFamily,
    query_key: &dyn MatrixFamily,
    n: usize,
    d: usize,
) -> Construction {
    if matrices::scalars(value, query_key).is_some() {
        law.construction_in_span(n, d)
    } else {
        Construction::Direct
    }
}

/// There are tokens, and they have coordinates.
fn at_least_one(n: usize, d: usize) -> Result<(), String> {
    if n >= 1 && d >= 1 {
        Ok(())
    } else {
        Err(format!("n and d must be at least 1, but n = {n} and d = {d}."))
    }
}

/// Refuses a parameter of a law that is not positive.
fn positive(value: f64, piece: &Piece<'_>, rule: &str) -> Result<(), CallError> {
    if value > 0.0 {
        Ok(())
    } else {
        Err(CallError::at(piece.position, format!("{rule}, but `{}` is not.", piece.text)))
    }
}

/// Divides a vector by its length: squares summed in order, one square root, one division a coordinate.
/// False, and untouched, if the length is zero or not finite.
fn normalize(row: &mut [f64]) -> bool {
    let length = row.iter().fold(0.0, |sum, x| sum + x * x).sqrt();
    if !(length > 0.0 && length.is_finite()) {
        return false;
    }
    for x in row {
        *x /= length;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrices::Role;

    #[test]
    fn every_usage_parses_and_canonical_text_is_a_fixed_point() {
        for (text, canonical) in [
            ("uniform_sphere", "uniform_sphere"),
            (" orthonormal()", "orthonormal"),
            ("equiangular( 0.30 )", "equiangular(0.3)"),
            ("angles(0, pi/2,-0)", "angles(0, 1.5707963267948966, 0)"),
            ("file( x0.npy )", "file(x0.npy)"),
            ("file(x0.safetensors;tensor=a.b)", "file(x0.safetensors; tensor=a.b)"),
            ("hemisphere", "hemisphere"),
            ("hypercube(10/2)", "hypercube(5)"),
            ("gaussian", "gaussian"),
            ("gaussian(1.0)", "gaussian"),
            ("gaussian(0.5)", "gaussian(0.5)"),
            (
                "wrapped_normal_mixture(0.2@pi/2, 0.5@0, 0.3@4pi/3; sigma=0.2)",
                "wrapped_normal_mixture(0.2@1.5707963267948966, 0.5@0, 0.3@4.1887902047863905; sigma=0.2)",
            ),
            (
                "wrapped_normal_mixture(1 @ -0; elevation=uniform, sigma=.5)",
                "wrapped_normal_mixture(1@0; sigma=0.5, elevation=1.5707963267948966)",
            ),
            ("wrapped_normal_mixture(1@1; sigma=1, elevation=none)", "wrapped_normal_mixture(1@1; sigma=1)"),
        ] {
            let law = parse(text).unwrap();
            assert_eq!(law.canonical(), canonical);
            assert_eq!(parse(canonical).unwrap().canonical(), canonical);
        }
    }

    #[test]
    fn mistakes_point_at_their_place() {
        let error = parse("uniform_spere").unwrap_err();
        assert_eq!(error.nearest.as_deref(), Some("uniform_sphere"));
        assert_eq!(error.allowed, USAGES);
        assert_eq!(parse("equiangular(0.1, 0.2)").unwrap_err().position, 17);
        assert_eq!(parse("equiangular").unwrap_err().position, 0);
        assert_eq!(parse("angles(1, x)").unwrap_err().position, 10);
        assert_eq!(parse("orthonormal(3)").unwrap_err().position, 12);
        assert_eq!(parse("file(x0.csv)").unwrap_err().allowed, ["*.npy", "*.safetensors"]);
        assert_eq!(parse("hypercube").unwrap_err().position, 0);
        assert_eq!(parse("hypercube(-1)").unwrap_err().position, 10);
        assert_eq!(parse("gaussian(0)").unwrap_err().position, 9);
        assert_eq!(parse("gaussian(1; sigma=2)").unwrap_err().position, 12);
        for (arguments, position) in [
            ("", 0),
            ("(; sigma=1)", 0),
            ("(1@0)", 0),
            ("(1; sigma=1)", 23),
            ("(x@0; sigma=1)", 23),
            ("(1@y; sigma=1)", 25),
            ("(0.5@0, 0.4@1; sigma=1)", 23),
            ("(1.5@0, -0.5@1; sigma=1)", 30),
            ("(1@0; sigma=0)", 34),
            ("(1@0; sigma=1, elevation=2)", 47),
            ("(1@0; sigma=1, elevation=unifrm)", 47),
            ("(1@0; sigmma=1)", 28),
        ] {
            let error = parse(&format!("wrapped_normal_mixture{arguments}")).unwrap_err();
            assert_eq!(error.position, position, "{arguments}: {error}");
        }
    }

    #[test]
    fn bartlett_exactly_where_only_the_gram_matrix_counts() {
        let choose = |law: &str, value: &str, query_key: &str, n, d| {
            let value = matrices::parse(value, Role::Value).unwrap();
            let query_key = matrices::parse(query_key, Role::QueryKey).unwrap();
            construction(&*parse(law).unwrap(), &*value, &*query_key, n, d)
        };
        assert_eq!(choose("uniform_sphere", "identity", "identity", 4, 5), Construction::Bartlett);
        assert_eq!(choose("uniform_sphere", "-query_key", "-identity", 4, 5), Construction::Bartlett);
        assert_eq!(choose("uniform_sphere", "identity", "identity", 5, 5), Construction::Direct);
        assert_eq!(choose("uniform_sphere", "goe", "identity", 4, 5), Construction::Direct);
        assert_eq!(choose("uniform_sphere", "query_key", "goe", 4, 5), Construction::Direct);
        assert_eq!(choose("uniform_sphere", "identity", "diag(1, 2)", 1, 2), Construction::Direct);
        assert_eq!(choose("orthonormal", "identity", "identity", 4, 5), Construction::Direct);
        assert_eq!(choose("hemisphere", "identity", "identity", 4, 5), Construction::Bartlett);
        assert_eq!(choose("gaussian(2)", "identity", "identity", 4, 5), Construction::Bartlett);
        // Not invariant under rotations: the cube knows its axes, the mixture its circle.
        assert_eq!(choose("hypercube(5)", "identity", "identity", 4, 5), Construction::Direct);
        let circle = "wrapped_normal_mixture(1@0; sigma=1)";
        assert_eq!(choose(circle, "identity", "identity", 4, 5), Construction::Direct);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(
            name in "wrapped_normal_mixture|hypercube|gaussian|file|angles",
            inside in "(0.5@[0-9.pi-]{1,4}, 0.5@)?[-+0-9.,;=@i() a-z]{0,12}(; ?sigma=[0-9.]{1,3}(, elevation=[a-z0-9./]{1,6})?)?",
        ) {
            let text = format!("{name}({inside})");
            match parse(&text) {
                Err(error) => proptest::prop_assert!(text.is_char_boundary(error.position)),
                Ok(law) => {
                    let canonical = law.canonical();
                    proptest::prop_assert_eq!(parse(&canonical).unwrap().canonical(), canonical);
                }
            }
        }
    }
}
