"""Writes docs/gallery.md: every experiment of the papers beside what the paper shows, in numbers; run it by `docs/make/gallery`.

A section a sweep, in gallery_p0.py … gallery_collapse_law.py: a function from the dataset to lines, registered under the sweep's name.
"""

import itertools
import json
import re
import sys
from pathlib import Path

import polars as pl

import gallery_collapse_law
import gallery_p0
import gallery_p1
import gallery_p2
import gallery_p3
import gallery_p4
import markdown
import provenance
from dataset import Dataset, Refused
from picture_list import lines as picture_lines

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "gallery.md"
PAGES = [gallery_p0, gallery_p1, gallery_p2, gallery_p3, gallery_p4, gallery_collapse_law]
SECTIONS = {name: section for page in PAGES for name, section in page.SECTIONS.items()}


def open_dataset(folder: Path) -> Dataset:
    """A complete dataset, or Refused."""
    run = f"`metasweep run sweeps/{folder.name}.toml --out {folder}`"
    if not (folder / "manifest.json").is_file():
        raise Refused(f"{folder} is no dataset. Make it with {run}.")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if manifest["state"] != "complete" or manifest["name"] != folder.name:
        raise Refused(f"{folder} is not the whole of {folder.name}. Finish it with {run}.")
    return Dataset(folder, manifest, pl.read_parquet(folder / "cells" / "*.parquet"))


def line(dataset: Dataset) -> str:
    """What it is, where and when it was made, in a line."""
    said = provenance.history(dataset)
    return (
        f"`sweeps/{dataset.manifest['name']}.toml` · sweep `{dataset.manifest['identity'][:16]}…` · engine {dataset.manifest['engine']} · "
        f"{provenance.grouped(dataset.cells.height)} cells × {dataset.manifest['replicas']} replicas · {said.get('on', '–')} · "
        f"{said.get('with', '–')} · {said.get('wall time', '–')}"
    )


def page(out: Path) -> str:
    """The whole page."""
    lines = head()
    for name, section in SECTIONS.items():
        dataset = open_dataset(out / name)
        title, body = section(dataset)
        lines += ["", f"## {title}", "", line(dataset), "", *body]
    return illustrated(markdown.wrapped([*lines, *TAIL]) + "\n")


TAIL = [
    "",
    "## Without a paper: the quick start",
    "",
    "`sweeps/quickstart.toml` · what else there is to see in a dataset ([figures.md](figures.md))",
]


def head() -> list[str]:
    """What comes before the sections of single datasets."""
    return [
        "# The papers' experiments",
        "",
        "Written by `docs/make/gallery` from the datasets of the sweep files in `sweeps/`, never by hand; `docs/make/gallery --run` makes all of it again. "
        "P0 to P4 as in [models.md](models.md). Each section says what the paper shows and what came out here. The pictures are drawn with fewer replicas, "
        "as the commands below them say.",
        "",
        "## P0 Figures 2 and 3: the phase diagram",
        "",
        "`sweeps/p0-fig2.toml`, `sweeps/p0-fig2-usa.toml`, `sweeps/p0-fig3.toml` · all of it with provenance in [results.md](results.md)",
        "",
        "The paper shows that the curve Γ separates where tokens are together from where they are not, better the higher d is, and that on the circle two "
        "clusters (β = 4) and three (β = 9) live long. Below: the distance of our boundary from Γ_η, Γ for the authors' step, and the clusters on the circle.",
        "",
        *results_table("| d | β | mean of"),
        "",
        *results_table("| β | t | clusters |"),
    ]


def results_table(head: str) -> list[str]:
    """The table of docs/results.md that begins so."""
    lines = (ROOT / "docs/results.md").read_text(encoding="utf-8").splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith(head))
    return list(itertools.takewhile(lambda line: line.startswith("|"), lines[first:]))


def illustrated(page: str) -> str:
    """The page with the pictures of each section's sweeps after the line that names them; those that were there are taken out before."""
    kept, inside = [], 0
    for block in page.rstrip("\n").split("\n\n"):
        # A picture, its caption, its commands.
        inside = 3 if block.startswith("![") else inside
        if inside > 0:
            inside -= 1
            continue
        kept.append(block)
        if block.startswith("`sweeps/"):
            for sweep in re.findall(r"`sweeps/([a-z0-9-]+)\.toml`", block):
                drawn = markdown.wrapped(picture_lines(sweep))
                kept += [drawn] if drawn else []
    return "\n\n".join(kept) + "\n"


def main() -> int:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "out"
    try:
        text = page(out)
    except Refused as reason:
        print(f"docs/make/gallery: {reason}", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
