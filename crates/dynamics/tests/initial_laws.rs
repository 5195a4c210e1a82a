//! Initial tokens have the Gram matrix, or the law of it, that they should; bounds as in `random_laws.rs`.

use std::f64::consts::PI;

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

fn draw_in_space(law: &str, n: usize, d: usize, construction: Construction, replica: u64) -> Vec<f64> {
    let law = initial::parse(law).unwrap();
    law.draw(n, d, construction, Space::Euclidean, &mut Stream::new([7; 32], replica), &|_| None).unwrap()
}

#[test]
fn tokens_of_a_file_in_space_are_as_they_are() {
    let law = initial::parse("file(x0.npy)").unwrap();
    let bytes = npy(2, 2, &[3.0, 4.0, 0.0, 0.0]);
    let mut stream = Stream::new([0; 32], 0);
    let tokens =
        law.draw(2, 2, Construction::Direct, Space::Euclidean, &mut stream, &|_| Some(&bytes)).unwrap();
    assert_eq!(tokens, [3.0, 4.0, 0.0, 0.0]);
}

/// The space is no part of a draw, except for files: a law of the sphere starts the systems in R^d with the same bits.
#[test]
fn laws_of_the_sphere_start_both_spaces_alike() {
    for law in ["uniform_sphere", "orthonormal", "equiangular(0.3)", "hemisphere"] {
        assert!(initial::parse(law).unwrap().on_sphere());
        let on_sphere = draw(law, 4, 6, Construction::Direct, 3);
        assert_eq!(on_sphere, draw_in_space(law, 4, 6, Construction::Direct, 3), "{law}");
    }
    for law in ["hypercube(5)", "gaussian", "gaussian(0.1)"] {
        assert!(!initial::parse(law).unwrap().on_sphere());
    }
    assert!(initial::parse("file(x0.npy)").unwrap().on_sphere());
}

/// Every coordinate of every token uniform in [−5, 5], and their products of mean zero.
#[test]
fn points_of_the_cube_are_uniform() {
    let tokens: Vec<_> =
        (0..N).map(|r| draw_in_space("hypercube(5)", 2, 3, Construction::Direct, r)).collect();
    assert!(tokens.iter().flatten().all(|x| x.abs() < 5.0));
    for k in 0..6 {
        let uniform = |x: f64| 0.1 * (x + 5.0);
        assert!(kolmogorov(tokens.iter().map(|x| x[k]).collect(), uniform) < KOLMOGOROV, "{k}");
        for l in 0..k {
            let mean = tokens.iter().map(|x| x[k] * x[l]).sum::<f64>() / N as f64;
            // The variance of a product is (25/3)².
            assert!(mean.abs() < 4.9 * (25.0 / 3.0) / (N as f64).sqrt(), "{k} {l}: {mean}");
        }
    }
}

/// Direct: every coordinate N(0, σ²). Both constructions: |x_i|²/σ² is chi-square with 4 degrees of freedom,
/// P(> s) = e^{−s/2}(1 + s/2); ⟨x_i, x_j⟩ of variance 4σ⁴; and E⟨x_1,x_2⟩⟨x_2,x_3⟩⟨x_3,x_1⟩ = 4σ⁶.
#[test]
fn gaussian_tokens_have_their_gram_matrix_in_both_constructions() {
    let normal = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    let chi_square = |s: f64| 1.0 - libm::exp(-0.5 * s) * (1.0 + 0.5 * s);
    let count = N as f64;
    for (construction, width) in [(Construction::Direct, 4), (Construction::Bartlett, 3)] {
        let tokens: Vec<_> = (0..N).map(|r| draw_in_space("gaussian(0.3)", 3, 4, construction, r)).collect();
        if construction == Construction::Direct {
            for k in 0..12 {
                let scaled = tokens.iter().map(|x| x[k] / 0.3).collect();
                assert!(kolmogorov(scaled, normal) < KOLMOGOROV, "{k}");
            }
        }
        let gram = |x: &[f64], i, j| cosine(x, width, i, j) / 0.09;
        for i in 0..3 {
            let lengths = tokens.iter().map(|x| gram(x, i, i)).collect();
            assert!(kolmogorov(lengths, chi_square) < KOLMOGOROV, "{construction:?} {i}");
        }
        let mean = |f: &dyn Fn(&[f64]) -> f64| tokens.iter().map(|x| f(x)).sum::<f64>() / count;
        for (i, j) in [(0, 1), (0, 2), (1, 2)] {
            // ⟨x,y⟩ is |x| times a normal: E⟨x,y⟩⁴ = 3·E|x|⁴ = 3·24, so ⟨x,y⟩² has variance 72 − 16.
            let square = mean(&|x| gram(x, i, j) * gram(x, i, j));
            assert!((square - 4.0).abs() < 4.9 * (56.0 / count).sqrt(), "{construction:?} {square}");
        }
        // Given x_1 and x_2 the mean is ⟨x_1,x_2⟩². E of the square of the product is below E|x|⁴ thrice, by Cauchy and
        // Schwarz: 24³.
        let product = mean(&|x| gram(x, 0, 1) * gram(x, 1, 2) * gram(x, 2, 0));
        assert!((product - 4.0).abs() < 4.9 * (13_824.0_f64 / count).sqrt(), "{construction:?} {product}");
    }
}

/// In d = 3 the cosine g of two points of one half sphere has the density (1 − arccos(g)/π): two independent uniform
/// points at angle a are on one side of a random plane with probability 1 − a/π, and half of all pairs are. So
/// P(≤ g) = ∫_{−1}^g (1 − arccos(t)/π) dt = (g + 1) − (g·arccos(g) − √(1 − g²) + π)/π.
#[test]
fn tokens_of_a_hemisphere_lie_on_one_side_of_a_random_plane() {
    let cdf = |g: f64| {
        let g = g.clamp(-1.0, 1.0);
        g + 1.0 - (g * libm::acos(g) - (1.0 - g * g).sqrt() + PI) / PI
    };
    for n in [2, 3] {
        let tokens: Vec<_> = (0..N).map(|r| draw("hemisphere", n, 3, Construction::Direct, r)).collect();
        assert!(kolmogorov(tokens.iter().map(|x| cosine(x, 3, 0, n - 1)).collect(), cdf) < KOLMOGOROV);
        // The pole is uniform: so is every token by itself.
        for k in 0..3 {
            let uniform = |x: f64| 0.5 * (x + 1.0);
            assert!(kolmogorov(tokens.iter().map(|x| x[k]).collect(), uniform) < KOLMOGOROV, "{k}");
        }
    }
    // In the span: the law of the cosine must be the same.
    let tokens: Vec<_> = (0..N).map(|r| draw("hemisphere", 2, 3, Construction::Bartlett, r)).collect();
    assert!(kolmogorov(tokens.iter().map(|x| cosine(x, 2, 0, 1)).collect(), cdf) < KOLMOGOROV);
}

/// Nine points of one half circle leave a gap of at least π. Uniform ones do with probability 9/2⁸ (Wendel).
#[test]
fn a_half_circle_holds_them_all() {
    for replica in 0..200 {
        let x = draw("hemisphere", 9, 2, Construction::Direct, replica);
        let mut angles: Vec<f64> = x.chunks(2).map(|x| libm::atan2(x[1], x[0])).collect();
        angles.sort_by(f64::total_cmp);
        let around = angles[0] + 2.0 * PI - angles[8];
        let gap = angles.windows(2).map(|pair| pair[1] - pair[0]).fold(around, f64::max);
        assert!(gap >= PI * (1.0 - 4.0 * f64::EPSILON), "{replica}: {gap}");
    }
}

/// The distribution function of 0.2·N(π/2, σ²) + 0.5·N(0, σ²) + 0.3·N(4π/3, σ²), wrapped to [−π, π).
fn mixture(theta: f64) -> f64 {
    let normal = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    [(0.2, PI / 2.0), (0.5, 0.0), (0.3, 4.0 * PI / 3.0)]
        .iter()
        .flat_map(|component| (-3..=3).map(move |turn| (component, 2.0 * PI * f64::from(turn))))
        .map(|((weight, centre), turn)| {
            weight * (normal((theta + turn - centre) / 0.2) - normal((turn - PI - centre) / 0.2))
        })
        .sum()
}

#[test]
fn azimuths_are_a_mixture_of_wrapped_normals() {
    let law = "wrapped_normal_mixture(0.2@pi/2, 0.5@0, 0.3@4pi/3; sigma=0.2)";
    let azimuths = |law: &str, d: usize| -> Vec<f64> {
        (0..N)
            .flat_map(|replica| {
                let x = draw(law, 2, d, Construction::Direct, replica);
                [libm::atan2(x[1], x[0]), libm::atan2(x[d + 1], x[d])]
            })
            .collect()
    };
    assert!((mixture(PI) - 1.0).abs() < 1e-12);
    assert!(kolmogorov(azimuths(law, 2), mixture) < KOLMOGOROV);
    // The same circle in R^4, and the same azimuths under an elevation.
    assert_eq!(azimuths(law, 4), azimuths(law, 2));
    let raised = law.replace("0.2)", "0.2, elevation=pi/4)");
    assert!(kolmogorov(azimuths(&raised, 3), mixture) < KOLMOGOROV);
}

/// sin φ of φ uniform on [−e, e], and the direction of the rise uniform in the other coordinates.
#[test]
fn elevations_are_uniform() {
    let law = |e: &str| format!("wrapped_normal_mixture(1@1; sigma=0.5, elevation={e})");
    for (text, e) in [("uniform", PI / 2.0), ("0.5", 0.5)] {
        let angles: Vec<f64> =
            (0..N).map(|r| libm::asin(draw(&law(text), 1, 3, Construction::Direct, r)[2])).collect();
        assert!(kolmogorov(angles, |angle| 0.5 * (angle / e + 1.0)) < KOLMOGOROV, "{text}");
    }
    let tokens: Vec<_> = (0..N).map(|r| draw(&law("0.5"), 1, 5, Construction::Direct, r)).collect();
    let up = |x: &[f64]| (x[2] * x[2] + x[3] * x[3] + x[4] * x[4]).sqrt();
    assert!(kolmogorov(tokens.iter().map(|x| libm::asin(up(x))).collect(), |angle| angle / 0.5) < KOLMOGOROV);
    for k in 2..5 {
        // Archimedes again.
        let directions = tokens.iter().map(|x| x[k] / up(x)).collect();
        assert!(kolmogorov(directions, |x| 0.5 * (x + 1.0)) < KOLMOGOROV, "{k}");
    }
    // cos² + sin² of libm: a few roundings.
    assert!(tokens.iter().all(|x| (cosine(x, 5, 0, 0) - 1.0).abs() < 16.0 * f64::EPSILON));
}
