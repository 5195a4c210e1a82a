"""Times the authors' step in metasweep and its peers, in turns, then Figure 2, and writes docs/benchmarks.md; called by `benches/peers/run`.

Every competitor first has to show that it computes the same trajectory. Then, in each of ROUNDS rounds and for each size, a peer
and metasweep take turns; each runs in a process of its own with all cores. A figure is the median over all its repeats.
"""

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np

import figure2
import machine
import ours
import page
import reference
import worker

HERE = Path(__file__).resolve().parent
PEERS = ["torch_batched", "numba_parallel", "jax_jit"]
SIZES = [(32, 2), (32, 3), (32, 8), (32, 32), (32, 128), (32, 1024), (200, 2)]
BATCHES = [64, 256, 1024]
# Many short turns: others on the host are busy for minutes, and a size should not meet them in all of its turns.
ROUNDS = 7
SECONDS = 0.8
# Of a cosine after 20 steps. Rounding differs (order of sums, exp), and 20 steps amplify it by a few powers of ten at most.
TOLERANCE, STEPS = 1e-10, 20


def call(peer: str, *arguments: object) -> dict:
    """One run of worker.py."""
    command = [sys.executable, HERE / "worker.py", peer, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def check_agreement(product: Path) -> dict[str, float]:
    """Largest difference of a cosine from the reference, for each competitor; ends the program where it is above TOLERANCE."""
    differences: dict[str, float] = {}
    for n, d in SIZES:
        before, after = ours.trajectory(product, n, d, worker.BETA, worker.STEP, STEPS)
        expected = reference.advance(before, worker.BETA, worker.STEP, STEPS)
        found = {"metasweep": after}
        with tempfile.TemporaryDirectory() as folder:
            for peer in PEERS:
                path = Path(folder) / f"{peer}.npy"
                np.save(path, before[None])
                call(peer, "advance", path, STEPS)
                found[peer] = np.load(path)[0]
        for name, tokens in found.items():
            difference = reference.largest_difference(tokens, expected)
            if not difference <= TOLERANCE:
                raise SystemExit(
                    f"{name} and the numpy reference differ at n = {n}, d = {d}: a cosine by {difference:.1e} after {STEPS} steps; "
                    f"allowed are {TOLERANCE:.0e}. They do not compute the same thing, so there is nothing to compare."
                )
            differences[name] = max(differences.get(name, 0.0), difference)
    return differences


def best_batches() -> dict[tuple, int]:
    """The batch size at which each peer is fastest, for each size."""
    best = {}
    for peer in PEERS:
        for n, d in SIZES:
            times = {
                batch: statistics.median(call(peer, "time", n, d, batch, SECONDS)["seconds"]) for batch in BATCHES
            }
            best[peer, n, d] = min(times, key=times.get)
    return best


def rounds(
    benchmark: Path, batches: dict[tuple, int]
) -> tuple[dict[tuple, list[float]], dict[tuple, list[float]], dict[tuple, list[tuple[float, float]]]]:
    """Seconds per system-step, all repeats of all rounds, by (competitor, n, d): peer, ours, peer, ours, …; what the machine could
    do at most around each of ours, by (n, d); and both in the cores' best moments of each."""
    samples: dict[tuple, list[float]] = {}
    peaks: dict[tuple, list[float]] = {}
    best: dict[tuple, list[tuple[float, float]]] = {}
    for number in range(ROUNDS):
        for n, d in SIZES:
            for peer in PEERS:
                measured = call(peer, "time", n, d, batches[peer, n, d], SECONDS)["seconds"]
                samples.setdefault((peer, n, d), []).extend(measured)
                measured = ours.time_steps(benchmark, n, d, SECONDS / len(PEERS))
                samples.setdefault(("metasweep", n, d), []).extend(measured["seconds"])
                peaks.setdefault((n, d), []).extend(measured["peaks"])
                best.setdefault((n, d), []).extend(zip(measured["best_seconds"], measured["best_peaks"], strict=True))
        print(f"round {number + 1} of {ROUNDS} done", file=sys.stderr)
    return samples, peaks, best


def main() -> None:
    parser = argparse.ArgumentParser(prog="benches/peers/run")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the page instead of writing it, however busy the machine"
    )
    options = parser.parse_args()

    benchmark, product = ours.build_benchmark(), ours.build_product()
    differences = check_agreement(product)
    batches = best_batches()
    n, d = SIZES[0]
    about = ours.time_steps(benchmark, n, d, 0.2)

    watch = machine.Watch()
    samples, peaks, best = rounds(benchmark, batches)
    nearest = lambda n, d: batches["torch_batched", n, min((e for m, e in SIZES if m == n), key=lambda e: abs(e - d))]
    figure = figure2.compare(product, nearest)
    others = watch.share_of_others()

    text = page.render(
        date=datetime.date.today().isoformat(),
        machine=machine.describe(),
        others=others,
        versions={peer: call(peer, "version") for peer in PEERS},
        about=about,
        sizes=SIZES,
        batches=batches,
        samples=samples,
        differences=differences,
        peaks=peaks,
        best=best,
        figure=figure,
        tried=(HERE / "tried.md").read_text(encoding="utf-8"),
        protocol={
            "rounds": ROUNDS,
            "steps": STEPS,
            "beta": worker.BETA,
            "step": worker.STEP,
            "repeats": worker.REPEATS,
        },
    )
    if options.dry_run:
        print(text)
    else:
        machine.write(ours.ROOT / "docs" / "benchmarks.md", text, others)


if __name__ == "__main__":
    main()
