"""What the end-to-end tests share: the binaries, mpirun, hashes of a dataset, a private SLURM, phase traces."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import polars as pl
from blake3 import blake3

REPOSITORY = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("METASWEEP_BIN", REPOSITORY / "target/tests-bin"))
SAME_BYTES = REPOSITORY / "tests/python/sweeps/same-bytes.toml"
FAST = os.environ.get("METASWEEP_FAST", "0") == "1"
INCOMPLETE = 75

MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self,vader",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    # A private folder for sessions: runs killed on purpose leave theirs behind.
    "PMIX_MCA_gds": "hash",
}


def binary(name="metasweep"):
    path = BINARIES / name
    assert path.exists(), f"{path} is missing: tests/run builds it"
    return str(path)


def environment(extra=None):
    """This process's environment without what could change a run, plus `extra`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("METASWEEP_", "SLURM_", "OMPI_", "PMI"))}
    return {**kept, **{k: str(v) for k, v in (extra or {}).items()}}


def metasweep(*arguments, name="metasweep", code=0, env=None, timeout=300, cwd=None):
    """Runs the binary to its end and asserts its exit code; the completed process."""
    command = [binary(name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(env), timeout=timeout, cwd=cwd)
    allowed = {code} if isinstance(code, int) else set(code)
    assert done.returncode in allowed, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def mpi_command(ranks, *arguments, name="metasweep-mpi"):
    assert shutil.which("mpirun"), "mpirun is missing: tests/setup/install installs it"
    return ["mpirun", "-n", str(ranks), binary(name), *map(str, arguments)]


def mpirun(ranks, *arguments, name="metasweep-mpi", code=0, env=None, timeout=300):
    """Runs the MPI build under mpirun and asserts the exit code."""
    command = mpi_command(ranks, *arguments, name=name)
    merged = environment({**MPI_ENVIRONMENT, **(env or {})})
    done = subprocess.run(command, capture_output=True, text=True, env=merged, timeout=timeout)
    allowed = {code} if isinstance(code, int) else set(code)
    assert done.returncode in allowed, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def sweep(tmp_path, grid, time, observe='series = ["mean_cosine"]', replicas=1, seed=1, name="sweep"):
    """Runs a sweep made of these lines; its folder."""
    path = Path(tmp_path) / f"{name}.toml"
    path.write_text(
        f'name = "{name}"\nseed = {seed}\nreplicas = {replicas}\n[[grid]]\n{grid}\n[time]\n{time}\n[observe]\n{observe}\n'
    )
    metasweep("run", path, "--out", path.with_suffix(""), timeout=900)
    return path.with_suffix("")


def table(out, name):
    """A table of a dataset, all its parts."""
    return pl.read_parquet(f"{out}/{name}/**/*.parquet")


def tokens(rows, replica, t):
    """The n × d tokens of a replica at a time, of rows of the table `tokens`."""
    chosen = rows.filter(pl.col("replica") == replica, (pl.col("t") - t).abs() < 1e-9).sort("token")
    return np.array(chosen["x"].to_list())


def data_hashes(out):
    """BLAKE3 of every data file below DIR, by its path in DIR. Never empty."""
    out = Path(out)
    hashes = {str(p.relative_to(out)): blake3(p.read_bytes()).hexdigest() for p in sorted(out.glob("*/**/*.parquet"))}
    assert hashes, f"no data in {out}"
    return hashes


def assert_same_files(out, reference):
    """Equal data files, byte for byte, and no staging left."""
    got, expected = data_hashes(out), data_hashes(reference)
    assert sorted(got) == sorted(expected)
    different = [path for path in expected if got[path] != expected[path]]
    assert not different, f"these files differ: {different}"
    staging = Path(out) / "staging"
    left = list(staging.rglob("*")) if staging.exists() else []
    assert not left, f"staging is not empty after exit 0: {left}"


def status(out, **keywords):
    """The JSON; exit code 3 says that it is damaged."""
    keywords.setdefault("code", (0, 3))
    return json.loads(metasweep("status", out, "--json", **keywords).stdout)


def manifest(out):
    return json.loads((Path(out) / "manifest.json").read_text())


def phases_of(trace):
    """The phases that the processes traced to `trace` were in when last seen: one a thread slot."""
    found = set()
    for path in Path(trace).parent.glob(Path(trace).name + ".*"):
        found |= {slot for slot in path.read_text(errors="replace").replace("\0", " ").split()}
    return found


def children(pid):
    """Pids of the processes below `pid`, nearest first."""
    below = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
        if int(fields[1]) == pid:
            below.append(int(stat.parent.name))
    return below + [deeper for child in below for deeper in children(child)]


def ranks_of(mpirun_pid):
    """The metasweep processes of an mpirun, by rank."""
    ranks = {}
    for pid in children(mpirun_pid):
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            comm = Path(f"/proc/{pid}/comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        for variable in variables:
            if variable.startswith(b"OMPI_COMM_WORLD_RANK=") and comm.startswith("metasweep"):
                ranks[int(variable.split(b"=")[1])] = pid
    return ranks


def kill(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_until(condition, seconds=30, every=0.01, what="it"):
    """Polls `condition` until it returns something true; fails after `seconds`, naming `what` (a text, or what gives one then)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"{what() if callable(what) else what} did not happen within {seconds} s")


@contextlib.contextmanager
def private_slurm(folder, nodes=2, cpus=8):
    assert shutil.which("slurmctld"), "slurmctld is missing: tests/setup/install installs it"
    scripts = REPOSITORY / "slurm/dev"
    up = subprocess.run([scripts / "up.sh", folder, str(nodes), str(cpus)], capture_output=True, text=True)
    logs = "".join(f"{log}:\n{log.read_text(errors='replace')[-2000:]}" for log in [*Path(folder).glob("*.err"), *Path(folder).glob("*.log")])
    assert up.returncode == 0, up.stderr + logs
    configuration = up.stdout.strip().removeprefix("export SLURM_CONF=")
    try:
        yield {"SLURM_CONF": configuration}
    finally:
        subprocess.run([scripts / "down.sh", folder], check=False)
