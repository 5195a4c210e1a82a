//! What `multiscale` steps are not for: they need tokens that attract one another and merge, with weights that are largest at home.

use super::conditions::{excludes_self, is_given, is_multiscale, is_on_sphere, number};
use super::{Rule, name, text};

/// The rules about `integrator = "multiscale"`.
pub const RULES: &[Rule] = &[
    Rule {
        keys: &["integrator", "value"],
        broken: |cell| {
            let value = text(cell, "value");
            let is_identity = value == "query_key" && text(cell, "query_key") == "identity";
            is_multiscale(cell) && !(value == "identity" || is_identity)
        },
        reason: "`multiscale` is for V = c·I with c > 0, under which tokens attract one another and only differences x_j − x_i move them: then \
                 drifts of any smallness are exact to rounding, and tokens that have met stay one",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "query_key"],
        broken: |cell| is_multiscale(cell) && text(cell, "query_key") != "identity",
        reason: "`multiscale` is for QᵀK = b·I with b ≥ 0: then the largest score of a token is its own, and all weights are e^{−β(1−⟨x_i, x_j⟩)}",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "query"],
        broken: |cell| is_multiscale(cell) && is_given(cell, "query"),
        reason: "`multiscale` is for QᵀK = b·I with b ≥ 0: then the largest score of a token is its own, and all weights are e^{−β(1−⟨x_i, x_j⟩)}",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "key"],
        broken: |cell| is_multiscale(cell) && is_given(cell, "key"),
        reason: "`multiscale` is for QᵀK = b·I with b ≥ 0: then the largest score of a token is its own, and all weights are e^{−β(1−⟨x_i, x_j⟩)}",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "mask"],
        broken: |cell| is_multiscale(cell) && text(cell, "mask") == "causal",
        reason: "under the causal mask tokens at one place see different tokens and part again: they are not one weighted token",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "exclude_self"],
        broken: |cell| is_multiscale(cell) && excludes_self(cell),
        reason: "two tokens at one place see each other, and one weighted token that does not see itself sees neither",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "frozen"],
        broken: |cell| is_multiscale(cell) && is_given(cell, "frozen"),
        reason: "a token that a frozen one has caught comes closer for ever and is never one with it: steps would not grow",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "normalization"],
        broken: |cell| is_multiscale(cell) && text(cell, "normalization") == "sinkhorn",
        reason: "Sinkhorn's weights are the limit of an iteration, known to its tolerance: drifts smaller than that are not",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "layer_norm"],
        broken: |cell| is_multiscale(cell) && text(cell, "layer_norm") != "post",
        reason: "under other layer norms than `post` the speed of a token depends on its radius, on ‖A_i‖ with the share of the token itself, \
                 or on time: tokens at one place may have different speeds, and a state that hardly moves may move later",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "geometry"],
        broken: |cell| is_multiscale(cell) && !is_on_sphere(cell),
        reason: "in R^d tokens run away from one another as they meet, and equal cosines are one number with nothing to merge",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "heads"],
        broken: |cell| is_multiscale(cell) && text(cell, "heads") != "1",
        reason: "with V = QᵀK = I all heads are the same: H of them are one that is H times as fast",
        instead: "leave `heads` out, and take times H times as long",
    },
    Rule {
        keys: &["integrator", "feed_forward"],
        broken: |cell| is_multiscale(cell) && text(cell, "feed_forward") != "none",
        reason: "σ acts on the whole of A_i, which is not made of differences x_j − x_i: small drifts drown in its rounding error",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "model"],
        broken: |cell| is_multiscale(cell) && text(cell, "model") == "mean_shift",
        reason: "tokens that climb the density of the initial tokens do not see one another, and reach its modes without ever being one with them",
        instead: "take `integrator = \"adaptive\"`, or `model = \"mean_shift(blurring)\"`",
    },
    Rule {
        keys: &["integrator", "frequencies"],
        broken: |cell| is_multiscale(cell) && is_given(cell, "frequencies"),
        reason: "rotors of different frequencies that have met part again",
        instead: "take `integrator = \"adaptive\"`",
    },
    Rule {
        keys: &["integrator", "coupling"],
        broken: |cell| is_multiscale(cell) && is_given(cell, "coupling") && number(cell, "coupling") <= 0.0,
        reason: "rotors that do not attract one another never meet",
        instead: "take `integrator = \"adaptive\"`, or a coupling above 0",
    },
    Rule {
        keys: &["integrator", "beta"],
        broken: |cell| {
            is_multiscale(cell) && name(cell, "model") == "mean_shift" && number(cell, "beta") <= 0.0
        },
        reason: "at β = 0 the kernel of mean shift is flat and nothing moves",
        instead: "take β > 0",
    },
];
