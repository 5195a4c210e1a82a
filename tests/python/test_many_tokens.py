"""Systems of more tokens than pairs can be kept of, through the binary: the same files whoever computes them, columns that numpy finds from
the tokens, and memory that does not grow like n²."""

import subprocess
import sys

import numpy as np
import pytest

from harness import assert_same_files, binary, environment, metasweep, table, tokens

SWEEP = """
name = "many"
seed = 5
replicas = {replicas}
[[grid]]
n = {n}
d = {d}
beta = 20.0
geometry = "{geometry}"
[time]
horizon = {horizon}
integrator = "discrete"
step = 0.1
sample = [0, {horizon}]
[observe]
series = ["energy", "mean_cosine", "pair_fraction"]
level = "replica"
plateaus = false
snapshots = {{ replicas = 1, times = [{horizon}] }}
"""


def written(tmp_path, **keys):
    path = tmp_path / "many.toml"
    path.write_text(SWEEP.format(**keys))
    return path


@pytest.mark.parametrize("geometry,d", [("sphere", 3), ("circle", 2)])
def test_columns_are_those_of_the_tokens(tmp_path, geometry, d):
    """One thread and two leave the same bytes; what stands in them is what all n² products of the tokens say, to rounding: n² ε beside
    sums of n² numbers below 1."""
    n = 2100
    path = written(tmp_path, replicas=3, n=n, d=d, geometry=geometry, horizon=0.5)
    for threads in (1, 2):
        metasweep("run", path, "--out", tmp_path / str(threads), "--threads", threads)
    out = tmp_path / "2"
    assert_same_files(out, tmp_path / "1")
    x = tokens(table(out, "tokens"), 0, 0.5)
    gram = x @ x.T
    above = gram[np.triu_indices(n, 1)]
    replica = table(out, "replicas").filter(replica=0).row(0, named=True)
    last = table(out, "series").filter(replica=0, t=0.5).row(0, named=True)
    energy = np.exp(20.0 * (gram - 1)).sum() / n**2
    rounding = 1e-15 * n
    assert replica["min_cosine_final"] == pytest.approx(above.min(), abs=1e-14)
    assert replica["energy_final"] == pytest.approx(energy, rel=rounding)
    assert last["energy"] == replica["energy_final"]
    assert last["mean_cosine"] == pytest.approx(above.mean(), abs=rounding)
    assert last["pair_fraction"] == pytest.approx((above >= 1 - 1e-3).mean(), abs=2 / len(above))
    assert replica["clusters_final"] == components(gram >= 1 - 1e-3)


def components(close):
    """Connected components, by spreading from a token to all that are close to one reached already."""
    left, count = np.ones(len(close), dtype=bool), 0
    while left.any():
        reached = np.zeros_like(left)
        reached[np.argmax(left)] = True
        front = reached
        while front.any():
            new = close[front].any(axis=0) & ~reached
            reached, front = reached | new, new
        left &= ~reached
        count += 1
    return count


# Run by a small Python of its own: a child begins with the memory of its parent counted as its own.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_memory_grows_with_the_tokens(tmp_path):
    """10^4 tokens have 5·10^7 pairs, whose cosines in all lanes would be 3.2 GB. Twenty numbers a token in eight lanes are 40 MB, the
    program and its tables below 100."""
    path = written(tmp_path, replicas=1, n=10_000, d=3, geometry="sphere", horizon=0.1)
    command = [binary(), "run", str(path), "--out", str(tmp_path / "out"), "--threads", "2"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], env=environment(), capture_output=True, text=True, check=True
    )
    peak = int(done.stdout) / 1024
    print(f"peak memory: {peak:.0f} MB")
    assert peak < 140
