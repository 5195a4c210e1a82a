"""The same program built against MPICH: the same bytes, ends with its ranks, and says when OpenMPI's launcher starts it."""

import subprocess
import time

import pytest

from harness import (
    MPI_ENVIRONMENT,
    SAME_BYTES,
    assert_same_files,
    binary,
    children,
    environment,
    kill,
    metasweep,
    status,
    wait_until,
)

def command(ranks, *arguments):
    return ["mpiexec.mpich", "-n", str(ranks), binary("metasweep-mpich"), *map(str, arguments)]


def mpiexec(ranks, *arguments, env=None):
    return subprocess.run(command(ranks, *arguments), env=environment(env), capture_output=True, text=True, timeout=300)


def test_it_is_built_against_mpich():
    libraries = subprocess.run(["ldd", binary("metasweep-mpich")], capture_output=True, text=True, check=True).stdout
    assert "libmpich" in libraries and "libmpi.so.40" not in libraries


@pytest.mark.parametrize(("ranks", "threads"), [(2, 2), (5, 1)])
def test_same_bytes(tmp_path, reference, ranks, threads):
    done = mpiexec(ranks, "run", SAME_BYTES, "--out", tmp_path / "out", "--threads", threads)
    assert done.returncode == 0, done.stderr
    assert f"{ranks} ranks" in done.stderr
    assert_same_files(tmp_path / "out", reference)


def test_a_panic_in_any_rank_ends_all(tmp_path, reference):
    out = tmp_path / "out"
    begun = time.monotonic()
    arguments = ("run", SAME_BYTES, "--out", out, "--threads", 1, "--chunk-replicas", 4)
    done = mpiexec(3, *arguments, env={"METASWEEP_FAILPOINT": "compute:5=panic"})
    assert done.returncode not in (0, 75)
    assert time.monotonic() - begun < 20
    assert "failpoint" in done.stderr
    assert mpiexec(3, *arguments).returncode == 0
    assert_same_files(out, reference)


def test_a_killed_rank_ends_all(tmp_path):
    out = tmp_path / "out"
    arguments = ("run", SAME_BYTES, "--out", out, "--threads", 1, "--set", "replicas=2000")
    process = subprocess.Popen(command(3, *arguments), env=environment(), stderr=subprocess.DEVNULL)
    wait_until(lambda: list(out.glob("staging/*")), what="the first frame")
    everyone = children(process.pid)
    kill(next(pid for pid in reversed(everyone) if is_a_rank(pid)))
    assert process.wait(timeout=30) not in (0, 75)
    wait_until(lambda: not any(is_a_rank(pid) for pid in everyone), 10, what="the end of all ranks")
    assert status(out)["state"] == "incomplete"


def is_a_rank(pid):
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read().startswith("metasweep")
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_openmpis_launcher_does_not_match(tmp_path):
    arguments = ["mpirun", "-n", "3", binary("metasweep-mpich"), "run", str(SAME_BYTES), "--out", str(tmp_path / "out")]
    done = subprocess.run(arguments, env=environment(MPI_ENVIRONMENT), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "OpenMPI" in done.stderr and "MPICH" in done.stderr
    assert not (tmp_path / "out").exists()


def test_it_runs_alone(tmp_path, reference):
    metasweep("run", SAME_BYTES, "--out", tmp_path / "out", name="metasweep-mpich")
    assert_same_files(tmp_path / "out", reference)
