"""A sweep ten times larger does not need a larger process. docs/dataset.md states the bound; here it is measured."""

import subprocess
import sys

from harness import binary, environment

SWEEP = """
name = "memory"
seed = 2
replicas = {replicas}
[[grid]]
n = 4
d = 2
beta = {{ from = 1, to = 9, count = 12 }}
[time]
horizon = 4
integrator = "projected_euler"
step = 0.1
sample = {{ count = 11 }}
[observe]
series = ["clusters", "mean_cosine", "energy"]
level = "replica"
merges = true
"""


# Run by a small Python of its own: a child begins with the memory of its parent counted as its own.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_memory(tmp_path, replicas):
    """Largest resident set of the run, in MB."""
    path = tmp_path / f"{replicas}.toml"
    path.write_text(SWEEP.format(replicas=replicas))
    command = [binary(), "run", str(path), "--out", str(tmp_path / f"out-{replicas}"), "--threads", "2"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], env=environment(), capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1024


def test_memory_does_not_grow_with_the_sweep(tmp_path):
    """1.3 million rows of series and 13 million: what grows is some hundred bytes a chunk; the bound is the one docs/dataset.md states."""
    small, large = peak_memory(tmp_path, 10_000), peak_memory(tmp_path, 100_000)
    print(f"peak memory: {small:.0f} MB at 1.3 million rows, {large:.0f} MB at 13 million")
    # Two threads with 8 MB of records, the same again packed and once more as a frame's bytes; a part's row group of 131072 rows
    # and 12 columns, as Arrow and encoded (24 MB); the program and its allocator (30 MB): about 100 MB. The page says 128.
    assert large < 128, (small, large)
