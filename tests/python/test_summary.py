"""`metasweep summary`: against an independent Kaplan–Meier, counts, conditions, pooling, pairs, and its formats."""

import csv
import io
import json
import math

import numpy as np
import polars as pl
import pytest

from harness import REPOSITORY, metasweep, sweep, table


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("summary") / "out"
    metasweep("run", REPOSITORY / "sweeps/quickstart.toml", "--set", "replicas=40", "--out", out)
    return out


def rows(out, *flags):
    return json.loads(metasweep("summary", out, "--json", *flags).stdout)["rows"]


def kaplan_meier(times, events):
    """S just after each event time, by the product formula, with Greenwood's sum."""
    times, events = np.asarray(times), np.asarray(events, bool)
    found, survival, greenwood = [], 1.0, 0.0
    for t in np.unique(times[events]):
        at_risk, died = np.sum(times >= t), np.sum((times == t) & events)
        survival *= 1 - died / at_risk
        greenwood += died / (at_risk * (at_risk - died)) if at_risk > died else math.inf
        found.append((t, survival, greenwood))
    return found


def test_collapse_times_by_an_independent_kaplan_meier(out):
    replicas = table(out, "replicas")
    checked = 0
    for row in rows(out):
        own = replicas.filter(pl.col("cell") == row["cell"])
        collapsed = (own["end"] == "collapsed").to_numpy()
        assert row["replicas"] == 40 == row["collapsed"] + row["horizon"] + row["stationary"] + row["underflow"] + row["failed"]
        assert row["collapsed"] == collapsed.sum() and row["horizon"] == (own["end"] == "horizon").sum()
        times = np.where(collapsed, own["collapse_time"].fill_null(30.0).to_numpy(), 30.0)
        steps = kaplan_meier(times, collapsed)
        for p, name in [(0.25, "collapse_q25"), (0.5, "collapse_median"), (0.75, "collapse_q75")]:
            expected = next((t for t, s, _ in steps if s <= 1 - p + 1e-12), None)
            assert row[name] == expected, (row, name)
        if row["collapse_median"] is not None:
            # Brookmeyer–Crowley: where the log-log band crosses one half.
            def band(s, g, sign):
                return s ** math.exp(sign * 1.959963984540054 * math.sqrt(g) / abs(math.log(s))) if 0 < s < 1 else s

            low = next((t for t, s, g in steps if band(s, g, +1) <= 0.5 + 1e-12), None)
            high = next((t for t, s, g in steps if band(s, g, -1) <= 0.5 + 1e-12), None)
            assert (row["collapse_median_low"], row["collapse_median_high"]) == (low, high)
            checked += 1
        if collapsed.any():
            assert row["collapse_log_mean"] == pytest.approx(np.mean(np.log(np.minimum(times, row["tau"]))), abs=1e-9)
    assert checked >= 4, "some cells must have collapsed"


def test_first_plateaus_and_final_clusters(out):
    replicas = table(out, "replicas")
    for row in rows(out):
        own = replicas.filter(pl.col("cell") == row["cell"])
        assert row["clusters_final"] == pytest.approx(own["clusters_final"].mean())
        counts = np.sort(own["first_plateau_clusters"].drop_nulls().to_numpy())
        assert row["first_plateau_clusters"] == counts[math.ceil(len(counts) / 2) - 1]


def test_conditions_choose_cells(out):
    chosen = rows(out, "--where", "beta > 4 and d = 2")
    assert [(row["parameters"].get("beta")) for row in chosen] == [5.0, 6.0, 7.0, 8.0, 9.0]
    assert len(rows(out, "--where", "not (d = 2) and beta in (1, 2)")) == 2
    assert len(rows(out, "--where", "normalization = softmax")) == 18


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("betta > 4", ["character 1", "betta", "do you mean `beta`"]),
        ("beta >", ["a number or a text is missing"]),
        ("beta > 4 and", ["character"]),
        ("(d = 2", [")"]),
        ("d in (2", [")"]),
        ("d ? 2", ["character 3"]),
        ("", None),
    ],
)
def test_what_is_wrong_with_a_condition(out, condition, words):
    done = metasweep("summary", out, "--where", condition, code=0 if words is None else 2)
    for word in words or []:
        assert word in done.stderr, done.stderr
    assert "panicked" not in done.stderr


def test_pooled_lines_have_no_bands(out):
    pooled = rows(out, "--by", "d")
    assert [row["replicas"] for row in pooled] == [360, 360]
    assert all(row["collapse_median_low"] is None and row["collapse_log_mean_error"] is None for row in pooled)
    done = metasweep("summary", out, "--by", "dimension", code=2)
    assert "dimension" in done.stderr


def test_csv_and_parquet_say_the_same_as_json(out, tmp_path):
    expected = rows(out)
    path = tmp_path / "summary.parquet"
    metasweep("summary", out, "--parquet", path)
    frame = pl.read_parquet(path)
    lines = list(csv.DictReader(io.StringIO(metasweep("summary", out, "--csv").stdout)))
    assert len(lines) == len(frame) == len(expected) == 18
    for row, line, stored in zip(expected, lines, frame.iter_rows(named=True), strict=True):
        for key, value in {**row["parameters"], **{k: v for k, v in row.items() if k != "parameters"}}.items():
            assert stored[key] == value, key
            assert line[key] == "" if value is None else (line[key] == value or float(line[key]) == value), key


def test_differences_are_taken_within_each_replica(out):
    replicas = table(out, "replicas").with_columns(
        pl.when(pl.col("end") == "collapsed").then("collapse_time").otherwise(30.0).clip(upper_bound=30.0).log().alias("log")
    )
    found = json.loads(metasweep("summary", out, "--paired", "beta", "--where", "d = 8", "--json").stdout)
    assert len(found) == 8
    gained = 0
    for one in found:
        a, b = (replicas.filter(pl.col("d") == 8, pl.col("beta") == float(one[end])).sort("replica")["log"].to_numpy() for end in ("from", "to"))
        assert one["pairs"] == 40 and one["difference"] == pytest.approx(np.mean(b - a), abs=1e-12)
        assert one["error"] == pytest.approx(np.std(b - a, ddof=1) / math.sqrt(40), abs=1e-12)
        gained += one["error"] < one["unpaired_error"]
    assert gained >= 4, "replicas of two β begin at the same tokens: their times go together"
    done = metasweep("summary", out, "--paired", "d", code=2)
    assert "different tokens" in done.stderr


def test_a_stationary_share_is_told_apart(tmp_path):
    """Two tokens at opposite poles never meet: a cured fraction, which is not censored and never pooled with what collapsed."""
    clock = 'horizon = 1e12\nintegrator = "multiscale"\ntolerance = 1e-8\nsample = { count = 5 }'
    grid = 'n = 2\nd = 2\nbeta = 1\ninitial = ["angles(0, 3.141592653589793)", "angles(0, 1)"]'
    out = sweep(tmp_path, grid, clock, replicas=3)
    by_start = {row["parameters"]["initial"]: row for row in rows(out)}
    still, collapsed = by_start["angles(0, 3.141592653589793)"], by_start["angles(0, 1)"]
    assert (still["stationary"], still["collapsed"], still["collapse_median"]) == (3, 0, None)
    assert (collapsed["stationary"], collapsed["collapsed"]) == (0, 3) and collapsed["collapse_median"] > 0
    # Half of the pooled replicas are cured: the survival curve levels off at one half, and no later quantile is reached.
    (pooled,) = rows(out, "--by", "n")
    assert (pooled["collapsed"], pooled["stationary"]) == (3, 3)
    assert pooled["collapse_median"] == collapsed["collapse_median"] and pooled["collapse_q75"] is None


def test_no_dataset(tmp_path):
    done = metasweep("summary", tmp_path, code=3)
    assert "no metasweep dataset" in done.stderr
