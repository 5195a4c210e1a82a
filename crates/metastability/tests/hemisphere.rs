//! Hemispheres: Wendel's formula (docs/oracles.md, 4; P0 Thm 4.5), and the degenerate cases by hand.

use metasweep_dynamics::random::Stream;
use metasweep_metastability::hemisphere::contains_all;

/// P(n, d) = 2^{−(n−1)} Σ_{k<d} C(n−1, k).
fn wendel(n: u32, d: u32) -> f64 {
    let mut binomial = 1.0;
    let mut sum = 0.0;
    for k in 0..d.min(n) {
        sum += binomial;
        binomial *= f64::from(n - 1 - k) / f64::from(k + 1);
    }
    sum / libm::pow(2.0, f64::from(n - 1))
}

/// n uniform points of S^{d−1}.
fn uniform(stream: &mut Stream, n: usize, d: usize) -> Vec<f64> {
    let mut tokens = Vec::with_capacity(n * d);
    for _ in 0..n {
        let row: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        tokens.extend(row.iter().map(|x| x / length));
    }
    tokens
}

#[test]
fn wendels_probability() {
    // P(2, d) = 1 for d ≥ 2; P(n, 2) = n/2^{n−1}.
    assert_eq!((wendel(2, 2), wendel(5, 2), wendel(9, 12)), (1.0, 5.0 / 16.0, 1.0));
    let cases = [
        (2, 3),
        (2, 5),
        (2, 9),
        (3, 4),
        (3, 6),
        (3, 10),
        (5, 8),
        (5, 10),
        (5, 14),
        (8, 12),
        (8, 16),
        (8, 20),
    ];
    let samples = 4000.0;
    // Bernstein: P(|share − p| ≥ ε) ≤ 2 exp(−Nε²/(2p(1−p) + 2ε/3)), over all cases below 1e-6.
    let logarithm = libm::log(2.0 * 12.0 / 1e-6);
    for (d, n) in cases {
        let mut stream = Stream::new([d as u8; 32], n as u64);
        let hits = (0..4000).filter(|_| contains_all(&uniform(&mut stream, n, d), n, d)).count();
        let p = wendel(n as u32, d as u32);
        let third = logarithm / (3.0 * samples);
        let bound = third + (third * third + 2.0 * p * (1.0 - p) * logarithm / samples).sqrt();
        let share = hits as f64 / samples;
        assert!((share - p).abs() <= bound, "n = {n}, d = {d}: {share} instead of {p} ± {bound}");
    }
}

#[test]
fn independent_tokens_always_have_one() {
    let mut stream = Stream::new([1; 32], 0);
    for (n, d) in [(1, 1), (1, 4), (2, 2), (8, 8), (32, 32), (10, 40)] {
        assert!(contains_all(&uniform(&mut stream, n, d), n, d));
    }
}

#[test]
fn the_plane_decides_in_any_dimension() {
    // Tokens in a plane of R^d: the answer of two dimensions, found by the general test on dependent tokens.
    for (stream, n) in (0..400).zip((2..10).cycle()) {
        let flat = uniform(&mut Stream::new([2; 32], stream), n, 2);
        let wanted = contains_all(&flat, n, 2);
        for d in [3, 6, 12] {
            let mut tokens = vec![0.0; n * d];
            for (row, x) in tokens.chunks_exact_mut(d).zip(flat.chunks_exact(2)) {
                (row[0], row[d - 1]) = (x[0], x[1]);
            }
            assert_eq!(contains_all(&tokens, n, d), wanted, "stream {stream}, n = {n}, d = {d}");
        }
    }
}

#[test]
fn repeated_tokens_count_once() {
    let mut stream = Stream::new([3; 32], 0);
    for round in 0..100 {
        let (n, d) = (3 + round % 6, 2 + round % 3);
        let tokens = uniform(&mut stream, n, d);
        let twice: Vec<f64> = tokens.iter().chain(&tokens).copied().collect();
        assert_eq!(contains_all(&twice, 2 * n, d), contains_all(&tokens, n, d));
    }
    assert!(contains_all(&[0.6, 0.8].repeat(7), 7, 2));
    assert!(contains_all(&[0.0, 0.6, 0.8].repeat(7), 7, 3));
    assert!(contains_all(&[1.0; 4], 4, 1));
}

#[test]
fn antipodal_tokens_have_none() {
    assert!(!contains_all(&[1.0, -1.0], 2, 1));
    assert!(!contains_all(&[0.6, 0.8, -0.6, -0.8], 2, 2));
    let mut stream = Stream::new([4; 32], 0);
    for d in 2..9 {
        let mut tokens = uniform(&mut stream, 4, d);
        let opposite: Vec<f64> = tokens[..d].iter().map(|x| -x).collect();
        tokens.extend(opposite);
        assert!(!contains_all(&tokens, 5, d), "d = {d}");
    }
}

#[test]
fn regular_bodies_have_none_until_a_corner_is_missing() {
    for d in 2..10 {
        // The cross-polytope ±e_k, and all but one of its corners: still −e_1, … but e_1 missing is not enough.
        let mut corners = Vec::new();
        for sign in [1.0, -1.0] {
            for k in 0..d {
                corners.extend((0..d).map(|i| if i == k { sign } else { 0.0 }));
            }
        }
        assert!(!contains_all(&corners, 2 * d, d));
        assert!(contains_all(&corners[..d * d], d, d));
        assert!(!contains_all(&corners[..d * (d + 1)], d + 1, d), "e_1 and −e_1");
    }
}
