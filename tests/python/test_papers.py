"""What P1 and P4 prove of where tokens end, through the binary. Numbers: docs/oracles.md, 8 and 11.

Nothing is compared with the program's own observables alone: tokens and attention weights are read, and hulls, projections, exponentials
and heat kernels are computed here.
"""

import json
import math
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from harness import metasweep, sweep, table, tokens

TIME = "horizon = {horizon}\nintegrator = \"rk4\"\nstep = {step}\nsample = {sample}"


def hull(points):
    """The corners of the convex hull of points of the plane, counterclockwise (Andrew's monotone chain)."""
    points = sorted(map(tuple, points))

    def half(points):
        chain = []
        for p in points:
            while len(chain) > 1 and cross(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return np.array(half(points) + half(points[::-1]))


def cross(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def distance_to_boundary(points):
    """Of each point of the plane, from the boundary of the hull of all."""
    corners = hull(points)
    found = np.full(len(points), np.inf)
    for a, b in zip(corners, np.roll(corners, -1, axis=0)):
        along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0)
        found = np.minimum(found, np.linalg.norm(points - a - along[:, None] * (b - a), axis=1))
    return found


def parts(values, gap):
    """How many groups sorted numbers fall into."""
    return 1 + int((np.diff(np.sort(values)) > gap).sum())


def test_8_attention_in_one_dimension_becomes_boolean(tmp_path):
    """P1 Theorem 2.1: V > 0, QK > 0: all rows of P but at most one become Boolean; at most three distinct rows."""
    out = sweep(
        tmp_path,
        'n = 40\nd = 1\nbeta = 1\ngeometry = "rescaled"\ninitial = "hypercube(5)"',
        TIME.format(horizon=10.0, step=0.1, sample="[0, 10]"),
        'series = ["attention_rank", "leaders"]\nlevel = "replica"\nplateaus = false\nattention = { replicas = 16, times = [10.0] }',
        replicas=16,
    )
    rows = table(out, "attention")
    ranks = table(out, "series").filter(pl.col("t") == 10.0).sort("replica")["attention_rank"].to_list()
    for replica in range(16):
        matrix = rows.filter(pl.col("replica") == replica).sort("i", "j")["weight"].to_numpy().reshape(40, 40)
        boolean = (np.minimum(matrix, 1 - matrix) < 1e-6).all(axis=1)
        assert boolean.sum() >= 39, f"replica {replica}"
        assert len(np.unique(matrix[boolean].round(), axis=0)) <= 2
        assert ranks[replica] == np.linalg.matrix_rank(matrix) <= 3


@pytest.mark.parametrize("value,flat", [("identity", 0), ("diag(1, 1, -0.5)", 1)])
def test_8_polygons(tmp_path, value, flat):
    """P1 Theorem 3.1 and 5.2: for V = I on R² tokens tend to the boundary of their convex hull; for diag(1, 1, −1/2) the first two
    coordinates do (or to 0), whatever the third. A start's own hull has tokens far inside."""
    d = 2 + flat
    out = sweep(
        tmp_path,
        f'n = 40\nd = {d}\nbeta = 1\nvalue = "{value}"\ngeometry = "rescaled"\ninitial = "hypercube(5)"',
        TIME.format(horizon=15.0, step=0.1, sample="[0, 15]"),
        'series = ["clusters"]\nlevel = "replica"\nplateaus = false\nsnapshots = { replicas = 16, times = [0.0, 15.0] }',
        replicas=16,
    )
    rows = table(out, "tokens")
    for replica in range(16):
        start, end = tokens(rows, replica, 0.0)[:, :2], tokens(rows, replica, 15.0)[:, :2]
        assert distance_to_boundary(start).max() > 1.0
        away = np.minimum(distance_to_boundary(end), np.linalg.norm(end, axis=1))
        # What pulls is e^{t}-fold: by t = 15 a token off its face would have moved by far more than this.
        assert away.max() < 1e-3, f"replica {replica}: {away.max()}"


@pytest.mark.parametrize(
    "value,d,normal",
    [
        ("diag(1.35, -0.07)", 2, [1, 0]),
        ("diag(-0.22, 1.96, 0.25)", 3, [0, 1, 0]),
        ("spectrum(1, -0.05+0.25i; basis=standard)", 3, [1, 0, 0]),
    ],
)
def test_8_hyperplanes(tmp_path, value, d, normal):
    """P1 Theorem 4.2: λ_1 > 0 simple: at most three parallel hyperplanes, counted here from the tokens."""
    out = sweep(
        tmp_path,
        f'n = 40\nd = {d}\nbeta = 1\nvalue = "{value}"\ngeometry = "rescaled"\ninitial = "hypercube(5)"',
        TIME.format(horizon=15.0, step=0.1, sample="[0, 15]"),
        'series = ["hyperplanes"]\nlevel = "replica"\nplateaus = false\nepsilon = 0.1\nsnapshots = { replicas = 16, times = [0.0, 15.0] }',
        replicas=16,
    )
    rows, series = table(out, "tokens"), table(out, "series")
    for replica in range(16):
        for t in (0.0, 15.0):
            counted = parts(tokens(rows, replica, t) @ np.array(normal), 0.1)
            said = series.filter(pl.col("replica") == replica, pl.col("t") == t)["hyperplanes"].item()
            assert counted == said
            assert counted <= 3 if t else counted > 10


@pytest.mark.parametrize("value", ["diag(1, 0.4, 0.1)", "spectrum(1+0.6i, 0.2; basis=standard)"])
def test_11_tokens_follow_the_linear_flow(tmp_path, value):
    """P4 Theorem 3.2, Proposition 3.4: as β → ∞ tokens move like e^{tV KᵀQ} x_i normalized. Here every token sees itself alone up to
    n·e^{−β(1−c)} with c the largest cosine on the way, below 1e-13; the error is rk4's. In the end they are in E_max."""
    d, beta, horizon = 3, 3e6, 1.0
    out = sweep(
        tmp_path,
        f'n = 24\nd = {d}\nbeta = {beta}\nvalue = "{value}"',
        TIME.format(horizon=horizon, step=0.002, sample="[0, 1]"),
        'series = ["leading_eigenspace_distance"]\nlevel = "replica"\nplateaus = false\nsnapshots = { replicas = 4, times = [0.0, 1.0] }',
        replicas=4,
    )
    if value.startswith("spectrum"):
        turn, growth = 0.6 * horizon, math.exp(horizon)
        block = growth * np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        flow = np.zeros((3, 3))
        flow[:2, :2], flow[2, 2] = block, math.exp(0.2 * horizon)
        flows, leading = [flow, flow.T], 2
    else:
        flows, leading = [np.diag(np.exp(horizon * np.array([1.0, 0.4, 0.1])))], 1
    rows, series = table(out, "tokens"), table(out, "series").sort("replica", "t")
    for replica in range(4):
        start, end = tokens(rows, replica, 0.0), tokens(rows, replica, horizon)
        cosines = (end @ end.T) - 2 * np.eye(len(end))
        assert 24 * math.exp(-beta * (1 - cosines.max())) < 1e-13
        expected = [start @ flow.T for flow in flows]
        errors = [np.abs(e / np.linalg.norm(e, axis=1, keepdims=True) - end).max() for e in expected]
        # rk4: (η‖V‖)^5/120 a step, 500 steps, ‖V‖ ≤ 1.2: below 4e-13 with what the sphere adds.
        assert min(errors) < 1e-11
        away = np.linalg.norm(end[:, leading:], axis=1).mean()
        said = series.filter(pl.col("replica") == replica)["leading_eigenspace_distance"].to_list()
        assert said[1] == pytest.approx(away, rel=1e-9) and said[1] < said[0]


@pytest.mark.parametrize("value,sign", [("-identity", 1), ("identity", -1)])
def test_11_heat_equation(tmp_path, value, sign):
    """P4 Proposition 3.9: on the circle, in time t/β, the density obeys the heat equation, forward for V = −I, backward for V = I: a
    Gaussian's variance changes by ±2t/β; at finite β by ds/dt = ±2s/(1+βs). The two differ by 1/(βs) relative, and so does what the
    derivation drops: twice that is allowed. Tokens at the quantiles of the Gaussian: random ones carry noise that the backward equation
    amplifies, e^t-fold at the scale β^{−1/2}."""
    beta, horizon, n, deviation = 200.0, 2.0, 1500, 0.4
    normal = NormalDist(math.pi, deviation)
    angles = np.array([normal.inv_cdf((k + 0.5) / n) for k in range(n)])
    np.save(tmp_path / "quantiles.npy", np.column_stack([np.cos(angles), np.sin(angles)]))
    out = sweep(
        tmp_path,
        f'n = {n}\nd = 2\nbeta = {beta}\nvalue = "{value}"\ngeometry = "circle"\ninitial = "file(quantiles.npy)"',
        TIME.format(horizon=horizon, step=0.1, sample=f"[0, {horizon}]"),
        f'series = ["order"]\nlevel = "replica"\nplateaus = false\nsnapshots = {{ replicas = 1, times = [0.0, {horizon}] }}',
    )
    rows = table(out, "tokens")
    # Of a wrapped normal law the mean resultant length is e^{−s/2}.
    before, after = (-2 * math.log(np.linalg.norm(tokens(rows, 0, t).mean(axis=0))) for t in (0.0, horizon))
    heat = sign * 2 * horizon / beta
    s, steps = before, 4000
    for _ in range(steps):
        s += sign * horizon / steps * 2 * s / (1 + beta * s)
    allowed = 2 * abs(heat) / (beta * deviation**2)
    assert abs(after - before - heat) < allowed
    assert abs(after - before - (s - before)) < allowed


def test_11_two_weighted_clusters(tmp_path):
    """P4 Proposition 3.11, P2 Theorem 6: when and where two clusters of masses m_1, m_2 merge, by `metasweep theory cascade`, which solves
    the two-cluster equation, and by its asymptotics T ≃ e^{β(1−g)}/(β(1−g²)(m_1/m_2 + m_2/m_1))."""
    first, second, apart, beta = 0.3, 0.7, 1.5, 8.0
    said = metasweep("theory", "cascade", "--angles", f"0,{apart}", "--masses", f"{first},{second}", "--beta", beta, "--json")
    merge = json.loads(said.stdout)[0]
    out = sweep(
        tmp_path,
        f'n = 2\nd = 2\nbeta = {beta}\nweights = "list({first}, {second})"\ninitial = "angles(0, {apart})"',
        TIME.format(horizon=2000.0, step=0.02, sample="[0, 2000]"),
        'series = ["clusters"]\nlevel = "replica"\nsnapshots = { replicas = 1, times = [2000.0] }',
    )
    met = table(out, "replicas")["collapse_time"].item()
    # rk4 at 0.02: η⁴ times the rates' fourth powers, below 1e-6 of a time of hundreds.
    assert met == pytest.approx(merge["t"], rel=1e-6)
    end = tokens(table(out, "tokens"), 0, 2000.0)
    angle = math.atan2(*end.mean(axis=0)[::-1])
    assert angle == pytest.approx(merge["angle"], abs=1e-3)
    # The smaller one moves: by m_2² : m_1² as long as they are far apart, by m_2 : m_1 in the end.
    assert apart * second / (first + second) < angle < apart * second**2 / (first**2 + second**2)
    g = math.cos(apart)
    asymptotic = math.exp(beta * (1 - g)) / (beta * (1 - g * g) * (first / second + second / first))
    # Corrections of relative order 1/β, with the constant of the next term of the integral: (2g/(1−g²) + …)/β.
    assert met == pytest.approx(asymptotic, rel=4 / beta)


@pytest.mark.parametrize(
    "n,d,cosines",
    [
        (4, 3, {-1 / 3: 3}),
        (6, 3, {0: 4, -1: 1}),
        (12, 3, {5**-0.5: 5, -(5**-0.5): 5, -1: 1}),
    ],
    ids=["simplex", "cross-polytope", "icosahedron"],
)
def test_repelling_tokens_minimize_the_energy(tmp_path, n, d, cosines):
    """P0 §8.1: V = −I descends to configurations of minimal energy, universally optimal ones where they exist (Cohn and Kumar): the energy to
    1e-6, from every start, and the gradient's norm on the spheres at the end."""
    beta, horizon = 4.0, 600.0
    out = sweep(
        tmp_path,
        f'n = {n}\nd = {d}\nbeta = {beta}\nvalue = "-identity"',
        TIME.format(horizon=horizon, step=0.1, sample=f"[0, {horizon}]"),
        f'series = ["energy"]\nlevel = "replica"\nplateaus = false\nsnapshots = {{ replicas = 8, times = [0.0, {horizon}] }}',
        replicas=8,
    )
    known = (1 + sum(count * math.exp(beta * (cosine - 1)) for cosine, count in cosines.items())) / n
    ends, rows = table(out, "replicas").sort("replica")["energy_final"].to_list(), table(out, "tokens")

    def steepness(x):
        pull = np.exp(beta * (x @ x.T - 1)) @ x
        return 2 * beta / n**2 * np.linalg.norm(pull - (pull * x).sum(axis=1, keepdims=True) * x)

    for replica, end in enumerate(ends):
        assert end == pytest.approx(known, rel=1e-6)
        # An energy within 1e-6 of its minimum has a gradient of the order of its root, 1e-3 of what it was.
        assert steepness(tokens(rows, replica, horizon)) < 1e-3 * steepness(tokens(rows, replica, 0.0))
