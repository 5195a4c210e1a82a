//! `metasweep theory`: the papers' formulas as tables (docs/theory.md). The formulas are `metasweep_metastability::theory`'s.

pub mod arguments;
mod clusters;
mod equal_cosines;
mod limits;

use std::process::ExitCode;

use self::arguments::{Formula, Theory};
use self::clusters::{cascade_table, modes_table, renyi_table};
use self::equal_cosines::{
    boundary_table, equiangular_table, gamma_table, one_layer_table, pair_table, wendel_table,
};
use self::limits::{heat_table, kuramoto_table, leading_table};
use crate::failure::Failure;
use crate::output::print;
use crate::table::{Style, Table};

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
