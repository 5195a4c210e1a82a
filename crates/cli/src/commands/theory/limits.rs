//! Tables of formulas about many tokens or large β: the heat equation, noisy rotors, the leading eigenspace.

use metasweep_metastability::theory::heat::{Bump, Direction, density, evolved, heat_variance, variance};
use metasweep_metastability::theory::{linear_flow, rotors};

use super::{arguments, each};
use crate::failure::Failure;
use crate::table::{Entry, Table};

pub(super) fn heat_table(options: &arguments::Heat) -> Result<Table, Failure> {
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

pub(super) fn kuramoto_table(options: &arguments::Kuramoto) -> Table {
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

pub(super) fn leading_table(options: &arguments::LeadingSpace) -> Result<Table, Failure> {
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
