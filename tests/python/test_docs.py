"""The README's and docs/dataset.md's snippets run, on the dataset that the README's first command makes."""

import re
import shutil

import pytest

from harness import REPOSITORY, metasweep


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    shutil.copytree(REPOSITORY / "sweeps", folder / "sweeps")
    metasweep("run", "sweeps/quickstart.toml", cwd=folder)
    return folder


def blocks(page, language):
    text = (REPOSITORY / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


@pytest.mark.parametrize("page", ["README.md", "docs/dataset.md"])
def test_python_snippets(page, quickstart, monkeypatch):
    monkeypatch.chdir(quickstart)
    snippets = blocks(page, "python")
    assert snippets
    names = {"out": str(quickstart / "out/quickstart")}
    for snippet in snippets:
        exec(compile(snippet, page, "exec"), names)  # noqa: S102


def test_the_readmes_sweep_file(tmp_path):
    (sweep,) = blocks("README.md", "toml")
    (tmp_path / "circle.toml").write_text(sweep)
    metasweep("run", "circle.toml", "--set", "replicas=2", cwd=tmp_path)


def test_links():
    """Relative links of the pages lead somewhere."""
    for page in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
