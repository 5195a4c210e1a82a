"""Layers whose matrices are all drawn: Q, K, V of several heads, w and b of the feed-forward layer, however long a draw lives. Python
draws the same from docs/determinism.md alone and takes the same steps.
"""

import numpy as np
import pytest

import again
from harness import sweep, table, tokens
from test_weights import STEP, layer

SEED, REPLICAS, LAYERS, N, D = 78, 2, 3, 5, 3
TIMES = [k * STEP for k in range(LAYERS + 1)]
# The grid, and what each head draws: (purpose, family)s of its two sides of the score, and of V.
ALIKE = [("matrices.query", "gaussian(2)"), ("matrices.key", "gaussian(2)"), ("matrices.value", "gaussian")]
JOINT = [("matrices.query_key", "goe"), None, ("matrices.value", "wishart")]
OTHER = [("matrices.query", "gaussian"), ("matrices.key", "uniform"), ("matrices.value", "goe")]
CASES = {
    "alike": ('query = "gaussian(2)"\nkey = "gaussian(2)"\nvalue = "gaussian"\nheads = 3', [ALIKE] * 3),
    "one_by_one": ('heads = "of(head(goe, wishart), head(gaussian, uniform, goe))"', [JOINT, OTHER]),
}


def drawn(heads, about):
    """The matrices of one layer, in the form that `layer` of test_weights.py takes."""
    sides = []
    for head, families in enumerate(heads):
        query, key, value = (
            np.array(again.matrix(SEED, about["replica"], *family, D, head=head, **about["kept"])) if family else np.eye(D)
            for family in families
        )
        # x_iᵀ B x_j = ⟨Bᵀ x_i, x_j⟩.
        sides.append((query.T if families[1] is None else query, key, value))
    weight = again.matrix(SEED, about["replica"], "feed_forward.weight", "gaussian", D, **about["kept"])
    bias = again.normal_bias(SEED, about["replica"], D, **about["kept"])
    return {"heads": sides, "weight": np.array(weight), "bias": np.array(bias)}


@pytest.mark.parametrize("sharing", ["replica", "cell", "sweep", "layer"])
@pytest.mark.parametrize("name", CASES)
def test_layers_are_drawn_as_the_page_says(tmp_path, name, sharing):
    grid, heads = CASES[name]
    case = {"beta": 0.5, "activation": "tanh"}
    out = sweep(
        tmp_path,
        f'n = {N}\nd = {D}\nbeta = {case["beta"]}\n{grid}\nfeed_forward = "tanh(gaussian; bias=normal)"\nsharing = "{sharing}"',
        f'horizon = {TIMES[-1]}\nintegrator = "discrete"\nstep = {STEP}\nsample = {TIMES}',
        f'series = ["order"]\nsnapshots = {{ replicas = {REPLICAS}, times = {TIMES} }}',
        replicas=REPLICAS,
        seed=SEED,
    )
    rows = table(out, "tokens")
    cell = rows["cell"][0]
    for replica in range(REPLICAS):
        states = [tokens(rows, replica, t) for t in TIMES]
        assert np.array_equal(states[0], again.tokens(SEED, replica, N, D))
        for number, (before, after) in enumerate(zip(states, states[1:])):
            kept = {"sharing": sharing, "cell": cell, "layer": number}
            expected = layer(before, case, drawn(heads, {"replica": replica, "kept": kept}))
            # Sums of some 50 products of numbers below 100.
            assert np.abs(expected - after).max() < 1e-11
            assert np.abs(after - before).max() > 1e-2
