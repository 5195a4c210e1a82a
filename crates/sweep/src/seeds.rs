//! Keys: which random numbers a purpose gets.
//!
//! A key is the BLAKE3 hash of a text that names the engine ([`DRAWS`]), the master seed, the purpose, and the parameters the
//! purpose depends on, and nothing else of the sweep: so a row depends on its own cell alone, and cells that differ only
//! in β share their initial tokens. `simulate` makes a [`Stream`](metasweep_dynamics::random::Stream) from a key and
//! the replica's number. docs/determinism.md gives the same recipe for other languages.
//!
//! ```
//! use metasweep_dynamics::initial::Construction;
//! use metasweep_sweep::seeds;
//!
//! let key = seeds::initial_key(1, 42, "uniform_sphere", 32, 2, Construction::Direct);
//! let text = "metasweep\nengine=1\nseed=42\npurpose=initial\nconstruction=direct\nd=2\ninitial=uniform_sphere\nn=32\n";
//! assert_eq!(key, *blake3::hash(text.as_bytes()).as_bytes());
//! ```

use metasweep_dynamics::initial::Construction;

/// The engine of the keys: the first one that draws as this one does. Later engines that draw the same keep it, so that a seed's
/// tokens, matrices and noise are the same in all of them.
pub const DRAWS: u32 = 1;

/// What random numbers are for. Equal parameters under different purposes give independent numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The initial tokens.
    Initial,
    /// V.
    Value,
    /// QᵀK.
    QueryKey,
    /// Q, apart from K.
    Query,
    /// K, apart from Q.
    Key,
    /// w of a feed-forward layer.
    FeedForwardWeight,
    /// b of a feed-forward layer.
    FeedForwardBias,
    /// Brownian noise.
    Noise,
    /// Kuramoto's frequencies.
    Frequencies,
}

impl Purpose {
    /// Its name in the hashed text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Value => "matrices.value",
            Self::QueryKey => "matrices.query_key",
            Self::Query => "matrices.query",
            Self::Key => "matrices.key",
            Self::FeedForwardWeight => "feed_forward.weight",
            Self::FeedForwardBias => "feed_forward.bias",
            Self::Noise => "noise",
            Self::Frequencies => "frequencies",
        }
    }
}

/// How long one draw of the matrices lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing<'a> {
    /// Fresh in each replica.
    Replica,
    /// One a cell: the cell's name.
    Cell(&'a str),
    /// One a family and dimension for the whole sweep (and for every sweep of this master seed).
    Sweep,
    /// Fresh in each layer of each replica.
    Layer,
}

impl Sharing<'_> {
    /// Its name in the hashed text and in the sweep file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Cell(_) => "cell",
            Self::Sweep => "sweep",
            Self::Layer => "layer",
        }
    }

    /// The stream number that this replica draws its matrices from: its own, or 0 if they are shared.
    #[must_use]
    pub fn stream(self, replica: u64) -> u64 {
        match self {
            Self::Replica | Self::Layer => replica,
            Self::Cell(_) | Self::Sweep => 0,
        }
    }
}

/// The key of a purpose: BLAKE3 (256 bits) of the UTF-8 text
///
/// ```text
/// metasweep⏎
/// engine=<engine>⏎
/// seed=<master seed, decimal>⏎
/// purpose=<purpose>⏎
/// <key>=<value>⏎          one line a parameter, sorted by key
/// ```
///
/// where every line, the last too, ends in one byte `0A`. In a value a backslash is written `\\` and a line feed `\n`,
/// so that unequal parameters have unequal texts.
#[must_use]
pub fn key(engine: u32, master_seed: i64, purpose: Purpose, parameters: &[(&str, String)]) -> [u8; 32] {
    let mut sorted: Vec<_> = parameters.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut text = format!("metasweep\nengine={engine}\nseed={master_seed}\npurpose={}\n", purpose.name());
    for (name, value) in sorted {
        text.push_str(name);
        text.push('=');
        text.push_str(&value.replace('\\', "\\\\").replace('\n', "\\n"));
        text.push('\n');
    }
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// The key of the initial tokens; the stream is the replica. `initial` is the law's canonical text.
#[must_use]
pub fn initial_key(
    engine: u32,
    master_seed: i64,
    initial: &str,
    n: usize,
    d: usize,
    construction: Construction,
) -> [u8; 32] {
    let parameters = [
        ("n", n.to_string()),
        ("d", d.to_string()),
        ("initial", initial.to_owned()),
        ("construction", construction.name().to_owned()),
    ];
    key(engine, master_seed, Purpose::Initial, &parameters)
}

/// The key of a matrix; the stream is [`Sharing::stream`]. `purpose` is [`Purpose::Value`] or [`Purpose::QueryKey`],
/// `family` the family's canonical text. For the only head, or the first, of parameters that all layers share.
#[must_use]
pub fn matrix_key(
    engine: u32,
    master_seed: i64,
    purpose: Purpose,
    family: &str,
    d: usize,
    sharing: Sharing<'_>,
) -> [u8; 32] {
    layer_matrix_key(engine, master_seed, purpose, family, d, sharing, 0, 0)
}

/// The key of a matrix of this head (from 0) of this layer (from 0; it counts under [`Sharing::Layer`] alone). The first
/// head's key does not name it: one head draws what it always drew.
#[must_use]
#[allow(clippy::too_many_arguments, reason = "the ingredients of a key, each named where it is made")]
pub fn layer_matrix_key(
    engine: u32,
    master_seed: i64,
    purpose: Purpose,
    family: &str,
    d: usize,
    sharing: Sharing<'_>,
    head: usize,
    layer: u64,
) -> [u8; 32] {
    let mut parameters =
        vec![("family", family.to_owned()), ("d", d.to_string()), ("sharing", sharing.name().to_owned())];
    match sharing {
        Sharing::Cell(cell) => parameters.push(("cell", cell.to_owned())),
        Sharing::Layer => parameters.push(("layer", layer.to_string())),
        Sharing::Replica | Sharing::Sweep => {}
    }
    if head > 0 {
        parameters.push(("head", head.to_string()));
    }
    key(engine, master_seed, purpose, &parameters)
}

/// The key of Brownian noise; the stream is the replica. `coordinates` of each of n tokens move; `base` is the length of
/// the intervals that all refinements share (`metasweep_dynamics::noise`).
#[must_use]
pub fn noise_key(engine: u32, master_seed: i64, n: usize, coordinates: usize, base: f64) -> [u8; 32] {
    let parameters = [
        ("n", n.to_string()),
        ("coordinates", coordinates.to_string()),
        ("base", metasweep_dynamics::constant::text(base)),
    ];
    key(engine, master_seed, Purpose::Noise, &parameters)
}

/// The key of Kuramoto's frequencies; the stream is the replica. `law` is their canonical text.
#[must_use]
pub fn frequencies_key(engine: u32, master_seed: i64, n: usize, law: &str) -> [u8; 32] {
    let parameters = [("n", n.to_string()), ("law", law.to_owned())];
    key(engine, master_seed, Purpose::Frequencies, &parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_in_which_parameters_are_given_does_not_matter() {
        let (a, b) = (("a", "1".to_owned()), ("b", "2".to_owned()));
        assert_eq!(key(1, 7, Purpose::Noise, &[a.clone(), b.clone()]), key(1, 7, Purpose::Noise, &[b, a]));
    }

    #[test]
    fn every_ingredient_changes_the_key() {
        let sphere = |engine, seed, n, d, c| initial_key(engine, seed, "uniform_sphere", n, d, c);
        let matrix = |purpose, family, d, sharing| matrix_key(1, 7, purpose, family, d, sharing);
        let keys = [
            sphere(1, 7, 3, 4, Construction::Direct),
            sphere(2, 7, 3, 4, Construction::Direct),
            sphere(1, -7, 3, 4, Construction::Direct),
            sphere(1, 7, 4, 3, Construction::Direct),
            sphere(1, 7, 3, 4, Construction::Bartlett),
            initial_key(1, 7, "orthonormal", 3, 4, Construction::Direct),
            matrix(Purpose::Value, "goe", 4, Sharing::Replica),
            matrix(Purpose::QueryKey, "goe", 4, Sharing::Replica),
            matrix(Purpose::Value, "wishart", 4, Sharing::Replica),
            matrix(Purpose::Value, "goe", 5, Sharing::Replica),
            matrix(Purpose::Value, "goe", 4, Sharing::Sweep),
            matrix(Purpose::Value, "goe", 4, Sharing::Cell("0123456789abcdef")),
            matrix(Purpose::Value, "goe", 4, Sharing::Cell("0123456789abcdee")),
            matrix(Purpose::Query, "goe", 4, Sharing::Replica),
            matrix(Purpose::Key, "goe", 4, Sharing::Replica),
            layer_matrix_key(1, 7, Purpose::Value, "goe", 4, Sharing::Layer, 0, 0),
            layer_matrix_key(1, 7, Purpose::Value, "goe", 4, Sharing::Layer, 0, 1),
            layer_matrix_key(1, 7, Purpose::Value, "goe", 4, Sharing::Layer, 1, 0),
            layer_matrix_key(1, 7, Purpose::Value, "goe", 4, Sharing::Replica, 1, 0),
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{i}");
        }
    }

    #[test]
    fn line_feeds_in_values_forge_no_parameter() {
        let forged = key(1, 7, Purpose::Noise, &[("a", "1\nb=2".to_owned())]);
        assert_ne!(forged, key(1, 7, Purpose::Noise, &[("a", "1".to_owned()), ("b", "2".to_owned())]));
        assert_ne!(forged, key(1, 7, Purpose::Noise, &[("a", "1\\nb=2".to_owned())]));
    }
}
