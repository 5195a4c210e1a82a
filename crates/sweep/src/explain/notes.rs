//! Sentences about a cell: the time unit, the scheme, each choice, what is watched. One function a section, one arm a choice.

use super::equation::{has_radius, is_set};
use crate::cell::{Cell, Value};
use crate::combinations::name;
use crate::diagnostic::shown;
use crate::series;
use crate::sweep::Observe;

/// What a unit of time is.
pub(super) fn time(cell: &Cell) -> String {
    let unit = match (cell.text("integrator"), name(&cell.parameters, "model")) {
        ("discrete", _) => format!("A layer takes Δt = {}: t counts layers times Δt.", shown(cell.step)),
        (_, "kuramoto") => "t is that of the equation: rotors of coupling K meet at the rate K.".to_owned(),
        (_, "mean_shift") => "t is that of the equation: β times faster than SA's.".to_owned(),
        _ => "t is the papers' continuous depth; a layer of a Transformer is a step of it.".to_owned(),
    };
    let relaxation = match (
        cell.text("geometry"),
        cell.text("normalization"),
        name(&cell.parameters, "layer_norm"),
    ) {
        ("euclidean" | "rescaled", ..) => " Tokens move at the rates of the eigenvalues of V.",
        (_, _, "pre" | "peri" | "mix") => {
            " In the end 1 − cosine falls like t^{−2}: radii grow and slow the directions (P2 §6.2)."
        }
        (_, _, "ngpt") => " In the end 1 − cosine falls like e^{−2αt} (P2 §6.2).",
        (_, _, "sqrt") => " In the end 1 − cosine falls like e^{−4√(t+1)} (P2 §6.2).",
        (_, "unnormalized", _) => {
            " Close tokens approach each other like e^{−2e^β t}: USA is e^β times faster than SA."
        }
        _ => {
            " Close tokens approach each other like e^{−2t}; clusters a cosine g apart need times of order e^{β(1−g)}."
        }
    };
    let attractive = matches!(cell.text("value"), "identity" | "query_key")
        && name(&cell.parameters, "model") == "attention";
    let noise = match cell.get("kappa").number() {
        Some(_) => " Noise alone forgets the start like e^{−(d−1)t/κ}.",
        None => "",
    };
    format!("{unit}{}{noise}", if attractive { relaxation } else { "" })
}

/// How time is stepped.
pub(super) fn scheme(cell: &Cell) -> String {
    let rule = if cell.step_rule.parse::<f64>().is_ok() {
        format!("η = {}", shown(cell.step))
    } else {
        format!(
            "η = {} from {} (the authors' step: under `unnormalized` it is divided by max(√β e^{{β−1/2}}, 1))",
            shown(cell.step),
            cell.step_rule
        )
    };
    let text = match cell.text("integrator") {
        "projected_euler" => format!(
            "`projected_euler`, {rule}: x ← normalize(x + η A/s), the authors' scheme; no tangent projection, self term kept; order 1."
        ),
        "rk4" => {
            let kept = if leaves_self_out(cell) {
                " The self term, which P_x removes, is left out of the numerator."
            } else {
                ""
            };
            format!(
                "`rk4`, {rule}: classical Runge–Kutta, unit vectors renormalized after the step; order 4.{kept}"
            )
        }
        "discrete" if cell.get("residual") == &Value::Boolean(false) => {
            "`discrete`: layers without residual; the equation above is what is computed.".to_owned()
        }
        "discrete" => {
            format!("`discrete`, Δt = {}: layers; the equation above is what is computed.", shown(cell.step))
        }
        "adaptive" => format!("`adaptive`, {}", adaptive(cell)),
        "multiscale" => format!(
            "`multiscale`, {} Tokens whose cosine is 1 in f64 become one weighted token, and drifts of any smallness are sums of \
             differences x_j − x_i, accurate to rounding.",
            adaptive(cell)
        ),
        other => format!("`{other}`, {rule}."),
    };
    if cell.is_adaptive() {
        return format!("{text} The row at time t is the state at t, interpolated within a step.");
    }
    format!("{text} The row at time t is the state after ⌊t/η + 1e-9⌋ steps.")
}

/// What adaptive steps are.
fn adaptive(cell: &Cell) -> String {
    format!(
        "tolerance {}: Dormand and Prince's order 8(5,3); each step's local error, the geodesic distance by which any token is off, times max(1, β), is \
         below the tolerance (in R^d relative to the token's length, without β).",
        shown(cell.number("tolerance"))
    )
}

/// How sums over pairs are taken, where not as they are written; of the cells of a system that have the most orders.
pub(super) fn series(cells: &[&Cell]) -> Option<String> {
    let most = |orders: fn(&Cell) -> Option<usize>| {
        let with_orders = cells.iter().filter_map(|cell| Some((orders(cell)?, *cell)));
        with_orders.max_by_key(|(orders, _)| *orders)
    };
    let of_series = |(orders, cell): (usize, &Cell)| {
        format!("of {orders} orders at n = {} and β = {}", cell.n(), shown(cell.beta()))
    };
    if let Some(longest) = most(series::orders) {
        return Some(format!(
            "Sums over pairs of many tokens go by Fourier series, here {}: right to 10⁻¹² of the largest weight (docs/models.md, \
             \"Many tokens\").",
            of_series(longest)
        ));
    }
    most(series::abreast).map(|longest| {
        format!(
            "Sums over pairs of two coordinates go by Fourier series where these are no longer than n, here {}: right to 10⁻¹² of the \
             largest weight (docs/models.md, \"Two coordinates\").",
            of_series(longest)
        )
    })
}

/// The choices, a sentence each; those at their default only where they say what the system is.
pub(super) fn choices(cell: &Cell) -> Vec<String> {
    let optional: [fn(&Cell) -> Option<String>; 14] = [
        model,
        normalization,
        mask,
        geometry,
        layer_norm,
        value,
        query_key,
        factors,
        heads,
        feed_forward,
        frozen,
        masses,
        excluded,
        noise,
    ];
    let mut sentences: Vec<String> = optional.iter().filter_map(|sentence| sentence(cell)).collect();
    sentences.push(initial(cell));
    sentences.extend(sharing(cell));
    sentences
}

fn model(cell: &Cell) -> Option<String> {
    Some(match name(&cell.parameters, "model") {
        "kuramoto" => {
            let frequencies = match cell.text("frequencies") {
                "" => "the frequencies are 0".to_owned(),
                law => format!("the frequencies are {law}, drawn once a replica"),
            };
            let coupling = cell.get("coupling").number().unwrap_or(1.0);
            format!("Rotors: K = {}, {frequencies}; at β = 0 it is Kuramoto's model.", shown(coupling))
        }
        "mean_shift" if cell.text("model").contains("blurring") => {
            "Blurring mean shift: the density is that of the current tokens; β times SA (P2 §5.3 drops the β).".to_owned()
        }
        "mean_shift" => "Mean shift: each token climbs the density of the initial tokens to one of its modes.".to_owned(),
        _ => return None,
    })
}

fn normalization(cell: &Cell) -> Option<String> {
    Some(match cell.text("normalization") {
        "unnormalized" => "USA: weights are e^{s_ij} over the number of tokens seen, not over their sum: the gradient flow of the energy (P0 §3.3).",
        "hardmax" => "Hardmax: only the largest scores of a row count, ties equally: β → ∞ of softmax; β itself does not count, but its being 0.",
        "sinkhorn" => "Sinkhorn: rows and columns of the weights sum to 1.",
        _ if name(&cell.parameters, "model") == "mean_shift" => return None,
        _ => "SA: weights are a softmax of the scores, each row sums to 1.",
    }
    .to_owned())
}

fn mask(cell: &Cell) -> Option<String> {
    (cell.text("mask") == "causal")
        .then(|| "Causal mask: token i sees the tokens j ≤ i; the first one sees itself alone.".to_owned())
}

fn geometry(cell: &Cell) -> Option<String> {
    Some(match cell.text("geometry") {
        "circle" => "The circle in angles, not reduced modulo 2π: the same system as the sphere with d = 2.",
        "euclidean" => "R^d, nothing is projected; tokens may leave every bound.",
        "rescaled" => "Rescaled tokens z_i = e^{−tV} x_i: what is seen of x once its growth is taken off; e^{tV} is kept as a power of two times a matrix.",
        "equiangular" => "One number, the common cosine, whatever n; observables see two tokens at that cosine.",
        _ if cell.initial_construction == "bartlett" => {
            "The sphere; tokens are drawn and kept in their span: n coordinates, whatever d, the same law."
        }
        _ => return None,
    }
    .to_owned())
}

fn layer_norm(cell: &Cell) -> Option<String> {
    let text = cell.text("layer_norm");
    let radius = has_radius(cell).then(|| format!(" r_i(0) = {}.", cell.get("radius")));
    let base = match name(&cell.parameters, "layer_norm") {
        "pre" => "Pre-LN: tokens grow, and large ones turn slowly.".to_owned(),
        "mix" => format!("Mix-LN, {text}: post up to the switch time, then pre."),
        "peri" => "Peri-LN: as pre, and what is added has length 1.".to_owned(),
        "ngpt" => format!("nGPT, {text}: directions move at the speed of the normalized attention."),
        "sqrt" => "Square-root scaling: post at the time 2(√(t+1) − 1).".to_owned(),
        _ => return None,
    };
    Some(base + radius.as_deref().unwrap_or(""))
}

fn family(letter: &str, text: &str) -> String {
    let what = match text.split('(').next().unwrap_or("") {
        "identity" => "the identity",
        "-identity" => "minus the identity: tokens repel",
        "diag" => "diagonal",
        "spectrum" => "with these eigenvalues in a random basis",
        "gaussian" if letter == "B" => "G₁G₂/√d with standard normal entries",
        "gaussian" => "standard normal entries",
        "wishart" => "G Gᵀ/√d",
        "goe" => "(G + Gᵀ)/√2",
        "uniform" if text.contains('(') => "independent entries, uniform between these",
        "uniform" => "independent entries, uniform in [−1, 1]",
        "query_key" => "B over its norm: gradient ascent of the energy",
        "-query_key" => "minus B over its norm: gradient descent of the energy",
        "file" => "read from a file",
        _ => "a family of docs/models.md",
    };
    format!("{letter} = {text}: {what}.")
}

fn value(cell: &Cell) -> Option<String> {
    (!lists_heads(cell)).then(|| family("V", cell.text("value")))
}

fn query_key(cell: &Cell) -> Option<String> {
    let apart = lists_heads(cell) || is_set(cell, "query") || is_set(cell, "key");
    (!apart).then(|| family("B", cell.text("query_key")))
}

fn factors(cell: &Cell) -> Option<String> {
    let of = |key: &str| match cell.text(key) {
        "" => "identity".to_owned(),
        text => text.to_owned(),
    };
    let apart = is_set(cell, "query") || is_set(cell, "key");
    apart.then(|| format!("Q = {} and K = {}, apart: B = QᵀK.", of("query"), of("key")))
}

/// Whether every head is named, with its own families.
pub(super) fn lists_heads(cell: &Cell) -> bool {
    cell.text("heads").starts_with("of(")
}

fn heads(cell: &Cell) -> Option<String> {
    let text = cell.text("heads");
    is_set(cell, "heads").then(|| {
        let whose = if lists_heads(cell) {
            format!("Heads: {text}, as head(B, V) or head(Q, K, V)")
        } else {
            format!("Heads: {text}, each with its own draw of these matrices")
        };
        format!("{whose}; their attention vectors are added.")
    })
}

fn feed_forward(cell: &Cell) -> Option<String> {
    is_set(cell, "feed_forward").then(|| {
        format!("Feed-forward layer: {}, applied to the attention vector.", cell.text("feed_forward"))
    })
}

fn frozen(cell: &Cell) -> Option<String> {
    is_set(cell, "frozen").then(|| {
        format!(
            "Frozen tokens ϑ_m with weights a_m: {}; every token sees them, they never move.",
            cell.text("frozen")
        )
    })
}

fn masses(cell: &Cell) -> Option<String> {
    is_set(cell, "weights").then(|| {
        format!(
            "Masses α_j of the tokens: {}; a token of mass 2 counts as two at one place.",
            cell.text("weights")
        )
    })
}

fn excluded(cell: &Cell) -> Option<String> {
    (cell.get("exclude_self") == &Value::Boolean(true))
        .then(|| "No token sees itself: j = i is left out of every sum.".to_owned())
}

/// Whether the term of a token with itself is left out of A, which it would only lengthen.
fn leaves_self_out(cell: &Cell) -> bool {
    let is = |key: &str, value: &str| cell.text(key) == value;
    is("geometry", "sphere")
        && is("layer_norm", "post")
        && is("model", "attention")
        && is("feed_forward", "none")
        && !lists_heads(cell)
        && matches!(cell.text("value"), "identity" | "-identity")
}

fn noise(cell: &Cell) -> Option<String> {
    (cell.text("noise") == "brownian").then(|| {
        format!("Brownian noise with κ = {}; halving the step refines the same path.", cell.get("kappa"))
    })
}

fn initial(cell: &Cell) -> String {
    format!(
        "Initial tokens: {}, seed {}; cells that differ in β, horizon, integrator or sample times start from the same ones.",
        cell.text("initial"),
        cell.get("seed")
    )
}

fn sharing(cell: &Cell) -> Option<String> {
    let lives = match cell.text("sharing") {
        "cell" => {
            "one draw of the random matrices for all replicas of a cell: replicas are exchangeable, not independent"
        }
        "sweep" => {
            "one draw of the random matrices a family and dimension for the whole sweep: replicas are exchangeable, not independent"
        }
        "layer" => "fresh random matrices in each layer",
        _ => return None,
    };
    Some(format!("Sharing: {lives}."))
}

/// Collapse, plateaus, `min_lifetime`.
pub(super) fn watched(cell: &Cell, observe: &Observe) -> Vec<String> {
    let deltas: Vec<String> = observe.deltas.iter().map(|delta| shown(*delta)).collect();
    let flat = matches!(cell.text("geometry"), "euclidean" | "rescaled");
    let (what, closeness) = if flat {
        ("1 − ‖x_i − x_j‖²/2, which stands for ⟨x_i, x_j⟩ in R^d", "δ is a distance of √(2δ)")
    } else {
        ("⟨x_i, x_j⟩", "two tokens are together where it is at least 1 − δ")
    };
    let mut lines = vec![format!("Cosine of two tokens: {what}; {closeness}, δ = {}.", deltas.join(", "))];
    lines.push(
        "Collapse: the first t at which all pairs are together, located inside the step; null and censored if the horizon comes first."
            .to_owned(),
    );
    if !observe.final_state {
        lines.push(
            "The final state is not asked for (`final_state = false`): where tokens that are together stay so, and no observable measures how \
             close they are, a replica ends once all its rows are certain."
                .to_owned(),
        );
    }
    if !observe.plateaus {
        lines.push("Plateaus are not tracked (`plateaus = false`).".to_owned());
        return lines;
    }
    let high = f64::min(1e-2, 2.0 / cell.beta());
    lines.push(format!(
        "Plateau: a maximal time interval on which the partitions at δ_hi = min(1e-2, 2/β) = {} and δ_lo = 1e-4·δ_hi agree and rest.",
        shown(high)
    ));
    let lifetime = shown(crate::start::watch(cell, observe).min_lifetime);
    let least = match observe.min_lifetime {
        Some(_) => format!("`min_lifetime` = {lifetime} as given"),
        None => format!(
            "`min_lifetime` = {lifetime} (its default, one terminal relaxation time: ½, and e^{{−β}}/2 for USA)"
        ),
    };
    lines.push(format!(
        "First metastable plateau: the first of fewer than n clusters that lasts at least {least}."
    ));
    lines
}
