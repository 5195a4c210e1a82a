//! Tables of formulas about equal cosines and starts in general position: γ_β, Γ_{∞,δ}, Wendel, layer norms, pairs, one layer.

use metasweep_metastability::theory::layer_norm::{Layers, State};
use metasweep_metastability::theory::{equiangular, gamma, one_layer, wendel};
use metasweep_sweep::choices::layer_norm_text;

use super::arguments;
use crate::failure::Failure;
use crate::table::Table;

pub(super) fn gamma_table(options: &arguments::Gamma) -> Table {
    let mut table = Table::new(&["n", "beta", "normalization", "t", "gamma", "gap"]);
    for &n in &options.n {
        for &beta in &options.beta {
            for &weights in &options.weights.normalization {
                for &t in &options.t {
                    let gap = gamma::gap(n, beta, weights.normalization(), t);
                    let name = weights.name();
                    table.push([
                        n.into(),
                        beta.into(),
                        name.into(),
                        t.into(),
                        (1.0 - gap).into(),
                        gap.into(),
                    ]);
                }
            }
        }
    }
    table
}

pub(super) fn boundary_table(options: &arguments::Boundary) -> Table {
    let mut table = Table::new(&["n", "beta", "normalization", "delta", "t", "ln_t"]);
    for &n in &options.n {
        for &beta in &options.beta {
            for &weights in &options.weights.normalization {
                for &delta in &options.delta {
                    let equation = equiangular::Equiangular::new(n, beta, weights.normalization());
                    let (t, ln_t) = (equation.time(1.0, delta), equation.ln_time(1.0, delta));
                    let name = weights.name();
                    table.push([n.into(), beta.into(), name.into(), delta.into(), t.into(), ln_t.into()]);
                }
            }
        }
    }
    table
}

pub(super) fn wendel_table(options: &arguments::Wendel) -> Table {
    let mut table = Table::new(&["n", "d", "probability"]);
    for &n in &options.n {
        for &d in &options.d {
            table.push([n.into(), d.into(), wendel::hemisphere_probability(n, d).into()]);
        }
    }
    table
}

pub(super) fn equiangular_table(options: &arguments::Equiangular) -> Result<Table, Failure> {
    let mut table =
        Table::new(&["n", "beta", "normalization", "layer_norm", "t", "rho", "gap", "radius", "slope"]);
    let start = State { gap: 1.0 - options.rho, radius: options.radius };
    for &n in &options.n {
        if start.gap * (n as f64 - 1.0) >= n as f64 {
            let least = -1.0 / (n as f64 - 1.0);
            return Err(Failure::usage(format!(
                "--rho {} is impossible with {n} tokens: equal cosines of {n} unit vectors are at least {least}, and there they rest",
                options.rho
            )));
        }
        for &beta in &options.beta {
            for &weights in &options.weights.normalization {
                for &layer_norm in &options.layer_norm {
                    let layers = Layers::new(n, beta, weights.normalization(), layer_norm);
                    for &t in &options.t {
                        let state = layers.at(start, t);
                        table.push([
                            n.into(),
                            beta.into(),
                            weights.name().into(),
                            layer_norm_text(layer_norm).into(),
                            t.into(),
                            (1.0 - state.gap).into(),
                            state.gap.into(),
                            state.radius.into(),
                            layers.rate(t, state).0.into(),
                        ]);
                    }
                }
            }
        }
    }
    Ok(table)
}

pub(super) fn pair_table(options: &arguments::PairCollapse) -> Table {
    let mut table = Table::new(&["beta", "normalization", "start", "delta", "t", "ln_t"]);
    for &beta in &options.beta {
        for &weights in &options.weights.normalization {
            for &start in &options.start {
                for &delta in &options.delta {
                    let pair = equiangular::Equiangular::new(2, beta, weights.normalization());
                    // Tokens that are together from the start meet at once.
                    let met = 1.0 - start <= delta;
                    let t = if met { 0.0 } else { pair.time(1.0 - start, delta) };
                    let ln_t = if met { f64::NEG_INFINITY } else { pair.ln_time(1.0 - start, delta) };
                    let name = weights.name();
                    table.push([beta.into(), name.into(), start.into(), delta.into(), t.into(), ln_t.into()]);
                }
            }
        }
    }
    table
}

pub(super) fn one_layer_table(options: &arguments::OneLayer) -> Table {
    let mut table = Table::new(&["n", "gamma", "beta", "rho", "cosine", "gap", "limit"]);
    for &n in &options.n {
        for &gamma in &options.gamma {
            for &rho in &options.rho {
                let gap = one_layer::gap(n, gamma, rho);
                table.push([
                    n.into(),
                    gamma.into(),
                    (gamma * libm::log(n as f64)).into(),
                    rho.into(),
                    (1.0 - gap).into(),
                    gap.into(),
                    one_layer::limit(gamma, rho).into(),
                ]);
            }
        }
    }
    table
}
