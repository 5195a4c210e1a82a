"""Writes docs/gallery.md: every experiment of the papers beside what the paper shows, in numbers; run it by `docs/make/gallery`.

A section a sweep, in gallery_p0.py … gallery_collapse_law.py: a function from the dataset to lines, registered under the sweep's name.
"""

import json
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
    lines = [
        "# The papers' experiments",
        "",
        "Written by `docs/make/gallery` from the datasets of the sweep files in `sweeps/`, never by hand. P0 to P4 as in [models.md](models.md); "
        "P0's Figures 2 and 3 are in [results.md](results.md). Each section says what the paper shows and what came out here.",
    ]
    for name, section in SECTIONS.items():
        dataset = open_dataset(out / name)
        title, body = section(dataset)
        lines += ["", f"## {title}", "", line(dataset), "", *body]
    return markdown.wrapped(lines) + "\n"


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
