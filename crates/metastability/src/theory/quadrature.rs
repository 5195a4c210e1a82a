//! Integrals of smooth positive functions to nearly full precision: adaptive Gauss–Kronrod (7, 15).

/// Kronrod's nodes in (0, 1), then 0; every second one, from the second on, is a Gauss node (QUADPACK's qk15).
const NODES: [f64; 8] = [
    0.991_455_371_120_812_6,
    0.949_107_912_342_758_5,
    0.864_864_423_359_769_1,
    0.741_531_185_599_394_4,
    0.586_087_235_467_691_1,
    0.405_845_151_377_397_2,
    0.207_784_955_007_898_47,
    0.0,
];
const KRONROD: [f64; 8] = [
    0.022_935_322_010_529_224,
    0.063_092_092_629_978_55,
    0.104_790_010_322_250_18,
    0.140_653_259_715_525_92,
    0.169_004_726_639_267_9,
    0.190_350_578_064_785_4,
    0.204_432_940_075_298_9,
    0.209_482_141_084_727_83,
];
/// Gauss's weights at NODES[1], [3], [5], [7].
const GAUSS: [f64; 4] =
    [0.129_484_966_168_869_7, 0.279_705_391_489_276_64, 0.381_830_050_505_118_9, 0.417_959_183_673_469_4];

/// An interval is halved until both rules agree to this, relative to its own share. The 15-point rule is better than that
/// by orders, so for smooth positive integrands only rounding is left (about 10⁻¹⁵ relative).
const AGREEMENT: f64 = 1e-13;
/// … or to this, relative to the integral so far: behind a peak, numbers that lose their digits on the way to 0 would never agree.
const NOTHING: f64 = 1e-18;
/// An interval is halved at most this often: below it, nodes coincide.
const DEEPEST: u32 = 50;

/// ∫ f over [a, b], a ≤ b, for f positive, smooth and without structure narrower than `width` at a, or than `width` +
/// its distance from a elsewhere: begins with intervals that double from a on, so that no peak at a is overlooked.
pub(super) fn integrate(f: &impl Fn(f64) -> f64, a: f64, b: f64, width: f64) -> f64 {
    let (mut sum, mut from, mut length) = (0.0, a, width);
    while from + length < b {
        sum += refine(f, from, from + length, NOTHING * sum, DEEPEST);
        from += length;
        length *= 2.0;
    }
    sum + refine(f, from, b, NOTHING * sum, DEEPEST)
}

fn refine(f: &impl Fn(f64) -> f64, a: f64, b: f64, nothing: f64, depth: u32) -> f64 {
    let (gauss, kronrod) = rules(f, a, b);
    let apart = (kronrod - gauss).abs();
    if depth == 0 || apart <= nothing.max(AGREEMENT * kronrod.abs()) || !kronrod.is_finite() {
        return kronrod;
    }
    let middle = 0.5 * (a + b);
    refine(f, a, middle, nothing, depth - 1) + refine(f, middle, b, nothing, depth - 1)
}

/// Gauss's and Kronrod's value on one interval.
fn rules(f: &impl Fn(f64) -> f64, a: f64, b: f64) -> (f64, f64) {
    let (centre, half) = (0.5 * (a + b), 0.5 * (b - a));
    let (mut gauss, mut kronrod) = (0.0, 0.0);
    for (k, (node, weight)) in NODES.iter().zip(KRONROD).enumerate() {
        let sum = if *node == 0.0 { f(centre) } else { f(centre - half * node) + f(centre + half * node) };
        kronrod += weight * sum;
        if k % 2 == 1 {
            gauss += GAUSS[k / 2] * sum;
        }
    }
    (gauss * half, kronrod * half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(x: f64, k: i32) -> f64 {
        (0..k).fold(1.0, |product, _| product * x)
    }

    /// Degree of exactness: 13 for Gauss, 22 for Kronrod. A wrong digit anywhere in the tables shows.
    #[test]
    fn the_rules_are_exact_on_polynomials() {
        for k in 0..=22 {
            let (gauss, kronrod) = rules(&|x| power(1.0 + x, k), -1.0, 1.0);
            let exact = power(2.0, k + 1) / f64::from(k + 1);
            assert!((kronrod / exact - 1.0).abs() < 1e-14, "{k}");
            assert_eq!((gauss / exact - 1.0).abs() < 1e-14, k <= 13, "{k}");
        }
    }

    #[test]
    fn peaks_are_resolved() {
        for rate in [1.0, 300.0, 1e6] {
            let found = integrate(&|x| libm::exp(-rate * x), 0.0, 40.0, 1.0 / rate);
            assert!((found * rate / -libm::expm1(-40.0 * rate) - 1.0).abs() < 1e-14, "{rate}");
        }
    }
}
