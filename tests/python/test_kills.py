"""SIGKILL, SIGTERM and SIGSTOP at random instants, of whom they may hit, then the same command again: the same bytes.

With --fast 20 of them, in full 40; docs/make/reliability does hundreds over ten sweeps and writes docs/reliability.md.
"""

import random
import re
import signal
import time

import pytest
from kills import Tally, durations, local_command, series, start

from harness import FAST, INCOMPLETE, SAME_BYTES, assert_same_files, kill, metasweep, phases_of, status, wait_until

KILLS = 20 if FAST else 40
SWEEP = (SAME_BYTES, "--chunk-replicas", 8)
# Failpoints that stand in the phases a random instant seldom hits.
RARE = {"frame": "frame.write", "seal": "seal.write", "rename": "seal.rename", "manifest": "manifest.rename"}


def test_random_kills(tmp_path, reference, record_property):
    """Up to four in a row on one folder; after each of them a copy is run to its end, and is the reference."""
    generator, tally = random.Random(20261122), Tally()
    duration = durations(SWEEP, tmp_path)
    while tally.kills < KILLS and tally.starts < 6 * KILLS:
        series(generator, SWEEP, reference, tmp_path, duration, tally)
    print(tally)
    record_property("phases", str(tally.phases))
    assert tally.kills >= 20
    assert "compute" in tally.phases


@pytest.mark.parametrize("phase", sorted(RARE))
@pytest.mark.parametrize("count", [1, 2])
def test_kill_in_rare_phases(tmp_path, reference, phase, count):
    """Failpoints kill where a random instant seldom does; the trace proves the phase."""
    out, trace = tmp_path / "out", tmp_path / "trace"
    if phase == "manifest" and count == 2:
        count = 1
    killed = start(local_command(SWEEP, out), trace, {"METASWEEP_FAILPOINT": f"{RARE[phase]}:{count}=kill"}).wait(timeout=120)
    assert killed == -9, f"the failpoint {RARE[phase]} was not reached"
    assert phase in phases_of(trace)
    metasweep("run", SAME_BYTES, "--out", out, "--threads", "2")
    assert_same_files(out, reference)


@pytest.mark.parametrize(
    "failpoint",
    ["owner.link:1", "journal.write:3", "journal.sync:1", "seal.record:2", "finish.cells:1", "finish.staging:1"],
)
def test_kill_between_the_phases(tmp_path, reference, failpoint):
    """Nothing is lost, and no temporary file is left."""
    out = tmp_path / "out"
    killed = start(local_command(SWEEP, out), tmp_path / "trace", {"METASWEEP_FAILPOINT": f"{failpoint}=kill"}).wait(timeout=120)
    assert killed == -9, f"the failpoint {failpoint} was not reached"
    metasweep("run", SAME_BYTES, "--out", out)
    assert_same_files(out, reference)
    hidden = [path for path in out.rglob(".*") if path.is_file()]
    assert not hidden, hidden


def test_resume_repeats_little(tmp_path, reference):
    """What was committed before the kill is not computed again: the second run computes the rest, and no replica more."""
    out = tmp_path / "out"
    killed = start(local_command(SWEEP, out), tmp_path / "trace", {"METASWEEP_FAILPOINT": "journal.write:20=kill"})
    assert killed.wait(timeout=120) == -9
    before = status(out)
    assert before["state"] == "incomplete" and 0 < before["replicas_done"] < before["replicas_total"]
    done = metasweep("run", SAME_BYTES, "--out", out)
    computed = int(re.search(r"(\d+) replicas? computed", done.stderr).group(1))
    assert computed == before["replicas_total"] - before["replicas_done"]
    assert_same_files(out, reference)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_signals_drain(tmp_path, reference, name):
    """A signal: write, exit 75; the next start goes on."""
    out = tmp_path / "out"
    process = start(local_command(SWEEP, out), tmp_path / "trace")
    wait_until(lambda: (out / "manifest.json").exists(), 20, what="the start")
    time.sleep(0.2)
    kill(process.pid, getattr(signal, name))
    assert process.wait(timeout=30) in (INCOMPLETE, 0)
    metasweep("run", SAME_BYTES, "--out", out)
    assert_same_files(out, reference)
