//! Orders of convergence, measured: the shift between steps η, η/2, η/4 shrinks by 2^order.

use super::support::{MASKS, NORMALIZATIONS, Random, ensemble, model, scalar};
use crate::ensemble::Start;
use crate::model::{Integrator, Model};
use crate::simd::Isa;

/// The tokens at time 1 with 2^level steps.
fn at_one(model: &Model, tokens: &[f64], steps: u32) -> Vec<f64> {
    let start = Start::new(1.5, 1.0 / f64::from(steps), tokens.to_vec(), scalar(0.8, 1.2));
    let mut ensemble = ensemble(model, &[start], Isa::widest());
    for _ in 0..steps {
        ensemble.step();
    }
    ensemble.lane_tokens(0)
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}

/// log2 of the ratio of successive shifts at the finest level that is still far above rounding.
fn order(integrator: Integrator, first: u32) -> Vec<f64> {
    let mut orders = Vec::new();
    for normalization in NORMALIZATIONS {
        for mask in MASKS {
            let model = model(6, 3, normalization, mask, integrator);
            let tokens = Random(11).sphere(6, 3);
            let states: Vec<_> = (0..3).map(|level| at_one(&model, &tokens, first << level)).collect();
            let shifts: Vec<_> = states.windows(2).map(|pair| distance(&pair[0], &pair[1])).collect();
            assert!(shifts[1] > 1e-12, "above rounding: {shifts:?}");
            orders.push(libm::log2(shifts[0] / shifts[1]));
        }
    }
    orders
}

/// Successive shifts of a method of order p have the ratio 2^p (1 + O(η)); at these steps O(η) is below 5%.
#[test]
fn projected_euler_has_order_one() {
    for order in order(Integrator::ProjectedEuler, 256) {
        assert!((order - 1.0).abs() < 0.1, "{order}");
    }
}

#[test]
fn rk4_has_order_four() {
    for order in order(Integrator::Rk4, 64) {
        assert!((order - 4.0).abs() < 0.2, "{order}");
    }
}
