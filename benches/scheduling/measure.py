"""Threads, oversubscribed ranks, and the cost model over all sweep files of the repository; called by `benches/scheduling/run`."""

import argparse
import datetime
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benches"))

import machine

ROUNDS = 3
#: Of ranks beside threads: what others on the host take meanwhile makes a tenth of a run, far more than what is looked for.
RANKS_ROUNDS = 10
#: A sweep file is run with as many replicas as are foretold to take so many seconds of one core, and left out above the second figure.
SECONDS, TOO_LONG = 6.0, 120.0
#: All cells, few replicas: mixed tasks, half a minute of one core.
MIXED = ["--set", "replicas=48"]
THREADS, TAIL = "## Threads and ranks", "## The tail"
#: The same grid, d from 2 to 1024, long enough that the cost model has been corrected on the way.
LONG = ["--set", "replicas=192"]
MPIRUN = ["mpirun", "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none"]


def spent(command, environment=None):
    """Seconds on the wall and of the cores that a command takes."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_turns(forms, rounds):
    """Seconds on the wall of each form of the same run, the forms taking turns, in the other order every other round."""
    found = {name: [] for name in forms}
    for number in range(rounds):
        for name, command in list(forms.items())[:: 1 if number % 2 == 0 else -1]:
            with tempfile.TemporaryDirectory() as folder:
                found[name].append(spent([*command, "--out", Path(folder) / "out"], ENVIRONMENT)[0])
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return found


def idle_at_the_end(forms):
    """Share of all thread seconds that was lost after every thread had work for the last time, in percent: of each form the rounds'."""
    found = {name: [] for name in forms}
    for _ in range(ROUNDS):
        for name, command in forms.items():
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "out"
                spent([*command, "--out", out], ENVIRONMENT)
                (record,) = out.glob("journal/*-provenance.json")
                run = json.loads(record.read_text(encoding="utf-8"))
            threads = sum(process["threads"] for process in run["processes"])
            found[name].append(100 * run["idle_at_the_end"] / (threads * run["wall_seconds"]))
            print(f"{name}: {found[name][-1]:.2f}% idle at the end of {run['wall_seconds']:.0f} s", file=sys.stderr)
    return found


#: Root in a container, and a shared-memory transport that needs no network.
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self,vader",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


def ratio(above, below):
    """Median of the rounds' ratios, with the quartiles."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(above, below)], n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f}–{high:.3f})"


def foretold(binary, sweep, replicas):
    """Core-seconds that `plan` says, after timing kernels on this machine."""
    text = subprocess.run([binary, "plan", sweep, "--json", "--set", f"replicas={replicas}"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return 3600 * json.loads(text)["core_hours"]


def catalogue(binary):
    """Foretold and taken core-seconds of each sweep file."""
    lines, left_out = [], []
    with tempfile.TemporaryDirectory() as folder:
        least = [binary, "-q", "run", ROOT / "sweeps/quickstart.toml", "--threads", 1, "--set", "replicas=1", "--set", "beta=1", "--set", "d=2"]
        start_up = statistics.median(spent([*least, "--out", Path(folder) / str(number)])[1] for number in range(5))
    for path in sorted((ROOT / "sweeps").glob("*.toml")):
        most = tomllib.loads(path.read_text(encoding="utf-8"))["replicas"]
        replicas = min(most, 8)
        expected = foretold(binary, path, replicas)
        while replicas < most and expected < SECONDS:
            replicas = min(most, max(2 * replicas, int(replicas * SECONDS / max(expected, 1e-3)) // 8 * 8))
            expected = foretold(binary, path, replicas)
        if expected > TOO_LONG:
            left_out.append(f"`{path.stem}` ({expected:.0f} s foretold for {replicas} replicas)")
            continue
        with tempfile.TemporaryDirectory() as folder:
            taken = spent([binary, "-q", "run", path, "--threads", 1, "--set", f"replicas={replicas}", "--out", Path(folder) / "out"])[1] - start_up
        lines.append((path.stem, replicas, expected, taken))
        print(f"{path.stem}: {expected:.2f} s foretold, {taken:.2f} s taken", file=sys.stderr)
    return lines, left_out, start_up


def tail_section(binary):
    """The section about the end of a run on a mixed grid."""
    watch = machine.Watch()
    long = [binary, "-q", "run", ROOT / "sweeps/p0-fig2.toml", *LONG]
    tails = idle_at_the_end({
        "one process, two threads": [*long, "--threads", 2],
        "two ranks, a thread each": [*MPIRUN, "-n", 2, *long, "--threads", 1],
    })
    rows = "\n".join(f"| {name} | {', '.join(f'{one:.2f}%' for one in sorted(shares))} |" for name, shares in tails.items())
    return f"""{TAIL}

Thread seconds without work, from the last instant at which every thread had some to the end of the last task, sealing included,
as a share of all thread seconds (`idle_at_the_end` in the run's provenance record): `sweeps/p0-fig2.toml` with `--set {LONG[1]}`,
d from 2 to 1024 in one grid. {datetime.date.today().isoformat()}, others took {100 * watch.share_of_others():.1f}% of the machine.

| run | {ROUNDS} rounds |
|---|---|
{rows}
"""


def threads_section(binary):
    """The section about one thread, two threads and oversubscribed ranks."""
    watch = machine.Watch()
    run = [binary, "-q", "run", ROOT / "sweeps/p0-fig2.toml", *MIXED]
    threads = in_turns({"one": [*run, "--threads", 1], "two": [*run, "--threads", 2]}, ROUNDS)
    forms = {"four": [*MPIRUN, "-n", 4, *run, "--threads", 1], "one": [*MPIRUN, "-n", 1, *run, "--threads", 2]}
    ranks = in_turns(forms, RANKS_ROUNDS)
    return f"""{THREADS}

`sweeps/p0-fig2.toml` with `--set {MIXED[1]}`: all cells, from the start of the binary to the last Parquet file; the forms
take turns, {ROUNDS} rounds of the threads, {RANKS_ROUNDS} of the ranks; median of the ratios, quartiles in brackets.
{datetime.date.today().isoformat()}, others took {100 * watch.share_of_others():.1f}% of the machine.

| what | ratio of the times |
|---|---|
| one thread to two | {ratio(threads["one"], threads["two"])} |
| four ranks of one thread on {machine.describe()['cores']} cores to one rank with two threads, both under mpirun | {ratio(ranks["four"], ranks["one"])} |
"""


def replaced(text, heading, section):
    """The page with another section in the place of the one under this heading."""
    before, _, rest = text.partition(heading)
    _, following, rest = rest.partition("\n## ")
    return before + section + following + rest


def page(binary):
    """The page, and the share of the machine that others took."""
    watch = machine.Watch()
    threads, tail = threads_section(binary), tail_section(binary)
    lines, left_out, start_up = catalogue(binary)
    ratios = [expected / taken for _, _, expected, taken in lines]
    within = sum(0.5 <= one <= 2 for one in ratios)
    rows = "\n".join(f"| {name} | {replicas} | {expected:.2f} | {taken:.2f} | {expected / taken:.2f} |" for name, replicas, expected, taken in lines)
    missing = f"\nLeft out, too long: {', '.join(left_out)}.\n" if left_out else ""
    about, others = machine.describe(), watch.share_of_others()
    text = f"""# Scheduling

Written by `benches/scheduling/run` (see benches/README.md); no figure here was typed in.

{datetime.date.today().isoformat()} · {about['processor']}, {about['cores']} cores · {about['system']}. Other processes took {100 * others:.1f}% of the machine meanwhile.

{threads}
{tail}
## The cost model

What `metasweep plan` says (after timing kernels for two seconds) and what one thread took, core-seconds, less the {start_up:.2f} s that
a run of one replica on the circle takes: each sweep file of the repository with as many replicas as take some {SECONDS:.0f} seconds.

| sweep | replicas | foretold | taken | ratio |
|---|---|---|---|---|
{rows}

{within} of {len(ratios)} within a factor of two; the furthest are {min(ratios):.2f} and {max(ratios):.2f}.
{missing}
While a sweep runs, what its tasks really take corrects what the others are expected to, by cell; for scheduling only.
"""
    return text, others


def main():
    parser = argparse.ArgumentParser(prog="benches/scheduling/run")
    parser.add_argument("binary", type=Path)
    parser.add_argument("--threads", action="store_true", help="measure the section about threads and ranks alone, and replace it")
    parser.add_argument("--tail", action="store_true", help="the same of the section about the tail")
    parser.add_argument("--dry-run", action="store_true", help="print the page instead of writing it")
    options = parser.parse_args()
    path = ROOT / "docs/scheduling.md"
    alone = [(THREADS, threads_section)] * options.threads + [(TAIL, tail_section)] * options.tail
    if alone:
        watch, text = machine.Watch(), path.read_text(encoding="utf-8")
        for heading, section in alone:
            text = replaced(text, heading, section(options.binary.resolve()))
        others = watch.share_of_others()
    else:
        text, others = page(options.binary.resolve())
    if options.dry_run:
        print(text)
    else:
        machine.write(path, text, others)


if __name__ == "__main__":
    main()
