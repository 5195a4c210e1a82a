"""Sweeps through a real SLURM of two nodes: submitted, ended in every way that a scheduler knows, gone on with, complete, the same bytes."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import REPOSITORY, SAME_BYTES, assert_same_files, binary, environment, kill, metasweep, status, wait_until
from slurm_site import REPLICAS, ask, expected, in_the_middle, log, ranks, records, resume, site, situation, state, submit, until_complete, until_idle


def test_two_nodes_two_tasks_two_threads(tmp_path, site, expected):
    out = tmp_path / "out"
    done = submit(site, out)
    job = done.stdout.strip()
    assert job.isdigit()
    end = until_complete(site, out)
    assert end["state"] == "complete" and end["slurm"]["jobs"] == [job] and end["slurm"]["restarts"] == 0
    assert_same_files(out, expected)
    record = json.loads(next(out.glob("journal/*-provenance.json")).read_text())
    assert [process["threads"] for process in record["processes"]] == [2, 2, 2, 2]
    until_idle(site)
    again = submit(site, out)
    wait_until(lambda: "nothing to do" in log(out), 30, 0.3, "the job that finds the work done")
    assert again.stdout.strip() in metasweep("logs", out, env=site).stderr


@pytest.mark.parametrize("chain", ["requeue", "resubmit", "dependency:12"])
def test_a_third_of_the_time(tmp_path, site, expected, chain):
    """Each link has time for about a third of the sweep."""
    out = tmp_path / "out"
    begun = time.monotonic()
    metasweep("run", SAME_BYTES, *REPLICAS, "--out", tmp_path / "timed", "--threads", 2)
    third = max(3, round((time.monotonic() - begun) / 3 + 2))
    submit(site, out, "--chain", chain, METASWEEP_LINK_SECONDS=third)
    end = until_complete(site, out)
    print(f"{chain}: {end['slurm']['restarts']} restarts, seconds lost: {end['slurm']['seconds_lost']}")
    assert end["slurm"]["restarts"] >= 1
    assert all(link["ending"] in ("INCOMPLETE", "COMPLETE", None) for link in end["slurm"]["links"]), end["slurm"]
    assert_same_files(out, expected)
    if chain.startswith("dependency"):
        metasweep("cancel", out, env=site)


def test_a_replica_longer_than_the_time(tmp_path, site):
    """It is checkpointed and goes on, bit for bit."""
    sweep = tmp_path / "long.toml"
    sweep.write_text(
        'name = "long"\nseed = 1\nreplicas = 1\n[[grid]]\nn = 160\nd = 64\nbeta = 4\n'
        '[time]\nhorizon = 60.0\nintegrator = "rk4"\nstep = 0.05\nsample = { count = 40 }\n[observe]\nseries = ["energy"]\n'
    )
    whole, out = tmp_path / "whole", tmp_path / "out"
    begun = time.monotonic()
    metasweep("run", sweep, "--out", whole, "--threads", 1)
    took = time.monotonic() - begun
    arguments = ("submit", sweep, "--out", out, "--nodes", 1, "--ranks-per-node", 2, "--time", "10m")
    seconds = max(2.5, took / 3 + 1.5)
    metasweep(*arguments, name="metasweep-mpi", env={**site, "METASWEEP_LINK_SECONDS": seconds})
    end = until_complete(site, out)
    assert end["slurm"]["restarts"] >= 1, f"one link of {seconds:.1f} s was enough for {took:.1f} s"
    assert_same_files(out, whole)


def test_requeued_in_the_middle(tmp_path, site, expected):
    out = tmp_path / "out"
    job = submit(site, out).stdout.strip()
    in_the_middle(out)
    ask(site, "scontrol", "requeue", job)
    end = until_complete(site, out)
    assert end["slurm"]["restarts"] == 1
    assert_same_files(out, expected)


def test_told_to_end(tmp_path, site, expected):
    """scancel --signal=TERM: written, and gone on with by the chain."""
    out = tmp_path / "out"
    job = submit(site, out).stdout.strip()
    in_the_middle(out)
    ask(site, "scancel", "--signal=TERM", "--full", job)
    until_complete(site, out)
    assert_same_files(out, expected)


def test_a_user_cancels(tmp_path, site, expected):
    """The chain ends, status says so, and submitting again goes on."""
    out = tmp_path / "out"
    submit(site, out)
    in_the_middle(out)
    metasweep("cancel", out, env=site)
    wait_until(lambda: not ranks(out), 30, 0.1, "the end of the ranks")
    now = state(site, out)
    assert now["state"] == "incomplete" and any("cancel" in why for why in now["slurm"]["over"]), now["slurm"]
    time.sleep(2)
    assert not ranks(out)
    until_idle(site)
    submit(site, out)
    until_complete(site, out)
    assert_same_files(out, expected)


def test_scancel_ends_the_chain(tmp_path, site):
    out = tmp_path / "out"
    job = submit(site, out).stdout.strip()
    in_the_middle(out)
    ask(site, "scancel", job)
    wait_until(lambda: any("cancelled" in why for why in state(site, out)["slurm"]["over"]), 60, 1, "the end of the chain")
    assert state(site, out)["slurm"]["links"][-1]["ending"] == "CANCELLED"


def test_a_rank_is_killed(tmp_path, site, expected):
    out = tmp_path / "out"
    submit(site, out)
    in_the_middle(out)
    kill(ranks(out)[-1])
    end = until_complete(site, out)
    assert end["slurm"]["links"][0]["ending"] == "KILLED" and end["slurm"]["restarts"] >= 1
    assert_same_files(out, expected)


def test_a_node_goes_down(tmp_path, site, expected):
    out = tmp_path / "out"
    submit(site, out)
    in_the_middle(out)
    try:
        ask(site, "scontrol", "update", "NodeName=n2", "State=DOWN", "Reason=test")
        wait_until(lambda: not ranks(out), 60, 0.2, "the end of the ranks")
    finally:
        resume(site, "n2")
    end = until_complete(site, out)
    assert end["slurm"]["restarts"] >= 1
    assert_same_files(out, expected)


def test_through_a_disk_of_the_node(tmp_path, site, expected):
    """Named by the job's environment, not by the shell that submits."""
    out, disk = tmp_path / "out", tmp_path / "a disk"
    submit(site, out, "--scratch", "$LOCAL_DISK/here", LOCAL_DISK=disk)
    until_complete(site, out)
    assert_same_files(out, expected)
    wait_until(lambda: not list((disk / "here").iterdir()), 30, 0.3, "the end of what lay there")


def test_an_array_of_four_one_of_them_killed(tmp_path, site, expected):
    out = tmp_path / "out"
    submit(site, out, "--array", 4, "--threads", 1, "--chain", "none", form="array")
    everyone = wait_until(lambda: (found := ranks(out)) and len(found) == 4 and found, 30, 0.02, "four elements")
    in_the_middle(out)
    kill(everyone[1])
    wait_until(lambda: status(out)["state"] == "complete", 120, 0.3, lambda: situation(site, out))
    wait_until(lambda: not ranks(out), 30, 0.3, "the end of all elements")
    assert_same_files(out, expected)
    endings = [link["ending"] for link in state(site, out)["slurm"]["links"]]
    assert sorted(endings) == ["COMPLETE"] * 3 + ["KILLED"], endings
    assert len(list(out.glob("journal/*.journal"))) >= 4, "each element writes its own"


def test_tasks_of_srun_without_mpi(tmp_path, site, expected):
    out = tmp_path / "out"
    command = ["srun", "-N2", "-n4", "--mpi=none", binary(), "run", str(SAME_BYTES), *REPLICAS, "--out", str(out)]
    ask({**site, "SLURM_CPU_BIND": "none"}, *command, "--threads", "1", "--share", "auto")
    assert_same_files(out, expected)


@pytest.mark.parametrize("script", ["pure-mpi", "hybrid", "array"])
def test_the_ready_scripts(tmp_path, site, expected, script):
    """Given notice in the middle they end with 75; submitted again they complete it."""
    out = tmp_path / "out"
    variables = {**site, "SLURM_CPU_BIND": "none", "METASWEEP": binary("metasweep" if script == "array" else "metasweep-mpi")}
    path = REPOSITORY / f"slurm/{script}.sbatch"
    command = ["sbatch", "--parsable", f"--output={tmp_path}/%A_%a.log", str(path), str(SAME_BYTES), *REPLICAS, "--out", str(out)]

    def ended(job):
        lines = ask(site, "scontrol", "show", "job", "-o", job).splitlines()
        codes = [re.search(r"ExitCode=(\d+):", line).group(1) for line in lines]
        states = [re.search(r"JobState=(\w+)", line).group(1) for line in lines]
        return codes if all(state in ("COMPLETED", "FAILED") for state in states) else None

    job = ask(variables, *command).strip()
    in_the_middle(out)
    ask(site, "scancel", "--signal=USR1", "--batch", job)
    codes = wait_until(lambda: ended(job), 60, 0.5, lambda: situation(site, out))
    assert set(codes) == {"75"}, codes
    job = ask(variables, *command).strip()
    codes = wait_until(lambda: ended(job), 120, 0.5, lambda: situation(site, out))
    assert set(codes) == {"0"}, codes
    assert_same_files(out, expected)


NASTY = ["it's", 'say "hi"', "$(touch {mark})", "`touch {mark}`", "a b;touch {mark}", "x\\", "#comment", "%j", "-n 3"]


@pytest.mark.parametrize("text", NASTY)
def test_names_are_words(tmp_path, site, text):
    """As a folder's name and as an account: submitted verbatim or refused, never executed."""
    mark = tmp_path / "mark"
    word = text.format(mark=str(mark).replace("/", "_")) if "/" in text else text.format(mark="mark")
    folder = tmp_path / word
    folder.mkdir()
    sweep = folder / f"{word}.toml"
    shutil.copy(SAME_BYTES, sweep)
    out = folder / "out"
    flags = (f"--account={word}", f"--directive=--comment={word}", "--nodes", 1)
    arguments = ("submit", sweep, "--set", "replicas=1", "--out", out, "--time", "5m", "--chain", "none", *flags)
    done = metasweep(*arguments, name="metasweep-mpi", env=site, cwd=tmp_path)
    until_complete(site, out)
    shown = ask(site, "squeue", "-h", "-t", "all", "-j", done.stdout.strip(), "-o", "%k|%a")
    assert word in shown, f"the comment came through as {shown!r}"
    assert not list(tmp_path.rglob("mark")) and not (Path.cwd() / "mark").exists()


@pytest.mark.parametrize("text", ["two\nlines", "tab\tulated", "bell\a", "\x1b[31m"])
def test_what_no_line_can_carry_is_refused(tmp_path, site, text):
    out = tmp_path / "out"
    done = submit(site, out, "--account", text, code=2)
    assert "--account" in done.stderr and "control character" in done.stderr
    assert not out.exists()


def test_a_path_with_a_line_feed(tmp_path, site):
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    out = folder / "out"
    metasweep("submit", SAME_BYTES, "--set", "replicas=1", "--out", out, "--time", "5m", name="metasweep-mpi", env=site)
    until_complete(site, out)


def test_one_chain_at_a_time_and_its_limits(tmp_path, site):
    out = tmp_path / "out"
    submit(site, out, "--directive=--begin=now+600")
    done = submit(site, out, code=4)
    assert "metasweep cancel" in done.stderr
    now = state(site, out) if (out / "manifest.json").exists() else None
    assert now is None
    metasweep("cancel", out, env=site)
    done = submit(site, tmp_path / "other", "--array", 2000, "--threads", 1, form="array", code=2)
    assert "MaxArraySize" in done.stderr


def test_a_chain_without_progress_ends(tmp_path, site):
    """Every link dies before its first chunk."""
    out = tmp_path / "out"
    submit(site, out, METASWEEP_FAILPOINT="journal.write:1=kill")
    wait_until(lambda: (out / "slurm").exists() and '"over"' in records(out), 180, 0.5, lambda: situation(site, out))
    assert "without progress" in records(out)


def test_the_dry_run_and_the_site_file(tmp_path, site):
    (tmp_path / "metasweep.toml").write_text(
        'account = "physics"\nmodules = ["openmpi/4.1"]\nlauncher = ["mpiexec", "-n", "4"]\n[environment]\nA = "it\'s"\n'
    )
    done = metasweep("submit", SAME_BYTES, "--dry-run", "--account", "mine", cwd=tmp_path, env=site)
    script = done.stdout
    for line in ["#SBATCH --account=mine", "module load openmpi/4.1", "export A='it'\\''s'"]:
        assert line + "\n" in script
    assert re.search(r"^  mpiexec -n 4 \S*metasweep run ", script, re.MULTILINE)
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    assert not (tmp_path / "out").exists()


def test_a_login_node(tmp_path, site):
    """A host of a cluster that is none of its nodes, outside of a job: here by another name, which only its own processes see."""
    elsewhere = ["unshare", "--uts", "sh", "-c", 'hostname login1 && exec "$@"', "sh", binary()]
    run = [*elsewhere, "run", str(SAME_BYTES), "--set", "replicas=1", "--out", str(tmp_path / "out")]
    done = subprocess.run(run, env=environment(site), capture_output=True, text=True, timeout=60)
    if "unshare failed" in done.stderr:
        pytest.skip("this machine does not allow a process to have another host name (no CAP_SYS_ADMIN)")
    assert done.returncode == 2 and "--here" in done.stderr and "metasweep submit" in done.stderr
    done = subprocess.run([*run, "--here"], env=environment(site), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_doctor(tmp_path, site):
    checks = {check["what"]: check for check in json.loads(metasweep("doctor", tmp_path, "--json", name="metasweep-mpi", env=site).stdout)}
    assert checks["MPI library"]["found"].startswith("Open MPI") and checks["mpirun"]["verdict"] == "ok"
    assert checks[f"rename in {tmp_path}"]["verdict"] == "ok"
    assert checks["MaxArraySize"]["found"].startswith("1001")
    inside = ask(site, "srun", "-n1", binary("metasweep-mpi"), "doctor", str(tmp_path))
    assert "sbatch from a compute node" in inside
    assert os.listdir(tmp_path) == []
