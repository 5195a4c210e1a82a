//! The equation of a cell, line by line: what moves, the attention, the weights, the scores. docs/models.md has the same, by choice.

use super::Line;
use crate::cell::{Cell, Value};
use crate::combinations::name;

/// A line.
fn line(text: impl Into<String>, latex: impl Into<String>) -> Line {
    Line { text: text.into(), latex: latex.into() }
}

/// The name of a choice that may be a call.
fn choice<'a>(cell: &'a Cell, key: &str) -> &'a str {
    name(&cell.parameters, key)
}

/// Whether a parameter without a default, or with the default "none" or one head, says something.
pub(super) fn is_set(cell: &Cell, key: &str) -> bool {
    match cell.get(key) {
        Value::Null => false,
        Value::Text(text) => !matches!(text.as_str(), "none" | "1"),
        Value::Boolean(truth) => *truth,
        Value::Integer(_) | Value::Number(_) => true,
    }
}

pub(super) fn has_radius(cell: &Cell) -> bool {
    matches!(choice(cell, "layer_norm"), "pre" | "mix" | "peri")
}

/// All lines, and where the papers have them.
pub(super) fn equation(cell: &Cell) -> (Vec<Line>, Vec<String>) {
    let mut sources: Vec<&str> = Vec::new();
    let mut lines = match (choice(cell, "model"), cell.text("geometry")) {
        ("kuramoto", _) => rotors(cell, &mut sources),
        ("mean_shift", _) => mean_shift(cell, &mut sources),
        (_, "equiangular") => equiangular(cell, &mut sources),
        _ => attention(cell, &mut sources),
    };
    if cell.text("noise") == "brownian" {
        sources.push("P2 §7, P0 Problem 9");
        lines.push(line(
            "B_i independent Brownian motions: the generator is drift + (1/κ)Δ",
            r"\mathcal L = \text{drift} + \kappa^{-1}\Delta",
        ));
    }
    (lines, sources.into_iter().map(str::to_owned).collect())
}

/// Attention: what moves, then A, w, s.
fn attention(cell: &Cell, sources: &mut Vec<&str>) -> Vec<Line> {
    let mut lines = vec![motion(cell, sources)];
    lines.extend(speed(cell, sources));
    lines.extend(sum(cell, sources));
    lines.push(weights(cell, sources));
    lines.push(scores(cell));
    lines
}

/// Tokens, or their directions where radii move.
fn token(cell: &Cell) -> (&'static str, &'static str) {
    if has_radius(cell) { ("θ", r"\theta") } else { ("x", "x") }
}

/// What is added: A_i, or the feed-forward layer of it.
fn moved(cell: &Cell) -> (&'static str, &'static str) {
    if is_set(cell, "feed_forward") { ("F(A_i)", "F(A_i)") } else { ("A_i", "A_i") }
}

/// The first line.
fn motion(cell: &Cell, sources: &mut Vec<&str>) -> Line {
    let noisy = cell.text("noise") == "brownian";
    let (a, a_latex) = moved(cell);
    let slow = choice(cell, "layer_norm") != "post";
    let (over, over_latex) = if slow { ("(1/s_i) ", r"\tfrac1{s_i}\,") } else { ("", "") };
    let (x, x_latex) = token(cell);
    let forgets = cell.get("residual") == &Value::Boolean(false);
    let layers = cell.text("integrator") == "discrete";
    if layers {
        sources.push(if forgets { "P2 Thm 7" } else { "P1 (1.3)" });
    }
    match cell.text("geometry") {
        "circle" => {
            sources.push("P0 (6.1)");
            let drift = format!("{over}⟨{a}, (−sin θ_i, cos θ_i)⟩");
            let drift_latex = format!(r"{over_latex}\langle {a_latex}, (-\sin\theta_i, \cos\theta_i)\rangle");
            flow("θ_i", r"\theta_i", &drift, &drift_latex, layers, noisy)
        }
        "euclidean" => {
            sources.push("P0 (8.1), P1 (1.1)");
            if forgets {
                line(format!("x_i ← {a}"), format!(r"x_i \leftarrow {a_latex}"))
            } else {
                flow("x_i", "x_i", a, a_latex, layers, noisy)
            }
        }
        "rescaled" => {
            sources.push(if layers { "P1 Remark 3.3" } else { "P0 (8.3), P1 (3.1)" });
            let rest = "(Σ_j w_ij) z_i";
            if layers {
                return line(
                    format!("z_i ← z_i + Δt R⁻¹V (Σ_j w_ij z_j − {rest}),  R = I + Δt V,  x_i = R^k z_i"),
                    r"z_i \leftarrow z_i + \Delta t\,R^{-1}V\Bigl(\sum_j w_{ij} z_j - \bigl(\sum_j w_{ij}\bigr) z_i\Bigr),\quad R = I + \Delta t V,\quad x_i = R^k z_i",
                );
            }
            line(
                format!("ż_i = V (Σ_j w_ij z_j − {rest}),  x_i = e^{{tV}} z_i"),
                r"\dot z_i = V\Bigl(\sum_j w_{ij} z_j - \bigl(\sum_j w_{ij}\bigr) z_i\Bigr),\quad x_i = e^{tV} z_i",
            )
        }
        _ if layers && forgets => {
            line(format!("{x}_i ← {a}/‖{a}‖"), format!(r"{x_latex}_i \leftarrow {a_latex}/\|{a_latex}\|"))
        }
        _ if layers && noisy => line(
            format!("{x}_i ← y_i/‖y_i‖,  y_i = {x}_i + Δt {over}{a} + √(2Δt/κ) ξ_i"),
            format!(
                r"{x_latex}_i \leftarrow y_i/\|y_i\|,\quad y_i = {x_latex}_i + \Delta t\,{over_latex}{a_latex} + \sqrt{{2\Delta t/\kappa}}\,\xi_i"
            ),
        ),
        _ if layers => line(
            format!("{x}_i ← y_i/‖y_i‖,  y_i = {x}_i + Δt {over}{a}"),
            format!(
                r"{x_latex}_i \leftarrow y_i/\|y_i\|,\quad y_i = {x_latex}_i + \Delta t\,{over_latex}{a_latex}"
            ),
        ),
        _ => {
            sources.push(if slow { "P2 (7)" } else { "P0 §3" });
            let drift = format!("{over}P_{{{x}_i}} {a}");
            let drift_latex = format!(r"{over_latex}P_{{{x_latex}_i}} {a_latex}");
            if noisy {
                return line(
                    format!("d{x}_i = ({drift} − ((d−1)/κ) {x}_i) dt + √(2/κ) P_{{{x}_i}} dB_i"),
                    format!(
                        r"d{x_latex}_i = \bigl({drift_latex} - \tfrac{{d-1}}{{\kappa}} {x_latex}_i\bigr)dt + \sqrt{{2/\kappa}}\,P_{{{x_latex}_i}}\,dB_i"
                    ),
                );
            }
            let dotted = if x == "θ" { "θ̇_i" } else { "ẋ_i" };
            line(
                format!("{dotted} = {drift},   P_x y = y − ⟨x, y⟩ x"),
                format!(r"\dot {x_latex}_i = {drift_latex},\qquad P_x y = y - \langle x, y\rangle x"),
            )
        }
    }
}

/// ẏ = drift, or its layers, or with noise, where nothing has to come back to a sphere.
fn flow(y: &str, y_latex: &str, drift: &str, drift_latex: &str, layers: bool, noisy: bool) -> Line {
    match (layers, noisy) {
        (true, noisy) => {
            let (kick, kick_latex) =
                if noisy { (" + √(2Δt/κ) ξ_i", r" + \sqrt{2\Delta t/\kappa}\,\xi_i") } else { ("", "") };
            line(
                format!("{y} ← {y} + Δt {drift}{kick}"),
                format!(r"{y_latex} \leftarrow {y_latex} + \Delta t\,{drift_latex}{kick_latex}"),
            )
        }
        (false, true) => line(
            format!("d{y} = {drift} dt + √(2/κ) dB_i"),
            format!(r"d{y_latex} = {drift_latex}\,dt + \sqrt{{2/\kappa}}\,dB_i"),
        ),
        (false, false) => {
            let mut letters = y.chars();
            let dotted: String = letters.next().map(|c| format!("{c}\u{307}")).unwrap_or_default();
            line(
                format!("{dotted}{} = {drift}", letters.as_str()),
                format!(r"\dot {y_latex} = {drift_latex}"),
            )
        }
    }
}

/// s_i and ṙ_i.
fn speed(cell: &Cell, sources: &mut Vec<&str>) -> Option<Line> {
    if choice(cell, "layer_norm") != "post" && cell.text("geometry") != "sphere" {
        sources.push("P2 (7)");
    }
    let layer_norm = cell.text("layer_norm");
    let inside = layer_norm.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    Some(match choice(cell, "layer_norm") {
        "pre" => line(
            "x_i = r_i θ_i,  s_i = r_i,  ṙ_i = ⟨θ_i, A_i⟩",
            r"x_i = r_i\theta_i,\quad s_i = r_i,\quad \dot r_i = \langle\theta_i, A_i\rangle",
        ),
        "mix" => line(
            format!(
                "x_i = r_i θ_i,  s_i = 1 and ṙ_i = 0 for t ≤ {inside}, then s_i = r_i and ṙ_i = ⟨θ_i, A_i⟩"
            ),
            format!(
                r"x_i = r_i\theta_i,\quad s_i = 1,\ \dot r_i = 0\ (t\le {inside}),\quad s_i = r_i,\ \dot r_i = \langle\theta_i, A_i\rangle\ (t > {inside})"
            ),
        ),
        "peri" => line(
            "x_i = r_i θ_i,  s_i = r_i ‖A_i‖,  ṙ_i = ⟨θ_i, A_i⟩/‖A_i‖",
            r"x_i = r_i\theta_i,\quad s_i = r_i\|A_i\|,\quad \dot r_i = \langle\theta_i, A_i\rangle/\|A_i\|",
        ),
        "ngpt" => line(
            format!("s_i = ‖A_i‖/α,  α = {inside}"),
            format!(r"s_i = \|A_i\|/\alpha,\quad \alpha = {inside}"),
        ),
        "sqrt" => line("s_i = √(t + 1)", r"s_i = \sqrt{t+1}"),
        _ => return None,
    })
}

/// The attention vector, and the feed-forward layer.
fn sum(cell: &Cell, sources: &mut Vec<&str>) -> Vec<Line> {
    let (x, x_latex) = token(cell);
    let (head, head_latex, over, over_latex) =
        if is_set(cell, "heads") { ("^h", "^h", "Σ_h ", r"\sum_h") } else { ("", "", "", "") };
    let (frozen, frozen_latex) = if is_set(cell, "frozen") {
        (
            format!(" + {over}Σ_m u_im{head} V{head} ϑ_m"),
            format!(r" + {over_latex}\sum_m u_{{im}}{head_latex} V{head_latex}\vartheta_m"),
        )
    } else {
        (String::new(), String::new())
    };
    let mut lines = Vec::new();
    // The rescaled tokens have V in their own line.
    if cell.text("geometry") != "rescaled" {
        lines.push(line(
            format!("A_i = {over}Σ_j w_ij{head} V{head} {x}_j{frozen}"),
            format!(r"A_i = {over_latex}\sum_j w_{{ij}}{head_latex} V{head_latex}{x_latex}_j{frozen_latex}"),
        ));
    }
    if is_set(cell, "heads") {
        sources.push("P0 (2.7), P1 §12");
    }
    if is_set(cell, "feed_forward") {
        sources.push("P0 (2.8)");
        lines.push(line("F(a) = w σ(a + b)", r"F(a) = w\,\sigma(a + b)"));
    }
    lines
}

/// How scores become weights.
fn weights(cell: &Cell, sources: &mut Vec<&str>) -> Line {
    let causal = cell.text("mask") == "causal";
    let excludes = cell.get("exclude_self") == &Value::Boolean(true);
    let (masses, masses_latex) = if is_set(cell, "weights") { ("α_j ", r"\alpha_j ") } else { ("", "") };
    let (masses_k, masses_k_latex) = if is_set(cell, "weights") { ("α_k ", r"\alpha_k ") } else { ("", "") };
    let (seen, seen_latex) = match (causal, excludes) {
        (false, false) => ("", ""),
        (true, false) => ("k≤i", r"k\le i"),
        (false, true) => ("k≠i", r"k\ne i"),
        (true, true) => ("k<i", "k<i"),
    };
    if causal {
        sources.push("P3 (CSA)");
    }
    if is_set(cell, "weights") {
        sources.push("P4 Assumption 5, P2 (6)");
    }
    let (extra, extra_latex) = if is_set(cell, "frozen") {
        sources.push("P3 Thm 5.2");
        (" + Σ_m a_m e^{t_im}", r" + \sum_m a_m e^{t_{im}}")
    } else {
        ("", "")
    };
    let frozen =
        if extra.is_empty() { "" } else { ",  u_im the same of a_m e^{t_im}, t_im the score with ϑ_m" };
    let for_j = if seen.is_empty() { String::new() } else { format!("  ({})", seen.replace('k', "j")) };
    let for_j_latex =
        if seen.is_empty() { String::new() } else { format!(r"\quad ({})", seen_latex.replace('k', "j")) };
    match cell.text("normalization") {
        "unnormalized" => {
            sources.push("P0 (USA)");
            let whole = if !masses.is_empty() || excludes {
                ("(mass of the tokens seen)", r"\text{(mass of the tokens seen)}")
            } else if causal {
                ("i", "i")
            } else {
                ("n", "n")
            };
            line(
                format!("w_ij = {masses}e^{{s_ij}} / {}{for_j}{frozen}", whole.0),
                format!(r"w_{{ij}} = {masses_latex}e^{{s_{{ij}}}} / {}{for_j_latex}", whole.1),
            )
        }
        "hardmax" => {
            sources.push(if excludes { "P2 §5.2" } else { "P0 (8.5), (8.6)" });
            line(
                format!("w_i· uniform over the j with the largest s_ij{for_j}{frozen}"),
                format!(
                    r"w_{{i\cdot}}\ \text{{uniform over}}\ \operatorname{{argmax}}_j s_{{ij}}{for_j_latex}"
                ),
            )
        }
        "sinkhorn" => {
            sources.push("P0 Remark 3.4");
            line(
                format!("w = D e^{{s}} D′, doubly stochastic: the limit of Sinkhorn's iteration{for_j}"),
                format!(r"w = D\,e^{{s}} D',\quad w\mathbf 1 = w^\top\mathbf 1 = \mathbf 1{for_j_latex}"),
            )
        }
        _ => {
            sources.push("P0 (SA)");
            line(
                format!(
                    "w_ij = {masses}e^{{s_ij}} / (Σ_{{{}}} {masses_k}e^{{s_ik}}{extra}){for_j}{frozen}",
                    if seen.is_empty() { "k" } else { seen }
                ),
                format!(
                    r"w_{{ij}} = \frac{{{masses_latex}e^{{s_{{ij}}}}}}{{\sum_{{{}}} {masses_k_latex}e^{{s_{{ik}}}}{extra_latex}}}{for_j_latex}",
                    if seen.is_empty() { "k" } else { seen_latex }
                ),
            )
        }
    }
}

/// s_ij.
fn scores(cell: &Cell) -> Line {
    let (x, x_latex) = token(cell);
    let apart = is_set(cell, "query") || is_set(cell, "key");
    let heads = is_set(cell, "heads");
    let (h, h_latex) = if heads { ("^h", "^h") } else { ("", "") };
    let (beta, beta_latex) =
        if is_set(cell, "gamma") { (",  β = γ log n", r",\quad \beta = \gamma\log n") } else { ("", "") };
    if apart {
        return line(
            format!("s_ij{h} = β ⟨Q{h} {x}_i, K{h} {x}_j⟩{beta}"),
            format!(
                r"s_{{ij}}{h_latex} = \beta\,\langle Q{h_latex}{x_latex}_i, K{h_latex}{x_latex}_j\rangle{beta_latex}"
            ),
        );
    }
    if cell.text("query_key") == "identity" && !heads {
        return line(
            format!("s_ij = β ⟨{x}_i, {x}_j⟩{beta}"),
            format!(r"s_{{ij}} = \beta\,\langle {x_latex}_i, {x_latex}_j\rangle{beta_latex}"),
        );
    }
    line(
        format!("s_ij{h} = β {x}_iᵀ B{h} {x}_j,  B = QᵀK{beta}"),
        format!(
            r"s_{{ij}}{h_latex} = \beta\,{x_latex}_i^\top B{h_latex}\,{x_latex}_j,\quad B = Q^\top K{beta_latex}"
        ),
    )
}

/// Kuramoto's rotors.
fn rotors(cell: &Cell, sources: &mut Vec<&str>) -> Vec<Line> {
    sources.push("P0 (6.2), (6.5)");
    let layers = cell.text("integrator") == "discrete";
    let noisy = cell.text("noise") == "brownian";
    let (omega, omega_latex) =
        if is_set(cell, "frequencies") { ("ω_i + ", r"\omega_i + ") } else { ("", "") };
    let (coupling, coupling_latex) = if is_set(cell, "coupling") { ("K ", "K") } else { ("", "") };
    let drift = format!("{omega}{coupling}Σ_j w_ij sin(θ_j − θ_i)");
    let drift_latex = format!(r"{omega_latex}{coupling_latex}\sum_j w_{{ij}}\sin(\theta_j - \theta_i)");
    let drift = if layers || noisy { format!("({drift})") } else { drift };
    let mut lines = vec![flow("θ_i", r"\theta_i", &drift, &drift_latex, layers, noisy)];
    lines.push(weights(cell, sources));
    lines.push(line("s_ij = β cos(θ_i − θ_j)", r"s_{ij} = \beta\cos(\theta_i - \theta_j)"));
    lines
}

/// Mean shift, fixed or blurring.
fn mean_shift(cell: &Cell, sources: &mut Vec<&str>) -> Vec<Line> {
    sources.push("P2 §5.3");
    let blurring = cell.text("model").contains("blurring");
    let (of, of_latex) = if blurring { ("x_j", "x_j") } else { ("x_j(0)", "x_j(0)") };
    let (noise, noise_latex) = if cell.text("noise") == "brownian" {
        (" (drift of the noisy equation)", r"\ \text{(drift of the noisy equation)}")
    } else {
        ("", "")
    };
    vec![
        line(
            format!("ẋ_i = ∇ log Σ_j e^{{β⟨x_i, y_j⟩}} = β P_{{x_i}} Σ_j w_ij y_j,   y_j = {of}{noise}"),
            format!(
                r"\dot x_i = \nabla\log\sum_j e^{{\beta\langle x_i, y_j\rangle}} = \beta\,P_{{x_i}}\sum_j w_{{ij}} y_j,\quad y_j = {of_latex}{noise_latex}"
            ),
        ),
        line(
            "w_ij = e^{β⟨x_i, y_j⟩} / Σ_k e^{β⟨x_i, y_k⟩}",
            r"w_{ij} = e^{\beta\langle x_i, y_j\rangle}\Big/\sum_k e^{\beta\langle x_i, y_k\rangle}",
        ),
    ]
}

/// The scalar equation.
fn equiangular(cell: &Cell, sources: &mut Vec<&str>) -> Vec<Line> {
    sources.push("P0 (4.8), (4.9), P2 §6.1");
    let slow = choice(cell, "layer_norm") != "post";
    let (over, over_latex) = if slow { ("(1/s) ", r"\tfrac1s\,") } else { ("", "") };
    let unnormalized = cell.text("normalization") == "unnormalized";
    let (z, z_latex) = if unnormalized {
        ("n", "n")
    } else {
        ("e^β + (n−1) e^{βρ}", r"e^{\beta} + (n-1)e^{\beta\rho}")
    };
    let drift = format!("{over}2 e^{{βρ}} (1−ρ) ((n−1)ρ + 1) / Z");
    let drift_latex = format!(r"{over_latex}2e^{{\beta\rho}}(1-\rho)((n-1)\rho+1)/Z");
    let layers = cell.text("integrator") == "discrete";
    let mut lines = vec![flow("ρ", r"\rho", &drift, &drift_latex, layers, false)];
    lines.push(line(
        format!("Z = {z},   ⟨x_i, x_j⟩ = ρ for i ≠ j"),
        format!(r"Z = {z_latex},\qquad \langle x_i, x_j\rangle = \rho\ (i\ne j)"),
    ));
    lines.extend(speed(cell, sources));
    lines
}
