"""The data files are a pure function of the sweep file: not of ranks, threads, chunks, build, or vector instructions."""

import json
from pathlib import Path

import pytest

from harness import SAME_BYTES, assert_same_files, data_hashes, metasweep, mpirun


def test_the_reference_is_worth_comparing(reference):
    """At least 3 parts of a table, 2 partitions, and every table."""
    files = data_hashes(reference)
    assert {path.split("/")[0] for path in files} == {"cells", "replicas", "series", "plateaus", "merges"}
    partitions = {str(Path(path).parent) for path in files if path.startswith("series/")}
    assert len(partitions) >= 2
    assert max(sum(path.startswith(p + "/") for path in files) for p in partitions) >= 3


def committed_by(out):
    """(process, thread) pairs that committed chunks, and the number of chunks, from the runs' provenance."""
    committed, chunks = set(), 0
    for path in sorted((Path(out) / "journal").glob("*provenance*.json")):
        for process in json.loads(path.read_text())["processes"]:
            for thread, count in enumerate(process["chunks_by_thread"]):
                chunks += count
                if count:
                    committed.add((process["rank"], thread))
    return committed, chunks


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_any_number_of_ranks_and_threads(tmp_path, reference, ranks, threads):
    out = tmp_path / "out"
    mpirun(ranks, "run", SAME_BYTES, "--out", out, "--threads", threads, "--chunk-replicas", 8)
    assert_same_files(out, reference)
    committed, chunks = committed_by(out)
    assert chunks >= 40
    if ranks > 1:
        assert len({rank for rank, _ in committed}) >= 2, "only one rank committed"
    if threads > 1:
        assert len({thread for _, thread in committed}) >= 2, "only one thread committed"


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_without_mpi(tmp_path, reference, threads):
    metasweep("run", SAME_BYTES, "--out", tmp_path / "out", "--threads", threads)
    assert_same_files(tmp_path / "out", reference)


@pytest.mark.parametrize("instructions", ["portable", "avx2", "avx512"])
def test_any_vector_instructions(tmp_path, reference, instructions):
    flags = Path("/proc/cpuinfo").read_text()
    if instructions != "portable" and {"avx2": "avx2", "avx512": "avx512f"}[instructions] not in flags:
        done = metasweep("run", SAME_BYTES, "--out", tmp_path / "out", env={"METASWEEP_SIMD": instructions}, code=2)
        assert instructions in done.stderr
        print(f"{instructions}: not run, this machine does not have it")
        return
    metasweep("run", SAME_BYTES, "--out", tmp_path / "out", "--threads", 2, env={"METASWEEP_SIMD": instructions})
    assert_same_files(tmp_path / "out", reference)


def test_debug_build(tmp_path, reference):
    metasweep("run", SAME_BYTES, "--out", tmp_path / "out", "--threads", 2, name="metasweep-debug")
    assert_same_files(tmp_path / "out", reference)


@pytest.mark.parametrize("replicas", [1, 3, 7, 20])
def test_any_chunks(tmp_path, reference, replicas):
    metasweep("run", SAME_BYTES, "--out", tmp_path / "out", "--chunk-replicas", replicas)
    assert_same_files(tmp_path / "out", reference)


def test_restarting_from_checkpoints_inside_replicas(tmp_path, reference):
    """Every ensemble is saved, written, read and restored every 16 steps."""
    metasweep("run", SAME_BYTES, "--out", tmp_path / "out", env={"METASWEEP_CHECKPOINT_EVERY": 16})
    assert_same_files(tmp_path / "out", reference)
