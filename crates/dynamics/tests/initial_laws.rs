//! Initial tokens have the Gram matrix, or the law of it, that they should; bounds as in `random_laws.rs`.

use metasweep_dynamics::initial::{self, Construction, Space};
use metasweep_dynamics::random::Stream;

const KOLMOGOROV: f64 = 2.694;
const N: u64 = 20_000;

fn draw(law: &str, n: usize, d: usize, construction: Construction, replica: u64) -> Vec<f64> {
    let law = initial::parse(law).unwrap();
    law.draw(n, d, construction, Space::Sphere, &mut Stream::new([7; 32], replica), &|_| None).unwrap()
}

fn cosine(tokens: &[f64], width: usize, i: usize, j: usize) -> f64 {
    (0..width).map(|k| tokens[i * width + k] * tokens[j * width + k]).sum()
}

fn kolmogorov(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let count = sample.len() as f64;
    let distance = sample.iter().enumerate().fold(0.0_f64, |largest, (k, &x)| {
        largest.max(cdf(x) - k as f64 / count).max((k + 1) as f64 / count - cdf(x))
    });
    distance * count.sqrt()
}

/// Archimedes: in d = 3 every coordinate of a uniform point, and every cosine, is uniform in [−1, 1].
#[test]
fn direct_points_are_uniform_in_three_dimensions() {
    let tokens: Vec<_> =
        (0..N).map(|replica| draw("uniform_sphere", 2, 3, Construction::Direct, replica)).collect();
    let uniform = |x: f64| 0.5 * (x + 1.0);
    for k in 0..6 {
        assert!(kolmogorov(tokens.iter().map(|x| x[k]).collect(), uniform) < KOLMOGOROV, "{k}");
    }
    assert!(kolmogorov(tokens.iter().map(|x| cosine(x, 3, 0, 1)).collect(), uniform) < KOLMOGOROV);
}

/// In d = 5 a cosine has density ¾(1 − g²), and E g₁₂g₂₃g₃₁ = 1/d²: for both constructions and every pair.
#[test]
fn both_constructions_have_the_same_gram_matrix_in_law() {
    let cdf = |g: f64| (2.0 + 3.0 * g - g * g * g) / 4.0;
    for (construction, width) in [(Construction::Direct, 5), (Construction::Bartlett, 4)] {
        let tokens: Vec<_> =
            (0..N).map(|replica| draw("uniform_sphere", 4, 5, construction, replica)).collect();
        for (i, j) in [(0, 1), (0, 3), (1, 2), (2, 3)] {
            let cosines = tokens.iter().map(|x| cosine(x, width, i, j)).collect();
            assert!(kolmogorov(cosines, cdf) < KOLMOGOROV, "{construction:?} {i} {j}");
        }
        for [i, j, k] in [[0, 1, 2], [1, 2, 3]] {
            let products = tokens
                .iter()
                .map(|x| cosine(x, width, i, j) * cosine(x, width, j, k) * cosine(x, width, k, i));
            let mean = products.sum::<f64>() / N as f64;
            // |g₁₂g₂₃g₃₁| ≤ 1 with variance below E g₁₂² g₂₃² = 1/25.
            assert!((mean - 0.04).abs() < 4.9 * (0.04 / N as f64).sqrt(), "{construction:?} {mean}");
        }
    }
}

/// √d·g is normal up to O(1/d) for huge d: only Bartlett gets there.
#[test]
fn a_billion_dimensions() {
    let d = 1_000_000_000;
    let cosines = |i, j| {
        let scale = (d as f64).sqrt();
        (0..N)
            .map(|r| scale * cosine(&draw("uniform_sphere", 3, d, Construction::Bartlett, r), 3, i, j))
            .collect()
    };
    let normal = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    assert!(kolmogorov(cosines(0, 1), normal) < KOLMOGOROV);
    assert!(kolmogorov(cosines(1, 2), normal) < KOLMOGOROV);
}

/// Twice-repeated Gram–Schmidt leaves overlaps of a few roundings of a sum of d terms: d·2⁻⁵³ each at most.
#[test]
fn given_gram_matrices_are_met_to_rounding() {
    for (law, n, d, rho) in [
        ("orthonormal", 32, 32, 0.0),
        ("orthonormal", 32, 512, 0.0),
        ("equiangular(0.3)", 20, 20, 0.3),
        ("equiangular(-0.05)", 20, 40, -0.05),
        ("equiangular(-1/19)", 20, 19, -1.0 / 19.0),
        ("equiangular(-1)", 2, 1, -1.0),
        ("equiangular(1)", 5, 1, 1.0),
        ("equiangular(0.999999)", 6, 6, 0.999_999),
        ("equiangular(0.3)", 1, 1, 0.0),
    ] {
        let x = draw(law, n, d, Construction::Direct, 1);
        let tolerance = 4.0 * (d as f64 + 4.0) * f64::EPSILON;
        for i in 0..n {
            for j in 0..n {
                let expected = if i == j { 1.0 } else { rho };
                let found = cosine(&x, d, i, j);
                assert!((found - expected).abs() < tolerance, "{law} n={n} d={d} ({i},{j}): {found}");
            }
        }
    }
}

/// Where a square Gaussian matrix is nearly singular, one pass of Gram–Schmidt would lose digits: some of 300 are.
#[test]
fn frames_are_orthonormal_however_the_rows_fell() {
    for replica in 0..300 {
        let x = draw("orthonormal", 8, 8, Construction::Direct, replica);
        for (i, j) in (0..8).flat_map(|i| (0..i).map(move |j| (i, j))) {
            assert!(cosine(&x, 8, i, j).abs() < 48.0 * f64::EPSILON, "{replica} {i} {j}");
        }
    }
}

#[test]
fn frames_have_no_preferred_direction() {
    let uniform = |x: f64| 0.5 * (x + 1.0);
    let frames: Vec<_> =
        (0..N).map(|replica| draw("orthonormal", 3, 3, Construction::Direct, replica)).collect();
    for k in [0, 4, 8, 2, 6] {
        assert!(kolmogorov(frames.iter().map(|x| x[k]).collect(), uniform) < KOLMOGOROV, "{k}");
    }
}

#[test]
fn impossible_laws_are_refused_with_their_reason() {
    let refusal = |law: &str, n, d| initial::parse(law).unwrap().check(n, d).unwrap_err();
    assert!(refusal("orthonormal", 3, 2).contains("n = 3 and d = 2"));
    assert!(refusal("equiangular(-0.6)", 3, 9).contains("negative eigenvalue"));
    assert!(refusal("equiangular(-0.5)", 3, 1).contains("span 2 dimensions"));
    assert!(refusal("equiangular(0.5)", 3, 2).contains("span 3 dimensions"));
    assert!(refusal("angles(1, 2)", 3, 2).contains("2 angles"));
    assert!(refusal("angles(1, 2)", 2, 3).contains("d = 3"));
    assert!(refusal("uniform_sphere", 0, 3).contains("at least 1"));
    assert!(initial::parse("equiangular(1.5)").is_err());
}

/// A .npy file of version 1 with C-ordered doubles.
fn npy(rows: usize, columns: usize, values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[test]
fn tokens_of_a_file_are_normalized() {
    let law = initial::parse("file(x0.npy)").unwrap();
    assert_eq!(law.files(), ["x0.npy"]);
    let mut stream = Stream::new([0; 32], 0);
    let mut read = |bytes: &[u8], n, d| {
        law.draw(n, d, Construction::Direct, Space::Sphere, &mut stream, &|_| Some(bytes))
    };
    assert_eq!(read(&npy(2, 2, &[3.0, 4.0, 0.0, -2.0]), 2, 2).unwrap(), [0.6, 0.8, 0.0, -1.0]);
    assert!(read(&npy(2, 2, &[3.0, 4.0, 0.0, 0.0]), 2, 2).unwrap_err().contains("Row 1"));
    assert!(read(&npy(2, 2, &[3.0, 4.0, 0.0, 1.0]), 2, 3).unwrap_err().contains("2 × 3 is needed"));
}
