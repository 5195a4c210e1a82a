"""`metasweep check`: what moves when the step, δ or the seed does, against the datasets that it leaves."""

import json
import math

import numpy as np
import polars as pl
import pytest

from harness import REPOSITORY, metasweep, table

QUICKSTART = REPOSITORY / "sweeps/quickstart.toml"


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    out = tmp_path_factory.mktemp("check") / "out"
    done = metasweep("check", QUICKSTART, "--replicas", 16, "--out", out, "--json")
    return out, json.loads(done.stdout)


def test_the_shifts_are_those_of_the_datasets(checked):
    out, shifts = checked
    frames = {name: table(out / name, "replicas") for name in ("as-it-is", "half-step", "half-delta", "another-seed")}
    folders = {"half the step, step = 0.05": "half-step", "half of δ, delta = 0.0005": "half-delta", "another seed": "another-seed"}
    assert {shift["change"] for shift in shifts} == set(folders)
    compared = 0
    for shift in shifts:
        if shift["statistic"] == "log_collapse_time":
            continue
        d, beta = (float(part.split("=")[1]) for part in shift["cell"].split(","))
        a, b = (
            frames[name].filter(pl.col("d") == d, pl.col("beta") == beta).sort("replica")[shift["statistic"]].cast(pl.Float64).to_numpy()
            for name in ("as-it-is", folders[shift["change"]])
        )
        # Some replicas have no plateau.
        assert shift["mean"] == pytest.approx(np.nanmean(a))

        def error(values):
            there = values[~np.isnan(values)]
            return np.std(there, ddof=1) / math.sqrt(len(there))

        if shift["change"] == "another seed":
            moved, uncertain = np.nanmean(b) - np.nanmean(a), math.hypot(error(a), error(b))
        else:
            moved, uncertain = np.nanmean(b - a), error(b - a)
        assert (shift["shift"], shift["shift_error"]) == (pytest.approx(moved, abs=1e-12), pytest.approx(uncertain, abs=1e-12))
        compared += 1
    assert compared == 18 * 3 * 4


def test_what_should_not_matter_does_not(checked):
    """δ is only looked at: trajectories are the same. Another seed is another sample: within a few standard errors of itself."""
    _, shifts = checked
    for shift in shifts:
        if "δ" in shift["change"] and shift["statistic"] in ("energy_final", "min_cosine_final"):
            assert shift["shift"] == 0
    seeds = [shift["ratio"] for shift in shifts if shift["change"] == "another seed" and math.isfinite(shift["ratio"])]
    assert np.median(seeds) < 1.5


def test_the_table_and_that_it_resumes(checked, tmp_path):
    out, _ = checked
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    done = metasweep("check", QUICKSTART, "--replicas", 16, "--out", out)
    assert "half the step" in done.stdout and "# shift:" in done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}, "what is complete is not computed again"


def test_what_cannot_be_changed_is_said(tmp_path):
    sweep = tmp_path / "x.toml"
    sweep.write_text(
        'name = "x"\nseed = 1\nreplicas = 2\n[[grid]]\nn = 4\nd = 2\nbeta = [1, 4]\n'
        '[time]\nhorizon = 1.0\nstep = "0.1 / beta"\nintegrator = "rk4"\nsample = { count = 3 }\n'
    )
    done = metasweep("check", sweep, "--out", tmp_path / "out")
    assert "# step" in done.stdout and "was not changed" in done.stdout and "another seed" in done.stdout
