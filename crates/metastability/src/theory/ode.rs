//! Smooth ordinary differential equations to nearly full precision: Dormand and Prince's pair of orders 5 and 4, its step under
//! control. Called by the theory's files only: what a replica computes is stepped by `metasweep_dynamics::integrators`.

/// Local error of a step, relative to max(1, |y|): the equations here are written in logarithms, so that it is relative in
/// what they are logarithms of.
const TOLERANCE: f64 = 1e-13;
/// Steps of one call, at most: a few thousand are usual.
const MOST_STEPS: usize = 2_000_000;

const NODES: [f64; 7] = [0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0];
/// The last row is the solution of order 5, whose slope is the first of the next step.
const STAGES: [[f64; 6]; 7] = [
    [0.0; 6],
    [0.2, 0.0, 0.0, 0.0, 0.0, 0.0],
    [3.0 / 40.0, 9.0 / 40.0, 0.0, 0.0, 0.0, 0.0],
    [44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0, 0.0, 0.0, 0.0],
    [19_372.0 / 6561.0, -25_360.0 / 2187.0, 64_448.0 / 6561.0, -212.0 / 729.0, 0.0, 0.0],
    [9017.0 / 3168.0, -355.0 / 33.0, 46_732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18_656.0, 0.0],
    [35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// Order 5 minus order 4.
const ERROR: [f64; 7] =
    [71.0 / 57_600.0, 0.0, -71.0 / 16_695.0, 71.0 / 1920.0, -17_253.0 / 339_200.0, 22.0 / 525.0, -1.0 / 40.0];

/// y at `to` from y at `from` ≤ `to`, for ẏ = f(t, y); NaN if f is not smooth enough for two million steps.
pub(super) fn solve(f: &impl Fn(f64, &[f64]) -> Vec<f64>, from: f64, to: f64, start: &[f64]) -> Vec<f64> {
    let (mut t, mut y) = (from, start.to_vec());
    let mut slope = f(t, &y);
    let speed = slope.iter().fold(0.0_f64, |most, slope| most.max(slope.abs()));
    let mut h = f64::min(to - from, 1e-3 / speed.max(1e-3 / (to - from).max(f64::MIN_POSITIVE)));
    for _ in 0..MOST_STEPS {
        if t >= to {
            return y;
        }
        let last = t + h >= to;
        h = if last { to - t } else { h };
        let (next, next_slope, error) = step(f, t, &y, &slope, h);
        if error <= 1.0 {
            t = if last { to } else { t + h };
            (y, slope) = (next, next_slope);
        }
        // A step that met no number is far too long.
        let factor = if error.is_finite() { 0.9 * libm::pow(error.max(1e-12), -0.2) } else { 0.1 };
        h *= factor.clamp(0.1, 5.0);
    }
    vec![f64::NAN; y.len()]
}

/// The next state, its slope, and the error in units of the tolerance.
fn step(
    f: &impl Fn(f64, &[f64]) -> Vec<f64>,
    t: f64,
    y: &[f64],
    slope: &[f64],
    h: f64,
) -> (Vec<f64>, Vec<f64>, f64) {
    let mut slopes: Vec<Vec<f64>> = vec![slope.to_vec()];
    let mut state = y.to_vec();
    for (node, row) in NODES.iter().zip(STAGES).skip(1) {
        for (k, place) in state.iter_mut().enumerate() {
            let sum: f64 = slopes.iter().zip(row).map(|(slope, weight)| weight * slope[k]).sum();
            *place = y[k] + h * sum;
        }
        slopes.push(f(t + node * h, &state));
    }
    let mut error = 0.0_f64;
    for (k, place) in state.iter().enumerate() {
        let sum: f64 = slopes.iter().zip(ERROR).map(|(slope, weight)| weight * slope[k]).sum();
        let scaled = (h * sum).abs() / (TOLERANCE * place.abs().max(1.0));
        error = if scaled.is_nan() { f64::INFINITY } else { error.max(scaled) };
    }
    (state, slopes.pop().unwrap_or_default(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wrong digit in the tables lowers the order and shows in the number of steps, or here.
    #[test]
    fn a_rotation_and_a_decay() {
        let end = solve(&|_, y| vec![-y[1], y[0], -3.0 * y[2]], 0.0, 10.0, &[1.0, 0.0, 1.0]);
        assert!((end[0] - libm::cos(10.0)).abs() < 1e-11, "{end:?}");
        assert!((end[1] - libm::sin(10.0)).abs() < 1e-11, "{end:?}");
        assert!((end[2] - libm::exp(-30.0)).abs() < 1e-11, "{end:?}");
    }

    /// The order, from one step of length h and of h/2: 2⁶ = 64 times the local error.
    #[test]
    fn the_order_is_five() {
        let f = |_: f64, y: &[f64]| vec![y[0]];
        let error = |h: f64| (step(&f, 0.0, &[1.0], &[1.0], h).0[0] - libm::exp(h)).abs();
        let ratio = error(0.1) / error(0.05);
        assert!((60.0..68.0).contains(&ratio), "{ratio}");
        // The estimate is that of order 4: 2⁵.
        let estimate = |h: f64| step(&f, 0.0, &[1.0], &[1.0], h).2;
        let ratio = estimate(0.1) / estimate(0.05);
        assert!((29.0..35.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn time_counts() {
        let end = solve(&|t, _| vec![2.0 * t], 1.0, 3.0, &[0.0]);
        assert!((end[0] - 8.0).abs() < 1e-12);
        assert_eq!(solve(&|_, _| vec![1.0], 2.0, 2.0, &[7.0]), [7.0]);
    }
}
