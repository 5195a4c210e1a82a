"""`final_state = false`: replicas end where all their rows are certain, and the rows are those of replicas that go on."""

import polars as pl
import pytest

from harness import assert_same_files, metasweep, sweep, table

GRID = """
n = [12, 32]
d = [2, 16]
beta = [0.5, 2, 6]
normalization = ["softmax", "unnormalized"]
mask = ["full", "causal"]
value = ["identity", "-identity"]
"""
TIME = """
horizon = 20
integrator = "projected_euler"
step = 0.1
sample = { count = 21 }
"""
OBSERVE = 'series = ["clusters", "pair_fraction", "threshold_rank", "span_dimension"]\nlevel = "replica"\ndelta = [1e-3, 1e-5]\nmerges = true\n'
#: What is not asked for, or says how far the replica went.
LEFT_OUT = ["min_cosine_final", "energy_final", "steps", "evaluations"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The datasets with and without the final state."""
    folder = tmp_path_factory.mktemp("final")
    observe = {asked: OBSERVE + f"final_state = {str(asked).lower()}\n" for asked in (True, False)}
    return {asked: sweep(folder, GRID, TIME, observe[asked], replicas=11, name=f"final-{asked}".lower()) for asked in observe}


def test_rows_are_those_of_replicas_that_go_on(both):
    for name in ("replicas", "series", "plateaus", "merges"):
        full, short = (table(both[asked], name) for asked in (True, False))
        assert full.columns == short.columns and len(full) > 100
        assert short.drop(LEFT_OUT, strict=False).equals(full.drop(LEFT_OUT, strict=False)), name
    full, short = (table(both[asked], "replicas") for asked in (True, False))
    assert short["min_cosine_final"].null_count() == short["energy_final"].null_count() == len(short)
    assert full["min_cosine_final"].null_count() == full["energy_final"].null_count() == 0
    # Who ended early had collapsed, and many did; tokens that repel one another go on.
    early = short["steps"] < full["steps"]
    assert set(short.filter(early)["end"]) == {"collapsed"}
    assert early.sum() > len(short) / 10
    assert set(short.filter(early)["value"]) == {"identity"} and set(short["value"]) == {"identity", "-identity"}
    # By P0 Lemma 4.2 the smallest cosine of these grows: at their last step it was 1 − 1e-6 at least (δ_lo), and never falls below it.
    assert full.filter(early)["min_cosine_final"].min() >= 1 - 1e-6


def test_no_choice_of_how_to_compute_shows(both, tmp_path):
    metasweep("run", both[False].with_suffix(".toml"), "--threads", "1", "--chunk-replicas", "3", "--out", tmp_path / "out", env={"METASWEEP_SIMD": "portable"})
    assert_same_files(tmp_path / "out", both[False])


@pytest.mark.parametrize("observe", ["histogram = [{ of = \"inner_product\", bins = 8 }]", "snapshots = { replicas = 2, times = [20] }"])
def test_what_is_still_to_be_seen_is_waited_for(tmp_path, observe):
    text = f'series = ["clusters"]\nfinal_state = false\n{observe}\n'
    out = sweep(tmp_path, "n = 16\nd = 16\nbeta = 0.5", TIME, text, replicas=4)
    assert set(table(out, "replicas")["steps"]) == {200}


def test_it_is_true_or_false(tmp_path):
    out = sweep(tmp_path, "n = 4\nd = 2\nbeta = 1", TIME, "final_state = false")
    path = out.with_suffix(".toml")
    assert "`final_state = false`" in metasweep("explain", path).stdout
    path.write_text(path.read_text().replace("= false", '= "no"'))
    assert "`final_state` must be true or false, not" in metasweep("run", path, code=2).stderr
