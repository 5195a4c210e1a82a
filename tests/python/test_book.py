"""The documentation as a book: every page, every link, from the disk and without a network."""

import json
import re
import subprocess

import pytest

from harness import REPOSITORY


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book") / "book"
    done = subprocess.run([REPOSITORY / "docs/make/book", folder], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_it(book):
    pages = {path.stem for path in REPOSITORY.glob("docs/*.md")} - {"README"} | {"index", "architecture", "changelog", "contents"}
    assert pages <= {path.stem for path in book.glob("*.html")}
    index = (book / "index.html").read_text()
    for page in pages:
        assert f'href="{page}.html"' in index, f"no chapter leads to {page}"


def test_links_and_pictures_lead_somewhere(book):
    for page in book.glob("*.html"):
        if page.name == "404.html":
            continue
        for link in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
            if link.startswith(("http", "mailto:", "data:")):
                # What is loaded comes with the book.
                assert f'src="{link}"' not in page.read_text(), f"{page.name} loads {link}"
                continue
            target, _, anchor = link.partition("#")
            assert not target or (page.parent / target).exists(), f"{page.name}: {link}"
            there = page if not target else page.parent / target
            if anchor and there.suffix == ".html":
                assert f'id="{anchor}"' in there.read_text(), f"{page.name}: {link}"


def test_it_can_be_searched(book):
    found = json.loads((book / "search/search_index.json").read_text())["docs"]
    assert any("Rényi" in entry["text"] for entry in found)
    assert {"hpc.html", "gallery.html", "sweep-file.html"} <= {entry["location"].partition("#")[0] for entry in found}
