"""Builds the pages of docs/, with the README and the map of the code, as a book in target/book; run it by `docs/make/book`.

Its chapters are the list of docs/README.md. MkDocs checks the links: a page that is missing, or one that no chapter names, ends it.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "target/book-source"
#: Pages of the root, and what they are called in the book.
OF_THE_ROOT = {"README.md": "index.md", "ARCHITECTURE.md": "architecture.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
CONFIGURATION = """# Written by docs/make/book.
site_name: metasweep
docs_dir: {source}
site_dir: {book}
use_directory_urls: false
theme:
  name: mkdocs
  color_mode: auto
  user_color_mode_toggle: true
  highlightjs: false
plugins: [search]
markdown_extensions: [tables, fenced_code]
validation:
  omitted_files: warn
  absolute_links: warn
  unrecognized_links: warn
  anchors: warn
nav:
  - Quick start: index.md
{chapters}
      - Contributing: contributing.md
      - Changelog: changelog.md
      - Contents: contents.md
"""


def moved(text: str, of_the_root: bool) -> str:
    """The page with its links as they are in the book, where all pages lie side by side."""
    for name, here in OF_THE_ROOT.items():
        text = text.replace(f"]({name}" if of_the_root else f"](../{name}", f"]({here}")
    text = text.replace("](docs/README.md)", "](contents.md)")
    text = text.replace("](docs/", "](") if of_the_root else text
    # A list needs an empty line before it here.
    return re.sub(r"(?m)^(?![-*|#> ]|\d+\. )(.+)\n(?=(?:[-*]|1\.) )", r"\1\n\n", text)


def chapters(contents: str) -> str:
    """The pages by the headings of the list, each with its title there."""
    found = re.findall(r"(?m)^(?:## (.+)|- \[([^]]+)\]\(([^)]+)\))", contents)
    return "\n".join(f"  - {part}:" if part else f"      - {title}: {page}" for part, title, page in found)


def main() -> int:
    book = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "target/book"
    shutil.rmtree(SOURCE, ignore_errors=True)
    SOURCE.mkdir(parents=True)
    for page in ROOT.glob("docs/*.md"):
        name = "contents.md" if page.name == "README.md" else page.name
        (SOURCE / name).write_text(moved(page.read_text(encoding="utf-8"), False), encoding="utf-8")
    for name, here in OF_THE_ROOT.items():
        (SOURCE / here).write_text(moved((ROOT / name).read_text(encoding="utf-8"), True), encoding="utf-8")
    for folder in ("pictures", "examples"):
        shutil.copytree(ROOT / "docs" / folder, SOURCE / folder)
    listed = chapters((SOURCE / "contents.md").read_text(encoding="utf-8"))
    configuration = SOURCE.with_suffix(".yml")
    configuration.write_text(CONFIGURATION.format(source=SOURCE, book=book, chapters=listed), encoding="utf-8")
    mkdocs = Path(sys.executable).with_name("mkdocs")
    return subprocess.run([mkdocs, "build", "--strict", "--quiet", "--clean", "-f", configuration]).returncode


if __name__ == "__main__":
    sys.exit(main())
