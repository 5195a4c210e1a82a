//! The bits of every purpose, committed: `golden/draws.json` changes only together with `seeds::DRAWS`.
//!
//! tests/python/test_initial_tokens.py computes the same numbers from docs/determinism.md alone. After a wanted change:
//! `METASWEEP_BLESS=1 cargo test -p metasweep-sweep --test golden_draws`.

use metasweep_dynamics::initial::{self, Construction, Space};
use metasweep_dynamics::matrices::{self, Role};
use metasweep_dynamics::noise::{self, Noise};
use metasweep_dynamics::parameters::Operator;
use metasweep_dynamics::random::Stream;
use metasweep_sweep::choices;
use metasweep_sweep::seeds::{self, Purpose, Sharing};
use serde_json::{Value, json};

const SEED: i64 = 20_231_215;
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/draws.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn double(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}

/// The first numbers as bits, all of them as one hash of their little-endian bytes in row-major order.
fn numbers(values: &[f64]) -> Value {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let first: Vec<String> = values.iter().take(9).map(|value| double(*value)).collect();
    json!({ "first": first, "blake3": blake3::hash(&bytes).to_hex().to_string() })
}

fn stream() -> Value {
    let key: [u8; 32] = std::array::from_fn(|i| i as u8);
    let number = 0x0123_4567_89ab_cdef;
    let fresh = || Stream::new(key, number);
    let (mut bits, mut uniforms, mut normals) = (fresh(), fresh(), fresh());
    let of_chi = |degrees: u64| {
        let mut stream = fresh();
        (0..40).map(|_| stream.chi(degrees)).collect::<Vec<_>>()
    };
    let chi = [1_u64, 2, 3, 1_000_000_000]
        .map(|degrees| json!({ "degrees": degrees, "values": numbers(&of_chi(degrees)) }));
    json!({
        "key": hex(&key),
        "stream": number,
        "bits": (0..20).map(|_| format!("{:016x}", bits.bits())).collect::<Vec<_>>(),
        "uniform": numbers(&(0..1000).map(|_| uniforms.uniform()).collect::<Vec<_>>()),
        "normal": numbers(&(0..1000).map(|_| normals.normal()).collect::<Vec<_>>()),
        "chi": chi,
    })
}

fn tokens(text: &str, n: usize, d: usize, construction: Construction, replica: u64) -> Value {
    let law = initial::parse(text).unwrap();
    let key = seeds::initial_key(seeds::DRAWS, SEED, &law.canonical(), n, d, construction);
    let values =
        law.draw(n, d, construction, Space::Sphere, &mut Stream::new(key, replica), &|_| None).unwrap();
    json!({
        "purpose": "initial", "initial": law.canonical(), "n": n, "d": d, "construction": construction.name(),
        "replica": replica, "key": hex(&key), "values": numbers(&values),
    })
}

/// The role in which a purpose reads the text of a family.
fn role(purpose: Purpose) -> Role {
    match purpose {
        Purpose::Value | Purpose::FeedForwardWeight => Role::Value,
        Purpose::QueryKey => Role::QueryKey,
        Purpose::Query | Purpose::Key => Role::Factor,
        other => panic!("{} draws no matrix", other.name()),
    }
}

/// A matrix of the only head of layers that are all the same.
fn matrix(purpose: Purpose, text: &str, d: usize, sharing: Sharing<'_>, replica: u64) -> Value {
    let key = seeds::matrix_key(seeds::DRAWS, SEED, purpose, text, d, sharing);
    drawn(purpose, text, d, sharing, replica, key)
}

/// A matrix of one head of one layer, or b of a feed-forward layer; both are counted from 0.
fn layered(
    purpose: Purpose,
    text: &str,
    d: usize,
    sharing: Sharing<'_>,
    (head, layer): (usize, u64),
    replica: u64,
) -> Value {
    let key = seeds::layer_matrix_key(seeds::DRAWS, SEED, purpose, text, d, sharing, head, layer);
    let mut golden = drawn(purpose, text, d, sharing, replica, key);
    golden["head"] = json!(head);
    golden["layer"] = json!(layer);
    golden
}

/// What a purpose draws with this key; `text` is the family in canonical form.
fn drawn(purpose: Purpose, text: &str, d: usize, sharing: Sharing<'_>, replica: u64, key: [u8; 32]) -> Value {
    let mut stream = Stream::new(key, sharing.stream(replica));
    let row_major: Vec<f64> = if purpose == Purpose::FeedForwardBias {
        (0..d).map(|_| stream.normal()).collect()
    } else {
        let family = matrices::parse(text, role(purpose)).unwrap();
        assert_eq!(family.canonical(), text);
        let Operator::Dense(drawn) = family.draw(d, &mut stream, &|_| None).unwrap() else {
            panic!("{text} is not dense")
        };
        drawn.transpose().iter().copied().collect()
    };
    let cell = if let Sharing::Cell(cell) = sharing { Some(cell) } else { None };
    json!({
        "purpose": purpose.name(), "family": text, "d": d, "sharing": sharing.name(), "cell": cell,
        "replica": replica, "key": hex(&key), "values": numbers(&row_major),
    })
}

/// Increments over some steps of a path of n tokens.
fn noise(n: usize, coordinates: usize, step: f64, replica: u64) -> Value {
    let (base, _) = noise::base(step).unwrap();
    let key = seeds::noise_key(seeds::DRAWS, SEED, n, coordinates, base);
    let noise = Noise { key, stream: replica, kappa: 1.0 };
    let steps = [0, 1, 2, 1000, 123_456_789];
    let increments = steps.iter().flat_map(|k| noise::increment(&noise, n * coordinates, step, *k).unwrap());
    json!({ "purpose": "noise", "n": n, "coordinates": coordinates, "base": base, "step": step, "steps": steps,
            "replica": replica, "key": hex(&key), "values": numbers(&increments.collect::<Vec<_>>()) })
}

fn frequencies(text: &str, n: usize, replica: u64) -> Value {
    let key = seeds::frequencies_key(seeds::DRAWS, SEED, n, text);
    let drawn = choices::frequencies(text).unwrap().draw(n, &mut Stream::new(key, replica));
    json!({ "purpose": "frequencies", "law": text, "n": n, "replica": replica, "key": hex(&key), "values": numbers(&drawn) })
}

fn draws() -> Value {
    use Construction::{Bartlett, Direct};
    json!({
        "engine": seeds::DRAWS,
        "seed": SEED,
        "stream": stream(),
        "draws": [
            tokens("uniform_sphere", 3, 2, Direct, 5),
            tokens("uniform_sphere", 32, 8, Direct, 1023),
            tokens("uniform_sphere", 4, 1, Direct, 0),
            tokens("uniform_sphere", 3, 4, Bartlett, 5),
            tokens("uniform_sphere", 32, 512, Bartlett, 1023),
            tokens("uniform_sphere", 8, 1_000_000_000, Bartlett, u64::MAX),
            tokens("orthonormal", 5, 7, Direct, 2),
            tokens("equiangular(0.3)", 4, 6, Direct, 2),
            tokens("equiangular(-1/3)", 4, 3, Direct, 2),
            tokens("angles(0.1, pi/2, -3)", 3, 2, Direct, 0),
            matrix(Purpose::Value, "gaussian", 3, Sharing::Replica, 7),
            matrix(Purpose::Value, "goe", 4, Sharing::Cell("0123456789abcdef"), 7),
            matrix(Purpose::Value, "wishart", 4, Sharing::Sweep, 7),
            matrix(Purpose::QueryKey, "gaussian", 5, Sharing::Replica, 7),
            matrix(Purpose::QueryKey, "goe", 4, Sharing::Replica, 7),
            noise(4, 3, 0.1, 5),
            noise(9, 1, 0.025, 0),
            noise(2, 2, 1500.0, 1),
            frequencies("normal(0.5, 2)", 5, 3),
            tokens("hypercube(5)", 3, 4, Direct, 2),
            tokens("gaussian", 3, 4, Direct, 2),
            tokens("gaussian(0.3)", 3, 4, Bartlett, 2),
            tokens("hemisphere", 6, 3, Direct, 2),
            tokens("hemisphere", 6, 512, Bartlett, 2),
            tokens("wrapped_normal_mixture(0.2@pi/2, 0.5@0, 0.3@4pi/3; sigma=0.2)", 40, 2, Direct, 2),
            tokens("wrapped_normal_mixture(1/3@1, 2/3@-100; sigma=2)", 40, 4, Direct, 2),
            tokens("wrapped_normal_mixture(0.5@0, 0.5@pi; sigma=0.2, elevation=uniform)", 40, 3, Direct, 2),
            tokens("wrapped_normal_mixture(1@0; sigma=1, elevation=0.5)", 9, 5, Direct, 2),
            matrix(Purpose::Value, "uniform", 4, Sharing::Replica, 7),
            matrix(Purpose::QueryKey, "uniform", 4, Sharing::Replica, 7),
            matrix(Purpose::Value, "spectrum(1.35, -0.07, 0.25)", 3, Sharing::Replica, 7),
            matrix(Purpose::QueryKey, "spectrum(1, 0.1+0.08i)", 3, Sharing::Sweep, 7),
            matrix(Purpose::Value, "spectrum(2, 1; basis=gaussian)", 2, Sharing::Replica, 7),
            matrix(Purpose::Value, "spectrum(1, -0.05+0.25i, -1-0.5i; basis=gaussian)", 5, Sharing::Replica, 7),
            matrix(Purpose::Query, "gaussian", 4, Sharing::Replica, 7),
            matrix(Purpose::Key, "gaussian", 4, Sharing::Replica, 7),
            matrix(Purpose::Query, "gaussian(2)", 5, Sharing::Cell("0123456789abcdef"), 7),
            matrix(Purpose::Key, "gaussian(7)", 5, Sharing::Sweep, 7),
            matrix(Purpose::Query, "goe", 3, Sharing::Replica, 7),
            matrix(Purpose::Key, "wishart", 3, Sharing::Replica, 7),
            matrix(Purpose::Query, "uniform", 3, Sharing::Replica, 7),
            matrix(Purpose::Key, "spectrum(1, 0.1+0.08i)", 3, Sharing::Replica, 7),
            matrix(Purpose::FeedForwardWeight, "gaussian", 4, Sharing::Replica, 7),
            matrix(Purpose::FeedForwardWeight, "wishart", 4, Sharing::Sweep, 7),
            matrix(Purpose::FeedForwardBias, "normal", 6, Sharing::Replica, 7),
            matrix(Purpose::FeedForwardBias, "normal", 6, Sharing::Cell("0123456789abcdef"), 7),
            layered(Purpose::Value, "gaussian", 3, Sharing::Replica, (0, 0), 7),
            layered(Purpose::Value, "gaussian", 3, Sharing::Replica, (1, 0), 7),
            layered(Purpose::QueryKey, "gaussian", 3, Sharing::Sweep, (10, 0), 7),
            layered(Purpose::Query, "gaussian(2)", 3, Sharing::Cell("0123456789abcdef"), (2, 0), 7),
            layered(Purpose::Value, "goe", 3, Sharing::Layer, (0, 0), 7),
            layered(Purpose::Value, "goe", 3, Sharing::Layer, (0, 12), 7),
            layered(Purpose::Key, "gaussian(2)", 3, Sharing::Layer, (3, 12), 7),
            layered(Purpose::FeedForwardWeight, "uniform", 3, Sharing::Layer, (0, 12), 7),
            layered(Purpose::FeedForwardBias, "normal", 6, Sharing::Layer, (0, 12), 7),
            matrix(Purpose::Value, "uniform(-2, 3)", 3, Sharing::Replica, 7),
            matrix(Purpose::Key, "uniform(0, 0.3)", 3, Sharing::Replica, 7),
        ],
    })
}

#[test]
fn every_purpose_draws_the_committed_bits() {
    let computed = draws();
    if std::env::var_os("METASWEEP_BLESS").is_some() {
        std::fs::write(FILE, serde_json::to_string_pretty(&computed).unwrap() + "\n").unwrap();
    }
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let list = |all: &Value| all["draws"].as_array().unwrap().clone();
    for (computed, committed) in list(&computed).iter().zip(&list(&committed)) {
        assert_eq!(computed, committed);
    }
    assert_eq!(computed, committed);
}
