//! `metasweep theory`: the papers' formulas as tables (docs/theory.md). The formulas are `metasweep_metastability::theory`'s.

pub mod arguments;

use std::process::ExitCode;

use metasweep_metastability::theory::cascade::{Clusters, Law, cascade};
use metasweep_metastability::theory::heat::{Bump, Direction, density, evolved, heat_variance, variance};
use metasweep_metastability::theory::layer_norm::{Layers, State};
use metasweep_metastability::theory::{
    equiangular, gamma, linear_flow, modes, one_layer, renyi, rotors, wendel,
};

use metasweep_sweep::choices::layer_norm_text;

use self::arguments::{Formula, Theory};
use crate::failure::Failure;
use crate::output::print;
use crate::table::{Entry, Style, Table};

/// Prints the table of a formula, or the list of formulas.
pub fn run(options: &Theory) -> Result<ExitCode, Failure> {
    let style = match (options.csv, options.json) {
        (true, _) => Style::Csv,
        (false, true) => Style::Json,
        (false, false) => Style::Aligned,
    };
    let table = match &options.formula {
        None => list(),
        Some(formula) => table(formula)?,
    };
    print(&table.show(style))?;
    Ok(ExitCode::SUCCESS)
}

/// Name, what it is, an example.
const FORMULAS: [(&str, &str, &str, &str); 12] = [
    (
        "gamma",
        "P0 Thm 4.6, (4.8), (4.9)",
        "cosine of tokens that start orthogonal",
        "--n 32 --beta 1,4,9 --t 0,5,10",
    ),
    ("boundary", "P0 (4.11)", "the curve Γ_{∞,δ}: when that cosine is 1 − δ", "--n 32 --beta 1,4,9"),
    ("wendel", "P0 Thm 4.5", "how often uniform points lie in one hemisphere", "--n 32 --d 2,8,16,32"),
    (
        "equiangular",
        "P2 §6.1, §6.2",
        "cosine and radius under a layer norm",
        "--n 32 --beta 2 --layer-norm peri --t 0,1,10",
    ),
    ("pair-collapse", "P0 (SA), (USA), n = 2", "when two tokens meet", "--beta 1,4,9,20,50"),
    (
        "cascade",
        "P2 Thm 6, P4 Prop. 3.11",
        "clusters that merge pair by pair",
        "--angles 0,1,2.5 --masses 0.3,0.2,0.5 --beta 20",
    ),
    ("renyi", "P3 §5.1, C.4", "numbers of Rényi centres", "--n 200 --beta 64"),
    (
        "heat",
        "P4 Prop. 3.9, (7)",
        "Gaussians on the circle that spread or sharpen",
        "--centres 0,pi/2 --deviations 0.5 --beta 50 --t 0,2,4",
    ),
    ("kuramoto", "P2 §7", "order of noisy rotors at equilibrium", "--kappa 1,2,3,10"),
    ("one-layer", "P2 Thm 7", "cosine after one layer at β = γ log n", "--n 1000000 --gamma 1,2,3 --rho 0.5"),
    ("modes", "P2 §5.3, P3 §5", "modes of the density of uniform tokens", "--beta 1,9,64"),
    ("leading-space", "P4 Thm 3.2, Prop. 3.4", "E_max, where tokens end at β → ∞", "--value 2,1;0,1"),
];

fn list() -> Table {
    let mut table = Table::new(&["formula", "source", "what", "example"]);
    for (name, source, what, example) in FORMULAS {
        let quoted =
            if example.contains(';') { example.replace("2,1;0,1", "'2,1;0,1'") } else { example.to_owned() };
        let example = format!("metasweep theory {name} {quoted}");
        table.push([name.into(), source.into(), what.into(), example.into()]);
    }
    table
}

fn table(formula: &Formula) -> Result<Table, Failure> {
    match formula {
        Formula::Gamma(options) => Ok(gamma_table(options)),
        Formula::Boundary(options) => Ok(boundary_table(options)),
        Formula::Wendel(options) => Ok(wendel_table(options)),
        Formula::Equiangular(options) => equiangular_table(options),
        Formula::PairCollapse(options) => Ok(pair_table(options)),
        Formula::Cascade(options) => cascade_table(options),
        Formula::Renyi(options) => Ok(renyi_table(options)),
        Formula::Heat(options) => heat_table(options),
        Formula::Kuramoto(options) => Ok(kuramoto_table(options)),
        Formula::OneLayer(options) => Ok(one_layer_table(options)),
        Formula::Modes(options) => Ok(modes_table(options)),
        Formula::LeadingSpace(options) => leading_table(options),
    }
}

fn gamma_table(options: &arguments::Gamma) -> Table {
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

fn boundary_table(options: &arguments::Boundary) -> Table {
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

fn wendel_table(options: &arguments::Wendel) -> Table {
    let mut table = Table::new(&["n", "d", "probability"]);
    for &n in &options.n {
        for &d in &options.d {
            table.push([n.into(), d.into(), wendel::hemisphere_probability(n, d).into()]);
        }
    }
    table
}

fn equiangular_table(options: &arguments::Equiangular) -> Result<Table, Failure> {
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

fn pair_table(options: &arguments::PairCollapse) -> Table {
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

/// One each, one for all, or equal shares.
fn each(values: Option<&[f64]>, count: usize, what: &str) -> Result<Vec<f64>, Failure> {
    match values {
        None => Ok(vec![1.0 / count as f64; count]),
        Some([one]) if count > 1 => Ok(vec![*one; count]),
        Some(values) if values.len() == count => Ok(values.to_vec()),
        Some(values) => Err(Failure::usage(format!(
            "--{what} has {} numbers for {count} positions: give one each",
            values.len()
        ))),
    }
}

fn cascade_table(options: &arguments::Cascade) -> Result<Table, Failure> {
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

fn renyi_table(options: &arguments::Renyi) -> Table {
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

fn heat_table(options: &arguments::Heat) -> Result<Table, Failure> {
    let count = options.centres.len();
    let weights = each(options.weights.as_deref(), count, "weights")?;
    let deviations = each(Some(&options.deviations), count, "deviations")?;
    let direction = if options.repulsive { Direction::Forward } else { Direction::Backward };
    let mixture: Vec<Bump> = options
        .centres
        .iter()
        .zip(weights)
        .zip(deviations)
        .map(|((&centre, weight), deviation)| Bump { weight, centre, variance: deviation * deviation })
        .collect();
    let Some(angles) = &options.at else { return Ok(variances(options, &mixture, direction)) };
    let mut table = Table::new(&["t", "angle", "density_heat", "density"]);
    for &t in &options.t {
        let heat = evolved(&mixture, options.beta, t, direction, heat_variance);
        let finite = evolved(&mixture, options.beta, t, direction, variance);
        for &angle in angles {
            table.push([
                t.into(),
                angle.into(),
                density(&heat, angle).into(),
                density(&finite, angle).into(),
            ]);
        }
    }
    Ok(table)
}

fn variances(options: &arguments::Heat, mixture: &[Bump], direction: Direction) -> Table {
    let mut table = Table::new(&["t", "centre", "weight", "variance_heat", "variance", "beta_variance"]);
    for &t in &options.t {
        for bump in mixture {
            let finite = variance(bump.variance, options.beta, t, direction);
            table.push([
                t.into(),
                bump.centre.into(),
                bump.weight.into(),
                heat_variance(bump.variance, options.beta, t, direction).into(),
                finite.into(),
                (options.beta * finite).into(),
            ]);
        }
    }
    table
}

fn kuramoto_table(options: &arguments::Kuramoto) -> Table {
    let mut table = Table::new(&["d", "beta", "kappa", "order", "uniform_stable_to", "uniform"]);
    for &d in &options.d {
        for &beta in &options.beta {
            for &kappa in &options.kappa {
                let order = if beta == 0.0 { rotors::order_parameter(d, kappa) } else { f64::NAN };
                let stable_to = rotors::uniform_stable_to(d, beta);
                let uniform = if kappa <= stable_to { "stable" } else { "unstable" };
                let row: [Entry; 6] =
                    [d.into(), beta.into(), kappa.into(), order.into(), stable_to.into(), uniform.into()];
                table.push(row);
            }
        }
    }
    table
}

fn one_layer_table(options: &arguments::OneLayer) -> Table {
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

fn modes_table(options: &arguments::Modes) -> Table {
    let mut table = Table::new(&["beta", "d", "scaling", "modes"]);
    for &beta in &options.beta {
        for &d in &options.d {
            let modes = if d == 2 { modes::modes_on_circle(beta) } else { f64::NAN };
            table.push([beta.into(), d.into(), modes::scaling(d, beta).into(), modes.into()]);
        }
    }
    table
}

fn leading_table(options: &arguments::LeadingSpace) -> Result<Table, Failure> {
    let d = options.value.d;
    let identity = || (0..d * d).map(|k| f64::from(u8::from(k % (d + 1) == 0))).collect();
    let query_key = match &options.query_key {
        None => identity(),
        Some(matrix) if matrix.d == d => matrix.entries.clone(),
        Some(matrix) => {
            return Err(Failure::usage(format!(
                "--query-key has {} rows and --value {d}: both are d × d",
                matrix.d
            )));
        }
    };
    let space = linear_flow::leading_space(&options.value.entries, &query_key, 1e-6)
        .ok_or_else(|| Failure::failed("the eigenvalues of V·Bᵀ do not converge"))?;
    let mut table = Table::new(&["vector", "real", "imaginary", "next_real", "motion", "direction"]);
    let motion = if space.turns() { "turns" } else { "rests" };
    for (index, (direction, (real, imaginary))) in space.basis.iter().zip(&space.eigenvalues).enumerate() {
        let coordinates: Vec<String> = direction.iter().map(|x| format!("{x:.6}")).collect();
        table.push([
            (index + 1).into(),
            (*real).into(),
            (*imaginary).into(),
            space.next.unwrap_or(f64::NAN).into(),
            motion.into(),
            format!("({})", coordinates.join(", ")).into(),
        ]);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn shown(line: &str) -> String {
        let words = std::iter::once("metasweep").chain(["theory"]).chain(line.split_whitespace());
        match Arguments::try_parse_from(words).map(|arguments| arguments.command) {
            Ok(Command::Theory(options)) => {
                match options.formula.as_ref().map_or_else(|| Ok(list()), table) {
                    Ok(table) => table.show(Style::Aligned),
                    Err(failure) => format!("{failure:?}"),
                }
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => error.to_string(),
        }
    }

    /// Every example of the list gives a table.
    #[test]
    fn the_examples() {
        let tables: Vec<String> = FORMULAS
            .iter()
            .map(|(name, _, _, example)| {
                format!("$ metasweep theory {name} {example}\n{}\n", shown(&format!("{name} {example}")))
            })
            .collect();
        insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!(tables.join("\n")) });
    }

    #[test]
    fn mistakes() {
        let messages: Vec<String> = [
            "gamma --n 1 --beta 1 --t 0",
            "gamma --n 32 --beta -1 --t 0",
            "gamma --n 32 --beta x --t 0",
            "gamma --n 32 --t 0",
            "gama",
            "equiangular --n 32 --beta 2 --t 1 --layer-norm perri",
            "equiangular --n 32 --beta 2 --t 1 --rho -0.5",
            "cascade --angles 0,1 --masses 1,2,3 --beta 5",
            "renyi --n 200",
            "renyi --n 200 --delta 4",
            "leading-space --value 1,2;3",
            "leading-space --value 1,2;3,4 --query-key 1",
            "wendel --n 1000000 --d 3",
        ]
        .iter()
        .map(|line| format!("$ metasweep theory {line}\n{}\n", shown(line)))
        .collect();
        insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!(messages.join("\n")) });
    }
}
