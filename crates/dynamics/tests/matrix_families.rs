//! Each family of matrices is what docs/models.md says, entry for entry or in its moments.

use metasweep_dynamics::complex::Complex;
use metasweep_dynamics::initial::{self, Construction, Space};
use metasweep_dynamics::matrices::{self, Role, USAGES, ValueRule};
use metasweep_dynamics::parameters::{Operator, QueryKey};
use metasweep_dynamics::random::Stream;
use nalgebra::{DMatrix, DVector};

fn stream() -> Stream {
    Stream::new([9; 32], 4)
}

fn draw(text: &str, role: Role, d: usize) -> DMatrix<f64> {
    match matrices::parse(text, role).unwrap().draw(d, &mut stream(), &|_| None).unwrap() {
        Operator::Dense(matrix) => matrix,
        other => panic!("{text} gave {other:?}"),
    }
}

/// The next d² normals, row by row.
fn normals(d: usize, stream: &mut Stream) -> Vec<Vec<f64>> {
    (0..d).map(|_| (0..d).map(|_| stream.normal()).collect()).collect()
}

#[test]
fn random_families_are_their_formulas_bit_for_bit() {
    let d = 5;
    let mut numbers = stream();
    let (g, h) = (normals(d, &mut numbers), normals(d, &mut numbers));
    let root = (d as f64).sqrt();
    let entries = |f: &dyn Fn(usize, usize) -> f64| DMatrix::from_fn(d, d, f);
    let sum = |f: &dyn Fn(usize) -> f64| (0..d).fold(0.0, |sum, k| sum + f(k));
    assert_eq!(draw("gaussian", Role::Value, d), entries(&|i, j| g[i][j]));
    assert_eq!(draw("gaussian", Role::QueryKey, d), entries(&|i, j| sum(&|k| g[i][k] * h[k][j]) / root));
    assert_eq!(draw("wishart", Role::Value, d), entries(&|i, j| sum(&|k| g[i][k] * g[j][k]) / root));
    let goe = entries(&|i, j| (g[i][j] + g[j][i]) / std::f64::consts::SQRT_2);
    assert_eq!(draw("goe", Role::QueryKey, d), goe);
    assert_eq!(goe, goe.transpose());
}

/// Sample variances of N independent normals are within 4.9·√(2/N) of theirs with probability 1 − 10⁻⁶.
#[test]
fn goe_has_variance_one_off_and_two_on_the_diagonal() {
    let d = 300;
    let goe = draw("goe", Role::Value, d);
    let on: f64 = (0..d).map(|i| goe[(i, i)] * goe[(i, i)]).sum::<f64>() / d as f64;
    let pairs = (d * (d - 1) / 2) as f64;
    let off: f64 =
        (0..d).flat_map(|i| (0..i).map(move |j| (i, j))).map(|p| goe[p] * goe[p]).sum::<f64>() / pairs;
    assert!((on / 2.0 - 1.0).abs() < 4.9 * (2.0 / d as f64).sqrt(), "{on}");
    assert!((off - 1.0).abs() < 4.9 * (2.0 / pairs).sqrt(), "{off}");
}

#[test]
fn values_that_follow_query_key() {
    let d = 7;
    for (query_key, norm) in
        [("goe", (d as f64 + 1.0).sqrt()), ("gaussian", (d as f64).sqrt()), ("wishart", 1.0)]
    {
        for (value, sign) in [("query_key", 1.0), ("-query_key", -1.0)] {
            let v = matrices::parse(value, Role::Value).unwrap();
            assert_eq!(v.rule(), ValueRule::FromQueryKey { sign });
            let b = matrices::parse(query_key, Role::QueryKey).unwrap();
            let drawn =
                matrices::draw(&*v, &*b, d, &mut Stream::new([1; 32], 0), &mut stream(), &|_| None).unwrap();
            let expected = draw(query_key, Role::QueryKey, d);
            assert_eq!(drawn.heads[0].query_key, QueryKey::Joint(Operator::Dense(expected.clone())));
            assert_eq!(drawn.heads[0].value, Operator::Dense(expected.map(|a| a / (sign * norm))));
        }
    }
}

#[test]
fn scalars_and_diagonals() {
    let (mut a, mut b) = (stream(), stream());
    let mut both = |value: &str, query_key: &str| {
        let value = matrices::parse(value, Role::Value).unwrap();
        let query_key = matrices::parse(query_key, Role::QueryKey).unwrap();
        let head =
            matrices::draw(&*value, &*query_key, 2, &mut a, &mut b, &|_| None).unwrap().heads.remove(0);
        (head.value, matrices::scalars(&*value, &*query_key))
    };
    assert_eq!(both("identity", "-identity"), (Operator::Scalar(1.0), Some((1.0, -1.0))));
    assert_eq!(both("-query_key", "-identity"), (Operator::Scalar(1.0), Some((1.0, -1.0))));
    assert_eq!(both("diag(2, 2)", "identity"), (Operator::Scalar(2.0), Some((2.0, 1.0))));
    // Also in a span of two dimensions of R^4.
    assert_eq!(both("diag(2, 2, 2, 2)", "identity"), (Operator::Scalar(2.0), Some((2.0, 1.0))));
    assert_eq!(both("diag(2, -1/4)", "identity"), (Operator::Diagonal(vec![2.0, -0.25]), None));
    assert_eq!(both("-query_key", "diag(1, 0)"), (Operator::Diagonal(vec![-1.0, -0.0]), None));
}

#[test]
fn canonical_texts_and_mistakes() {
    for (text, canonical) in [
        (" goe( )", "goe"),
        ("diag(1,1,-0)", "diag(1, 1, 0)"),
        ("file( v.npy )", "file(v.npy)"),
        ("uniform()", "uniform"),
        ("uniform(-1,1)", "uniform"),
        ("uniform(0,1/2)", "uniform(0, 0.5)"),
        ("spectrum(1.350,-.07)", "spectrum(1.35, -0.07)"),
        ("spectrum(1, 0.1 + 0.08i; basis = haar)", "spectrum(1, 0.1+0.08i)"),
        ("spectrum(-i; basis=gaussian)", "spectrum(0-1i; basis=gaussian)"),
        ("file(m.safetensors;tensor=h.0.w)", "file(m.safetensors; tensor=h.0.w)"),
    ] {
        let family = matrices::parse(text, Role::Value).unwrap();
        assert_eq!(family.canonical(), canonical);
        assert_eq!(matrices::parse(canonical, Role::Value).unwrap().canonical(), canonical);
    }
    let error = matrices::parse("-identty", Role::QueryKey).unwrap_err();
    assert_eq!(
        (error.nearest.as_deref(), &error.allowed[..]),
        (Some("-identity"), &USAGES.map(String::from)[..9])
    );
    let error = matrices::parse("query_key", Role::QueryKey).unwrap_err();
    assert!(!error.allowed.contains(&"query_key".to_owned()));
    for wrong in
        ["uniform(1)", "uniform(1, 1)", "uniform(2, 1)", "uniform(0, 1, 2)", "uniform(-1e308, 1e308)"]
    {
        assert_eq!(matrices::parse(wrong, Role::Value).unwrap_err().position, 8, "{wrong}");
    }
    assert_eq!(matrices::parse("diag()", Role::Value).unwrap_err().position, 0);
    assert!(matrices::parse("diag(1, 2)", Role::Value).unwrap().check(3).unwrap_err().contains("d = 3"));
    assert!(matrices::parse("file(v.npy)", Role::Value).unwrap().draw(2, &mut stream(), &|_| None).is_err());
}

#[test]
fn uniform_entries() {
    let d = 150;
    for role in [Role::Value, Role::QueryKey] {
        let drawn = draw("uniform", role, d);
        let mut numbers = stream();
        for i in 0..d {
            for j in 0..d {
                assert_eq!(drawn[(i, j)], 2.0 * numbers.uniform() - 1.0);
            }
        }
        let (positive, mut numbers) = (draw("uniform(0.5, 2)", role, d), stream());
        assert!(positive.transpose().iter().all(|entry| *entry == 1.5 * numbers.uniform() + 0.5));
        // Mean 0 and variance 1/3 of the entries, variance 4/45 of their squares.
        let count = (d * d) as f64;
        let mean = drawn.iter().sum::<f64>() / count;
        let square = drawn.iter().map(|x| x * x).sum::<f64>() / count;
        assert!(mean.abs() < 4.9 * (1.0 / 3.0 / count).sqrt(), "{mean}");
        assert!((square - 1.0 / 3.0).abs() < 4.9 * (4.0 / 45.0 / count).sqrt(), "{square}");
    }
}

const SPECTRA: [(&str, usize); 6] = [
    ("1.35, -0.07", 2),
    ("1.96, -0.22, 0.25", 3),
    ("1, 0.1+0.08i", 3),
    ("1, -0.05+0.25i", 3),
    ("i, 2, -1-0.5i, 0, 0.3", 7),
    ("1, 1, 1, 0.9", 4),
];

/// The basis that `spectrum` draws from this replica's stream, as rows; it is what `orthonormal` draws, or normals.
fn basis(name: &str, d: usize, replica: u64) -> DMatrix<f64> {
    let mut stream = Stream::new([9; 32], replica);
    let rows = if name == "haar" {
        let frame = initial::parse("orthonormal").unwrap();
        frame.draw(d, d, Construction::Direct, Space::Sphere, &mut stream, &|_| None).unwrap()
    } else {
        normals(d, &mut stream).concat()
    };
    DMatrix::from_row_slice(d, d, &rows)
}

/// V b = λ b for a real λ; V b = α b + β b′ and V b′ = −β b + α b′ for a pair. Products of d terms, an orthonormal basis to
/// 8d·ε, and elimination with partial pivoting (backward stable whatever the condition: residuals of 3d²·ε·growth·‖G‖‖V‖,
/// growth at most 2^{d−1}) leave no more than this.
#[test]
fn basis_vectors_are_mapped_as_the_spectrum_says() {
    for (eigenvalues, d) in SPECTRA {
        for name in ["haar", "gaussian"] {
            let text = format!("spectrum({eigenvalues}; basis={name})");
            let family = matrices::parse(&text, Role::Value).unwrap();
            let wanted = family.spectrum(d).unwrap();
            for replica in 0..50 {
                let drawn = family.draw(d, &mut Stream::new([9; 32], replica), &|_| None).unwrap();
                let Operator::Dense(v) = drawn else { panic!("{text} is not dense") };
                let rows = basis(name, d, replica);
                let vector = |k: usize| rows.row(k).transpose();
                let growth = if name == "haar" { 1.0 } else { f64::from(1 << (d - 1)) };
                let size = (d * d) as f64 * growth * rows.norm() * (v.norm() + 1.0);
                let mut first = 0;
                while first < d {
                    let Complex { re, im } = wanted[first];
                    let (image, rest) = if im == 0.0 {
                        (vector(first) * re, None)
                    } else {
                        let (b, c) = (vector(first), vector(first + 1));
                        (&b * re + &c * im, Some(&c * re - &b * im))
                    };
                    let close = |k: usize, image: DVector<f64>| {
                        (&v * vector(k) - image).norm() < 8.0 * f64::EPSILON * size
                    };
                    assert!(close(first, image), "{text} {replica} {first}");
                    first += 1;
                    if let Some(second) = rest {
                        assert!(close(first, second), "{text} {replica} {first}");
                        first += 1;
                    }
                }
            }
        }
    }
}

/// Eigenvalues by the QR algorithm, which is backward stable: for the condition κ of the eigenvectors they move by some
/// ε·κ·‖V‖, where they are simple.
#[test]
fn eigenvalues_are_recovered_to_the_condition_of_the_basis() {
    for (eigenvalues, d) in SPECTRA.iter().take(5) {
        for name in ["haar", "gaussian"] {
            let family =
                matrices::parse(&format!("spectrum({eigenvalues}; basis={name})"), Role::QueryKey).unwrap();
            for replica in 0..20 {
                let mut stream = Stream::new([9; 32], replica);
                let Operator::Dense(v) = family.draw(*d, &mut stream, &|_| None).unwrap() else {
                    panic!("not dense")
                };
                let singular = basis(name, *d, replica).singular_values();
                let condition = singular.max() / singular.min();
                let found = v.complex_eigenvalues();
                for wanted in family.spectrum(*d).unwrap() {
                    let distance = found
                        .iter()
                        .map(|value| (value.re - wanted.re).abs().max((value.im - wanted.im).abs()))
                        .fold(f64::INFINITY, f64::min);
                    assert!(distance < 1e-12 * condition, "{eigenvalues} {name} {replica}: {distance}");
                }
            }
        }
    }
}

/// Over an orthonormal basis V is normal; with real eigenvalues symmetric to the last bit. Over a Gaussian one it is not.
#[test]
fn normal_and_not() {
    for (eigenvalues, d) in SPECTRA {
        let v = draw(&format!("spectrum({eigenvalues})"), Role::Value, d);
        let commutator = &v * v.transpose() - v.transpose() * &v;
        assert!(commutator.norm() < 64.0 * (d * d) as f64 * f64::EPSILON, "{eigenvalues}: {commutator}");
        if !eigenvalues.contains('i') {
            assert_eq!(v, v.transpose());
        }
        let v = draw(&format!("spectrum({eigenvalues}; basis=gaussian)"), Role::Value, d);
        let commutator = &v * v.transpose() - v.transpose() * &v;
        assert!(commutator.norm() > 1e-3, "{eigenvalues}: {commutator}");
    }
}

/// A Haar eigenvector of R^3 has uniform coordinates: with the spectrum (1, 0, 0), V_11 is the square of one, so that
/// √V_11 is uniform in [0, 1].
#[test]
fn eigenvectors_have_no_preferred_direction() {
    let family = matrices::parse("spectrum(1, 0, 0)", Role::Value).unwrap();
    for k in 0..3 {
        let mut roots: Vec<f64> = (0..20_000)
            .map(|replica| {
                let Operator::Dense(v) =
                    family.draw(3, &mut Stream::new([9; 32], replica), &|_| None).unwrap()
                else {
                    panic!("not dense")
                };
                v[(k, k)].sqrt()
            })
            .collect();
        roots.sort_by(f64::total_cmp);
        let count = roots.len() as f64;
        let distance = roots.iter().enumerate().fold(0.0_f64, |largest, (i, &x)| {
            largest.max(x - i as f64 / count).max((i + 1) as f64 / count - x)
        });
        // Massart: P(√N·D > 2.694) ≤ 10⁻⁶.
        assert!(distance * count.sqrt() < 2.694, "{k}: {distance}");
    }
}

#[test]
fn blocks_in_the_standard_basis() {
    let v = draw("spectrum(2, 0.5+3i; basis=standard)", Role::Value, 3);
    assert_eq!(v, DMatrix::from_row_slice(3, 3, &[2.0, 0.0, 0.0, 0.0, 0.5, -3.0, 0.0, 3.0, 0.5]));
    let mut parameters = stream();
    let family = |text: &str| matrices::parse(text, Role::Value).unwrap();
    let diagonal = family("spectrum(2, 0.5; basis=standard)");
    assert!(!diagonal.is_random());
    assert_eq!(diagonal.draw(2, &mut parameters, &|_| None).unwrap(), Operator::Diagonal(vec![2.0, 0.5]));
    // A multiple of I is one in any basis: nothing is drawn.
    let scalar = family("spectrum(3, 3; basis=gaussian)");
    assert_eq!((scalar.is_scalar(), scalar.is_random()), (Some(3.0), false));
    assert_eq!(scalar.draw(2, &mut parameters, &|_| None).unwrap(), Operator::Scalar(3.0));
    assert!(family("spectrum(1+i)").is_random());
    assert!(family("spectrum(1, 0.1+0.08i)").check(4).unwrap_err().contains("3 are given"));
    assert_eq!(family("diag(1, 2)").spectrum(2).unwrap(), [Complex::real(1.0), Complex::real(2.0)]);
    assert_eq!(family("-identity").spectrum(3).unwrap(), [Complex::real(-1.0); 3]);
    assert_eq!(family("goe").spectrum(3), None);
    let both = [Complex { re: 1.0, im: 1.0 }, Complex { re: 1.0, im: -1.0 }];
    assert_eq!(family("spectrum(1+i)").spectrum(2).unwrap(), both);
}
