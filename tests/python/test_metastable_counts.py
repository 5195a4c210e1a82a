"""Oracle 14: how many clusters the first metastable state on the circle has, against β (P2 §5.3, P3 §5; docs/oracles.md).

Theory has the order alone: Θ(√β) from the modes that grow fastest around uniform tokens, √β log β from the modes of a density of Gaussian
tokens, "up to logarithmic factors" on the circle. So the exponent is reported, with its standard error, and held between those of
√β/log β and √β log β over the same range of β. False alarm: 2.1e-8 for each of two bounds (Z = 5.6).
"""

import math

import numpy as np
import polars as pl

from harness import FAST, sweep, table

Z = 5.6
# n ≥ 50 √β, so that the tokens are many to a cluster.
CELLS = {9: 150, 25: 250, 64: 400} if FAST else {9: 150, 25: 250, 64: 400, 144: 600}
REPLICAS = 16 if FAST else 64


def exponent(beta, counts):
    """Slope of ln(mean count) against ln β by weighted least squares, and its standard error (delta method; cells are independent
    as they differ in n, and tokens are drawn for each n)."""
    mean = np.array([c.mean() for c in counts])
    weight = np.array([len(c) * m**2 / c.var(ddof=1) for c, m in zip(counts, mean)])
    x, y = np.log(beta), np.log(mean)
    centred = x - (weight * x).sum() / weight.sum()
    spread = (weight * centred**2).sum()
    return (weight * centred * y).sum() / spread, math.sqrt(1 / spread)


def test_the_first_metastable_count_grows_like_the_root_of_beta(tmp_path, record_property):
    out = sweep(
        tmp_path,
        f"zip = {{ n = {list(CELLS.values())}, beta = {list(CELLS)} }}\nd = 2",
        'horizon = 60\nintegrator = "projected_euler"\nstep = 0.1\nsample = { count = 2 }',
        'series = ["clusters"]',
        replicas=REPLICAS,
        seed=14,
    )
    replicas = table(out, "replicas")
    first = replicas["first_plateau_clusters"]
    # Every replica has come to its first metastable state, and to one of several clusters.
    assert first.null_count() == 0 and (first > 1).all()
    beta = np.array(list(CELLS), dtype=float)
    counts = [replicas.filter(pl.col("beta") == b)["first_plateau_clusters"].to_numpy() for b in beta]
    found, error = exponent(beta, counts)
    logarithm = math.log(math.log(beta[-1]) / math.log(beta[0])) / math.log(beta[-1] / beta[0])
    means = ", ".join(f"{c.mean():.2f} at β = {b:g}" for b, c in zip(beta, counts))
    report = f"exponent {found:.3f} ± {error:.3f} ({means}); with a logarithm {0.5 - logarithm:.3f} to {0.5 + logarithm:.3f}"
    print(report)
    record_property("first_metastable_count", report)
    # The sample is large enough to tell √β from β⁰ and β¹.
    assert Z * error < 0.25, report
    assert 0.5 - logarithm - Z * error <= found <= 0.5 + logarithm + Z * error, report
