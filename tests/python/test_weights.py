"""One layer written out: from the tokens at one step, numpy computes those at the next by the definitions of docs/models.md, for every
kind of weights, mask, mass, head and feed-forward layer; and compares with the table `tokens`, step by step.
"""

import math

import numpy as np
import pytest

import again
from harness import sweep, table, tokens

STEP, STEPS, N, SEED, REPLICAS = 0.25, 4, 6, 77, 3
ERF = np.vectorize(math.erf)
ACTIVATIONS = {
    "relu": lambda a: np.maximum(a, 0),
    "tanh": np.tanh,
    "gelu": lambda a: a * 0.5 * (1 + ERF(a / math.sqrt(2))),
}


def weights(scores, normalization, masses, seen):
    """n × (frozen + n) weights; `seen` is the mask."""
    scores = np.where(seen, scores, -np.inf)
    if normalization == "unnormalized":
        return np.where(seen, masses * np.exp(scores), 0) / np.where(seen, masses, 0).sum(axis=1, keepdims=True)
    if normalization == "hardmax":
        best = scores >= scores.max(axis=1, keepdims=True) - 1e-11
        return best * masses / (best * masses).sum(axis=1, keepdims=True)
    e = masses * np.exp(scores - scores.max(axis=1, keepdims=True))
    if normalization == "softmax":
        return e / e.sum(axis=1, keepdims=True)
    e = np.where(seen, np.exp(scores - scores[seen].max()), 0)
    rows, columns = np.ones(len(e)), np.ones(len(e))
    for _ in range(20000):
        rows = 1 / (e @ (masses * columns))
        columns = 1 / (e.T @ (masses * rows))
    return rows[:, None] * e * (masses * columns)


def layer(x, case, matrices):
    """The next tokens: x ← normalize(x + Δt F(Σ_h w^h V^h x))."""
    n, beta = len(x), case["beta"]
    points = np.array(case.get("points", np.zeros((0, x.shape[1]))))
    others = np.vstack([points, x])
    masses = np.concatenate([case.get("frozen_weights", np.ones(len(points))), case.get("masses", np.ones(n))])
    i, j = np.arange(n)[:, None], np.arange(len(others))[None] - len(points)
    seen = (j <= i) if case.get("mask") == "causal" else np.ones((n, len(others)), dtype=bool)
    if case.get("exclude_self"):
        seen &= j != i
    attention = np.zeros_like(x)
    for query, key, value in matrices["heads"]:
        scores = beta * (x @ query.T) @ (others @ key.T).T
        attention += weights(scores, case.get("normalization", "softmax"), masses, seen) @ others @ value.T
    if "activation" in case:
        attention = ACTIVATIONS[case["activation"]](attention + matrices["bias"]) @ matrices["weight"].T
    y = x + STEP * attention
    return y / np.linalg.norm(y, axis=1, keepdims=True)


EYE = np.eye(3)
CIRCLE = {"frozen": "{ angles = [0.3, 2.9], weights = [1.5, 4] }", "points": [[math.cos(a), math.sin(a)] for a in (0.3, 2.9)]}
CASES = {
    "softmax": {},
    "unnormalized_causal": {"normalization": "unnormalized", "mask": "causal"},
    # With B = I every token's own score is its largest, and nothing moves.
    "hardmax": {"normalization": "hardmax", "query_key": "diag(1, -0.5, 0.25)"},
    "hardmax_without_itself": {"normalization": "hardmax", "exclude_self": True},
    "softmax_without_itself": {"exclude_self": True},
    "sinkhorn": {"normalization": "sinkhorn"},
    "sinkhorn_without_itself": {"normalization": "sinkhorn", "exclude_self": True},
    "sinkhorn_of_a_matrix": {"normalization": "sinkhorn", "query_key": "diag(1, -0.5, 0.25)", "beta": 1.0},
    "masses": {"masses": [1, 2, 0.5, 3, 1, 1]},
    "masses_causal": {"masses": [1, 2, 0.5, 3, 1, 1], "mask": "causal", "normalization": "unnormalized"},
    "masses_hardmax": {"masses": [1, 2, 0.5, 3, 1, 1], "normalization": "hardmax", "exclude_self": True},
    "masses_sinkhorn": {"masses": [1, 2, 0.5, 2, 1, 1], "normalization": "sinkhorn"},
    "frozen": {"d": 2, **CIRCLE, "frozen_weights": [1.5, 4]},
    "frozen_unnormalized_causal": {"d": 2, **CIRCLE, "frozen_weights": [1.5, 4], "normalization": "unnormalized", "mask": "causal"},
    "frozen_hardmax_without_itself": {
        "d": 2,
        **CIRCLE,
        "frozen_weights": [1.5, 4],
        "normalization": "hardmax",
        "exclude_self": True,
        "mask": "causal",
    },
    "value": {"value": "diag(1, -0.5, 0.25)", "query_key": "diag(0.5, 2, 1)"},
    "heads": {
        "heads": '"of(head(identity, -identity), head(diag(1, 2, 0.5), diag(0.1, 1, 1)))"',
        "matrices": [(EYE, EYE, -EYE), (np.diag([1, 2, 0.5]), EYE, np.diag([0.1, 1, 1]))],
    },
    "query_and_key": {
        "query": "diag(1, 2, 0)",
        "key": "diag(0.5, 1, 3)",
        "matrices": [(np.diag([1, 2, 0]), np.diag([0.5, 1, 3]), EYE)],
    },
    "relu": {"feed_forward": "relu(diag(1, -1, 2); bias=list(0.1, -0.2, 0.3))", "activation": "relu", "bias": [0.1, -0.2, 0.3]},
    "tanh": {"feed_forward": "tanh(diag(1, -1, 2); bias=0.5)", "activation": "tanh", "bias": [0.5] * 3},
    "gelu": {"feed_forward": "gelu(diag(1, -1, 2))", "activation": "gelu", "bias": [0.0] * 3},
    "random_matrices": {"value": "gaussian", "query_key": "goe"},
    "random_for_the_cell": {"value": "uniform(0, 1)", "query_key": "wishart", "sharing": "cell"},
}


def matrix(text, role, cell, replica, sharing):
    """A family's matrix: written out, or drawn again in Python."""
    if text == "identity":
        return EYE
    if text.startswith("diag"):
        return np.diag([float(a) for a in text[5:-1].split(",")])
    return np.array(again.matrix(SEED, replica, f"matrices.{role}", text, 3, sharing=sharing, cell=cell))


def grid(case):
    lines = [f"n = {N}", f"d = {case.get('d', 3)}", f"beta = {case.get('beta', 2.5)}"]
    for key in ("normalization", "mask", "value", "query_key", "query", "key", "feed_forward", "sharing"):
        if key in case:
            lines.append(f'{key} = "{case[key]}"')
    for key in ("heads", "frozen"):
        if key in case:
            lines.append(f"{key} = {case[key]}")
    if case.get("exclude_self"):
        lines.append("exclude_self = true")
    if "masses" in case:
        lines.append(f'weights = "list({", ".join(map(str, case["masses"]))})"')
    return "\n".join(lines)


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_its_definition(tmp_path, name):
    case = {"beta": 2.5, **CASES[name]}
    times = [k * STEP for k in range(STEPS + 1)]
    out = sweep(
        tmp_path,
        grid(case),
        f'horizon = {times[-1]}\nintegrator = "discrete"\nstep = {STEP}\nsample = {times}',
        f'series = ["order"]\nsnapshots = {{ replicas = {REPLICAS}, times = {times} }}',
        replicas=REPLICAS,
        seed=SEED,
    )
    rows = table(out, "tokens")
    cell = rows["cell"][0]
    moved = 0.0
    for replica in range(REPLICAS):
        eye, sharing = np.eye(case.get("d", 3)), case.get("sharing", "replica")
        b = matrix(case["query_key"], "query_key", cell, replica, sharing) if "query_key" in case else eye
        v = matrix(case["value"], "value", cell, replica, sharing) if "value" in case else eye
        # x_iᵀ B x_j = ⟨Bᵀx_i, x_j⟩.
        matrices = {"heads": case.get("matrices", [(b.T, eye, v)])}
        if name == "heads":
            matrices["heads"] = [(q.T, k, v) for q, k, v in matrices["heads"]]
        matrices |= {"weight": np.diag([1, -1, 2]), "bias": np.array(case.get("bias", 0.0))}
        states = [tokens(rows, replica, t) for t in times]
        for before, after in zip(states, states[1:]):
            expected = layer(before, case, matrices)
            # A dozen roundings of numbers below e^{β·‖B‖} at the very most; Sinkhorn stops at 1e-12.
            assert np.abs(expected - after).max() < 1e-11, (replica, np.abs(expected - after).max())
            moved = max(moved, np.abs(after - before).max())
    assert moved > 1e-2
