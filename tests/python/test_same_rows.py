"""No bit of a row depends on the grid around its cell; an extended dataset equals one run at once."""

import polars as pl
import pytest

from harness import assert_same_files, manifest, metasweep, status

TIME = """
[time]
horizon = 6
integrator = "projected_euler"
step = 0.1
sample = { count = 13 }
"""
OUTPUT = """
[output]
partition_by = ["mask"]
rows_per_part = 100
"""


def write(folder, name, grids, replicas=10, level="cell", time=TIME):
    path = folder / f"{name}.toml"
    observe = f'[observe]\nseries = ["clusters", "energy"]\nlevel = "{level}"\nmerges = true\n'
    path.write_text(f'name = "grown"\nseed = 4\nreplicas = {replicas}\n{grids}\n{time}\n{observe}\n{OUTPUT}')
    return path


BASE = '[[grid]]\nn = [5, 8]\nd = 3\nbeta = [1, 4]\nmask = ["full", "causal"]\nvalue = ["identity", "goe"]\n'
MORE = '[[grid]]\nn = [5, 8]\nd = 3\nbeta = [1, 2.5, 4, 7]\nmask = ["full", "causal"]\nvalue = ["identity", "goe"]\n'
REORDERED = '[[grid]]\nvalue = ["goe", "identity"]\nmask = ["causal", "full"]\nbeta = [4, 1]\nd = 3\nn = [8, 5]\n'
SPLIT = (
    '[[grid]]\nn = 5\nd = 3\nbeta = [1, 4]\nmask = ["full", "causal"]\nvalue = ["identity", "goe"]\n'
    '[[grid]]\nn = 8\nd = 3\nbeta = [1]\nmask = ["full", "causal"]\nvalue = ["identity", "goe"]\n'
    '[[grid]]\nn = 8\nd = 3\nbeta = 4.0\nmask = ["causal", "full"]\nvalue = ["identity", "goe"]\n'
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    metasweep("run", write(folder, "base", BASE), "--out", folder / "out")
    return folder / "out"


@pytest.mark.parametrize("table", ["replicas", "series", "plateaus", "merges"])
def test_adding_values_changes_no_row(tmp_path, base, table):
    metasweep("run", write(tmp_path, "more", MORE), "--out", tmp_path / "out")
    old = pl.read_parquet(f"{base}/{table}/**/*.parquet")
    new = pl.read_parquet(f"{tmp_path}/out/{table}/**/*.parquet")
    new = new.filter(pl.col("cell").is_in(old["cell"].unique().to_list()))
    assert len(old) > 0
    assert new.equals(old)


@pytest.mark.parametrize("grids", [REORDERED, SPLIT])
def test_writing_the_grid_differently_changes_no_file(tmp_path, base, grids):
    metasweep("run", write(tmp_path, "other", grids), "--out", tmp_path / "out")
    assert_same_files(tmp_path / "out", base)
    # And it is the same sweep: running it on the first dataset finds it complete.
    done = metasweep("run", write(tmp_path, "other", grids), "--out", base)
    assert "complete" in done.stderr


@pytest.mark.parametrize("level", ["cell", "replica"])
@pytest.mark.parametrize("grids,replicas", [(MORE, 10), (BASE, 25), (MORE, 25)])
def test_extension_equals_one_run(tmp_path, level, grids, replicas):
    out, at_once = tmp_path / "out", tmp_path / "at-once"
    metasweep("run", write(tmp_path, "base", BASE, level=level), "--out", out)
    wider = write(tmp_path, "wider", grids, replicas, level)
    refused = metasweep("run", wider, "--out", out, code=3)
    assert "--extend" in refused.stderr
    metasweep("run", wider, "--out", out, "--extend")
    metasweep("run", wider, "--out", at_once)
    assert_same_files(out, at_once)
    assert status(out)["state"] == "complete"
    metasweep("verify", out)
    assert manifest(out)["state"] == "complete"


def test_extension_by_a_partition(tmp_path):
    """The parts of the old partition are whole as they are; the first --extend finishes, and nothing is called damaged."""
    out, at_once = tmp_path / "out", tmp_path / "at-once"
    metasweep("run", write(tmp_path, "base", BASE.replace('["full", "causal"]', '["full"]')), "--out", out)
    wider = write(tmp_path, "wider", BASE)
    done = metasweep("run", wider, "--out", out, "--extend")
    assert "warning" not in done.stderr
    metasweep("run", wider, "--out", at_once)
    assert_same_files(out, at_once)


def test_extension_of_an_incomplete_dataset(tmp_path):
    out, at_once = tmp_path / "out", tmp_path / "at-once"
    metasweep(
        "run", write(tmp_path, "base", BASE), "--out", out, env={"METASWEEP_FAILPOINT": "frame.write:3=kill"}, code=-9
    )
    wider = write(tmp_path, "wider", MORE)
    metasweep("run", wider, "--out", out, "--extend")
    metasweep("run", wider, "--out", at_once)
    assert_same_files(out, at_once)


@pytest.mark.parametrize("failpoint", ["seal.rename:1", "seal.rename:4", "extend.begin:1", "extend.import:5", "swap.begin:1", "swap.old:1", "swap.new:1", "swap.old:3", "swap.new:3", "finish.staging:1"])
def test_extension_killed_and_resumed(tmp_path, failpoint):
    out, at_once = tmp_path / "out", tmp_path / "at-once"
    metasweep("run", write(tmp_path, "base", BASE), "--out", out)
    wider = write(tmp_path, "wider", MORE)
    metasweep("run", wider, "--out", out, "--extend", env={"METASWEEP_FAILPOINT": f"{failpoint}=kill"}, code=-9)
    # Killed in the middle, the tables are readable, old or new; between the two renames of its swap one is not there.
    there = [table for table in ("replicas", "series", "plateaus", "merges") if list(out.glob(f"{table}/**/*.parquet"))]
    assert len(there) == 4 or (len(there) == 3 and "swap.new" in failpoint)
    for table in there:
        assert len(pl.read_parquet(f"{out}/{table}/**/*.parquet")) > 0
    metasweep("run", wider, "--out", out, "--extend")
    metasweep("run", wider, "--out", at_once)
    assert_same_files(out, at_once)


def test_a_smaller_sweep_is_no_extension(tmp_path, base):
    narrower = write(tmp_path, "narrower", BASE.replace("[1, 4]", "[1]"))
    done = metasweep("run", narrower, "--out", base, "--extend", code=3)
    assert "superset" in done.stderr or "does not" in done.stderr
