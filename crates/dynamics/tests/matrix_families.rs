//! Each family of matrices is what docs/models.md says, entry for entry or in its moments.

use metasweep_dynamics::matrices::{self, Role, USAGES, ValueRule};
use metasweep_dynamics::parameters::{Operator, QueryKey};
use metasweep_dynamics::random::Stream;
use nalgebra::DMatrix;

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
    for (text, canonical) in
        [(" goe( )", "goe"), ("diag(1,1,-0)", "diag(1, 1, 0)"), ("file( v.npy )", "file(v.npy)")]
    {
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
    assert_eq!(matrices::parse("diag()", Role::Value).unwrap_err().position, 0);
    assert!(matrices::parse("diag(1, 2)", Role::Value).unwrap().check(3).unwrap_err().contains("d = 3"));
    assert!(matrices::parse("file(v.npy)", Role::Value).unwrap().draw(2, &mut stream(), &|_| None).is_err());
}
