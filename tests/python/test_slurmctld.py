"""The controller of a SLURM is killed and comes back with what it had saved last: before the job was, while it waited, while it ran."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness import assert_same_files, environment, kill, wait_until
from slurm_site import ask, expected, in_the_middle, ranks, records, resume, site, situation, submit, until_complete


def folder(site):
    return Path(site["SLURM_CONF"]).parent


def until_saved(site):
    """slurmctld saves its jobs every five seconds, if there is something new."""
    asked, path = time.time(), folder(site) / "state/job_state"
    wait_until(lambda: path.exists() and path.stat().st_mtime > asked, 30, 0.05, "a new state of the jobs")


def keep_what_is_saved(site):
    """However late the kill comes: what was saved in between is as if it never had been."""
    kept = folder(site) / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder(site) / "state", kept)


def kill_controller(site):
    kill(int((folder(site) / "slurmctld.pid").read_text()), signal.SIGKILL)


def start_controller(site):
    """With what was kept, if something was."""
    if (folder(site) / "kept").exists():
        shutil.rmtree(folder(site) / "state")
        (folder(site) / "kept").rename(folder(site) / "state")
    command = ["slurmctld", "-f", site["SLURM_CONF"]]
    subprocess.run(command, env=environment(site), check=True, capture_output=True, timeout=30)
    wait_until(lambda: subprocess.run(["scontrol", "ping"], env=environment(site), capture_output=True).returncode == 0, 30)


def links(out):
    """Which job followed each link that told its end."""
    told = [json.loads(line) for line in records(out).splitlines()]
    return {one["link"]["job"]: one["follows"] for one in told if one["what"] == "ended" and one["code"] is not None}


def assert_complete(site, out, expected):
    until_complete(site, out)
    assert_same_files(out, expected)
    wait_until(lambda: not ranks(out), 30, 0.2, lambda: f"the end of the ranks\n{situation(site, out)}")
    # Jobs of others, over before the kill, may have come back with the state that was saved last: nodes need not be idle.
    for node in ask(site, "sinfo", "-h", "-N", "-o", "%t").split():
        assert node in ("idle", "mix", "alloc"), situation(site, out)


def test_it_comes_back_without_the_job(tmp_path, site, expected):
    """Its number is given a second time."""
    out = tmp_path / "out"
    ask(site, "sbatch", "--parsable", "-n1", "--output=/dev/null", "--wrap=true")
    until_saved(site)
    keep_what_is_saved(site)
    job = submit(site, out, METASWEEP_LINK_SECONDS=6).stdout.strip()
    in_the_middle(out)
    kill_controller(site)
    wait_until(lambda: not ranks(out), 60, 0.05, "the end of the link")
    start_controller(site)
    assert_complete(site, out, expected)
    assert links(out)[job] not in (None, job), situation(site, out)


def test_it_comes_back_with_the_job_waiting(tmp_path, site, expected):
    """To requeue it is refused then, and its number is spoilt for the nodes: another job goes on."""
    out = tmp_path / "out"
    ask(site, "scontrol", "update", "NodeName=n[1-2]", "State=DRAIN", "Reason=test")
    job = submit(site, out, METASWEEP_LINK_SECONDS=4).stdout.strip()
    until_saved(site)
    keep_what_is_saved(site)
    resume(site, "n[1-2]")
    in_the_middle(out, 0.01)
    kill_controller(site)
    wait_until(lambda: not ranks(out), 60, 0.05, "the end of the link")
    start_controller(site)
    resume(site, "n[1-2]")
    assert_complete(site, out, expected)
    assert links(out)[job] not in (None, job), situation(site, out)


def test_it_comes_back_with_the_job_running(tmp_path, site, expected):
    out = tmp_path / "out"
    submit(site, out, METASWEEP_LINK_SECONDS=8)
    in_the_middle(out, 0.01)
    until_saved(site)
    kill_controller(site)
    time.sleep(4)
    start_controller(site)
    assert_complete(site, out, expected)
