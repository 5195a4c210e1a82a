"""Launchers, ranks that die, launchers that do not match, and datasets in use."""

import json
import os
import shutil
import socket
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
    mpirun,
    ranks_of,
    wait_until,
)


def test_a_build_without_mpi_under_mpirun(tmp_path):
    """Else three programs would each believe they are alone."""
    begun = time.monotonic()
    done = mpirun(3, "run", SAME_BYTES, "--out", tmp_path / "out", name="metasweep", code=2)
    assert "--features mpi" in done.stderr
    assert time.monotonic() - begun < 20
    assert not (tmp_path / "out").exists()


def test_a_launcher_that_does_not_match(tmp_path):
    """MPICH's launcher starts three tasks of a build for OpenMPI: to MPI each is alone, the launcher says otherwise."""
    assert shutil.which("mpiexec.mpich"), "mpiexec.mpich is missing: tests/setup/install installs it"
    command = ["mpiexec.mpich", "-n", "3", binary("metasweep-mpi"), "run", str(SAME_BYTES), "--out", str(tmp_path / "out")]
    begun = time.monotonic()
    done = subprocess.run(command, env=environment(MPI_ENVIRONMENT), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "3" in done.stderr and "MPI" in done.stderr
    assert time.monotonic() - begun < 20
    assert not (tmp_path / "out").exists()


def test_the_mpi_build_runs_alone(tmp_path, reference):
    metasweep("run", SAME_BYTES, "--out", tmp_path / "out", name="metasweep-mpi")
    assert_same_files(tmp_path / "out", reference)


@pytest.mark.parametrize("failpoint", ["compute:5=panic", "frame.write:2=panic"])
def test_a_panic_in_any_rank_ends_all(tmp_path, failpoint):
    begun = time.monotonic()
    done = mpirun(
        3, "run", SAME_BYTES, "--out", tmp_path / "out", "--threads", 1, "--chunk-replicas", 4,
        env={"METASWEEP_FAILPOINT": failpoint}, code=range(1, 256),
    )  # fmt: skip
    assert done.returncode not in (0, 75)
    assert time.monotonic() - begun < 20
    assert "failpoint" in done.stderr and "run again to resume" in done.stderr


def test_ranks_die_with_their_mpirun(tmp_path):
    """SIGKILL of mpirun leaves no writer behind."""
    command = mpi_command(3, "run", SAME_BYTES, "--out", tmp_path / "out", "--threads", 1, "--set", "replicas=2000")
    process = subprocess.Popen(command, env=environment(MPI_ENVIRONMENT), stderr=subprocess.DEVNULL)
    ranks = wait_until(lambda: (r := ranks_of(process.pid)) and len(r) == 3 and r, what="three ranks")
    wait_until(lambda: list((tmp_path / "out").glob("staging/*")), what="the first frame")
    kill(process.pid)
    process.wait()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in ranks.values()), 10, what="the ranks' end")


def start_long(out):
    command = [binary(), "run", str(SAME_BYTES), "--out", str(out), "--threads", "1", "--set", "replicas=2000"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
    wait_until(lambda: (out / "manifest.json").exists() and list(out.glob("staging/*")), what="the start")
    return process


def test_in_use(tmp_path):
    """A second run on a folder in use: exit 4, naming who has it; a dead owner is taken over at once."""
    out = tmp_path / "out"
    process = start_long(out)
    try:
        done = metasweep("run", SAME_BYTES, "--out", out, "--set", "replicas=2000", code=4)
        assert str(process.pid) in done.stderr
        assert socket.gethostname() in done.stderr
        state = json.loads(metasweep("status", out, "--json").stdout)
        assert state["state"] == "running"
    finally:
        kill(process.pid)
        process.wait()
    begun = time.monotonic()
    second = start_long(out)
    taken = time.monotonic() - begun
    kill(second.pid)
    second.wait()
    assert taken < 10


def test_two_interrupts_stop_at_once(tmp_path):
    import signal

    out = tmp_path / "out"
    process = start_long(out)
    kill(process.pid, signal.SIGINT)
    kill(process.pid, signal.SIGINT)
    begun = time.monotonic()
    code = process.wait(timeout=20)
    assert code != 0
    assert time.monotonic() - begun < 5


def test_srun_on_a_real_slurm(tmp_path, reference, slurm):
    """Two nodes, two tasks on each, two threads a task, under srun --mpi=pmix."""
    assert shutil.which("srun")
    script = tmp_path / "job.sh"
    out = tmp_path / "out"
    script.write_text(
        "#!/bin/bash\n"
        f"srun --mpi=pmix {binary('metasweep-mpi')} run {SAME_BYTES} --out {out} --threads 2\n"
    )
    variables = {**environment(), **slurm, "OMPI_MCA_btl": "self,tcp", "OMPI_MCA_btl_tcp_if_include": "lo"}
    done = subprocess.run(
        ["sbatch", "--wait", "-N2", "--ntasks-per-node=2", "-c2", "-o", str(tmp_path / "log"), str(script)],
        env=variables, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert done.returncode == 0, done.stderr + log
    assert_same_files(out, reference)


def test_srun_without_mpi_is_refused(tmp_path, slurm):
    variables = {**environment(), **slurm}
    done = subprocess.run(
        ["srun", "-N2", "-n3", "--mpi=none", binary(), "run", str(SAME_BYTES), "--out", str(tmp_path / "out")],
        env=variables, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "--features mpi" in done.stderr
