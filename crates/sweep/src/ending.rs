//! About how much of its steps a replica takes, where it ends once all that is asked for is certain.

use metasweep_dynamics::model::Normalization;
use metasweep_metastability::determined;
use metasweep_metastability::theory::equiangular::Equiangular;

use crate::cell::Cell;
use crate::start::{model, watch};
use crate::sweep::Observe;

/// Of so many dimensions half of what ends early when tokens are orthogonal, does: random ones in fewer stay apart longer. Measured
/// at n = 32 (d = 2, 8, 32, 128), δ = 1e-6.
const HALF: f64 = 10.0;

/// The share of its steps that a replica of this cell takes, about. In many dimensions tokens start nearly orthogonal, and come together
/// when P0 (4.9) says.
pub(crate) fn share_of_steps(cell: &Cell, observe: &Observe) -> f64 {
    if observe.final_state {
        return 1.0;
    }
    let model = model(cell);
    let plain = model.can_stay_together()
        && model.normalization != Normalization::Hardmax
        && ["value", "query_key"].iter().all(|key| cell.text(key) == "identity")
        && cell.heads() == 1
        && cell.get("frozen").text().is_none()
        && cell.get("kappa").number().is_none()
        && model.n > 1;
    let Some(level) = determined::finest(&watch(cell, observe), model.n).filter(|_| plain) else {
        return 1.0;
    };
    let time = Equiangular::new(model.n, cell.beta(), model.normalization).time(1.0, 1.0 - level);
    let together = f64::min(1.0, time / cell.horizon());
    let d = cell.d() as f64;
    1.0 - (1.0 - together) * d / (d + HALF)
}
