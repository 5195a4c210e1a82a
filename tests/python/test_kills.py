"""SIGKILL at random instants, of whom it may hit, then the same command again: the same bytes, and every phase of the store was hit.

In full (tests/run) 40 kills, with --fast 20; METASWEEP_KILLS sets another number for a long campaign.
"""

import os
import random
import re
import shutil
import subprocess
import time

import pytest

from harness import (
    FAST,
    INCOMPLETE,
    MPI_ENVIRONMENT,
    SAME_BYTES,
    assert_same_files,
    binary,
    environment,
    kill,
    metasweep,
    mpi_command,
    phases_of,
    ranks_of,
    status,
    wait_until,
)

KILLS = int(os.environ.get("METASWEEP_KILLS", "20" if FAST else "40"))
PHASES = {"compute", "frame", "seal", "rename", "manifest"}
# Failpoints that stand in the phases a random instant seldom hits.
RARE = {"frame": "frame.write", "seal": "seal.write", "rename": "seal.rename", "manifest": "manifest.rename"}


def start(command, trace, extra=None):
    variables = environment({**MPI_ENVIRONMENT, "METASWEEP_TRACE": trace, **(extra or {})})
    return subprocess.Popen(
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def local_command(out):
    return [binary(), "run", str(SAME_BYTES), "--out", str(out), "--threads", "2", "--chunk-replicas", "8"]


def mpi_run_command(out, ranks):
    return mpi_command(ranks, "run", SAME_BYTES, "--out", out, "--threads", "1", "--chunk-replicas", "8")


def everyone_is_gone(out):
    """No metasweep process that works on `out` is left."""
    found = subprocess.run(["pgrep", "-f", f"run {SAME_BYTES} --out {out}"], capture_output=True, text=True)
    return found.returncode == 1


def tracing(trace):
    """Trace files there are: a process writes its own as soon as it begins to work."""
    return list(trace.parent.glob(trace.name + ".*"))


@pytest.fixture(scope="module")
def duration(tmp_path_factory):
    """How long the sweep takes from its first trace, under two threads and under three ranks, in seconds."""
    folder = tmp_path_factory.mktemp("duration")
    took = {}
    for who, command in [("local", local_command(folder / "a")), ("mpi", mpi_run_command(folder / "b", 3))]:
        trace = folder / f"trace-{who}"
        process = start(command, trace)
        wait_until(lambda: tracing(trace) or process.poll() is not None, 60, 0.001, "the first trace")
        begun = time.monotonic()
        assert process.wait(timeout=300) == 0
        took[who] = time.monotonic() - begun
    return took


def kill_once(generator, out, trace, duration):
    """One start, one kill at a random instant of the work; whom it hit, or None if the run was over before."""
    whom = generator.choice(["local", "local", "rank", "rank 0", "mpirun"])
    command = local_command(out) if whom == "local" else mpi_run_command(out, 3)
    process = start(command, trace)
    wait_until(lambda: tracing(trace) or process.poll() is not None, 60, 0.001, "the first trace")
    # Rather early than late: a resumed run has less to do.
    time.sleep(generator.random() * generator.random() * duration["local" if whom == "local" else "mpi"])
    ranks = {} if whom in ("local", "mpirun") else ranks_of(process.pid)
    victim = process.pid
    if ranks:
        victim = ranks[0] if whom == "rank 0" else ranks[generator.choice(sorted(ranks))]
    alive = process.poll() is None
    kill(victim)
    process.wait(timeout=60)
    wait_until(lambda: everyone_is_gone(out), 20, what=f"the end of all processes after killing {whom}")
    return whom if alive else None


def test_random_kills(tmp_path, reference, duration, record_property):
    """Up to four kills in a row on one folder; after each of them a copy is run to its end, and is the reference."""
    generator = random.Random(20261122)
    hit, kills, starts, sweeps = {}, 0, 0, 0
    while (kills < KILLS or "compute" not in hit) and starts < 6 * KILLS:
        out, trace, finished = tmp_path / f"out{sweeps}", tmp_path / f"trace{sweeps}", tmp_path / "finished"
        for _ in range(4):
            whom = kill_once(generator, out, trace, duration)
            starts += 1
            for phase in phases_of(trace) if whom else []:
                hit[phase] = hit.get(phase, 0) + 1
            for path in tracing(trace):
                path.unlink()
            if out.exists():
                shutil.copytree(out, finished)
            metasweep("run", SAME_BYTES, "--out", finished, "--threads", "2")
            assert_same_files(finished, reference)
            shutil.rmtree(finished)
            if not whom:
                break
            kills += 1
        sweeps += 1
    print(f"{kills} kills in {starts} starts over {sweeps} sweeps; phases hit: {hit}")
    record_property("phases", str(hit))
    assert kills >= 20
    assert "compute" in hit


@pytest.mark.parametrize("phase", sorted(RARE))
@pytest.mark.parametrize("count", [1, 2])
def test_kill_in_rare_phases(tmp_path, reference, phase, count):
    """Failpoints kill where a random instant seldom does; the trace proves the phase."""
    out, trace = tmp_path / "out", tmp_path / "trace"
    if phase == "manifest" and count == 2:
        count = 1
    killed = start(local_command(out), trace, {"METASWEEP_FAILPOINT": f"{RARE[phase]}:{count}=kill"}).wait(timeout=120)
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
    killed = start(local_command(out), tmp_path / "trace", {"METASWEEP_FAILPOINT": f"{failpoint}=kill"}).wait(timeout=120)
    assert killed == -9, f"the failpoint {failpoint} was not reached"
    metasweep("run", SAME_BYTES, "--out", out)
    assert_same_files(out, reference)
    hidden = [path for path in out.rglob(".*") if path.is_file()]
    assert not hidden, hidden


def test_resume_repeats_little(tmp_path, reference):
    """What was committed before the kill is not computed again: the second run computes the rest, and no replica more."""
    out = tmp_path / "out"
    killed = start(local_command(out), tmp_path / "trace", {"METASWEEP_FAILPOINT": "journal.write:20=kill"})
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
    import signal

    out = tmp_path / "out"
    process = start(local_command(out), tmp_path / "trace")
    wait_until(lambda: (out / "manifest.json").exists(), 20, what="the start")
    time.sleep(0.2)
    kill(process.pid, getattr(signal, name))
    assert process.wait(timeout=30) in (INCOMPLETE, 0)
    metasweep("run", SAME_BYTES, "--out", out)
    assert_same_files(out, reference)
