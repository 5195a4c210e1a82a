"""Every sweep file of the repository runs: a small twin of each, with two replicas, few tokens, and the first part of its time."""

import sys
import json
import tomllib

import polars as pl
import pytest

from harness import REPOSITORY, metasweep, status

SWEEPS = sorted((REPOSITORY / "sweeps").glob("*.toml"))
MOST_TOKENS, MOST_DIMENSIONS, STEPS = 40, 48, 60


def text(value):
    """A value as TOML: JSON is, but for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {text(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(text(inner) for inner in value) + "]"
    return json.dumps(value)


def capped(value, most):
    if isinstance(value, list):
        return sorted({min(inner, most) for inner in value})
    return min(value, most) if isinstance(value, int) else value


def small(grid):
    """The grid with fewer tokens and dimensions, each axis cut to its ends, where neither matrices nor tokens are listed for them."""
    grid = dict(grid)
    if "zip" in grid:
        return grid
    if "n" in grid and not str(grid.get("initial", "")).startswith(("angles", "file", "orthonormal", "equiangular")):
        grid["n"] = capped(grid["n"], MOST_TOKENS)
    if "d" in grid and "initial" not in grid and not str(grid.get("value", "")).startswith(("diag", "spectrum")):
        grid["d"] = capped(grid["d"], MOST_DIMENSIONS)
    return grid


def shortest_step(sweep):
    steps = [place["step"] for place in [sweep["time"], *sweep["grid"]] if isinstance(place.get("step"), (int, float))]
    return min(steps, default=0.0)


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_small_twin(tmp_path, path):
    sweep = tomllib.loads(path.read_text())
    sweep["replicas"] = min(2, sweep["replicas"])
    sweep["grid"] = [small(grid) for grid in sweep["grid"]]
    # The authors' step for USA is 1e-5 at the largest β.
    least = 0.1 if "authors" in str(sweep["time"].get("step", "")) else 1.0
    horizon = min(sweep["time"]["horizon"], max(STEPS * shortest_step(sweep), least))
    for place in [sweep["time"], *sweep["grid"]]:
        if "horizon" in place:
            place["horizon"] = min(place["horizon"], horizon)
        if "sample" in place:
            place["sample"] = [0, place.get("horizon", horizon)]
    for table in ("snapshots", "attention"):
        if table in sweep.get("observe", {}):
            sweep["observe"][table]["times"] = [0]
    lines = [f"{key} = {text(value)}" for key, value in sweep.items() if not isinstance(value, (dict, list))]
    for grid in sweep["grid"]:
        lines += ["[[grid]]", *(f"{key} = {text(value)}" for key, value in grid.items())]
    for section in ("time", "observe", "output"):
        if section in sweep:
            lines += [f"[{section}]", *(f"{key} = {text(value)}" for key, value in sweep[section].items())]
    twin = tmp_path / path.name
    twin.write_text("\n".join(lines) + "\n")
    metasweep("run", twin, "--out", tmp_path / "out", "--strict", timeout=600)
    assert status(tmp_path / "out")["state"] == "complete"
    assert len(pl.read_parquet(f"{tmp_path}/out/series/**/*.parquet")) > 0


def test_every_sweep_has_its_pictures():
    """In the gallery, drawn, each with the commands that draw it; putting them in again changes nothing."""
    sys.path.insert(0, str(REPOSITORY / "docs/make"))
    import gallery
    from picture_list import PICTURES

    assert set(PICTURES) == {path.stem for path in SWEEPS}
    page = gallery.PAGE.read_text()
    assert gallery.illustrated(page) == page, "docs/make/pictures has not been run since"
    for sweep, pictures in PICTURES.items():
        for name, figure, _ in pictures.figures:
            assert (REPOSITORY / f"docs/pictures/{name}.png").stat().st_size > 5000
            kind, _, flags = figure.partition(" ")
            command = f"metasweep figure {kind} out/{sweep} {flags} --out {name}.png".replace("  ", " ")
            assert command in page


def test_the_gallery_is_of_these_sweeps():
    """A section a sweep file that the page is made of, and its figures are of the file as it stands: the hash of its canonical text."""
    page = (REPOSITORY / "docs/gallery.md").read_text()
    for path in SWEEPS:
        if path.stem in ("quickstart", "p0-fig2", "p0-fig2-usa", "p0-fig3"):
            continue
        assert f"`sweeps/{path.stem}.toml`" in " ".join(page.split()), path.stem
