"""`metasweep archive`: unpacked it is the dataset, its checksums hold, its sweep computes it again, and equal datasets give equal archives."""

import tarfile

import numpy as np
import pytest
from blake3 import blake3

from harness import SAME_BYTES, data_hashes, metasweep

# The argument came with Python 3.11.4; Debian's is older.
FILTER = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@pytest.fixture(scope="module")
def archive(tmp_path_factory, reference):
    path = tmp_path_factory.mktemp("archive") / "same.tar"
    done = metasweep("archive", reference, "--out", path)
    assert "files" in done.stderr
    return path


@pytest.fixture(scope="module")
def unpacked(archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, **FILTER)
    (root,) = folder.iterdir()
    return root


def test_unpacked_it_is_the_dataset(unpacked, reference):
    assert data_hashes(unpacked) == data_hashes(reference)
    metasweep("verify", unpacked, "--recompute", 2)
    metasweep("summary", unpacked)


def test_the_checksums_are_of_every_file(unpacked):
    sums = dict(reversed(line.split("  ")) for line in (unpacked / "BLAKE3SUMS").read_text().splitlines())
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()} - {"BLAKE3SUMS"}
    assert set(sums) == files
    for name, expected in sums.items():
        assert blake3((unpacked / name).read_bytes()).hexdigest() == expected, name


def test_its_sweep_computes_it_again(unpacked, reference, tmp_path):
    text = (unpacked / "README.md").read_text()
    assert "metasweep run sweep.toml" in text and "cff-version: 1.2.0" in (unpacked / "CITATION.cff").read_text()
    metasweep("run", unpacked / "sweep.toml", "--out", tmp_path / "again")
    assert data_hashes(tmp_path / "again") == data_hashes(reference)


def test_a_sweep_that_reads_files_is_computed_again_from_the_archive_alone(tmp_path):
    np.save(tmp_path / "v.npy", np.diag([1.0, -0.5]))
    (tmp_path / "f.toml").write_text(
        'name = "f"\nseed = 1\nreplicas = 2\n[[grid]]\nn = 4\nd = 2\nbeta = [1, 2]\nvalue = "file(v.npy)"\n'
        '[time]\nhorizon = 1.0\nstep = 0.1\nintegrator = "rk4"\nsample = { count = 3 }\n'
    )
    metasweep("run", "f.toml", cwd=tmp_path)
    metasweep("archive", "out/f", "--out", "f.tar", cwd=tmp_path)
    (tmp_path / "v.npy").unlink()
    with tarfile.open(tmp_path / "f.tar") as tar:
        tar.extractall(tmp_path / "u", **FILTER)
    metasweep("verify", tmp_path / "u/f")
    metasweep("run", "sweep.toml", "--out", tmp_path / "again", cwd=tmp_path / "u/f")
    assert data_hashes(tmp_path / "again") == data_hashes(tmp_path / "out/f")


def test_equal_datasets_give_equal_archives(archive, tmp_path):
    metasweep("run", SAME_BYTES, "--out", tmp_path / "other", "--threads", 2, "--chunk-replicas", 3)
    metasweep("archive", tmp_path / "other", "--out", tmp_path / "other.tar")
    assert (tmp_path / "other.tar").read_bytes() == archive.read_bytes()


def test_what_cannot_be_archived(tmp_path, archive, reference):
    done = metasweep("archive", reference, "--out", archive, code=1)
    assert "exists" in done.stderr
    metasweep("run", SAME_BYTES, "--out", tmp_path / "half", env={"METASWEEP_FAILPOINT": "journal.write:3=kill"}, code=-9)
    done = metasweep("archive", tmp_path / "half", "--out", tmp_path / "half.tar", code=(1, 3))
    assert "complete" in done.stderr or "manifest" in done.stderr
    metasweep("run", SAME_BYTES, "--out", tmp_path / "hurt")
    part = next((tmp_path / "hurt/replicas").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-9] + b"x" * 9)
    done = metasweep("archive", tmp_path / "hurt", "--out", tmp_path / "hurt.tar", code=3)
    assert part.name in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half", "hurt"]
