"""The tables tokens, attention and histogram, and every observable: what they hold, and the same bytes however they were computed."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from harness import assert_same_files, metasweep

SWEEP = """
name = "more-tables"
seed = 5
replicas = {replicas}

[[grid]]
n = 12
d = 2
beta = {beta}
mask = "causal"
value = "diag(1, 0.5)"

[time]
horizon = 4.0
integrator = "projected_euler"
step = 0.1
sample = {{ count = 5 }}

[observe]
series = ["clusters", "order", "attention_rank", "leaders", "hyperplanes", "leading_eigenspace_distance", "renyi_centres",
          "strong_renyi_centres", "renyi_drift", "captured_fraction"]
level = "{level}"
epsilon = 0.01
renyi = {{ separation = "2/sqrt(beta)" }}
leading_eigenspace = ["value", "value_key_query"]
snapshots = {{ replicas = 3, times = [0.0, 2.0, 4.0] }}
attention = {{ replicas = 2, times = [0.0, 4.0] }}
histogram = [{{ of = "inner_product", bins = 20 }}, {{ of = "azimuth", bins = 36 }}]

[output]
partition_by = ["value"]
rows_per_part = 150
"""
LEVELS = ["cell", "replica"]


def write(folder, name, level, replicas=9, beta="[4.0, 25.0]"):
    path = folder / f"{name}.toml"
    path.write_text(SWEEP.format(level=level, replicas=replicas, beta=beta))
    return path


@pytest.fixture(scope="module", params=LEVELS)
def made(request, tmp_path_factory):
    """The level, and the dataset by one thread."""
    folder = tmp_path_factory.mktemp(request.param)
    metasweep("run", write(folder, "base", request.param), "--out", folder / "out", "--threads", 1)
    return request.param, folder / "out"


def table(out, name):
    return pl.read_parquet(f"{out}/{name}/**/*.parquet", hive_partitioning=True)


def tokens_of(rows):
    """[replica, time, token, coordinate] of one cell's rows."""
    return np.array(rows["x"].to_list()).reshape(3, 3, 12, 2)


def test_tokens_are_those_of_replay(tmp_path, made):
    _, out = made
    tokens = table(out, "tokens")
    assert tokens.schema["x"] == pl.List(pl.Float64) and len(tokens) == 2 * 3 * 3 * 12
    for (cell,), rows in tokens.group_by(["cell"], maintain_order=True):
        for replica in range(3):
            file = tmp_path / f"{cell}-{replica}.npy"
            metasweep("replay", out, "--cell", cell, "--replica", replica, "--times", "0,2,4", "--out", file)
            assert np.array_equal(np.load(file), tokens_of(rows)[replica])


def test_attention_is_the_softmax_of_the_tokens(made):
    _, out = made
    attention, tokens = table(out, "attention"), table(out, "tokens")
    assert attention.columns[-6:] == ["replica", "t", "head", "i", "j", "weight"] or "weight" in attention.columns
    assert len(attention) == 2 * 2 * 2 * 144 and (attention["head"] == 0).all()
    for (cell, beta), rows in attention.group_by(["cell", "beta"], maintain_order=True):
        weights = rows["weight"].to_numpy().reshape(2, 2, 12, 12)
        x = tokens_of(tokens.filter(pl.col("cell") == cell))[:2, [0, 2]]
        scores = np.exp(beta * (np.einsum("rtik,rtjk->rtij", x, x) - 1)) * np.tri(12)
        # Scores up to 25, a dozen roundings each.
        assert np.abs(weights - scores / scores.sum(-1, keepdims=True)).max() < 1e-13


def test_histograms_are_those_of_the_tokens(tmp_path, made):
    level, out = made
    histogram, cells = table(out, "histogram"), table(out, "cells")
    assert histogram.schema["count"] == pl.Int64
    # Every replica at every sample: 9 × 66 pairs, 9 × 12 tokens.
    sums = histogram.group_by("cell", "t", "of").agg(pl.col("count").sum(), pl.len())
    wanted = {"inner_product": (9 * 66, 20), "azimuth": (9 * 12, 36)}
    assert len(sums) == 2 * 5 * 2
    assert all((row["count"], row["len"]) == wanted[row["of"]] for row in sums.iter_rows(named=True))
    cell = cells["cell"][0]
    states = []
    for replica in range(9):
        file = tmp_path / f"{replica}.npy"
        metasweep("replay", out, "--cell", cell, "--replica", replica, "--times", "0,3", "--out", file)
        states.append(np.load(file))
    for k, t in enumerate([0.0, 3.0]):
        here = histogram.filter((pl.col("cell") == cell) & (pl.col("t") == t))
        angles = np.concatenate([np.arctan2(s[k][:, 1], s[k][:, 0]) % (2 * np.pi) for s in states])
        counts, edges = np.histogram(angles, bins=36, range=(0, 2 * np.pi))
        azimuth = here.filter(pl.col("of") == "azimuth")
        assert (azimuth["count"].to_numpy() == counts).all()
        assert np.abs(azimuth["bin_low"].to_numpy() - edges[:-1]).max() < 1e-15 * 10


def test_observables_of_the_tokens(made):
    level, out = made
    if level == "cell":
        series = table(out, "series")
        assert {"order_mean", "captured_fraction_strong_beta_q50", "leading_eigenspace_distance_value_key_query_std"} <= set(series.columns)
        return
    series = table(out, "series").filter(pl.col("t") == 4.0)
    tokens, attention = table(out, "tokens"), table(out, "attention")
    for (cell, beta), rows in tokens.group_by(["cell", "beta"], maintain_order=True):
        here = series.filter(pl.col("cell") == cell).sort("replica")
        x = tokens_of(rows)
        first, last = x[:, 0], x[:, 2]
        assert np.abs(np.linalg.norm(last.mean(1), axis=-1) - here["order"].to_numpy()[:3]).max() < 1e-14
        # V = diag(1, ½), B = I: the first axis leads in V and in V KᵀQ.
        distance = np.abs(last[:, :, 1]).mean(1)
        for column in ("leading_eigenspace_distance", "leading_eigenspace_distance_value_key_query"):
            assert np.abs(distance - here[column].to_numpy()[:3]).max() < 1e-14
        for replica in range(3):
            angle = np.arccos(np.clip(first[replica] @ first[replica].T, -1, 1))
            separation = 2 / np.sqrt(beta)
            centres, strong = [], []
            for i in range(12):
                if all(angle[i, c] > separation for c in centres):
                    centres.append(i)
                if (angle[i, :i] > separation).all():
                    strong.append(i)
            assert here["renyi_centres"][replica] == len(centres)
            assert here["strong_renyi_centres"][replica] == len(strong)
            moved = 2 * np.arcsin(np.linalg.norm(last[replica, centres] - first[replica, centres], axis=-1) / 2)
            assert abs(moved.mean() - here["renyi_drift"][replica]) < 1e-13
            assert abs(moved.max() - here["renyi_drift_max"][replica]) < 1e-13
            now = np.arccos(np.clip(last[replica] @ last[replica].T, -1, 1))
            captured = ((now[:, centres] <= separation / 2) | (np.arange(12)[:, None] == centres)).any(1).mean()
            assert here["captured_fraction"][replica] == pytest.approx(captured, abs=1e-15)
            heights = np.sort(last[replica, :, 0])
            assert here["hyperplanes"][replica] == 1 + (np.diff(heights) > 0.01).sum()
        for replica in range(2):
            weights = attention.filter((pl.col("cell") == cell) & (pl.col("replica") == replica) & (pl.col("t") == 4.0))
            weights = weights["weight"].to_numpy().reshape(12, 12)
            assert here["leaders"][replica] == (weights > 0.5 * weights.sum(1, keepdims=True)).any(0).sum()
            assert 1 <= here["attention_rank"][replica] <= 12


def test_pyarrow_reads_them(made):
    _, out = made
    for name, column, kind in (("tokens", "x", pa.types.is_list), ("attention", "weight", pa.types.is_floating), ("histogram", "count", pa.types.is_int64)):
        data = ds.dataset(f"{out}/{name}", partitioning="hive")
        assert kind(data.schema.field(column).type) and "value" in data.schema.names
        assert data.to_table().num_rows == len(table(out, name))


def test_the_plan_knows_the_rows(made, tmp_path):
    import json

    level, out = made
    plan = json.loads(metasweep("plan", write(tmp_path, "base", level), "--json").stdout)
    for name in ("tokens", "attention", "histogram", "series"):
        assert plan["tables"][name]["rows"] == len(table(out, name)) and not plan["tables"][name]["estimated"]
        assert plan["tables"][name]["files"] == len(list((out / name).rglob("*.parquet")))


@pytest.mark.parametrize("chunk, threads", [(1, 2), (4, 1), (7, 2)])
def test_chunks_and_threads_change_no_byte(tmp_path, made, chunk, threads):
    level, out = made
    metasweep("run", write(tmp_path, "base", level), "--out", tmp_path / "out", "--threads", threads, "--chunk-replicas", chunk)
    assert_same_files(tmp_path / "out", out)
    assert metasweep("verify", out, "--recompute", 2).returncode == 0


@pytest.mark.parametrize("failpoint", ["frame.write:3", "journal.write:4", "seal.rename:2", "seal.record:5"])
def test_killed_and_resumed(tmp_path, made, failpoint):
    level, out = made
    command = ["run", write(tmp_path, "base", level), "--out", tmp_path / "out", "--threads", 2, "--chunk-replicas", 2]
    metasweep(*command, env={"METASWEEP_FAILPOINT": f"{failpoint}=kill"}, code=-9)
    metasweep(*command)
    assert_same_files(tmp_path / "out", out)


@pytest.mark.parametrize("replicas, beta", [(2, "[4.0, 25.0]"), (9, "[25.0]")])
def test_extended(tmp_path, made, replicas, beta):
    level, out = made
    metasweep("run", write(tmp_path, "small", level, replicas, beta).rename(tmp_path / "base.toml"), "--out", tmp_path / "out")
    metasweep("run", write(tmp_path, "base", level), "--out", tmp_path / "out", "--extend")
    assert_same_files(tmp_path / "out", out)


def test_asking_for_them_changes_nothing_else(tmp_path, made):
    level, out = made
    plain = write(tmp_path, "plain", level)
    text = plain.read_text()
    kept = [line for line in text.splitlines() if not line.startswith(("snapshots", "attention", "histogram"))]
    plain.write_text("\n".join(kept))
    metasweep("run", plain, "--out", tmp_path / "out")
    for name in ("cells", "replicas", "series", "plateaus"):
        ours = {p.relative_to(out): p.read_bytes() for p in (out / name).rglob("*.parquet")}
        theirs = {p.relative_to(tmp_path / "out"): p.read_bytes() for p in (tmp_path / "out" / name).rglob("*.parquet")}
        assert ours == theirs, name
