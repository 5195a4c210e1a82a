"""Makes harness.py importable and shares the reference dataset of the same-bytes sweep."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import harness  # noqa: E402


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """The same-bytes sweep, run once by the release binary without MPI on one thread: what every other run must equal."""
    out = tmp_path_factory.mktemp("reference") / "out"
    harness.metasweep("run", harness.SAME_BYTES, "--out", out, "--threads", 1)
    return out


@pytest.fixture(scope="session")
def slurm():
    """A private SLURM of two nodes on loopback; its environment. Munge wants a folder that everybody may enter."""
    folder = tempfile.mkdtemp(prefix="metasweep-slurm-")
    os.chmod(folder, 0o755)
    try:
        with harness.private_slurm(folder) as environment:
            yield environment
    finally:
        shutil.rmtree(folder, ignore_errors=True)
