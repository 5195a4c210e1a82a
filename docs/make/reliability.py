"""Writes docs/reliability.md: a campaign of random kills over ten sweeps, and kills in the phases that random instants seldom hit."""

import datetime
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/python"))

from harness import FAST, binary, metasweep  # noqa: E402
from kills import PHASES, Tally, durations, local_command, series  # noqa: E402
from markdown import wrapped  # noqa: E402

import duckdb  # noqa: E402

# Sweep files with as many replicas as take a second or two.
SWEEPS = {
    "tests/python/sweeps/same-bytes.toml": 60,
    "tests/python/sweeps/every-system.toml": 40,
    "tests/python/sweeps/every-observable.toml": 80,
    "tests/python/sweeps/adaptive.toml": 120,
    "sweeps/quickstart.toml": 400,
    "sweeps/p0-repulsive.toml": 48,
    "sweeps/p1-fig3.toml": 160,
    "sweeps/p1-hyperplanes.toml": 80,
    "sweeps/p2-fig2.toml": 400,
    "sweeps/p3-fig1.toml": 16,
}
# Where a run is killed on purpose, in whichever rank comes there first, and how often it is passed before.
PLACES = ["aggregate", "frame.write", "frame.sync", "journal.write", "journal.sync", "seal.write", "seal.sync", "seal.rename", "seal.record",
          "manifest.write", "manifest.rename", "owner.link", "frames.remove", "scratch.frames", "scratch.journal", "scratch.part", "finish.cells", "finish.manifest", "finish.staging"]  # fmt: skip


def unique(out):
    """Rows of the table `replicas`, all with keys of their own."""
    rows, keys = duckdb.sql(
        f"select count(*), count(distinct (cell, replica)) from read_parquet('{out}/replicas/**/*.parquet')"
    ).fetchall()[0]
    assert rows == keys > 0, f"{rows} rows of {keys} replicas"
    return rows


def campaign(kills, seed, folder, failpoints):
    """The tallies by sweep."""
    generator, tallies = random.Random(seed), {}
    # Each place in turn; some are passed but once a start.
    places = itertools.cycle(PLACES)
    prepared = {}
    for path, replicas in SWEEPS.items():
        sweep = (str(REPOSITORY / path), "--set", f"replicas={replicas}", "--chunk-replicas", "4")
        place = folder / Path(path).stem
        place.mkdir()
        reference = place / "reference"
        metasweep(*local_command(sweep, reference)[1:])
        prepared[path] = (sweep, reference, place, durations(sweep, place), unique(reference))
        tallies[path] = Tally()
    while sum(tally.kills for tally in tallies.values()) < kills:
        for path, (sweep, reference, place, duration, _) in prepared.items():
            extra = None
            if failpoints:
                place_of_death = next(places)
                count = 1 if place_of_death.startswith(("manifest", "owner", "finish")) else generator.choice([1, 1, 2, 3])
                extra = {"METASWEEP_FAILPOINT": f"{place_of_death}:{count}=kill"}
            series(generator, sweep, reference, place, duration, tallies[path], 4, extra)
            done = sum(tally.kills for tally in tallies.values())
            print(f"{time.strftime('%H:%M:%S')} {done} kills, last of {path}", file=sys.stderr, flush=True)
    return tallies, {path: rows for path, (*_, rows) in prepared.items()}


def total(tallies, name):
    summed = {}
    for tally in tallies.values():
        for key, count in getattr(tally, name).items():
            summed[key] = summed.get(key, 0) + count
    return dict(sorted(summed.items(), key=lambda pair: -pair[1]))


def table(head, rows):
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(map(str, row))} |" for row in rows)]


def page(asked, random_kills, armed, rows, seed, took):
    kills = sum(tally.kills for tally in random_kills.values())
    starts = sum(tally.starts for tally in random_kills.values())
    machine = subprocess.run(["uname", "-sr"], capture_output=True, text=True).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    version = subprocess.run([binary(), "--version"], capture_output=True, text=True).stdout.strip()
    lines = [
        "# Reliability",
        "",
        f"Written by `docs/make/reliability {asked} {seed}`; no figure here was typed in.",
        "",
        f"{datetime.date.today()} · {version} · {os.cpu_count()} cores, {memory:.0f} GiB, {machine} · {took / 60:.0f} minutes.",
        "",
        "Each series starts a sweep in an empty folder and lets one thing happen at a random instant of its work; what is left is "
        "copied, the copy is run to its end without disturbance, and every data file of it is compared, byte for byte, with those "
        "of a run that nothing happened to. Then the same command goes on in the folder itself, up to four times in a row. "
        "Three ranks under `mpirun` (in every second series with `--scratch`), or one process with two threads.",
        "",
        f"**{kills} of {starts} starts were ended** (the others were over before), over {len(random_kills)} sweeps. "
        f"{sum(tally.through_scratch for tally in random_kills.values())} of them in series with `--scratch`. "
        "Lost rows: 0. Rows twice: 0. Files that differed: 0. The program ends at the first one, without writing this page.",
        "",
        "## By sweep",
        "",
        *table(
            ["sweep", "rows of `replicas`", "series", "starts", "ended"],
            [(f"`{path}`", rows[path], t.sweeps, t.starts, t.kills) for path, t in random_kills.items()],
        ),
        "",
        "## By what happened",
        "",
        *table(["what", "times"], total(random_kills, "happened").items()),
        "",
        "## By what the processes were doing",
        "",
        "What some thread of the job was in the middle of when it was ended, from traces that survive SIGKILL. At random instants, and in "
        "a second campaign of "
        f"{sum(t.kills for t in armed.values())} kills whose runs also die by themselves at one of {len(PLACES)} failpoints, in turn "
        "(crates/store/src/failpoint.rs), which stand where random instants seldom hit. Compared in the same way.",
        "",
        *table(
            ["phase", "random instants", "with failpoints"],
            [(phase, total(random_kills, "phases").get(phase, 0), total(armed, "phases").get(phase, 0)) for phase in sorted(PHASES)],
        ),
        "",
        "Beside this: interrupted calls, a full disk, failing fsyncs and files that show up late (tests/python/test_faults.py), a run that is "
        "stopped for longer than its lease while another takes over (test_stopped.py), bytes changed on disk (test_damage.py), and "
        "a SLURM that ends jobs. They run in `tests/run`.",
        "",
    ]
    return wrapped(lines) + "\n"


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20261127
    assert not FAST
    folder = Path(tempfile.mkdtemp(prefix="metasweep-kills-"))
    begun = time.monotonic()
    try:
        (folder / "random").mkdir()
        (folder / "armed").mkdir()
        random_kills, rows = campaign(kills, seed, folder / "random", failpoints=False)
        armed, _ = campaign(max(kills // 2, 10), seed + 1, folder / "armed", failpoints=True)
        missed = PHASES - set(total(random_kills, "phases")) - set(total(armed, "phases"))
        took = time.monotonic() - begun
        (REPOSITORY / "docs/reliability.md").write_text(page(kills, random_kills, armed, rows, seed, took))
        if missed:
            raise SystemExit(f"docs/reliability.md is written, but phases were never hit: {', '.join(sorted(missed))}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
