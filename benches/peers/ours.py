"""metasweep itself: its kernel benchmark, and one replica through the product for the comparison of trajectories."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

SWEEP = """name = "peers"
seed = 20231215
replicas = 2
[[grid]]
n = {n}
d = {d}
beta = {beta}
[time]
horizon = {horizon}
integrator = "projected_euler"
step = {step}
sample = {{ count = 2 }}
[observe]
series = ["clusters"]
"""


def build_benchmark() -> Path:
    """Builds crates/dynamics/benches/peers.rs in release and returns the executable."""
    command = [
        "cargo",
        "bench",
        "--locked",
        "--workspace",
        "--bench",
        "peers",
        "--no-run",
        "--message-format=json",
    ]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        message = json.loads(line)
        if (
            message.get("reason") == "compiler-artifact"
            and message["target"]["name"] == "peers"
            and message.get("executable")
        ):
            return Path(message["executable"])
    raise SystemExit("cargo bench --no-run named no executable for the benchmark `peers`")


def build_product() -> Path:
    """Builds the release binary and returns it."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--workspace", "--bin", "metasweep"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "metasweep"


def time_steps(benchmark: Path, n: int, d: int, seconds: float) -> dict:
    """Seconds per system-step on all cores, and what they can do at most meanwhile, and both in each core's best moments, as the
    benchmark prints them: {"isa": …, "threads": …, "seconds": [repeats], "peaks": [repeats], "best_seconds": …, "best_peaks": …}."""
    command = [benchmark, str(n), str(d), str(seconds)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout)


def orders(n: int, d: int, beta: float) -> int | None:
    """Orders of the Fourier series by which n tokens of two coordinates go; none where sums are over pairs (docs/models.md)."""
    angles = 2 * np.pi * np.arange(4096) / 4096
    weights = np.exp(beta * (np.cos(angles) - 1))
    last = next(k for k in range(2048) if np.mean(weights * np.cos(k * angles)) < 2.0**-53)
    return last if d == 2 and last <= n else None


def operations(n: int, d: int, beta: float) -> tuple[int, int, int]:
    """Lane operations of a step: metasweep's fused multiply-adds; those of all pairs of tokens in as many coordinates as it carries,
    with both shares in Z and an exponential with its argument of 19; and metasweep's own operations of all kinds."""
    carried = min(n, d)
    pairs = n * (n - 1) // 2
    bound = pairs * (3 * carried + 2 + 19)
    series = orders(n, d, beta)
    if series is not None:
        # Of each token and order: cos and sin twice, two moments, three sums of two terms.
        return n * series * (2 * 2 + 6), bound, n * series * (2 * 2 + 2 + 6)
    return pairs * 3 * carried, bound, pairs * (3 * carried + 2 + 16)


def trajectory(product: Path, n: int, d: int, beta: float, step: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Initial tokens of a replica and its tokens after `steps` steps, from `metasweep run` and `metasweep replay`."""
    with tempfile.TemporaryDirectory() as folder:
        sweep, out = Path(folder) / "peers.toml", Path(folder) / "out"
        sweep.write_text(SWEEP.format(n=n, d=d, beta=beta, step=step, horizon=steps * step), encoding="utf-8")
        call = lambda *arguments: (
            subprocess.run([product, "-q", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
        )
        call("run", sweep, "--out", out)
        import polars  # only here: the other parts run without it

        cell = polars.read_parquet(out / "cells" / "**" / "*.parquet")["cell"][0]
        tokens = Path(folder) / "tokens.npy"
        call("replay", out, "--cell", cell, "--replica", "1", "--times", f"0,{steps * step}", "--out", tokens)
        states = np.load(tokens)
    return states[0], states[-1]
