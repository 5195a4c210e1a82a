"""Writes docs/scale.md: how the scheduler would fare on up to 100000 ranks, with the cost of a message as measured here."""

import datetime
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests/python"), str(REPOSITORY / "benches")]

from harness import binary, metasweep, mpirun  # noqa: E402
from machine import describe  # noqa: E402
from markdown import wrapped  # noqa: E402

SWEEPS = ["sweeps/p0-fig2.toml", "sweeps/collapse-law.toml"]
# As crates/cluster/src/forecast.rs has it.
HANDLING = 40e-6


def seconds_a_message():
    """Two runs of the same replicas on two ranks, in chunks of 8 and of 800: what the many chunks cost more, for each of their three messages."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder) / "small.toml"
        sweep.write_text(
            'name = "small"\nseed = 1\nreplicas = 200000\n[[grid]]\nn = 2\nd = 2\nbeta = 1\n'
            '[time]\nhorizon = 0.1\nstep = 0.1\nintegrator = "projected_euler"\nsample = { count = 2 }\n[observe]\nseries = []\nplateaus = false\n'
        )
        taken = {}
        for turn in range(3):
            for size in (8, 800):
                begun = time.monotonic()
                mpirun(2, "run", sweep, "--out", f"{folder}/{turn}-{size}", "--threads", 1, "--chunk-replicas", size)
                taken.setdefault(size, []).append(time.monotonic() - begun)
        more = sorted(taken[8])[1] - sorted(taken[800])[1]
        return more / (3 * (200_000 / 8 - 200_000 / 800)), taken


def forecast(sweep, replicas, ranks, *more):
    arguments = ("plan", REPOSITORY / sweep, "--set", f"replicas={replicas}", "--ranks", ranks, "--threads", 1, "--json", *more)
    return json.loads(subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, check=True).stdout)


def main():
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    handling, taken = seconds_a_message()
    machine = describe()
    lines = [
        "# Ten thousand ranks on paper",
        "",
        "Written by `docs/make/scale`; no figure here was typed in.",
        "",
        f"{datetime.date.today()} · {machine['processor']}, {machine['cores']} cores · {machine['system']}.",
        "",
        "`metasweep plan` drives the same scheduler that a run drives (crates/cluster/src/scheduler.rs), with ranks, threads, messages and the lead in a "
        "discrete-event simulation (forecast.rs). Rank 0 takes one message at a time; three are for each chunk: the assignment, its end, its "
        f"receipts. The simulation gives each {1e6 * HANDLING:.0f} µs, a message 2 ms on its way (mostly the sleep between two looks), a start-up of half a second "
        "and two messages for every rank, and chunks that take 10% (standard deviation of the logarithm) more or less than predicted, which the "
        "lead does not know. Not in it: the time until SLURM has started all processes, and file systems that are slow.",
        "",
        f"**What a message costs, measured**: 25 000 chunks of 8 replicas against 250 of 800, two ranks on this machine: {sorted(taken[8])[1]:.2f} s against "
        f"{sorted(taken[800])[1]:.2f} s (medians of three), so at most {1e6 * handling:.1f} µs for each of the three messages, with all that goes with "
        "a chunk: the frame, the journal, the ledger, both ranks' share of the two cores.",
        "",
        "## Sweeps of an hour a rank",
        "",
        "One thread a rank; as many replicas as make an hour of work for each.",
        "",
        "| sweep | ranks | chunks | chunks a rank | hours | efficiency | lost at the end | messages a second | rank 0 busy | metadata operations a second |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    speeds = Path(tempfile.mkdtemp()) / "speeds.json"
    speeds.write_text(json.dumps(forecast(SWEEPS[0], 1, 1)))
    for sweep in SWEEPS:
        small = forecast(sweep, 1000, 1, "--calibration", speeds)
        for ranks in (10, 100, 1000, 10_000, 100_000):
            if ranks > most:
                continue
            replicas = min(round(1000 * ranks / small["core_hours"]), 2**31 - 2)
            plan = forecast(sweep, replicas, ranks, "--calibration", speeds)
            paper = plan["forecast"]
            lines.append(
                f"| {Path(sweep).stem} | {ranks} | {plan['chunks']} | {plan['chunks'] / ranks:.0f} | {paper['makespan'] / 3600:.3f} | "
                f"{100 * paper['efficiency']:.2f}% | {100 * paper['tail']:.2f}% | {paper['messages_per_second']:.0f} | {100 * paper['lead_busy']:.1f}% | "
                f"{plan['metadata_operations_per_second']:.0f} |"
            )
            print(lines[-1], flush=True)
    lines += [
        "",
        "## What keeps it so",
        "",
        "* Chunks take three seconds; with more than 6000 threads longer, so that rank 0 is asked 2000 times a second at most "
        "(`CHUNKS_A_SECOND` in crates/sweep/src/chunk.rs), unless a sweep is too small for that.",
        "* The last fifth of the work is cut into quarters of that: nobody waits long for the last chunk.",
        "* A thread always has its next chunk in hand, so that neither the way of a message nor the lead's other business is waited for.",
        "* With more than 500 processes each makes durable what it wrote less often, so that there are 500 such calls a second in all; who has "
        "nothing to do does it at once (`sync_patience`, crates/cluster/src/work.rs).",
        "* With more than 64 ranks rank 0 only schedules.",
        "",
        "## Where it breaks",
        "",
        f"Rank 0 can handle about {1 / (3 * HANDLING):.0f} chunks a second. Where chunks cannot be made longer, since a chunk of a small system already leaves "
        "8 MB of records, messages come faster than 2000 chunks a second would make them; the table's column *rank 0 busy* says how much room "
        "is left. A sweep that has less than 16 chunks for each thread loses up to one of them at the end.",
        "",
    ]
    (REPOSITORY / "docs/scale.md").write_text(wrapped(lines) + "\n")


main()
