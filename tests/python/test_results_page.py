"""docs/make/results: the curve Γ, crossings, shares, and what it refuses, on fabricated datasets."""

import json
import math
import sys
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "docs" / "make"))

import boundary  # noqa: E402
import clusters  # noqa: E402
import provenance  # noqa: E402
import results  # noqa: E402
from dataset import Refused, axis, open_dataset, points  # noqa: E402

FIG2 = """name = "tiny"
seed = 7
replicas = 4
[[grid]]
n = 32
d = [2, 8]
beta = [4, 9]
[time]
horizon = 30.0
integrator = "projected_euler"
step = 0.1
sample = { count = 200 }
[observe]
series = ["clusters", "pair_fraction"]
"""
FIG3 = FIG2.replace("d = [2, 8]", "d = 2").replace("replicas = 4", "replicas = 6").replace('"tiny"', '"tiny3"')
TIMES = [30 * k / 199 for k in range(200)]
CROSSING = 7.0
# Clusters of the six replicas in p0-fig3's stead, by (β, t).
COUNTS = {
    (4.0, 18.0): [2, 2, 2, 3, 2, 3],
    (4.0, 30.0): [2, 2, 2, 2, 1, 3],
    (9.0, 18.0): [3, 3, 4, 2, 3, 4],
    (9.0, 30.0): [3, 3, 4, 2, 3, 3],
}


@pytest.mark.parametrize("n", [2, 5, 32])
@pytest.mark.parametrize("delta", [1e-1, 1e-3, 1e-6])
def test_gamma_without_attention_has_a_closed_form(n, delta):
    """β = 0: γ' = 2 (1−γ)((n−1)γ+1)/n, so t = ½ ln(((n−1)γ+1)/(1−γ)) (partial fractions)."""
    closed = 0.5 * math.log(((n - 1) * (1 - delta) + 1) / delta)
    assert abs(boundary.gamma_time(0.0, n, delta) - closed) < 1e-10


def test_gamma_for_two_tokens_is_the_pair_integral():
    """n = 2: the collapse time of two orthogonal tokens, ∫ (e^{β(1−g)}+1)/(2(1−g)(1+g)) dg; values of an independent computation."""
    for beta, value in {1.0: 4.271067680309354, 4.0: 10.831207009994971, 9.0: 466.7106529100294}.items():
        assert abs(boundary.gamma_time(beta, 2, 1e-3) - value) < 1e-10 * value


@pytest.mark.parametrize("beta", [0.5, 4.0])
def test_the_authors_scheme_from_orthogonal_tokens(beta):
    """The scalar map against the scheme itself on orthonormal tokens: the same crossing, up to rounding."""
    n, step, delta = 6, 0.1, 1e-3
    x, g, t = np.eye(n), 0.0, 0.0
    while True:
        weights = np.exp(beta * (x @ x.T))
        x = x + step * (weights / weights.sum(axis=1, keepdims=True)) @ x
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        after = x[0] @ x[1]
        if after >= 1 - delta:
            break
        g, t = after, t + step
    expected = t + step * (1 - delta - g) / (after - g)
    assert abs(boundary.gamma_time_euler(beta, n, delta, step) - expected) < 1e-9
    assert boundary.gamma_time_euler(beta, n, delta, step, horizon=t - step) is None


def test_the_authors_scheme_tends_to_the_flow():
    """First order: the difference to Γ halves with the step, up to the next order."""
    exact = boundary.gamma_time(4.0, 32, 1e-3)
    coarse, fine = (boundary.gamma_time_euler(4.0, 32, 1e-3, step) - exact for step in (0.02, 0.01))
    assert 0 < fine < coarse < 0.02 * exact
    assert abs(coarse / fine - 2) < 0.1


def test_crossings():
    assert boundary.crossing([0.0, 1.0, 2.0], [0.0, 0.25, 0.75], 0.5) == 1.5
    assert boundary.crossing([0.0, 1.0], [0.1, 0.4], 0.5) is None
    assert boundary.crossing([0.0, 1.0], [0.6, 0.7], 0.5) == 0.0
    assert boundary.crossing([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 0.0, 1.0], 0.5) == 0.5


def test_the_time_of_a_state():
    """The row t = 18.09… is the state after 180 steps of 0.1; 0.3 is three steps although 0.3/0.1 < 3 in floats."""
    assert abs(boundary.state_time(30 * 120 / 199, 0.1) - 18.0) < 1e-9
    assert abs(boundary.state_time(0.3, 0.1) - 0.3) < 1e-12


def test_shares():
    assert clusters.shares([2, 3, 2, 2]) == {2: 0.75, 3: 0.25}
    assert clusters.standard_error(0.5, 100) == 0.05
    assert abs(clusters.deviation(0.6, 100, 0.4, 100) - 0.2 / math.sqrt(0.25 * 0.02)) < 1e-12
    assert clusters.deviation(1.0, 5, 1.0, 5) == 0.0


def test_axes_of_a_sweep_file():
    assert axis(2) == [2.0]
    beta = axis({"from": 0.1, "to": 9.0, "count": 90})
    assert len(beta) == 90 and beta[39] == 4.0 and beta[-1] == 9.0 and beta[2] == 0.3


def write(folder, sweep, cells, series):
    """A fabricated dataset and its sweep file."""
    for name, table in {"cells": cells, "series": series}.items():
        (folder / name).mkdir(parents=True)
        table.write_parquet(folder / name / "part-00000.parquet")
    parsed = tomllib.loads(sweep)
    manifest = {"engine": 2, "name": parsed["name"], "identity": "0123456789abcdef" * 4, "state": "complete"}
    manifest |= {"replicas": parsed["replicas"], "replicas_failed": 0}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    path = folder.parent / f"{folder.name}.toml"
    path.write_text(sweep)
    return folder, path


def cells_of(points, replicas):
    rows = [
        {
            "cell": f"d{d}b{beta:g}",
            "n": 32,
            "d": d,
            "beta": beta,
            "seed": 7,
            "step": 0.1,
            "horizon": 30.0,
            "replicas": replicas,
            "replicas_done": replicas,
        }
        for d, beta in points
    ]
    return pl.DataFrame(rows)


@pytest.fixture
def fig2(tmp_path):
    """pair_fraction crosses 1/2 at CROSSING for d = 2, a tenth later for d = 8; clusters as in COUNTS at t = 18."""
    cells = cells_of([(d, beta) for d in (2, 8) for beta in (4.0, 9.0)], 4)
    rows = []
    for cell, d, beta in cells.select("cell", "d", "beta").rows():
        middle = CROSSING + (0.1 if d == 8 else 0.0)
        for t in reversed(TIMES):
            fraction = min(1.0, max(0.0, 0.5 + 0.1 * (boundary.state_time(t, 0.1) - middle)))
            mean = sum(COUNTS[beta, 18.0][:4]) / 4
            rows.append({"cell": cell, "t": t, "pair_fraction_mean": fraction, "clusters_mean": mean})
    return write(tmp_path / "fig2", FIG2, cells, pl.DataFrame(rows))


@pytest.fixture
def fig3(tmp_path):
    cells = cells_of([(2, 4.0), (2, 9.0)], 6)
    rows = [
        {"cell": f"d2b{beta:g}", "replica": replica, "t": t, "clusters": k, "pair_fraction": 0.0}
        for (beta, t), counts in COUNTS.items()
        for replica, k in enumerate(counts)
    ]
    return write(tmp_path / "fig3", FIG3, cells, pl.DataFrame(rows))


def test_the_page_of_fabricated_datasets(fig2, fig3, monkeypatch):
    monkeypatch.setattr(results, "BETAS", [4.0])
    two, three = open_dataset(*fig2), open_dataset(*fig3)
    found = results.boundaries(two, [4.0])
    assert abs(found[2, 4.0] - CROSSING) < 1e-9 and abs(found[8, 4.0] - CROSSING - 0.1) < 1e-9
    page = results.page(two, three)
    row = next(line for line in page.splitlines() if line.startswith("| 4 | 6.95"))
    assert [cell.strip() for cell in row.split("|")[4:6]] == ["7.00", "7.10"]
    assert "| 4 | 18 | 3 | 2 | 33.3% ± 19.2 | 22.8% |" in page
    assert "| 4 | 30 | 1 | 1 | 16.7% ± 15.2 | 1.1% |" in page


def test_other_replicas_are_refused(fig2, fig3):
    folder, path = fig2
    part = folder / "series" / "part-00000.parquet"
    pl.read_parquet(part).with_columns(pl.col("clusters_mean") + 0.25).write_parquet(part)
    with pytest.raises(Refused, match="do not hold the same replicas"):
        results.page(open_dataset(folder, path), open_dataset(*fig3))


def change(folder, **columns):
    part = folder / "cells" / "part-00000.parquet"
    pl.read_parquet(part).with_columns(**{name: pl.lit(value) for name, value in columns.items()}).write_parquet(part)


@pytest.mark.parametrize(
    "columns,message",
    [
        ({"beta": 5.0}, "holds another sweep .* 4 of the 4 points"),
        ({"seed": 8}, "`seed` is 8 there and 7 in the file"),
        ({"step": 0.05}, "`step` is 0.05 there and 0.1 in the file"),
        ({"replicas": 1024}, "has 1024 replicas a cell and .* asks for 4"),
    ],
)
def test_other_or_incomplete_datasets_are_refused(fig2, columns, message):
    folder, path = fig2
    change(folder, **columns)
    with pytest.raises(Refused, match=message):
        open_dataset(folder, path)


def test_a_folder_without_a_dataset_is_refused(tmp_path, fig2):
    with pytest.raises(Refused, match="has no manifest.json"):
        open_dataset(tmp_path / "nothing", fig2[1])


def test_the_committed_sweeps_share_their_replicas():
    """p0-fig3's replicas are p0-fig2's first ones: same seed, scheme and tokens, and its cells are among p0-fig2's."""
    fig2, fig3 = (tomllib.loads((REPOSITORY / "sweeps" / f"p0-fig{k}.toml").read_text()) for k in (2, 3))
    assert fig2["seed"] == fig3["seed"]
    assert all(fig2["time"][key] == fig3["time"][key] for key in ("horizon", "integrator", "step"))
    assert points(fig3) < points(fig2)
    assert {t for _, t in clusters.INDEPENDENT} < {float(t) for t in fig3["time"]["sample"]}
    assert set(results.BETAS) < {beta for _, _, beta in points(fig2)}


@pytest.mark.parametrize(
    "entries,message",
    [
        ({"state": "incomplete"}, "is incomplete. Finish it with `metasweep run"),
        ({"name": "other"}, "holds the sweep 'other', not 'tiny'"),
        ({"replicas_failed": 2}, "2 replicas of .* failed"),
    ],
)
def test_the_manifest_is_heeded(fig2, entries, message):
    folder, path = fig2
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | entries))
    with pytest.raises(Refused, match=message):
        open_dataset(folder, path)


def test_where_it_was_computed(fig2):
    """Two runs, one of them killed: its time is not known, and the page says so."""
    folder, path = fig2
    (folder / "replicas").mkdir()
    pl.DataFrame({"steps": [300] * 1000}).write_parquet(folder / "replicas" / "part-00000.parquet")
    (folder / "journal").mkdir()
    process = {"host": "h", "threads": 1, "cpu": "Abacus", "isa": "avx2"}
    run = {"program": "metasweep 0.1.0, engine 2", "processes": [process, process]}
    ended = run | {"started": 86400, "wall_seconds": 30.0, "cpu_seconds": 59.0}
    (folder / "journal" / "1-provenance.json").write_text(json.dumps(ended))
    text = "\n".join(provenance.table([open_dataset(folder, path)]))
    assert "| with | 2 ranks × 1 thread (Abacus, avx2) |" in text and "| on | 1970-01-02 |" in text
    assert "| wall time | 30.0 s |" in text and "all statistics included | 100 µs |" in text
    killed = run | {"started": 90000, "wall_seconds": None, "cpu_seconds": None}
    (folder / "journal" / "2-provenance.json").write_text(json.dumps(killed))
    text = "\n".join(provenance.table([open_dataset(folder, path)]))
    assert "| wall time | 30.0 s (2 runs, 1 killed and not counted) |" in text and "system-steps" not in text
