//! What goes together but for `multiscale`, in the order in which a cell is held to it.

use metasweep_dynamics::model::has_plan_without_self;

use super::conditions::{
    excludes_self, forgets, has_stages, is_given, is_on_sphere, lists_heads, masses, moves_radii, number,
    starts_off_the_sphere,
};
use super::{Rule, name, text};

/// The rules that come first.
pub const RULES: &[Rule] = &[
    Rule {
        keys: &["initial", "geometry"],
        broken: starts_off_the_sphere,
        reason: "this law's tokens are points of R^d of any length, and the tokens of this geometry are unit vectors",
        instead: "take `geometry = \"euclidean\"` or `\"rescaled\"`, or a law of the sphere: a normalized `gaussian` token \
                  is a `uniform_sphere` one",
    },
    Rule {
        keys: &["geometry", "model"],
        broken: |cell| text(cell, "geometry") == "equiangular" && name(cell, "model") != "attention",
        reason: "the scalar equation is that of attention (P0 (4.8), (4.9))",
        instead: "take `model = \"attention\"`",
    },
    Rule {
        keys: &["model", "geometry"],
        broken: |cell| name(cell, "model") == "kuramoto" && text(cell, "geometry") != "circle",
        reason: "Kuramoto's rotors are angles, which only the circle has",
        instead: "write `geometry = \"circle\"` and d = 2",
    },
    Rule {
        keys: &["geometry", "d"],
        broken: |cell| text(cell, "geometry") == "circle" && number(cell, "d") != 2.0,
        reason: "the circle is the unit sphere of R^2",
        instead: "write d = 2, or `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["model", "value"],
        broken: |cell| name(cell, "model") != "attention" && text(cell, "value") != "identity",
        reason: "rotors and mean shift are attention with V = I: no other V is in their equation",
        instead: "leave `value` out, or take `model = \"attention\"`",
    },
    Rule {
        keys: &["model", "query_key"],
        broken: |cell| name(cell, "model") != "attention" && text(cell, "query_key") != "identity",
        reason: "rotors and mean shift are attention with QᵀK = I: their kernel is e^{β⟨x, y⟩}",
        instead: "leave `query_key` out, or take `model = \"attention\"`",
    },
    Rule {
        keys: &["model", "layer_norm"],
        broken: |cell| name(cell, "model") != "attention" && text(cell, "layer_norm") != "post",
        reason: "rotors and modes of a density have no layers that could be normalized",
        instead: "leave `layer_norm` out, or take `model = \"attention\"`",
    },
    Rule {
        keys: &["model", "normalization"],
        broken: |cell| name(cell, "model") == "mean_shift" && text(cell, "normalization") != "softmax",
        reason: "the gradient of the logarithm of a density divides by that density, as softmax does",
        instead: "leave `normalization` out, or take `model = \"attention\"`",
    },
    Rule {
        keys: &["model", "mask"],
        broken: |cell| name(cell, "model") == "mean_shift" && text(cell, "mask") != "full",
        reason: "the density is that of all tokens",
        instead: "leave `mask` out, or take `model = \"attention\"`",
    },
    Rule {
        keys: &["model", "geometry"],
        broken: |cell| name(cell, "model") == "mean_shift" && !is_on_sphere(cell),
        reason: "its kernel e^{β⟨x, y⟩} is one of the distance of x and y on the sphere alone",
        instead: "take `geometry = \"sphere\"` or \"circle\"",
    },
    Rule {
        keys: &["coupling", "model"],
        broken: |cell| is_given(cell, "coupling") && name(cell, "model") != "kuramoto",
        reason: "K couples Kuramoto's rotors, and there are none",
        instead: "leave `coupling` out, or take `model = \"kuramoto\"`",
    },
    Rule {
        keys: &["frequencies", "model"],
        broken: |cell| is_given(cell, "frequencies") && name(cell, "model") != "kuramoto",
        reason: "frequencies turn Kuramoto's rotors, and there are none",
        instead: "leave `frequencies` out, or take `model = \"kuramoto\"`",
    },
    Rule {
        keys: &["frequencies", "n"],
        broken: |cell| {
            let listed = text(cell, "frequencies");
            listed.starts_with("list(") && (listed.matches(',').count() + 1) as f64 != number(cell, "n")
        },
        reason: "every rotor has one frequency",
        instead: "list n numbers, or write `normal(mean, deviation)`",
    },
    Rule {
        keys: &["geometry", "integrator"],
        broken: |cell| text(cell, "integrator") == "projected_euler" && text(cell, "geometry") != "sphere",
        reason: "`projected_euler` brings tokens back to the sphere by dividing them by their length, and here nothing leaves where it lives",
        instead: "take `integrator = \"discrete\"` (x + step·A) or \"rk4\"",
    },
    Rule {
        keys: &["geometry", "layer_norm"],
        broken: |cell| {
            matches!(text(cell, "geometry"), "euclidean" | "rescaled") && text(cell, "layer_norm") != "post"
        },
        reason: "a layer norm is what keeps tokens on the sphere; in R^d there is none",
        instead: "leave `layer_norm` out, or take `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["geometry", "value"],
        broken: |cell| text(cell, "geometry") == "equiangular" && text(cell, "value") != "identity",
        reason: "tokens stay equiangular under V = I; for another V their cosines become unequal",
        instead: "take `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["geometry", "query_key"],
        broken: |cell| text(cell, "geometry") == "equiangular" && text(cell, "query_key") != "identity",
        reason: "tokens stay equiangular under QᵀK = I; for another their cosines become unequal",
        instead: "take `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["geometry", "mask"],
        broken: |cell| text(cell, "geometry") == "equiangular" && text(cell, "mask") != "full",
        reason: "under the causal mask the first token stays and the cosines become unequal",
        instead: "take `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["geometry", "noise"],
        broken: |cell| text(cell, "geometry") == "equiangular" && text(cell, "noise") != "none",
        reason: "noise makes the cosines unequal",
        instead: "take `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["geometry", "noise"],
        broken: |cell| text(cell, "geometry") == "rescaled" && text(cell, "noise") != "none",
        reason: "Brownian motion of x is e^{−tV} dB for z = e^{−tV} x, which is not Brownian",
        instead: "take `geometry = \"euclidean\"`",
    },
    Rule {
        keys: &["noise", "integrator"],
        broken: |cell| text(cell, "noise") != "none" && has_stages(cell),
        reason: "a Brownian path has no derivative for the stages of a Runge–Kutta method",
        instead: "take `integrator = \"projected_euler\"`, or \"discrete\" in R^d and on the circle",
    },
    Rule {
        keys: &["noise", "layer_norm"],
        broken: |cell| text(cell, "noise") != "none" && moves_radii(cell),
        reason: "the noise of P2 §7 moves directions; what it does to the radii that this layer norm moves is not defined",
        instead: "take `layer_norm = \"post\"`, \"ngpt\" or \"sqrt\"",
    },
    Rule {
        keys: &["noise", "kappa"],
        broken: |cell| text(cell, "noise") != "none" && !is_given(cell, "kappa"),
        reason: "the size of the noise is √(2/κ), and no κ is given",
        instead: "write for instance `kappa = 10`",
    },
    Rule {
        keys: &["kappa", "noise"],
        broken: |cell| is_given(cell, "kappa") && text(cell, "noise") == "none",
        reason: "κ is the size of a noise, and there is none",
        instead: "leave `kappa` out, or write `noise = \"brownian\"`",
    },
    Rule {
        keys: &["noise", "step"],
        broken: |cell| {
            text(cell, "noise") != "none" && metasweep_dynamics::noise::base(number(cell, "step")).is_none()
        },
        reason: "Brownian paths are drawn on intervals of 1024 to 2048 and halved up to 32 times",
        instead: "take a step between 3e-7 and 2000",
    },
    Rule {
        keys: &["radius", "layer_norm"],
        broken: |cell| number(cell, "radius") != 1.0 && !moves_radii(cell),
        reason: "under this layer norm nothing depends on a radius",
        instead: "leave `radius` out, or take `layer_norm = \"pre\"`, \"mix(tau)\" or \"peri\"",
    },
    Rule {
        keys: &["residual", "integrator"],
        broken: |cell| forgets(cell) && text(cell, "integrator") != "discrete",
        reason: "x ← A is a layer; a flow always has x in the sum",
        instead: "take `integrator = \"discrete\"`",
    },
    Rule {
        keys: &["residual", "geometry"],
        broken: |cell| forgets(cell) && !matches!(text(cell, "geometry"), "sphere" | "euclidean"),
        reason: "a layer without residual puts tokens where A is, which is a place in R^d or a direction, not an angle, a cosine or a rescaled token",
        instead: "take `geometry = \"sphere\"` or \"euclidean\"",
    },
    Rule {
        keys: &["residual", "step"],
        broken: |cell| forgets(cell) && number(cell, "step") != 1.0,
        reason: "x ← A has no length of a step",
        instead: "leave `step` out",
    },
    Rule {
        keys: &["normalization", "integrator"],
        broken: |cell| text(cell, "normalization") == "hardmax" && has_stages(cell),
        reason: "the weights of hardmax jump where another score becomes the largest, and a Runge–Kutta method has its order for smooth right sides alone",
        instead: "take `integrator = \"projected_euler\"` or \"discrete\"",
    },
    Rule {
        keys: &["normalization", "mask"],
        broken: |cell| text(cell, "normalization") == "sinkhorn" && text(cell, "mask") == "causal",
        reason: "the only doubly stochastic matrix below the diagonal is the identity",
        instead: "take `mask = \"full\"`, or another normalization",
    },
    Rule {
        keys: &["normalization", "frozen"],
        broken: |cell| text(cell, "normalization") == "sinkhorn" && is_given(cell, "frozen"),
        reason: "a doubly stochastic matrix is square, and frozen tokens have no rows",
        instead: "leave `frozen` out, or take another normalization",
    },
    Rule {
        keys: &["exclude_self", "n"],
        broken: |cell| excludes_self(cell) && number(cell, "n") == 1.0 && !is_given(cell, "frozen"),
        reason: "without itself the only token sees none",
        instead: "take n ≥ 2, or frozen tokens",
    },
    Rule {
        keys: &["exclude_self", "mask"],
        broken: |cell| excludes_self(cell) && text(cell, "mask") == "causal" && !is_given(cell, "frozen"),
        reason: "the first token sees itself alone, and without itself none",
        instead: "take `mask = \"full\"`, or frozen tokens",
    },
    Rule {
        keys: &["weights", "n"],
        broken: |cell| is_given(cell, "weights") && masses(cell).len() as f64 != number(cell, "n"),
        reason: "every token has one mass",
        instead: "list n numbers",
    },
    Rule {
        keys: &["normalization", "exclude_self", "weights"],
        broken: |cell| {
            let is_alone = excludes_self(cell) && text(cell, "normalization") == "sinkhorn";
            is_alone && !has_plan_without_self(&masses(cell))
        },
        reason: "one token has at least the mass of all others together, and cannot share it out among them without itself",
        instead: "take smaller masses, or leave `exclude_self` out",
    },
    Rule {
        keys: &["geometry", "weights"],
        broken: |cell| text(cell, "geometry") == "equiangular" && is_given(cell, "weights"),
        reason: "tokens of unequal mass do not stay equiangular",
        instead: "take `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["geometry", "frozen"],
        broken: |cell| text(cell, "geometry") == "equiangular" && is_given(cell, "frozen"),
        reason: "tokens do not stay equiangular under points that pull at them",
        instead: "take `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["geometry", "frozen"],
        broken: |cell| text(cell, "geometry") == "rescaled" && is_given(cell, "frozen"),
        reason: "a point that is fixed in x moves in z = e^{−tV} x",
        instead: "take `geometry = \"euclidean\"`",
    },
    Rule {
        keys: &["query", "query_key"],
        broken: |cell| is_given(cell, "query") && text(cell, "query_key") != "identity",
        reason: "`query_key` is QᵀK, which Q and K determine",
        instead: "give `query` and `key`, or `query_key`",
    },
    Rule {
        keys: &["key", "query_key"],
        broken: |cell| is_given(cell, "key") && text(cell, "query_key") != "identity",
        reason: "`query_key` is QᵀK, which Q and K determine",
        instead: "give `query` and `key`, or `query_key`",
    },
    Rule {
        keys: &["heads", "value"],
        broken: |cell| lists_heads(cell) && text(cell, "value") != "identity",
        reason: "every head that is listed has its own V",
        instead: "leave `value` out, or write `heads = H`: H independent draws of it",
    },
    Rule {
        keys: &["heads", "query_key"],
        broken: |cell| lists_heads(cell) && text(cell, "query_key") != "identity",
        reason: "every head that is listed has its own QᵀK",
        instead: "leave `query_key` out, or write `heads = H`: H independent draws of it",
    },
    Rule {
        keys: &["heads", "query"],
        broken: |cell| lists_heads(cell) && is_given(cell, "query"),
        reason: "every head that is listed has its own Q",
        instead: "leave `query` out, or write `heads = H`: H independent draws of it",
    },
    Rule {
        keys: &["heads", "key"],
        broken: |cell| lists_heads(cell) && is_given(cell, "key"),
        reason: "every head that is listed has its own K",
        instead: "leave `key` out, or write `heads = H`: H independent draws of it",
    },
    Rule {
        keys: &["geometry", "heads"],
        broken: |cell| text(cell, "geometry") == "rescaled" && text(cell, "heads") != "1",
        reason: "z = e^{−tV} x is rescaled by one V, and every head has its own",
        instead: "take `geometry = \"euclidean\"`",
    },
    Rule {
        keys: &["geometry", "heads"],
        broken: |cell| text(cell, "geometry") == "equiangular" && text(cell, "heads") != "1",
        reason: "with V = QᵀK = I all heads are the same: H of them are one that is H times as fast",
        instead: "leave `heads` out, and take times H times as long",
    },
    Rule {
        keys: &["geometry", "query"],
        broken: |cell| text(cell, "geometry") == "equiangular" && is_given(cell, "query"),
        reason: "tokens stay equiangular under QᵀK = I; for another their cosines become unequal",
        instead: "take `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["geometry", "key"],
        broken: |cell| text(cell, "geometry") == "equiangular" && is_given(cell, "key"),
        reason: "tokens stay equiangular under QᵀK = I; for another their cosines become unequal",
        instead: "take `geometry = \"sphere\"`",
    },
    Rule {
        keys: &["geometry", "feed_forward"],
        broken: |cell| {
            matches!(text(cell, "geometry"), "equiangular" | "rescaled")
                && text(cell, "feed_forward") != "none"
        },
        reason: "σ acts on the coordinates of x: it neither keeps tokens equiangular nor commutes with e^{−tV}",
        instead: "take `geometry = \"sphere\"` or \"euclidean\"",
    },
    Rule {
        keys: &["model", "heads"],
        broken: |cell| name(cell, "model") != "attention" && text(cell, "heads") != "1",
        reason: "rotors and mean shift have one kernel, e^{β⟨x, y⟩}",
        instead: "leave `heads` out, or take `model = \"attention\"`",
    },
    Rule {
        keys: &["model", "query"],
        broken: |cell| name(cell, "model") != "attention" && is_given(cell, "query"),
        reason: "rotors and mean shift are attention with QᵀK = I: their kernel is e^{β⟨x, y⟩}",
        instead: "leave `query` out, or take `model = \"attention\"`",
    },
    Rule {
        keys: &["model", "key"],
        broken: |cell| name(cell, "model") != "attention" && is_given(cell, "key"),
        reason: "rotors and mean shift are attention with QᵀK = I: their kernel is e^{β⟨x, y⟩}",
        instead: "leave `key` out, or take `model = \"attention\"`",
    },
    Rule {
        keys: &["model", "feed_forward"],
        broken: |cell| name(cell, "model") != "attention" && text(cell, "feed_forward") != "none",
        reason: "rotors and modes of a density have no layers that one could feed forward",
        instead: "leave `feed_forward` out, or take `model = \"attention\"`",
    },
    Rule {
        keys: &["sharing", "integrator"],
        broken: |cell| text(cell, "sharing") == "layer" && has_stages(cell),
        reason: "a layer is a step, and the stages of a Runge–Kutta method are none: its right side would jump from step to step",
        instead: "take `integrator = \"discrete\"` or \"projected_euler\"",
    },
    Rule {
        keys: &["sharing", "geometry"],
        broken: |cell| text(cell, "sharing") == "layer" && text(cell, "geometry") == "rescaled",
        reason: "z = e^{−tV} x is rescaled by one V, and every layer has its own",
        instead: "take `geometry = \"euclidean\"`",
    },
];
