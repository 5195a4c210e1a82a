"""Starts a sweep, lets something happen to it at a random instant, and says what: for test_kills.py and docs/make/reliability."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field

from harness import (
    INCOMPLETE,
    MPI_ENVIRONMENT,
    assert_same_files,
    binary,
    environment,
    kill,
    metasweep,
    mpi_command,
    phases_of,
    ranks_of,
    wait_until,
)

# What happens, and how often of sixteen: SIGKILL of a rank, of rank 0, of mpirun, of a process without MPI; SIGTERM
# as schedulers send it (to mpirun, which passes it on; to one rank); SIGSTOP of a rank for a while.
HAPPENINGS = {
    "SIGKILL of a rank": 4,
    "SIGKILL of rank 0": 3,
    "SIGKILL of mpirun": 3,
    "SIGKILL without MPI": 2,
    "SIGTERM of mpirun": 1,
    "SIGTERM of a rank": 1,
    "SIGSTOP of a rank, SIGCONT, SIGKILL": 2,
}
PHASES = {"compute", "frame", "journal", "aggregate", "seal", "rename", "manifest"}


def local_command(sweep, out):
    return [binary(), "run", *map(str, sweep), "--out", str(out), "--threads", "2"]


def ranks_command(sweep, out, ranks=3, scratch=None):
    more = ("--scratch", scratch) if scratch else ()
    return mpi_command(ranks, "run", *sweep, *more, "--out", out, "--threads", "1")


def start(command, trace, extra=None):
    variables = environment({**MPI_ENVIRONMENT, "METASWEEP_TRACE": trace, **(extra or {})})
    return subprocess.Popen(
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def tracing(trace):
    """Trace files there are: a process writes its own as soon as it begins to work."""
    return list(trace.parent.glob(trace.name + ".*"))


def everyone_is_gone(out):
    """No metasweep process that works on `out` is left."""
    return subprocess.run(["pgrep", "-f", f"run .*--out {out}( |$)"], capture_output=True).returncode == 1


def wait_for_work(process, trace):
    wait_until(lambda: tracing(trace) or process.poll() is not None, 60, 0.001, "the first trace")


def durations(sweep, folder):
    """Seconds from the first trace to the end, without MPI and with it."""
    took = {}
    for who, command in [("local", local_command(sweep, folder / "a")), ("ranks", ranks_command(sweep, folder / "b"))]:
        trace = folder / f"trace-{who}"
        process = start(command, trace)
        wait_for_work(process, trace)
        begun = time.monotonic()
        assert process.wait(timeout=300) == 0
        took[who] = time.monotonic() - begun
        shutil.rmtree(folder / command[command.index("--out") + 1])
    return took


@dataclass
class Tally:
    """What a campaign saw."""

    kills: int = 0
    starts: int = 0
    through_scratch: int = 0
    sweeps: int = 0
    happened: dict = field(default_factory=dict)
    phases: dict = field(default_factory=dict)

    def count(self, what, phases):
        self.kills += 1
        self.happened[what] = self.happened.get(what, 0) + 1
        for phase in phases:
            self.phases[phase] = self.phases.get(phase, 0) + 1


def happen(generator, what, process, ranks):
    """Does it; the processes that must be gone afterwards are not waited for here."""
    some = ranks[generator.choice(sorted(ranks))] if ranks else process.pid
    if what == "SIGKILL of a rank":
        kill(some)
    elif what == "SIGKILL of rank 0":
        kill(ranks.get(0, process.pid))
    elif what == "SIGTERM of mpirun":
        kill(process.pid, signal.SIGTERM)
    elif what == "SIGTERM of a rank":
        kill(some, signal.SIGTERM)
    elif what.startswith("SIGSTOP"):
        kill(some, signal.SIGSTOP)
        time.sleep(0.1 + 0.5 * generator.random())
        kill(some, signal.SIGCONT)
        time.sleep(0.3 * generator.random())
        kill(some)
    else:
        kill(process.pid)


def once(generator, sweep, out, trace, duration, tally, extra=None, scratch=None):
    """One start and one happening at a random instant of the work; False if the run was over before."""
    what = generator.choices(list(HAPPENINGS), HAPPENINGS.values())[0]
    without = what.endswith("without MPI")
    process = start(local_command(sweep, out) if without else ranks_command(sweep, out, scratch=scratch), trace, extra)
    tally.starts += 1
    wait_for_work(process, trace)
    # Rather early than late: a resumed run has less to do.
    time.sleep(generator.random() * generator.random() * duration["local" if without else "ranks"])
    ranks = {} if without else ranks_of(process.pid)
    alive = process.poll() is None
    happen(generator, what, process, ranks)
    code = process.wait(timeout=60)
    wait_until(lambda: everyone_is_gone(out), 20, what=f"the end of all processes after {what}")
    if extra and not alive and code != 0:
        alive, what = True, "by itself at a failpoint"
    assert alive or code == 0, f"exit {code} although nothing had happened yet"
    if what == "SIGTERM of a rank" and not extra:
        # mpirun has its own exit codes when it is asked to end; here it says what the rank said.
        assert code in (0, INCOMPLETE), f"{what}: exit {code}"
    hit = phases_of(trace)
    for path in tracing(trace):
        path.unlink()
    if alive and code != 0:
        tally.count(what, hit & PHASES)
    return alive and code != 0


def series(generator, sweep, reference, folder, duration, tally, most=4, extra=None):
    """Up to `most` kills in a row on one folder; after each of them a copy is run to its end and is the reference, at last the folder itself."""
    out, finished = folder / f"out{tally.sweeps}", folder / f"finished{tally.sweeps}"
    # Every second series, and those that die in the courier, write to a disk of the node first.
    scratch = folder / "scratch" if tally.sweeps % 2 or "scratch" in str(extra) else None
    tally.sweeps += 1
    for _ in range(most):
        if not once(generator, sweep, out, folder / f"trace{tally.sweeps}", duration, tally, extra, scratch):
            break
        tally.through_scratch += scratch is not None
        if out.exists():
            shutil.copytree(out, finished)
            metasweep(*local_command(sweep, finished)[1:])
            assert_same_files(finished, reference)
            shutil.rmtree(finished)
    metasweep(*local_command(sweep, out)[1:])
    assert_same_files(out, reference)
    shutil.rmtree(out)
