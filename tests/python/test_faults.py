"""File systems that misbehave: interrupted calls, a full disk, fsyncs that fail, other nodes' files that show up late.

A library preloaded into the processes (faults.c) stands in for the file system; everything else is the real program.
"""

import re
import shutil
import subprocess
import time

import pytest

from harness import (
    MPI_ENVIRONMENT,
    SAME_BYTES,
    assert_same_files,
    binary,
    environment,
    metasweep,
    mpi_command,
    status,
)


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    source = str(SAME_BYTES.parent.parent / "faults.c")
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), source]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return library


def local(out, *more):
    return [binary(), "run", str(SAME_BYTES), "--out", str(out), "--threads", "2", "--chunk-replicas", "7", *more]


def ranks(out):
    return mpi_command(3, "run", SAME_BYTES, "--out", out, "--threads", 1, "--chunk-replicas", 7)


def run(library, out, command, **switches):
    """Runs the command with the library preloaded; the completed process."""
    variables = {f"FAULTS_{name.upper()}": value for name, value in switches.items()}
    variables |= {**MPI_ENVIRONMENT, "LD_PRELOAD": library, "FAULTS_DIR": out}
    return subprocess.run(command, env=environment(variables), capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("every", [2, 3, 17])
def test_interrupted_calls_go_on(tmp_path, reference, faults, every):
    """One in two, three, … calls is interrupted: nobody notices."""
    out = tmp_path / "out"
    done = run(faults, out, local(out), eintr=every)
    assert done.returncode == 0, done.stderr
    assert_same_files(out, reference)


@pytest.fixture(scope="module")
def needed(tmp_path_factory, faults):
    """Bytes that a whole run writes, found by halving: about the least space in which it completes."""
    folder = tmp_path_factory.mktemp("space")
    low, high = 10_000, 64_000_000
    while high - low > 200_000:
        middle = (low + high) // 2
        code = run(faults, folder / "out", local(folder / "out"), space=middle).returncode
        shutil.rmtree(folder / "out")
        low, high = (low, middle) if code == 0 else (middle, high)
    return high


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_a_full_disk(tmp_path, reference, faults, needed, share):
    """Exit 1 and a sentence that says so; once there is space the same command goes on from what was committed."""
    out = tmp_path / "out"
    done = run(faults, out, local(out), space=int(share * needed))
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr and str(out) in done.stderr
    assert "panicked" not in done.stderr
    before = status(out)
    assert before["state"] == "incomplete"
    again = metasweep(*local(out)[1:])
    computed = int(re.search(r"(\d+) replicas? computed", again.stderr).group(1))
    assert computed == before["replicas_total"] - before["replicas_done"]
    assert_same_files(out, reference)


@pytest.mark.parametrize("nth", [1, 2, 5, 12, 30])
def test_an_fsync_that_fails(tmp_path, reference, faults, nth):
    """It is never tried again on what the kernel may have forgotten: the run ends, the next one computes it anew."""
    out = tmp_path / "out"
    done = run(faults, out, local(out), sync=nth)
    assert done.returncode == 1, done.stderr
    assert "Input/output error" in done.stderr and "panicked" not in done.stderr
    metasweep(*local(out)[1:])
    assert_same_files(out, reference)


@pytest.mark.parametrize("late", [700, 2500])
def test_files_of_others_show_up_late(tmp_path, reference, faults, late):
    """Three ranks read each other's frames and parts as on a network file system that shows them late."""
    out = tmp_path / "out"
    begun = time.monotonic()
    done = run(faults, out, ranks(out), late=late)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun > late / 1000, "nobody had to wait: the fault was not there"
    assert_same_files(out, reference)


# With the second, tables are there, and what says whose they are is not seen: it is waited for.
@pytest.mark.parametrize("place", ["journal.write:20", "seal.record"])
def test_what_a_killed_run_left_shows_up_late(tmp_path, reference, faults, place):
    """The next run may not see it, then: it computes it again, and leaves nothing behind."""
    out = tmp_path / "out"
    killed = metasweep(*local(out)[1:], env={"METASWEEP_FAILPOINT": f"{place}=kill"}, code=-9)
    assert killed.returncode == -9 and list(out.glob("staging/*"))
    assert place != "seal.record" or list(out.rglob("*.parquet"))
    done = run(faults, out, ranks(out), late=4000)
    assert done.returncode == 0, done.stderr
    assert_same_files(out, reference)


def test_a_folder_of_somebody_else_is_refused_at_once(tmp_path):
    """Nothing of ours is late there, whatever it calls its folders; long before the minute and a half of patience."""
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "monday.txt").write_text("rain")
    (tmp_path / "cells").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    refused = metasweep(*local(tmp_path)[1:], code=3, timeout=45)
    assert "is not empty and holds no metasweep dataset" in refused.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"
