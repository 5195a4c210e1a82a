"""Oracle 14: how many clusters the first metastable state on the sphere has, against β (P2 §5.3, P3 §5; docs/oracles.md).

Theory has the order alone: β^{(d−1)/2} from the modes that grow fastest around uniform tokens; on the circle √β log β from the modes of a
density of Gaussian tokens, "up to logarithmic factors". So the exponent is reported, with its standard error, and held between those of
β^{(d−1)/2}/log β and β^{(d−1)/2} log β over the same range of β. False alarm: 2.1e-8 for each of two bounds (Z = 5.6).
"""

import math

import numpy as np
import polars as pl
import pytest

from harness import FAST, sweep, table

Z = 5.6
# n ≥ 50 β^{(d−1)/2} on the circle, n ≥ 30 β^{(d−1)/2} on the sphere: tokens are many to a cluster. By d: β and n, replicas.
CELLS = {
    2: ({9: 150, 25: 250, 64: 400}, 16) if FAST else ({9: 150, 25: 250, 64: 400, 144: 600}, 64),
    3: ({9: 300, 25: 750}, 32) if FAST else ({9: 600, 16: 900, 25: 1200, 49: 1600}, 16),
}


def exponent(beta, counts):
    """Slope of ln(mean count) against ln β by weighted least squares, and its standard error (delta method; cells are independent
    as they differ in n, and tokens are drawn for each n)."""
    mean = np.array([c.mean() for c in counts])
    weight = np.array([len(c) * m**2 / c.var(ddof=1) for c, m in zip(counts, mean)])
    x, y = np.log(beta), np.log(mean)
    centred = x - (weight * x).sum() / weight.sum()
    spread = (weight * centred**2).sum()
    return (weight * centred * y).sum() / spread, math.sqrt(1 / spread)


@pytest.mark.parametrize("d", CELLS)
def test_the_first_metastable_count_grows_like_a_power_of_beta(tmp_path, record_property, d):
    cells, replicas = CELLS[d]
    out = sweep(
        tmp_path,
        f"zip = {{ n = {list(cells.values())}, beta = {list(cells)} }}\nd = {d}",
        'horizon = 60\nintegrator = "projected_euler"\nstep = 0.1\nsample = { count = 2 }',
        'series = ["clusters"]',
        replicas=replicas,
        seed=14,
    )
    rows = table(out, "replicas")
    first = rows["first_plateau_clusters"]
    # Every replica has come to its first metastable state, and to one of several clusters.
    assert first.null_count() == 0 and (first > 1).all()
    beta = np.array(list(cells), dtype=float)
    counts = [rows.filter(pl.col("beta") == b)["first_plateau_clusters"].to_numpy() for b in beta]
    found, error = exponent(beta, counts)
    power = (d - 1) / 2
    logarithm = math.log(math.log(beta[-1]) / math.log(beta[0])) / math.log(beta[-1] / beta[0])
    means = ", ".join(f"{c.mean():.2f} at β = {b:g}" for b, c in zip(beta, counts))
    report = f"exponent {found:.3f} ± {error:.3f} ({means}); with a logarithm {power - logarithm:.3f} to {power + logarithm:.3f}"
    print(report)
    record_property("first_metastable_count", report)
    # The sample is large enough to tell √β from β⁰ and β¹.
    assert Z * error < 0.25, report
    assert power - logarithm - Z * error <= found <= power + logarithm + Z * error, report
