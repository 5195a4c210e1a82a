"""SIGSTOP of a run for longer than its lease while another takes over, then SIGCONT: it learns it, and damages nothing."""

import json
import signal
import subprocess
import time

import pytest

from harness import (
    MPI_ENVIRONMENT,
    SAME_BYTES,
    assert_same_files,
    binary,
    environment,
    kill,
    metasweep,
    mpi_command,
    ranks_of,
    status,
    wait_until,
)

LEASE = {"METASWEEP_LEASE": "3"}
LONGER = ("--set", "replicas=100", "--chunk-replicas", 2)


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """The same-bytes sweep with more replicas, so that there is time to stop it."""
    out = tmp_path_factory.mktemp("longer") / "out"
    metasweep("run", SAME_BYTES, "--out", out, *LONGER)
    return out


def start(out):
    command = [binary(), "run", str(SAME_BYTES), "--out", str(out), *map(str, LONGER)]
    return subprocess.Popen(command, env=environment(LEASE), stderr=subprocess.PIPE, text=True)


def owner(out):
    """The number of the run that has the dataset, if any."""
    path = out / "journal/owner"
    return json.loads(path.read_text())["nonce"] if path.exists() else None


@pytest.mark.parametrize("wakes", ["when the other begins", "in its middle", "when it is done"])
def test_a_stopped_owner(tmp_path, longer, wakes):
    out = tmp_path / "out"
    first = start(out)
    wait_until(lambda: list(out.glob("staging/*")), what="the first frame")
    time.sleep(0.3)
    kill(first.pid, signal.SIGSTOP)
    stopped = owner(out)
    assert 0 < status(out, env=LEASE)["replicas_done"] < status(out, env=LEASE)["replicas_total"]
    metasweep("run", SAME_BYTES, "--out", out, *LONGER, env=LEASE, code=4)
    time.sleep(3.5)
    second = start(out)
    wait_until(lambda: owner(out) not in (None, stopped), what="the takeover")
    if wakes == "in its middle":
        time.sleep(0.7)
    elif wakes == "when it is done":
        assert second.wait(timeout=240) == 0, second.stderr.read()
    kill(first.pid, signal.SIGCONT)
    assert first.wait(timeout=30) == 4, "the first run goes on as if it still had the dataset"
    assert "was taken over by another run" in first.stderr.read()
    assert second.wait(timeout=240) == 0, second.stderr.read()
    metasweep("verify", out)
    done = metasweep("run", SAME_BYTES, "--out", out, *LONGER)
    assert "complete" in done.stderr
    assert_same_files(out, longer)


def test_a_rank_that_hangs_is_named(tmp_path, longer):
    """Stopped for a while it is named in the log, once; when it goes on, so does everything."""
    out = tmp_path / "out"
    variables = environment({**MPI_ENVIRONMENT, "METASWEEP_SILENCE": "3"})
    command = mpi_command(3, "run", SAME_BYTES, "--out", out, "--threads", 1, *LONGER)
    process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: list(out.glob("staging/*")), what="the first frame")
    rank = ranks_of(process.pid)[2]
    kill(rank, signal.SIGSTOP)
    time.sleep(6)
    kill(rank, signal.SIGCONT)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    named = [line for line in said.splitlines() if "does it hang?" in line]
    assert len(named) == 1 and "rank 2 on " in named[0], said
    assert_same_files(out, longer)
