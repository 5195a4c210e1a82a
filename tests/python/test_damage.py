"""Nothing damaged goes unnoticed, and nothing is lost: flipped bits, missing parts, full disks, read-only folders, EIO."""

import json
import os
import random
import shutil
import subprocess

import polars
import pytest

from harness import (
    INCOMPLETE,
    SAME_BYTES,
    assert_same_files,
    data_hashes,
    metasweep,
    status,
)


@pytest.fixture
def dataset(tmp_path, reference):
    """A copy of the reference dataset, to be damaged."""
    shutil.copytree(reference, tmp_path / "out")
    return tmp_path / "out"


def test_a_whole_dataset_verifies(dataset):
    metasweep("verify", dataset)
    metasweep("verify", dataset, "--recompute", 5)


@pytest.mark.parametrize("table", ["cells", "replicas", "series", "plateaus", "merges"])
def test_a_flipped_bit_in_a_part(dataset, table):
    part = random.Random(table).choice(sorted(dataset.glob(f"{table}/**/*.parquet")))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 4
    part.write_bytes(content)
    done = metasweep("verify", dataset, code=3)
    assert part.name in done.stderr and table in done.stderr


def test_a_missing_part(dataset):
    part = sorted(dataset.glob("series/**/*.parquet"))[1]
    part.unlink()
    assert part.name in metasweep("verify", dataset, code=3).stderr
    assert status(dataset)["state"] == "damaged"
    assert part.name in metasweep("run", SAME_BYTES, "--out", dataset, code=3).stderr


def test_a_part_too_many(dataset):
    stray = dataset / "cells" / "part-00099.parquet"
    shutil.copy(next(dataset.glob("cells/*.parquet")), stray)
    assert stray.name in metasweep("verify", dataset, code=3).stderr


def test_another_engine(dataset):
    manifest = json.loads((dataset / "manifest.json").read_text())
    manifest["engine"] += 1
    (dataset / "manifest.json").write_text(json.dumps(manifest))
    done = metasweep("run", SAME_BYTES, "--out", dataset, code=3)
    assert "engine" in done.stderr
    # What is there can be read; what would be computed again has other bits.
    metasweep("verify", dataset)
    cell = polars.read_parquet(dataset / "cells" / "*.parquet", columns=["cell"])["cell"][0]
    replay = ["replay", dataset, "--cell", cell, "--replica", 0]
    for repeat in (["verify", dataset, "--recompute", 1], [*replay, "--out", dataset / "x.npy"]):
        done = metasweep(*repeat, code=3)
        assert "The metasweep that wrote it" in done.stderr and not (dataset / "x.npy").exists()
    metasweep(*replay, "--initial", "--out", dataset / "x.npy")


def test_another_sweep(dataset):
    before = data_hashes(dataset)
    done = metasweep("run", SAME_BYTES, "--out", dataset, "--set", "time.horizon=13", code=3)
    assert "another" in done.stderr and str(dataset) in done.stderr
    assert data_hashes(dataset) == before


@pytest.mark.parametrize("content", ["", "{", "null", "[]", '{"engine": 1}', "\0\0\0"])
def test_a_broken_manifest(dataset, content):
    (dataset / "manifest.json").write_text(content)
    for command in (["run", SAME_BYTES, "--out", dataset], ["status", dataset], ["verify", dataset]):
        done = metasweep(*command, code=3)
        assert "manifest.json" in done.stderr


def test_a_folder_that_is_no_dataset(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "photo.jpg").write_text("sea")
    done = metasweep("run", SAME_BYTES, "--out", folder, code=(1, 2, 3))
    assert str(folder) in done.stderr
    assert sorted(p.name for p in folder.iterdir()) == ["photo.jpg"]
    metasweep("status", folder, code=3)
    assert "nowhere" in metasweep("status", tmp_path / "nowhere", code=3).stderr


def interrupted(tmp_path):
    out = tmp_path / "out"
    metasweep(
        "run", SAME_BYTES, "--out", out, "--threads", 1, "--chunk-replicas", 8,
        env={"METASWEEP_FAILPOINT": "frame.write:25=kill"}, code=-9,
    )  # fmt: skip
    return out


@pytest.mark.parametrize("what", ["journal/*.journal", "staging/*.frames"])
@pytest.mark.parametrize("cut", [1, 7, 40, 333])
def test_a_torn_tail(tmp_path, reference, what, cut):
    """Some bytes of the end are missing: what they held is computed again. (Every byte: in the store's own tests.)"""
    out = interrupted(tmp_path)
    files = [path for path in out.glob(what) if path.stat().st_size > cut]
    assert files
    for path in files:
        os.truncate(path, path.stat().st_size - cut)
    metasweep("run", SAME_BYTES, "--out", out)
    assert_same_files(out, reference)


@pytest.mark.parametrize("what", ["journal/*.journal", "staging/*.frames"])
def test_a_flipped_bit_in_flight(tmp_path, reference, what):
    out = interrupted(tmp_path)
    for path in out.glob(what):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 16
        path.write_bytes(content)
    metasweep("run", SAME_BYTES, "--out", out)
    assert_same_files(out, reference)


def test_a_full_disk(tmp_path, reference):
    """On a tmpfs too small for the sweep: a clear error; after the disk has grown, the same command finishes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run(sudo + mount, check=True)
    try:
        subprocess.run(sudo + ["chmod", "777", str(disk)], check=True)
        done = metasweep("run", SAME_BYTES, "--out", disk / "out", "--threads", 2, code=1)
        assert "No space left" in done.stderr or "full" in done.stderr
        subprocess.run(sudo + ["mount", "-o", "remount,size=200m", str(disk)], check=True)
        metasweep("run", SAME_BYTES, "--out", disk / "out")
        assert_same_files(disk / "out", reference)
    finally:
        subprocess.run(sudo + ["umount", "-l", str(disk)], check=True)


def test_a_read_only_folder(tmp_path):
    """A read-only mount stops root too."""
    disk = tmp_path / "disk"
    disk.mkdir()
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run(sudo + ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(disk)], check=True)
    try:
        done = metasweep("run", SAME_BYTES, "--out", disk / "out", code=1)
        assert str(disk) in done.stderr and "ead-only" in done.stderr
    finally:
        subprocess.run(sudo + ["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("failpoint", ["frame.sync", "journal.sync", "seal.sync", "manifest.write"])
def test_eio_on_fsync(tmp_path, reference, failpoint):
    out = tmp_path / "out"
    done = metasweep("run", SAME_BYTES, "--out", out, env={"METASWEEP_FAILPOINT": f"{failpoint}:1=eio"}, code=1)
    assert "nput/output error" in done.stderr
    assert "panicked" not in done.stderr
    metasweep("run", SAME_BYTES, "--out", out, code=0)
    assert_same_files(out, reference)


def test_a_panic_ends_it_all_and_loses_little(tmp_path, reference):
    out = tmp_path / "out"
    done = metasweep("run", SAME_BYTES, "--out", out, env={"METASWEEP_FAILPOINT": "compute:9=panic"}, code=range(-15, 255))
    assert done.returncode not in (0, INCOMPLETE)
    assert "failpoint" in done.stderr and "run again to resume" in done.stderr
    metasweep("run", SAME_BYTES, "--out", out)
    assert_same_files(out, reference)
