//! The laws of uniforms, normals, gammas and chis, and the independence of streams.
//!
//! Seeds are fixed, so these tests cannot fail by chance twice; each bound is one that the right law passes with
//! probability at least 1 − 10⁻⁶ over seeds: for the Kolmogorov–Smirnov distance D of N numbers, P(√N·D > x) ≤ 2e^{−2x²}
//! (Massart), so x = 2.694; for means 4.9 standard errors.

use metasweep_dynamics::quantile::normal_quantile;
use metasweep_dynamics::random::Stream;

const N: usize = 100_000;
const KOLMOGOROV: f64 = 2.694;
const STANDARD_ERRORS: f64 = 4.9;

fn stream(number: u64) -> Stream {
    Stream::new([42; 32], number)
}

fn sample(mut draw: impl FnMut() -> f64) -> Vec<f64> {
    (0..N).map(|_| draw()).collect()
}

/// √N times the largest distance between the empirical distribution function and `cdf`.
fn kolmogorov(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let count = sample.len() as f64;
    let distance = sample.iter().enumerate().fold(0.0_f64, |largest, (k, &x)| {
        let at = cdf(x);
        largest.max(at - k as f64 / count).max((k + 1) as f64 / count - at)
    });
    distance * count.sqrt()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

#[test]
fn uniforms_are_uniform_and_never_0_or_1() {
    let mut stream = stream(0);
    let values = sample(|| stream.uniform());
    assert!(values.iter().all(|&u| u > 0.0 && u < 1.0 && 1.0 - (1.0 - u) == u));
    assert!(kolmogorov(values, |u| u) < KOLMOGOROV);
}

#[test]
fn normals_are_normal() {
    let mut stream = stream(1);
    let values = sample(|| stream.normal());
    let error = STANDARD_ERRORS / (N as f64).sqrt();
    // The variances of x, x², x³, x⁴ are 1, 2, 15, 96.
    for (power, expected, variance) in [(1, 0.0, 1.0_f64), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
        let moment = mean(values.iter().map(|x| (0..power).fold(1.0, |product, _| product * x)));
        assert!((moment - expected).abs() < error * variance.sqrt(), "moment {power} is {moment}");
    }
    assert!(kolmogorov(values, normal_cdf) < KOLMOGOROV);
}

/// Also far outside: of 2·10⁶ normals about 5.4 lie beyond ±4.7; 30 have probability below 10⁻⁶.
#[test]
fn tails_are_there_and_thin() {
    let mut stream = stream(2);
    let beyond = (0..2_000_000).filter(|_| stream.normal().abs() > 4.7).count();
    assert!((1..30).contains(&beyond), "{beyond}");
}

#[test]
fn the_quantile_is_odd_and_monotone() {
    let mut last = f64::NEG_INFINITY;
    for k in 1..4096 {
        let p = f64::from(k) / 4096.0;
        let x = normal_quantile(p);
        assert_eq!(x, -normal_quantile(1.0 - p));
        assert!(x > last);
        last = x;
    }
}

/// 1 − e^{−y/2} Σ_{i<k/2} (y/2)^i/i! at y = x²: the chi law with an even number k of degrees of freedom.
fn chi_cdf_even(degrees: u64, x: f64) -> f64 {
    let half = 0.5 * x * x;
    let (mut term, mut sum) = (1.0, 1.0);
    for i in 1..degrees / 2 {
        term *= half / i as f64;
        sum += term;
    }
    1.0 - libm::exp(-half) * sum
}

#[test]
fn chi_has_its_law() {
    let sample_of = |degrees| {
        let mut stream = stream(100 + degrees);
        sample(|| stream.chi(degrees))
    };
    let folded = |x: f64| libm::erf(x / std::f64::consts::SQRT_2);
    assert!(kolmogorov(sample_of(1), folded) < KOLMOGOROV);
    for degrees in [2, 4, 6, 40] {
        assert!(kolmogorov(sample_of(degrees), |x| chi_cdf_even(degrees, x)) < KOLMOGOROV, "{degrees}");
    }
    // Maxwell: erf(x/√2) − √(2/π)·x·e^{−x²/2}.
    let maxwell = |x: f64| folded(x) - (2.0 / std::f64::consts::PI).sqrt() * x * libm::exp(-0.5 * x * x);
    assert!(kolmogorov(sample_of(3), maxwell) < KOLMOGOROV);
    // (χ_k − √(k − ½))·√2 is normal up to O(1/k^½) = 3·10⁻⁵ in distribution, 0.01 of the bound.
    let billion = 1_000_000_000_u64;
    let centre = (billion as f64 - 0.5).sqrt();
    let limit = |x: f64| normal_cdf((x - centre) * std::f64::consts::SQRT_2);
    assert!(kolmogorov(sample_of(billion), limit) < KOLMOGOROV);
}

#[test]
fn streams_and_keys_are_independent() {
    let error = STANDARD_ERRORS / (N as f64).sqrt();
    let correlation = |mut a: Stream, mut b: Stream| mean((0..N).map(|_| a.normal() * b.normal()));
    let other_key = Stream::new([43; 32], 0);
    for (a, b) in [(stream(0), stream(1)), (stream(0), stream(1 << 63)), (stream(0), other_key)] {
        let found = correlation(a, b);
        assert!(found.abs() < error, "{found}");
    }
    let mut shifted = stream(0);
    shifted.bits();
    assert!(correlation(stream(0), shifted).abs() < error);
    // The first normals of the replicas are a sample of the law too.
    let mut replica = 0;
    let mut first = || {
        replica += 1;
        stream(replica).normal()
    };
    let firsts: Vec<f64> = (0..20_000).map(|_| first()).collect();
    assert!(kolmogorov(firsts, normal_cdf) < KOLMOGOROV);
}

#[test]
fn first_bits_of_streams_are_all_different() {
    let mut bits: Vec<u64> = (0..20_000).map(|number| stream(number).bits()).collect();
    bits.sort_unstable();
    bits.dedup();
    // Two equal ones among 2·10⁴ have probability 10⁻¹¹.
    assert_eq!(bits.len(), 20_000);
}
