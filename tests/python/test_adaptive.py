"""Adaptive steps through the binary: the same bytes on threads, on any instructions and after kills, and the times that theory says.

β up to 150 and times up to 10^110, which no fixed step reaches.
"""

import random
import shutil
import signal
import subprocess
import time

import numpy as np
import polars as pl
import pytest

from harness import REPOSITORY, assert_same_files, binary, environment, metasweep, status

SWEEP = REPOSITORY / "tests/python/sweeps/adaptive.toml"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("adaptive") / "out"
    metasweep("run", SWEEP, "--out", out, "--threads", 1, timeout=900)
    return out


def table(out, name):
    return pl.read_parquet(f"{out}/{name}/**/*.parquet")


def ln_pair_time(beta, start, delta, nodes=400_000):
    """ln ∫ (e^{β(1−g)} + 1) / (2(1−g)(1+g)) dg from `start` to 1 − δ (docs/oracles.md, 2): by Simpson's rule in s, 1 − g = (1 − start) e^{−s}.

    The integrand falls like e^{−βs} at first: a relative error of order (βh)⁴/180 with h = 7/nodes, below 1e-12 at β = 150.
    """
    s = np.linspace(0.0, np.log((1 - start) / delta), nodes + 1)
    gap = (1 - start) * np.exp(-s)
    largest = beta * (1 - start)
    values = (np.exp(beta * gap - largest) + np.exp(-largest)) / (2 * (2 - gap))
    weights = np.full(nodes + 1, 2 * s[1] / 3)
    weights[1::2] *= 2
    weights[[0, -1]] /= 2
    return largest + np.log(np.sum(weights * values))


def test_pairs_take_the_time_of_the_integral(run):
    pairs = table(run, "replicas").filter(pl.col("n") == 2)
    assert len(pairs) == 14 * 8
    for row in pairs.iter_rows(named=True):
        assert row["end"] == "collapsed" and not row["censored"]
        expected = ln_pair_time(row["beta"], 0.0, 1e-3)
        assert abs(np.log(row["collapse_time"]) - expected) < 1e-7, row


def test_staircases(run):
    """Energies rise, clusters merge one after another, and every stage has a plateau that ends at the merge; all collapse in the end."""
    replicas = table(run, "replicas").filter(pl.col("n") > 2)
    assert set(replicas["end"]) <= {"collapsed", "stationary"}
    latest = replicas.filter(pl.col("beta") == 150)["collapse_time"]
    assert latest.min() > 1e20
    series = table(run, "series").filter(pl.col("n") > 2).sort("cell", "replica", "t")
    for _, one in series.group_by("cell", "replica", maintain_order=True):
        assert one["energy"].diff().drop_nulls().min() >= -1e-14
    merges = table(run, "merges").filter(pl.col("n") > 2).sort("cell", "replica", "event")
    assert merges["dt"].min() >= 0
    for _, one in merges.group_by("cell", "replica", maintain_order=True):
        assert one["t"].is_sorted()
        # Durations add up to times, as far as f64 tells: the first counts from the first resolved state on.
        events = one.unique("event", maintain_order=True)
        total = events["t"][0] + events["dt"][1:].sum()
        assert total == pytest.approx(events["t"][-1], rel=1e-12)
    plateaus = table(run, "plateaus").filter(pl.col("n") > 2)
    assert plateaus.filter(~pl.col("censored"))["lifetime"].max() > 1e20


def test_steps_are_null(run):
    cells = table(run, "cells")
    assert cells["step"].null_count() == len(cells)
    assert set(cells["step_rule"]) == {"adaptive"} and set(cells["tolerance"]) == {1e-8}


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads(tmp_path, run, threads):
    metasweep("run", SWEEP, "--out", tmp_path / "out", "--threads", threads, "--chunk-replicas", 3, timeout=900)
    assert_same_files(tmp_path / "out", run)


def test_portable_instructions(tmp_path, run):
    metasweep("run", SWEEP, "--out", tmp_path / "out", "--threads", 2, env={"METASWEEP_SIMD": "portable"}, timeout=900)
    assert_same_files(tmp_path / "out", run)


def test_kills(tmp_path, run):
    """Killed at random instants of a run, at least three times; how long a run takes here is measured first."""
    arguments = ["--threads", 2, "--chunk-replicas", 2]
    started = time.monotonic()
    metasweep("run", SWEEP, "--out", tmp_path / "whole", *arguments, timeout=900)
    whole = time.monotonic() - started
    out, chance, kills = tmp_path / "out", random.Random(7), 0
    for _ in range(60):
        process = subprocess.Popen(
            [binary(), "run", str(SWEEP), "--out", str(out), *map(str, arguments)],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert process.wait(whole * chance.uniform(0.05, 0.5)) == 0
            if kills >= 3:
                break
            # Finished before enough kills: once more from nothing.
            shutil.rmtree(out)
            kills = 0
        except subprocess.TimeoutExpired:
            process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
            process.wait()
            kills += 1
    assert kills >= 3
    metasweep("run", SWEEP, "--out", out, "--threads", 2, timeout=900)
    assert status(out)["state"] == "complete"
    assert_same_files(out, run)


def test_a_replay_is_the_run(tmp_path, run):
    cells = table(run, "cells").filter((pl.col("n") == 20) & (pl.col("beta") == 150))
    cell, t = cells["cell"][0], 1e30
    metasweep("replay", run, "--cell", cell, "--replica", 3, "--times", "1e30", "--out", tmp_path / "x.npy")
    x = np.load(tmp_path / "x.npy").reshape(-1, 2)
    series = table(run, "series").filter((pl.col("cell") == cell) & (pl.col("replica") == 3))
    recorded = series.filter((pl.col("t") / t - 1).abs() < 1e-9)
    if len(recorded):
        assert (x @ x.T).min() == pytest.approx(recorded["min_cosine"][0], abs=1e-12)
    assert len(x) == 20 and np.allclose(np.linalg.norm(x, axis=1), 1, atol=1e-14)
