"""A SLURM of two nodes, submissions to it, and what became of them."""

import json
import subprocess
from pathlib import Path

import pytest

from harness import SAME_BYTES, environment, metasweep, status, wait_until

REPLICAS = ("--set", "replicas=300")
PROGRAM = {"array": "metasweep", "ranks": "metasweep-mpi"}


@pytest.fixture(scope="session")
def expected(tmp_path_factory):
    """The same-bytes sweep with more replicas, undisturbed, without MPI and without SLURM."""
    out = tmp_path_factory.mktemp("expected") / "out"
    metasweep("run", SAME_BYTES, *REPLICAS, "--out", out)
    return out


@pytest.fixture
def site(slurm):
    """The environment of a user on this cluster: links follow each other at once, two nodes share a machine. Nobody else's jobs."""
    subprocess.run(["scancel", "-u", "root"], env=environment(slurm), check=False, capture_output=True)
    resume(slurm, "n[1-2]")
    until_idle(slurm)
    return {**slurm, "METASWEEP_LINKS_APART": "1", "OMPI_MCA_btl": "self,tcp", "OMPI_MCA_btl_tcp_if_include": "lo"}


def submit(site, out, *flags, sweep=SAME_BYTES, form="ranks", code=0, **more):
    sizes = ("--nodes", 2, "--ranks-per-node", 2, "--threads", 2) if form == "ranks" else ()
    arguments = ("submit", sweep, *REPLICAS, "--out", out, *sizes, "--time", "10m", *flags)
    return metasweep(*arguments, name=PROGRAM[form], env={**site, **more}, code=code)


def ask(site, *command):
    done = subprocess.run(command, env=environment(site), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def state(site, out):
    return json.loads(metasweep("status", out, "--json", env=site, code=(0, 3)).stdout)


def log(out):
    return "\n".join(f"{path.name}:\n{path.read_text()}" for path in sorted((out / "slurm").glob("*.log")))


def situation(site, out):
    """What somebody who looks into a failure wants to see."""
    asked = [["squeue", "-t", "all", "-o", "%i %j %T %r %M %R"], ["sinfo", "-N", "-l"]]
    said = [subprocess.run(one, env=environment(site), capture_output=True, text=True, timeout=60).stdout for one in asked]
    controller = (Path(site["SLURM_CONF"]).parent / "slurmctld.log").read_text(errors="replace").splitlines()[-40:]
    processes = subprocess.run(["ps", "-eo", "pid,ppid,stat,etimes,args"], capture_output=True, text=True).stdout
    shown = [line for line in processes.splitlines() if any(word in line for word in ("slurm", "metasweep", "mpirun", "srun", "orted"))]
    return "\n".join([log(out), records(out), *said, *controller, *shown])


def until_complete(site, out, seconds=150):
    """Waits for the chain to complete the sweep; its last status."""

    def look():
        if not (out / "manifest.json").exists():
            return None
        if json.loads((out / "manifest.json").read_text())["state"] == "complete":
            return state(site, out)
        over = state(site, out)["slurm"]["over"]
        assert not over, f"the chain ended: {over}\n{log(out)}"
        return None

    return wait_until(look, seconds, 0.3, lambda: f"the end of the chain\n{situation(site, out)}")


def resume(site, nodes):
    """Back to work; they may have come back by themselves."""
    subprocess.run(["scontrol", "update", f"NodeName={nodes}", "State=RESUME"], env=environment(site), capture_output=True)


def until_idle(site):
    """No job runs or ends."""
    wait_until(lambda: not ask(site, "squeue", "-h", "-t", "running,completing").strip(), 40, 0.2, "an empty queue")


def in_the_middle(out, share=0.15):
    """Waits until some of the replicas are there."""

    def look():
        if not list(out.glob("journal/*.journal")):
            return None
        now = status(out)
        return now if now["replicas_done"] >= share * now["replicas_total"] else None

    now = wait_until(look, 90, 0.05, "the middle of the sweep")
    assert now["replicas_done"] < now["replicas_total"], "the sweep was over before anything could happen to it"


def ranks(out):
    """Processes that compute for this dataset."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = stat.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if len(words) > 3 and words[0].endswith((b"metasweep-mpi", b"metasweep")) and words[1] == b"run" and str(out).encode() in words:
            found.append(int(stat.parent.name))
    return sorted(found)


def records(out):
    return "".join(path.read_text() for path in (out / "slurm").glob("*.jsonl"))
