"""Draws docs/pictures/*.png, each by a sweep file and one `figure` command, and puts them into docs/gallery.md."""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/python"))

from gallery import PAGE, illustrated  # noqa: E402
from harness import metasweep  # noqa: E402
from picture_list import PICTURES  # noqa: E402


def draw(sweep, out):
    """The pictures of one sweep; its dataset is made if it is not there."""
    pictures = PICTURES[sweep]
    metasweep("run", REPOSITORY / f"sweeps/{sweep}.toml", *pictures.settings(), "--out", out, timeout=3600)
    for name, figure, _ in pictures.figures:
        kind, *flags = shlex.split(figure)
        metasweep("figure", kind, out, *flags, "--out", REPOSITORY / f"docs/pictures/{name}.png")
        print(name, flush=True)


def main():
    (REPOSITORY / "docs/pictures").mkdir(exist_ok=True)
    parser = argparse.ArgumentParser(prog="docs/make/pictures")
    parser.add_argument("sweeps", nargs="*", metavar="SWEEP")
    parser.add_argument("--keep", type=Path, help="the datasets stay in this folder, and those that are there are taken")
    options = parser.parse_args()
    unknown = [name for name in options.sweeps if name not in PICTURES]
    if unknown:
        sys.exit(f"docs/make/pictures: no pictures of {', '.join(unknown)}; there are those of {', '.join(PICTURES)}")
    with tempfile.TemporaryDirectory() as scratch:
        for sweep in options.sweeps or PICTURES:
            draw(sweep, (options.keep or Path(scratch)) / sweep)
    PAGE.write_text(illustrated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


main()
