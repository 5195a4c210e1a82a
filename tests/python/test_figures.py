"""`metasweep figure` and `show`: every figure in every format, and its numbers against the tables."""

import json
import math
import struct
import xml.etree.ElementTree as ElementTree

import numpy as np
import polars as pl
import pytest

from harness import REPOSITORY, metasweep, sweep, table
from test_summary import kaplan_meier

EVERY = REPOSITORY / "tests/python/sweeps/every-observable.toml"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("figures") / "out"
    metasweep("run", REPOSITORY / "sweeps/quickstart.toml", "--set", "replicas=40", "--out", out)
    return out


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    out = tmp_path_factory.mktemp("figures") / "every"
    metasweep("run", EVERY, "--out", out)
    return out


def hive(out, name):
    """A table with the keys of its folders."""
    return pl.read_parquet(f"{out}/{name}", hive_partitioning=True)


def numbers(name, out, tmp_path, *flags):
    """The figure's panels, as it is drawn."""
    path = tmp_path / f"{name}.json"
    metasweep("figure", name, out, "--out", path, *flags)
    panels = json.loads(path.read_text())["panels"]
    assert panels
    return panels


def layers(panel, kind):
    return [layer for layer in panel["layers"] if layer["kind"] == kind]


NAMES = [line.split()[0] for line in """phase-diagram clusters survival collapse-law lifetime-law count-law merge-tree energy plateaus
         thresholds histogram trajectory captured rates against""".split()]
OF_EVERY = {"thresholds", "histogram", "trajectory", "captured"}


def test_the_list():
    listed = [line.split()[0] for line in metasweep("figure", "list").stdout.splitlines()]
    assert listed == NAMES
    page = (REPOSITORY / "docs/figures.md").read_text()
    for name in NAMES:
        assert f"| `{name}` |" in page, f"docs/figures.md has no row for {name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn(name, out, every, tmp_path):
    of = every if name in OF_EVERY else out
    for ending in ("svg", "png"):
        metasweep("figure", name, of, "--out", tmp_path / f"x.{ending}")
    root = ElementTree.parse(tmp_path / "x.svg").getroot()
    width, height = float(root.get("width")), float(root.get("height"))
    texts = [text for text in root.iter() if text.tag.endswith("text")]
    assert len(texts) > 8 and not any(word in (text.text or "") for text in texts for word in ("NaN", "inf", "null"))
    for text in texts:
        assert 0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height, text.text
    for shape in root.iter():
        for attribute in ("x", "y", "cx", "cy", "points"):
            assert "NaN" not in shape.get(attribute, "")
    image = (tmp_path / "x.png").read_bytes()
    assert image[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", image[16:24]) == (2 * width, 2 * height)


def test_phase_diagram(out, tmp_path):
    series = table(out, "series")
    panels = numbers("phase-diagram", out, tmp_path, "--observable", "clusters")
    assert [panel["title"] for panel in panels] == ["d = 2", "d = 8"]
    for panel, d in zip(panels, (2, 8), strict=True):
        (heat,) = layers(panel, "heat")
        assert len(heat["tiles"]) == 9 * 61
        for tile in heat["tiles"]:
            (x0, x1), (y0, y1) = tile["x"], tile["y"]
            own = series.filter(pl.col("d") == d, pl.col("t").is_between(x0, x1), pl.col("beta").is_between(y0, y1))
            assert tile["value"] in own["clusters_mean"].to_list()


def test_phase_diagram_of_single_replicas(every, tmp_path):
    """The sweep holds replicas, not their mean: it is taken here."""
    panels = numbers("phase-diagram", every, tmp_path, "--where", "geometry = circle", "--observable", "energy")
    (heat,) = layers(panels[0], "heat")
    own = hive(every, "series").filter(pl.col("geometry") == "circle").group_by("t").agg(pl.col("energy").mean()).sort("t")
    assert [tile["value"] for tile in heat["tiles"]] == pytest.approx(own["energy"].to_list())


def test_curves(out, tmp_path):
    series = table(out, "series").filter(pl.col("d") == 2, pl.col("beta") == 3.0).sort("t")
    chosen = ("--where", "d = 2 and beta = 3")
    for name, observable, change in [("clusters", "clusters", lambda x: x), ("energy", "energy", lambda x: x), ("rates", "mean_cosine", lambda x: 1 - x)]:
        (panel,) = numbers(name, out, tmp_path, *chosen)
        (line,) = layers(panel, "line")
        expected = np.column_stack([series["t"], change(series[f"{observable}_mean"].to_numpy())])
        assert np.allclose(line["points"], expected, rtol=1e-12, atol=0), name
    (panel,) = numbers("clusters", out, tmp_path, *chosen)
    (band,) = layers(panel, "band")
    assert np.allclose(band["points"], series.select("t", "clusters_q10", "clusters_q90").to_numpy())


def test_survival_and_collapse_law(out, tmp_path):
    own = table(out, "replicas").filter(pl.col("d") == 2, pl.col("beta") == 2.0)
    collapsed = (own["end"] == "collapsed").to_numpy()
    steps = kaplan_meier(np.where(collapsed, own["collapse_time"].fill_null(30.0).to_numpy(), 30.0), collapsed)
    (panel,) = numbers("survival", out, tmp_path, "--where", "d = 2 and beta = 2")
    (line,) = layers(panel, "line")
    for t, s, _ in steps:
        assert [t, pytest.approx(s)] in line["points"]
    (panel,) = numbers("collapse-law", out, tmp_path, "--where", "d = 2")
    (points,) = layers(panel, "points")
    assert [2.0, next(t for t, s, _ in steps if s <= 0.5 + 1e-12)] in points["points"]


def test_collapse_law_of_pairs_is_the_exact_time(tmp_path):
    """Two tokens: what is measured lies on the theory line."""
    out = sweep(tmp_path, 'n = 2\nd = 2\nbeta = [1, 2, 4]\ninitial = "angles(0, 1)"', 'horizon = 400.0\nintegrator = "rk4"\nstep = 0.01\nsample = { count = 5 }', replicas=1)
    (panel,) = numbers("collapse-law", out, tmp_path)
    (points,), (theory,) = layers(panel, "points"), [line for line in layers(panel, "line") if line["dashed"]]
    assert len(points["points"]) == 3
    assert np.allclose(points["points"], theory["points"], rtol=1e-3)


def test_against_a_key(out, every, tmp_path):
    """The last sample time alone; at level replica with the error of the mean over them."""
    series = table(out, "series")
    (panel,) = numbers("against", out, tmp_path, "--where", "d = 8", "--observable", "mean_cosine")
    (points,) = layers(panel, "points")
    own = series.filter(pl.col("d") == 8, pl.col("t") == series["t"].max()).sort("beta")
    assert np.allclose(points["points"], own.select("beta", "mean_cosine_mean").to_numpy())
    assert panel["x"]["label"] == "β"
    small = sweep(tmp_path, "n = 8\nd = 3\nbeta = [1, 2]", 'horizon = 2\nintegrator = "rk4"\nstep = 0.1\nsample = { count = 3 }',
                  observe='series = ["mean_cosine"]\nlevel = "replica"', replicas=9)
    (panel,) = numbers("against", small, tmp_path)
    rows = table(small, "series").filter(pl.col("t") == 2.0).group_by("beta").agg(pl.col("mean_cosine").mean().alias("m"), pl.col("mean_cosine").std().alias("s")).sort("beta")
    expected = np.column_stack([rows["beta"], rows["m"] - 2 * rows["s"] / 3, rows["m"] + 2 * rows["s"] / 3])
    assert np.allclose(layers(panel, "intervals")[0]["points"], expected)
    refused = metasweep("figure", "against", out, "--out", tmp_path / "x.svg", "--against", "normalization", code=2)
    assert "`normalization` is no number of the chosen cells" in refused.stderr


def test_laws_of_plateaus(out, tmp_path):
    replicas, plateaus = table(out, "replicas"), table(out, "plateaus")
    (panel,) = numbers("count-law", out, tmp_path, "--where", "d = 8")
    (points,) = layers(panel, "points")
    own = replicas.filter(pl.col("d") == 8).group_by("beta").agg(pl.col("first_plateau_clusters").mean()).sort("beta")
    assert np.allclose(points["points"], np.column_stack([np.sqrt(own["beta"]), own["first_plateau_clusters"]]))
    (panel,) = numbers("lifetime-law", out, tmp_path, "--where", "d = 8")
    (points,) = layers(panel, "points")
    ended = plateaus.filter(pl.col("d") == 8, ~pl.col("censored"), pl.col("clusters") > 1, pl.col("lifetime") > 0)
    x = (ended["beta"] * (1 - ended["closest_cosine"])).to_numpy()
    assert np.allclose(sorted(points["points"]), sorted(np.column_stack([x, ended["lifetime"]]).tolist()))
    (panel,) = numbers("plateaus", out, tmp_path, "--where", "d = 8 and beta = 6")
    own = plateaus.filter(pl.col("d") == 8, pl.col("beta") == 6.0, pl.col("lifetime") > 0)
    assert sorted(y for _, y in layers(panel, "points")[0]["points"]) == pytest.approx(sorted(own["lifetime"]))


def test_merge_tree(out, tmp_path):
    (panel,) = numbers("merge-tree", out, tmp_path, "--where", "d = 8 and beta = 2", "--replica", 7)
    own = table(out, "merges").filter(pl.col("d") == 8, pl.col("beta") == 2.0, pl.col("replica") == 7)
    brackets = [line["points"] for line in layers(panel, "line")]
    assert len(brackets) == len(own) > 10
    assert sorted(bracket[1][0] for bracket in brackets) == pytest.approx(sorted(own["t"]))


def test_thresholds_histogram_captured(every, tmp_path):
    series = hive(every, "series").filter(pl.col("geometry") == "circle")
    last = series.filter(pl.col("t") == 4.0)
    (panel,) = numbers("thresholds", every, tmp_path, "--where", "geometry = circle")
    (points,) = layers(panel, "points")
    assert np.allclose(points["points"], [[0.001, last["clusters"].mean()], [0.1, last["clusters_delta_1e-1"].mean()]])
    (panel,) = numbers("captured", every, tmp_path, "--where", "geometry = circle", "--replica", 2)
    own = series.filter(pl.col("replica") == 2).sort("t")
    assert np.allclose(layers(panel, "line")[0]["points"], own.select("t", "captured_fraction").to_numpy())
    panels = numbers("histogram", every, tmp_path, "--where", "geometry = circle")
    assert len(panels) == 2
    for panel in panels:
        for line in layers(panel, "line"):
            x, y = np.array(line["points"]).T
            assert np.sum(y[::2] * (x[1::2] - x[::2])) == pytest.approx(1.0), "a density has area one"


def test_trajectory(every, tmp_path):
    (panel,) = numbers("trajectory", every, tmp_path, "--where", "geometry = circle", "--replica", 1)
    tokens = hive(every, "tokens").filter(pl.col("geometry") == "circle", pl.col("replica") == 1)
    assert len(layers(panel, "line")) == 6
    for token, line in enumerate(layers(panel, "line")):
        own = tokens.filter(pl.col("token") == token).sort("t")
        for (t, angle), x, at in zip(line["points"], own["x"], own["t"], strict=True):
            assert t == at and (math.cos(angle), math.sin(angle)) == pytest.approx(tuple(x), abs=1e-12)


@pytest.mark.parametrize("d", [2, 3])
def test_show(tmp_path, d):
    """A first picture without a sweep file; its last state is that of a sweep with the same seed."""
    flags = ("--set", "n=12", "--set", f"d={d}", "--set", "beta=4", "--until", 5, "--seed", 7)
    for ending in ("svg", "png", "json"):
        metasweep("show", *flags, "--out", tmp_path / f"x.{ending}", cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "x.png", "x.svg"]
    assert ElementTree.parse(tmp_path / "x.svg").getroot().tag.endswith("svg")
    panels = json.loads((tmp_path / "x.json").read_text())["panels"]
    assert len(layers(panels[0], "line")) == 12 if d == 2 else len(panels) == 6


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("phase-diagramm",), 2, ["do you mean `phase-diagram`"]),
        (("phase-diagram", "--observable", "rank"), 1, ["rank_mean", "it has"]),
        (("captured",), 1, ["captured_fraction"]),
        (("trajectory",), 1, ["snapshots"]),
        (("thresholds",), 1, ["delta = ["]),
        (("clusters", "--cell", "zzzz"), 1, ["no cell"]),
        (("merge-tree", "--replica", "4000"), 1, ["others have"]),
    ],
)
def test_what_cannot_be_drawn_is_said(out, tmp_path, flags, code, words):
    done = metasweep("figure", flags[0], out, "--out", tmp_path / "x.svg", *flags[1:], code=code)
    assert not (tmp_path / "x.svg").exists() and "panicked" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_an_ending_that_is_no_format(out, tmp_path):
    done = metasweep("figure", "clusters", out, "--out", tmp_path / "x.gif", code=2)
    assert ".svg, .png or .json" in done.stderr
