//! Tables of formulas about clusters: how they merge pair by pair, and how many there are.

use metasweep_metastability::theory::cascade::{Clusters, Law, cascade};
use metasweep_metastability::theory::{modes, renyi};

use super::{arguments, each};
use crate::failure::Failure;
use crate::table::Table;

pub(super) fn cascade_table(options: &arguments::Cascade) -> Result<Table, Failure> {
    let masses = each(options.masses.as_deref(), options.angles.len(), "masses")?;
    let law = if options.large_beta { Law::LargeBeta } else { Law::Exact { delta: options.delta } };
    let clusters = Clusters::on_circle(&options.angles, &masses);
    let mut table = Table::new(&[
        "merge",
        "left",
        "right",
        "cosine",
        "ln_duration",
        "ln_t",
        "t",
        "angle",
        "mass",
        "clusters",
    ]);
    let merges = cascade(&clusters, options.beta, options.normalization.normalization(), law);
    for (index, merge) in merges.iter().enumerate() {
        table.push([
            (index + 1).into(),
            merge.pair.0.into(),
            merge.pair.1.into(),
            (1.0 - merge.gap).into(),
            merge.ln_duration.into(),
            merge.ln_time.into(),
            libm::exp(merge.ln_time).into(),
            libm::atan2(merge.position[1], merge.position[0]).into(),
            merge.mass.into(),
            merge.clusters.into(),
        ]);
    }
    Ok(table)
}

pub(super) fn renyi_table(options: &arguments::Renyi) -> Table {
    let mut table =
        Table::new(&["n", "d", "delta", "cap", "strong", "strong_limit", "centres", "centres_limit"]);
    let separation = |beta: &f64| (4.0 / beta.sqrt()).min(std::f64::consts::PI);
    let of_beta = || options.beta.iter().flatten().map(separation).collect();
    let deltas: Vec<f64> = options.delta.clone().unwrap_or_else(of_beta);
    for &n in &options.n {
        for &d in &options.d {
            for &delta in &deltas {
                let cap = renyi::cap(d, delta);
                // Beyond the circle the number of centres is not known.
                let circle = |value: f64| if d == 2 { value } else { f64::NAN };
                table.push([
                    n.into(),
                    d.into(),
                    delta.into(),
                    cap.into(),
                    renyi::strong_centres(n, d, delta).into(),
                    (1.0 / cap).into(),
                    circle(renyi::circle_centres(n, delta)).into(),
                    circle(renyi::PARKING * std::f64::consts::TAU / delta).into(),
                ]);
            }
        }
    }
    table
}

pub(super) fn modes_table(options: &arguments::Modes) -> Table {
    let mut table = Table::new(&["beta", "d", "scaling", "modes"]);
    for &beta in &options.beta {
        for &d in &options.d {
            let modes = if d == 2 { modes::modes_on_circle(beta) } else { f64::NAN };
            table.push([beta.into(), d.into(), modes::scaling(d, beta).into(), modes.into()]);
        }
    }
    table
}
