"""`--scratch`: through the node's own disk, one writer a node, the same bytes; killed and gone on with."""

import os
import subprocess
from pathlib import Path

import pytest

from harness import MPI_ENVIRONMENT, SAME_BYTES, assert_same_files, children, environment, metasweep, mpi_command, mpirun, status

FINE = ("--threads", 1, "--chunk-replicas", 4)


def left(scratch):
    return [path.name for path in scratch.iterdir()]


def writers(pids, out):
    """Processes that have a file below `out` open for writing."""
    found = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target, flags = os.readlink(entry), (Path(f"/proc/{pid}/fdinfo") / entry.name).read_text()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            mode = int(flags.split("flags:")[1].split()[0], 8) & os.O_ACCMODE
            if target.startswith(str(out)) and mode != os.O_RDONLY:
                found.add((pid, target))
    return found


@pytest.mark.parametrize(("ranks", "threads"), [(2, 2), (4, 1)])
def test_same_bytes(tmp_path, reference, ranks, threads):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    mpirun(ranks, "run", SAME_BYTES, "--out", tmp_path / "out", "--threads", threads, "--scratch", scratch)
    assert_same_files(tmp_path / "out", reference)
    assert not left(scratch)


def test_one_process_alone(tmp_path, reference):
    """Without MPI too; the folder is made if it is not there, and may be named by the environment."""
    metasweep("run", SAME_BYTES, "--out", tmp_path / "out", "--scratch", "$LOCAL/here", env={"LOCAL": str(tmp_path)})
    assert_same_files(tmp_path / "out", reference)
    assert not left(tmp_path / "here")
    metasweep("verify", tmp_path / "out", "--recompute", 5)
    refused = metasweep("run", SAME_BYTES, "--out", tmp_path / "other", "--scratch", "$LOCAL/here", code=2)
    assert "--scratch $LOCAL/here: the variable LOCAL is not set on" in refused.stderr
    assert not (tmp_path / "other").exists()


def test_shares(tmp_path, reference):
    """Processes without MPI: each carries its own. The numbers are such that their files lie in folders of their own."""
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    for share in ("70/1500", "1200/1500"):
        metasweep("run", SAME_BYTES, "--out", out, "--share", share, "--scratch", scratch)
    assert_same_files(out, reference)
    assert not left(scratch)
    assert len(list(out.glob("journal/*/*/*-70.journal"))) == 1
    metasweep("report", out, "--out", tmp_path / "report.html")
    assert metasweep("status", out).stdout


def test_one_writer_a_node(tmp_path):
    """While four ranks work, only one of them has files of the dataset open for writing."""
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    arguments = ("run", SAME_BYTES, "--out", out, *FINE, "--scratch", scratch, "--set", "replicas=600")
    process = subprocess.Popen(mpi_command(4, *arguments), env=environment(MPI_ENVIRONMENT), stderr=subprocess.PIPE, text=True)
    seen, files = set(), set()
    while process.poll() is None:
        for pid, target in writers(children(process.pid), out):
            files.add(target)
            # The lead's own record of who runs here, and the manifest, are no rows.
            if target.endswith((".frames", ".journal")) or ".parquet" in target:
                seen.add(pid)
    assert process.returncode == 0, process.stderr.read()
    assert any(target.endswith(".frames") for target in files), f"nothing was seen: {files}"
    assert len(seen) == 1


@pytest.mark.parametrize("failpoint", ["scratch.frames:2", "scratch.journal:1", "scratch.journal:3", "scratch.part:1", "scratch.part:3", "frame.write:9", "journal.write:9", "seal.rename:2"])  # fmt: skip
def test_killed_and_gone_on_with(tmp_path, reference, failpoint):
    """A kill between any two steps of the courier, or of those who write to scratch; the next run has no scratch, or the same."""
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    arguments = ("run", SAME_BYTES, "--out", out, *FINE, "--scratch", scratch)
    command = mpi_command(3, *arguments)
    killed = subprocess.run(command, env=environment({**MPI_ENVIRONMENT, "METASWEEP_FAILPOINT": failpoint}), capture_output=True, text=True, timeout=120)
    assert killed.returncode == 137, killed.stderr
    assert status(out)["state"] == "incomplete"
    mpirun(3, *(arguments if "part" in failpoint else arguments[:-2]))
    assert_same_files(out, reference)
    if "part" in failpoint:
        assert not left(scratch), "what the killed run left is not cleared up"


@pytest.mark.parametrize("failpoint", ["scratch.frames:2", "scratch.part:2", "frame.sync:2", "journal.sync:2"])
def test_a_disk_that_refuses(tmp_path, reference, failpoint):
    """Everybody who waits for the courier hears what the disk said."""
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    arguments = ("run", SAME_BYTES, "--out", out, *FINE, "--scratch", scratch)
    failed = mpirun(3, *arguments, code=1, env={"METASWEEP_FAILPOINT": f"{failpoint}=eio"})
    assert "nput/output error" in failed.stderr
    mpirun(3, *arguments)
    assert_same_files(out, reference)


def test_no_such_folder(tmp_path):
    (tmp_path / "file").write_text("")
    refused = metasweep("run", SAME_BYTES, "--out", tmp_path / "out", "--scratch", tmp_path / "file/x", code=1)
    assert f"{tmp_path}/file" in refused.stderr and "ot a directory" in refused.stderr
