"""P0's Figure 2 whole, step and statistics, in torch and in metasweep, in turns; called by compare.py.

metasweep computes all of it, dimension after dimension, from the start of the binary to the last Parquet file; torch a share of the replicas of a
sample of the cells. Its whole figure is as many times as long as there are cells: its time does not depend on β.
"""

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import ours

HERE = Path(__file__).resolve().parent
SWEEP = ours.ROOT / "sweeps" / "p0-fig2.toml"
BETAS = [1.0, 4.0, 9.0]
ROUNDS = 2


def torch_replicas(d: int) -> int:
    """How many of a cell's replicas torch computes: seconds of work."""
    return 256 if d <= 128 else 64


def run_ours(product: Path, d: int) -> tuple[float, dict[float, list[float]]]:
    """Seconds of `metasweep run` for one d and all β of the sweep, and the mean share of close pairs by β of the sample."""
    import polars  # only here: the other parts run without it

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        began = time.perf_counter()
        subprocess.run([product, "-q", "run", SWEEP, "--set", f"d={d}", "--out", out], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        read = lambda table: polars.read_parquet(out / table / "**" / "*.parquet")
        rows = read("series").join(read("cells").select("cell", polars.col("beta").alias("b")), on="cell").sort("t")
        shares = {b: rows.filter((polars.col("b") - b).abs() < 1e-9)["pair_fraction_mean"].to_list() for b in BETAS}
    return seconds, shares


def run_torch(n: int, d: int, beta: float, batch: int, samples: Path) -> dict:
    replicas = torch_replicas(d)
    command = [sys.executable, HERE / "torch_figure2.py"]
    command += map(str, (n, d, beta, replicas, min(replicas, batch), samples))
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def check(d: int, beta: float, theirs: list[float], own: list[float], replicas: int) -> None:
    """Both are means of shares in [0, 1], whose standard deviation is at most 1/2: 6 standard errors apart is not chance."""
    allowed = 6 * 0.5 * math.sqrt(1 / torch_replicas(d) + 1 / replicas)
    if len(theirs) != len(own):
        raise SystemExit(f"torch has {len(theirs)} samples at d = {d}, β = {beta} and metasweep {len(own)}.")
    worst = max(abs(a - b) for a, b in zip(theirs, own))
    if not worst <= allowed:
        raise SystemExit(
            f"The share of close pairs at d = {d}, β = {beta} differs between torch and metasweep by {worst:.2g} at some time; chance "
            f"allows {allowed:.2g}. They do not compute the same figure."
        )


def compare(product: Path, batch_of) -> dict:
    """Seconds a cell by competitor and d, all measurements of all rounds, and what the whole figure consists of.

    `batch_of(n, d)`: torch's batch size at which its step is fastest.
    """
    sweep = tomllib.loads(SWEEP.read_text(encoding="utf-8"))
    grid, horizon, step = sweep["grid"][0], sweep["time"]["horizon"], sweep["time"]["step"]
    count, replicas = sweep["time"]["sample"]["count"], sweep["replicas"]
    # The state of a time is that after ⌊t/η⌋ steps.
    steps = [math.floor(horizon * k / (count - 1) / step + 1e-9) for k in range(count)]
    cells: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples.json"
        samples.write_text(json.dumps({"step": step, "delta": sweep["observe"]["delta"], "steps": steps}))
        for number in range(ROUNDS):
            for d in grid["d"]:
                seconds, own = run_ours(product, d)
                cells.setdefault(("metasweep", d), []).append(seconds / grid["beta"]["count"])
                for beta in BETAS:
                    measured = run_torch(grid["n"], d, beta, batch_of(grid["n"], d), samples)
                    cells.setdefault(("torch", d), []).append(measured["seconds"] * replicas / torch_replicas(d))
                    check(d, beta, measured["shares"], own[beta], replicas)
            print(f"Figure 2: round {number + 1} of {ROUNDS} done", file=sys.stderr)
    return {
        "cells": cells,
        "dimensions": grid["d"],
        "betas": grid["beta"]["count"],
        "sampled": BETAS,
        "replicas": replicas,
        "torch_replicas": {d: torch_replicas(d) for d in grid["d"]},
        "steps": round(horizon / step),
        "rounds": ROUNDS,
    }


def whole(figure: dict, competitor: str) -> float:
    """Seconds of the whole figure."""
    return sum(figure["betas"] * statistics.median(figure["cells"][competitor, d]) for d in figure["dimensions"])
