//! The exponentials against a reference with 100 bits, and every register type against plain f64.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::{
    EXP_FLUSH, EXP_OVERFLOW, EXP2_FLUSH, EXP2_LARGEST, Isa, Kernel, LANES, Lanes, Pack, dispatch, exp,
    exp_below_overflow, exp_scalar, exps2_below_overflow, exps2_in_range,
};

/// Functions of one number.
#[derive(Clone, Copy)]
enum Function {
    Exp,
    Exp2,
    Exp2InRange,
}

struct Values<'a>(Function, &'a [Pack], &'a mut [Pack]);

impl Kernel for Values<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        for (x, y) in self.1.iter().zip(self.2) {
            for group in super::groups::<L>(LANES) {
                let x = L::load(x, group);
                let [value] = match self.0 {
                    Function::Exp => [exp(x)],
                    Function::Exp2 => exps2_below_overflow([x]),
                    Function::Exp2InRange => exps2_in_range([x]),
                };
                value.store(y, group);
            }
        }
    }
}

fn values(function: Function, x: &[f64], isa: Isa) -> Vec<f64> {
    let packs: Vec<Pack> = x
        .chunks(LANES)
        .map(|chunk| Pack(std::array::from_fn(|lane| chunk.get(lane).copied().unwrap_or_default())))
        .collect();
    let mut results = vec![Pack::ZERO; packs.len()];
    dispatch(Values(function, &packs, &mut results), isa);
    results.iter().flat_map(|pack| pack.0).take(x.len()).collect()
}

fn exps(x: &[f64], isa: Isa) -> Vec<f64> {
    values(Function::Exp, x, isa)
}

/// A sum of two f64 that holds about 106 bits.
#[derive(Clone, Copy)]
struct Double(f64, f64);

impl Double {
    fn sum(a: f64, b: f64) -> Self {
        let s = a + b;
        let t = s - a;
        Self(s, (a - (s - t)) + (b - t))
    }
    fn add(self, other: Self) -> Self {
        let Self(s, e) = Self::sum(self.0, other.0);
        Self::sum(s, e + self.1 + other.1)
    }
    fn mul(self, other: Self) -> Self {
        let p = self.0 * other.0;
        let e = self.0.mul_add(other.0, -p);
        Self::sum(p, e + self.0 * other.1 + self.1 * other.0)
    }
    fn div(self, divisor: f64) -> Self {
        let q = self.0 / divisor;
        let r = (-q).mul_add(divisor, self.0) + self.1;
        Self::sum(q, r / divisor)
    }
}

/// ln 2 in three parts.
const LN_2: [f64; 3] = [std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17, 5.707_708_438_416_212e-34];

/// e^x as mantissa ∈ [0.7, 1.42] and exponent: Taylor's series in double-double after x = k ln 2 + 16 r.
fn reference(x: f64) -> (Double, i32) {
    let k = (x / LN_2[0]).round();
    // −k·ln 2, each product with its rounding error.
    let high = Double(-k * LN_2[0], (-k).mul_add(LN_2[0], k * LN_2[0]));
    let low = Double(-k * LN_2[1], (-k).mul_add(LN_2[1], k * LN_2[1]));
    let r = Double::sum(x, high.0).add(Double(high.1, 0.0)).add(low).add(Double(-k * LN_2[2], 0.0));
    (exp_of_small(r), k as i32)
}

/// 2^y likewise: y = k + f, exactly.
fn reference_2(y: f64) -> (Double, i32) {
    let k = y.round();
    let f = Double(y - k, 0.0);
    (exp_of_small(f.mul(Double(LN_2[0], LN_2[1]))), k as i32)
}

/// e^r, |r| ≤ ½.
fn exp_of_small(r: Double) -> Double {
    let r = r.div(16.0);
    let mut term = Double(1.0, 0.0);
    let mut sum = Double(1.0, 0.0);
    for m in 1..20 {
        term = term.mul(r).div(f64::from(m));
        sum = sum.add(term);
    }
    for _ in 0..4 {
        sum = sum.mul(sum);
    }
    sum
}

/// |value − e^x| in units of the last place of e^x.
fn error_in_ulps(x: f64, value: f64) -> f64 {
    distance_in_ulps(reference(x), value)
}

/// |value − (high + low)·2^k| in units of the last place of the latter.
fn distance_in_ulps((Double(high, low), k): (Double, i32), value: f64) -> f64 {
    // Scaling by powers of two is exact while everything stays normal: two halves for the ends of the range.
    let half = |k: i32| f64::from_bits(((1023 + k) as u64) << 52);
    let mantissa = value * half(-(k / 2)) * half(-(k - k / 2));
    let ulp = if high < 1.0 || (high == 1.0 && low < 0.0) { f64::EPSILON / 2.0 } else { f64::EPSILON };
    ((mantissa - high) - low).abs() / ulp
}

#[test]
fn the_reference_is_right() {
    // e to 32 digits: 2.7182818284590452353602874713526625.
    let (Double(high, low), k) = reference(1.0);
    assert_eq!(k, 1);
    assert_eq!(high * 2.0, std::f64::consts::E);
    assert!((low * 2.0 - 1.445_646_891_729_250_2e-16).abs() < 1e-29, "{}", low * 2.0);
    assert_eq!(error_in_ulps(0.0, 1.0), 0.0);
    assert!((error_in_ulps(0.0, 1.0 + f64::EPSILON) - 1.0).abs() < 1e-12);
}

/// Below one unit in the last place, wherever it is looked at.
#[test]
fn exp_is_accurate_to_one_ulp() {
    let mut points: Vec<f64> = (0..=400_000).map(|i| -708.0 + 1417.0 * f64::from(i) / 400_000.0).collect();
    points.extend((0..=100_000).map(|i| -1.0 + 2.0 * f64::from(i) / 100_000.0));
    points.extend((1..200).map(|i| libm::ldexp(1.0, -i)));
    // Around the places where k changes, where |r| is largest.
    for k in -1021..1023 {
        let x = (f64::from(k) + 0.5) * LN_2[0];
        points.extend([x.next_down(), x, x.next_up()]);
    }
    let mut state = 1_u64;
    points.extend((0..200_000).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        -708.0 + 1417.0 * ((state >> 11) as f64 / (1_u64 << 53) as f64)
    }));
    let results = exps(&points, Isa::widest());
    let mut worst = (0.0, 0.0);
    for (&x, &y) in points.iter().zip(&results) {
        let error = error_in_ulps(x, y);
        if error > worst.0 {
            worst = (error, x);
        }
        assert!((y / libm::exp(x) - 1.0).abs() < 5e-16, "{x}: {y}");
    }
    println!("largest error {} ulp at {}", worst.0, worst.1);
    assert!(worst.0 < 1.0, "{} ulp at {}", worst.0, worst.1);
}

/// The same of 2^y, which has no reduction whose rounding could hide anything.
#[test]
fn exp2_is_accurate_to_one_ulp() {
    let mut points: Vec<f64> = (0..=400_000).map(|i| -1022.0 + 2045.9 * f64::from(i) / 400_000.0).collect();
    points.extend((0..=300_000).map(|i| -3.0 + 6.0 * f64::from(i) / 300_000.0));
    points.extend((1..200).flat_map(|i| [libm::ldexp(1.0, -i), -libm::ldexp(1.0, -i)]));
    for k in -1021..1023 {
        let y = f64::from(k) + 0.5;
        points.extend([y.next_down(), y, y.next_up(), y + 0.5]);
    }
    points.extend([EXP2_FLUSH, EXP2_LARGEST]);
    let results = values(Function::Exp2, &points, Isa::widest());
    let spared = values(Function::Exp2InRange, &points, Isa::widest());
    let mut worst = (0.0, 0.0);
    for ((&y, &value), &spared) in points.iter().zip(&results).zip(&spared) {
        assert_eq!(value.to_bits(), spared.to_bits(), "{y}");
        assert!((value / libm::exp2(y) - 1.0).abs() < 5e-16, "{y}: {value}");
        let error = distance_in_ulps(reference_2(y), value);
        if error > worst.0 {
            worst = (error, y);
        }
    }
    println!("largest error {} ulp at {}", worst.0, worst.1);
    assert!(worst.0 < 1.0, "{} ulp at {}", worst.0, worst.1);
}

#[test]
fn exp2_at_its_ends_and_at_every_width() {
    let ends = [-0.0, 1.0, -1022.0, EXP2_FLUSH.next_down(), -1e300, f64::NEG_INFINITY, EXP2_LARGEST];
    let found = values(Function::Exp2, &ends, Isa::Portable);
    assert_eq!(found[..6], [1.0, 2.0, f64::MIN_POSITIVE, 0.0, 0.0, 0.0]);
    assert!(found[6].is_finite() && found[6] > 0.999 * f64::MAX);
    let mut y: Vec<f64> = (-10_250..10_250).map(|i| f64::from(i) * 0.1).collect();
    y.extend(ends);
    y.extend([f64::INFINITY, f64::NAN, f64::MAX, f64::MIN_POSITIVE]);
    for function in [Function::Exp2, Function::Exp2InRange] {
        let bits =
            |isa| -> Vec<u64> { values(function, &y, isa).iter().map(|value| value.to_bits()).collect() };
        let expected = bits(Isa::PortableNarrow);
        for isa in crate::tests::support::instructions() {
            assert_eq!(expected, bits(isa), "{isa:?}");
        }
    }
}

#[test]
fn exp_has_equal_bits_at_every_width() {
    let mut x: Vec<f64> = (-8000..8000).map(|i| f64::from(i) * 0.1).collect();
    x.extend([
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        -0.0,
        EXP_FLUSH,
        EXP_OVERFLOW,
    ]);
    let expected: Vec<u64> = x.iter().map(|&x| exp_scalar(x).to_bits()).collect();
    for isa in crate::tests::support::instructions() {
        let found: Vec<u64> = exps(&x, isa).iter().map(|y| y.to_bits()).collect();
        assert_eq!(expected, found, "{isa:?}");
    }
}

#[test]
fn exp_at_its_ends() {
    assert_eq!(exp_scalar(0.0), 1.0);
    assert_eq!(exp_scalar(f64::NEG_INFINITY), 0.0);
    assert_eq!(exp_scalar(EXP_FLUSH.next_down()), 0.0);
    let smallest = exp_scalar(EXP_FLUSH);
    assert!(smallest.is_normal() && smallest < f64::MIN_POSITIVE * (1.0 + 1e-12));
    assert!(exp_scalar(EXP_OVERFLOW).is_finite() && exp_scalar(EXP_OVERFLOW) > 0.999 * f64::MAX);
    assert_eq!(exp_scalar(EXP_OVERFLOW.next_up()), f64::INFINITY);
    assert_eq!(exp_scalar(f64::INFINITY), f64::INFINITY);
    assert!(exp_scalar(f64::NAN).is_nan());
    assert!(exp_scalar(f64::from_bits(0x7ff8_0000_0000_0fff)).is_nan());
}

/// Every operation of [`Lanes`] on 8 + 8 + 8 numbers, results stored one after the other, masks as numbers.
struct Operations<'a>([Pack; 3], &'a mut Vec<[u64; LANES]>);

impl Kernel for Operations<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self([a, b, c], results) = self;
        let mut packs = [Pack::ZERO; 14];
        let mut masks = [0_u8; 3];
        for group in super::groups::<L>(LANES) {
            let (a, b, c) = (L::load(&a, group), L::load(&b, group), L::load(&c, group));
            let values = [
                a + b,
                a - b,
                a * b,
                a / b,
                -a,
                a.mul_add(b, c),
                (a * a).sqrt(),
                a.max(b),
                a.min(b),
                L::select(L::less(a, b), c, b),
                L::select(L::at_least(a, b), c, b),
                L::select(L::same_bits(a, c), b, a),
                L::splat(1.5),
                exp_below_overflow(-(a * a)),
            ];
            for (value, pack) in values.iter().zip(&mut packs) {
                value.store(pack, group);
            }
            let bits = [L::bits(L::less(a, b)), L::bits(L::at_least(a, b)), L::bits(L::same_bits(a, c))];
            for (mask, bits) in masks.iter_mut().zip(bits) {
                *mask |= bits << (group * L::WIDTH);
            }
        }
        results.extend(packs.iter().map(|pack| pack.0.map(f64::to_bits)));
        results.extend(masks.map(|mask| [u64::from(mask); LANES]));
    }
}

#[test]
fn every_operation_has_equal_bits_at_every_width() {
    let a = Pack([1.0, -2.5, 0.1, 1e300, -0.0, 3.0, 5e-324, 0.7]);
    let b = Pack([3.0, 2.5, 0.1, 1e10, 0.0, -7.0, 2.0, 1e-9]);
    let c = Pack([1.0, 1.0, -0.01, -1e305, -0.0, 3.0, 0.0, 0.7]);
    let run = |isa| {
        let mut results = Vec::new();
        dispatch(Operations([a, b, c], &mut results), isa);
        results
    };
    let expected = run(Isa::PortableNarrow);
    assert_eq!(f64::from_bits(expected[5][2]), 0.1_f64.mul_add(0.1, -0.01));
    for isa in crate::tests::support::instructions() {
        assert_eq!(expected, run(isa), "{isa:?}");
    }
}
