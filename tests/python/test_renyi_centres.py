"""Oracle 10 through a sweep: how many Rényi centres and strong ones n uniform tokens have at t = 0 (P3 §5.1, C.4; docs/oracles.md).

Z = 5.6 standard errors: a false alarm has probability 2 (1 - Φ(5.6)) = 2.1e-8 a comparison, below 1e-6 for the 18 there are.
"""

import math

import numpy as np
import polars as pl
import pytest

from harness import FAST, metasweep

Z = 5.6
REPLICAS = 1000 if FAST else 4000
SWEEP = f"""
name = "renyi"
seed = 20240610
replicas = {REPLICAS}
[[grid]]
n = [50, 400]
d = [2, 3]
beta = [16, 64, 100]
[time]
horizon = 0.1
integrator = "projected_euler"
step = 0.1
sample = [0.0, 0.1]
[observe]
series = ["renyi_centres", "strong_renyi_centres"]
plateaus = false
renyi = {{ separation = "4/sqrt(beta)" }}
"""


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("renyi")
    (folder / "renyi.toml").write_text(SWEEP)
    metasweep("run", folder / "renyi.toml", "--out", folder / "out", timeout=900)
    rows = pl.read_parquet(f"{folder}/out/series/**/*.parquet")
    assert len(rows) == 2 * 2 * 3 * 2
    assert (rows["replicas"] == REPLICAS).all()
    return rows


def test_centres_belong_to_the_initial_state(series):
    """Chosen at t = 0: the counts at a later time are the same."""
    keys, counts = ["n", "d", "beta"], ["renyi_centres_mean", "strong_renyi_centres_mean"]
    first, last = (series.filter(pl.col("t") == t).sort(keys).select(counts) for t in (0.0, 0.1))
    assert first.equals(last)


def test_strong_centres(series):
    """(1 − (1−p)^n)/p exactly, for independent uniform tokens: token k is one if the k − 1 before it miss a cap of share p. The
    caps' shares are δ/π for d = 2 and sin²(δ/2) for d = 3. (P3 prints a third of the limit for d = 3.)"""
    for row in series.filter(pl.col("t") == 0).iter_rows(named=True):
        delta = 4 / math.sqrt(row["beta"])
        p = delta / math.pi if row["d"] == 2 else math.sin(delta / 2) ** 2
        expected = (1 - (1 - p) ** row["n"]) / p
        error = row["strong_renyi_centres_std"] / math.sqrt(REPLICAS)
        assert abs(row["strong_renyi_centres_mean"] - expected) <= Z * error, (row, expected)


def parked(t):
    """C(t) = ∫_0^t exp(−2 ∫_0^x (1 − e^{−y})/y dy) dx, C″(t): Rényi's parking after t arrivals a car length; by the midpoint rule."""
    h = 1e-4
    y = (np.arange(round(t / h)) + 0.5) * h
    inner = np.cumsum(-np.expm1(-y) / y) * h
    # Up to the middle of each interval.
    middle = inner - 0.5 * h * (-np.expm1(-y) / y)
    slope = np.exp(-2 * middle)
    return slope.sum() * h, -2 * slope[-1] * -math.expm1(-t) / t


def test_centres_on_the_circle(series):
    """Cars of length δ that park on a street of length 2π: (2π/δ) C(nδ/2π), which tends to 0.7476·2π/δ. The formula is that of a Poisson
    number of arrivals with mean n; n of them have −(n/2) d²/dn² more, and an error of higher order in 1/n."""
    street_limit = 0.7475979202534114
    for row in series.filter(pl.col("t") == 0, pl.col("d") == 2).iter_rows(named=True):
        street = 2 * math.pi * math.sqrt(row["beta"]) / 4
        t = row["n"] / street
        share, curvature = parked(t)
        expected = street * share - 0.5 * t * curvature
        error = row["renyi_centres_std"] / math.sqrt(REPLICAS)
        assert abs(row["renyi_centres_mean"] - expected) <= Z * error + 1 / t**3 + 1e-4, (row, expected)
        # What is missing to the limit falls like e^{−2γ}/t.
        missing = math.exp(-2 * 0.5772156649015329) / t
        assert abs(row["renyi_centres_mean"] - street * (street_limit - missing)) <= Z * error + street / t**2
