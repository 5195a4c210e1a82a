"""What the papers prove or print, held against sweeps run by the binary. Numbers: docs/oracles.md, 1-7 and 9.

Statistical tests fix their seeds and state their false-alarm probability: Z = 5.6 standard errors is below 1e-6 for up to 40
comparisons (2 (1 - Φ(5.6)) = 2.1e-8 each).
"""

import math
from math import comb

import numpy as np
import polars as pl
import pytest

from harness import FAST, metasweep, sweep, table

Z = 5.6


def scalar_ode(beta, n, normalization, times, substeps=400):
    """γ_β of P0 (4.8) for SA, (4.9) for USA, from γ = 0, by RK4 with steps far below those of the sweep."""

    def rhs(g):
        common = 2 * np.exp(beta * g) * (1 - g) * ((n - 1) * g + 1)
        return common / ((n - 1) * np.exp(beta * g) + np.exp(beta)) if normalization == "softmax" else common / n

    out, g, t = [], 0.0, 0.0
    for target in times:
        h = (target - t) / substeps
        for _ in range(substeps if h else 0):
            k1 = rhs(g)
            k2 = rhs(g + h / 2 * k1)
            k3 = rhs(g + h / 2 * k2)
            k4 = rhs(g + h * k3)
            g += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        t = target
        out.append(g)
    return np.array(out)


@pytest.mark.parametrize("normalization", ["softmax", "unnormalized"])
def test_1_orthonormal_tokens_follow_the_scalar_equation(tmp_path, normalization):
    """RK4 at h and h/2: the error against (4.8)/(4.9) is below 1e-6 and falls by about 2^4."""
    horizon = 4.0 if normalization == "softmax" else 1.0
    errors = []
    for step in (0.1 * horizon / 4, 0.05 * horizon / 4):
        out = sweep(
            tmp_path,
            f'n = 7\nd = 9\nbeta = [0.5, 2.0]\nnormalization = "{normalization}"\ninitial = "orthonormal"',
            f'horizon = {horizon}\nintegrator = "rk4"\nstep = {step}\nsample = {{ count = 5 }}',
            'series = ["mean_cosine", "min_cosine"]\nlevel = "replica"',
            replicas=3,
            name=f"orthonormal-{step}",
        )
        series = table(out, "series")
        worst = 0.0
        for beta in (0.5, 2.0):
            for _, rows in series.filter(pl.col("beta") == beta).group_by("replica"):
                rows = rows.sort("t")
                expected = scalar_ode(beta, 7, normalization, rows["t"].to_numpy())
                worst = max(worst, np.abs(rows["mean_cosine"].to_numpy() - expected).max())
                worst = max(worst, np.abs(rows["min_cosine"].to_numpy() - expected).max())
        errors.append(worst)
    assert errors[0] < 1e-5
    assert errors[1] < errors[0] / 10 or errors[1] < 1e-12


@pytest.mark.parametrize("beta,expected", [(1, 4.271067680309354), (4, 10.831207009994971), (9, 466.7106529100294)])
def test_2_two_tokens_collapse_when_the_integral_says(tmp_path, beta, expected):
    """Interpolating 1 − g ~ e^{−2t} linearly within a step errs by at most h² g''/(8 g') = h²/4; RK4 by O(h⁴)."""
    step = 0.02
    out = sweep(
        tmp_path,
        f'n = 2\nd = 2\nbeta = {beta}\ninitial = "angles(0, pi/2)"',
        f'horizon = {math.ceil(expected) + 1}\nintegrator = "rk4"\nstep = {step}\nsample = {{ count = 2 }}',
        'series = ["clusters"]',
    )
    time = table(out, "replicas")["collapse_time"][0]
    assert abs(time - expected) < step**2 / 4 + 1e-6 * expected


def test_3_the_boundary_approaches_the_infinite_dimensional_one(tmp_path):
    """P0 (4.11): the time at which half the pairs are together tends to that of γ_β = 1 − δ as d grows."""
    beta, n, delta = 4.0, 32, 1e-3
    g = (np.arange(200_000) + 0.5) / 200_000 * (1 - delta)
    rate = 2 * np.exp(beta * g) * (1 - g) * ((n - 1) * g + 1) / ((n - 1) * np.exp(beta * g) + np.exp(beta))
    boundary = ((1 - delta) / 200_000 / rate).sum()
    out = sweep(
        tmp_path,
        f"n = {n}\nd = [8, 64, 1024]\nbeta = {beta}",
        'horizon = 15\nintegrator = "rk4"\nstep = 0.05\nsample = { count = 301 }',
        'series = ["pair_fraction"]\nplateaus = false',
        replicas=64,
    )
    distance = []
    for d in (8, 64, 1024):
        rows = table(out, "series").filter(pl.col("d") == d).sort("t")
        t, fraction = rows["t"].to_numpy(), rows["pair_fraction_mean"].to_numpy()
        after = np.argmax(fraction >= 0.5)
        share = (0.5 - fraction[after - 1]) / (fraction[after] - fraction[after - 1])
        crossing = t[after - 1] + share * (t[after] - t[after - 1])
        distance.append(abs(crossing - boundary))
    # Theorem 4.7 promises the limit; the sequence d = 8, 64, 1024 is already monotone, and the last within 2%.
    assert distance[0] > distance[1] > distance[2]
    assert distance[2] < 0.02 * boundary


def test_4_wendel(tmp_path):
    """P0 Thm 4.5, P(hemisphere) = 2^{−(n−1)} Σ_{k<d} C(n−1, k), and Lemma 4.2: a hemisphere ends in one cluster."""
    replicas = 4000
    out = sweep(
        tmp_path,
        "zip = { n = [6, 8, 12, 9], d = [2, 3, 4, 12] }\nbeta = 1",
        'horizon = 40\nintegrator = "projected_euler"\nstep = 0.2\nsample = { count = 2 }',
        'series = ["clusters"]\nplateaus = false',
        replicas=replicas,
    )
    rows = table(out, "replicas")
    assert rows["hemisphere_initial"].null_count() == 0
    for n, d in ((6, 2), (8, 3), (12, 4), (9, 12)):
        p = sum(comb(n - 1, k) for k in range(min(d, n))) / 2 ** (n - 1)
        share = rows.filter(pl.col("n") == n, pl.col("d") == d)["hemisphere_initial"].mean()
        assert abs(share - p) <= Z * math.sqrt(p * (1 - p) / replicas), (n, d, share, p)
    inside = rows.filter(pl.col("hemisphere_initial"))
    assert (inside["clusters_final"] == 1).all()


@pytest.mark.parametrize("normalization", ["softmax", "unnormalized"])
@pytest.mark.parametrize("value", ["identity", "-identity"])
def test_5_energy_is_monotone(tmp_path, normalization, value):
    """V = I: never decreases along the flow, V = −I: never increases. RK4's own error a sample is below 1e-9 here."""
    out = sweep(
        tmp_path,
        f'n = 12\nd = [2, 3, 5]\nbeta = [0.5, 3]\nnormalization = "{normalization}"\nvalue = "{value}"',
        'horizon = 5\nintegrator = "rk4"\nstep = 0.005\nsample = { count = 201 }',
        'series = ["energy"]\nlevel = "replica"',
        replicas=8,
    )
    sign = 1 if value == "identity" else -1
    for _, rows in table(out, "series").group_by("cell", "replica"):
        steps = sign * np.diff(rows.sort("t")["energy"].to_numpy())
        assert steps.min() > -1e-9
        assert steps.sum() > 0


def test_6_one_cluster(tmp_path):
    """β = 0 in any d (P0 Thm 5.1), every β for d ≥ 3 (P2 Thm 1)."""
    out = sweep(
        tmp_path,
        "zip = { d = [2, 3, 3], beta = [0, 0, 1] }\nn = 16",
        'horizon = 60\nintegrator = "projected_euler"\nstep = 0.1\nsample = { count = 2 }',
        'series = ["clusters"]',
        replicas=64,
    )
    rows = table(out, "replicas")
    assert (rows["clusters_final"] == 1).all()
    assert (rows["end"] == "collapsed").all()
    assert not rows["censored"].any()


# Shares of 1, 2, 3, 4 clusters in 2000 starts, computed independently of this program.
COUNTS = {
    (4.0, 18.0): {2: 0.769, 3: 0.228},
    (4.0, 30.0): {1: 0.011, 2: 0.892, 3: 0.098},
    (9.0, 18.0): {2: 0.033, 3: 0.606, 4: 0.354},
    (9.0, 30.0): {2: 0.062, 3: 0.709, 4: 0.230},
}


def test_7_cluster_counts_on_the_circle(tmp_path):
    """P0 Fig. 3: two samples of binomials, so √2 standard errors; rounding of the printed shares adds 0.0005."""
    replicas = 1000 if FAST else 2000
    out = sweep(
        tmp_path,
        "n = 32\nd = 2\nbeta = [4, 9]",
        'horizon = 30\nintegrator = "projected_euler"\nstep = 0.1\nsample = [2.5, 18, 30]',
        'series = ["clusters"]\nlevel = "replica"',
        replicas=replicas,
        seed=20231215,
    )
    series = table(out, "series")
    for (beta, t), shares in COUNTS.items():
        clusters = series.filter(pl.col("beta") == beta, pl.col("t") == t)["clusters"].to_numpy()
        assert len(clusters) == replicas
        for count, expected in shares.items():
            error = math.sqrt(expected * (1 - expected) * (1 / 2000 + 1 / replicas))
            assert abs((clusters == count).mean() - expected) <= Z * error + 0.0005, (beta, t, count)


def tokens_at_the_end(tmp_path, out, replica, n, d):
    path = tmp_path / f"end-{replica}.npy"
    cell = table(out, "replicas")["cell"][0]
    horizon = table(out, "cells")["horizon"][0]
    metasweep("replay", out, "--cell", cell, "--replica", replica, "--times", f"0,{horizon}", "--out", path)
    tokens = np.load(path)
    assert tokens.shape == (2, n, d)
    return tokens


def causal(tmp_path, value, beta, horizon):
    """Two replicas of P3 Table 1's system, n = 32, d = 3, Q = K = I: their first and last tokens."""
    out = sweep(
        tmp_path,
        f'n = 32\nd = 3\nbeta = {beta}\nmask = "causal"\nvalue = "{value}"',
        f'horizon = {horizon}\nintegrator = "projected_euler"\nstep = 0.1\nsample = {{ count = 2 }}',
        'series = ["clusters"]\nplateaus = false',
        replicas=2,
        seed=5,
    )
    return [tokens_at_the_end(tmp_path, out, replica, 32, 3) for replica in (0, 1)]


@pytest.mark.parametrize("value", ["identity", "diag(1, 1, 0)"])
def test_9_causal_tokens_meet_where_the_first_one_leads(tmp_path, value):
    """P3 Thm 4.1 (V = I: all tend to x_1(0)) and Table 1 (diag(1, 1, 0): to the normalized projection of x_1(0) on the leading
    eigenspace). The theorem is about t → ∞: at β = 9 most starts still have two clusters at T = 5000, so the limit is
    tested at β = 2, where e^{2β} is small."""
    for start, end in causal(tmp_path, value, 2, 1000):
        target = start[0] if value == "identity" else start[0] * [1, 1, 0]
        target = target / np.linalg.norm(target)
        assert (end @ target).min() > 1 - 1e-6


@pytest.mark.parametrize("value", ["identity", "diag(1, 1, 0)", "diag(1, 0, 0)", "diag(-1, -1, -3)", "diag(-1, -3, -3)"])
def test_9_causal_attention_at_low_temperature(tmp_path, value):
    """P3 Table 1 as printed, β = 9: what is true of every start at a finite time."""
    for start, end in causal(tmp_path, value, 9, 500 if FAST else 5000):
        assert np.abs(np.linalg.norm(end, axis=1) - 1).max() < 1e-12
        if value == "identity":
            # The first token sees only itself and stays.
            assert np.abs(end[0] - start[0]).max() < 1e-9
        elif value == "diag(1, 1, 0)":
            # The first token goes to its projection; all tokens into the leading eigenspace.
            target = start[0] * [1, 1, 0]
            assert np.abs(end[0] - target / np.linalg.norm(target)).max() < 1e-6
            assert np.abs(end[:, 2]).max() < 1e-6
        elif value == "diag(1, 0, 0)":
            assert np.abs(np.abs(end[:, 0]) - 1).max() < 1e-6
        elif value == "diag(-1, -1, -3)":
            # A cloud around the plane of the leading eigenvalue −1: nearer to it than uniform tokens (mean |z| = 1/2).
            assert abs(end[0, 2]) < 1e-6
            assert np.abs(end[:, 2]).mean() < 0.5
        else:
            # Two clouds around ±ξ: nearer to the axis than uniform tokens (mean |x| = 1/2).
            assert abs(abs(end[0, 0]) - 1) < 1e-6
            assert np.abs(end[:, 0]).mean() > 0.5
