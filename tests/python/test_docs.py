"""The README's and docs/dataset.md's snippets run, on the dataset that the README's first command makes."""

import json
import re
import shlex
import shutil
import subprocess

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


def shell_lines(page):
    """The lines of a page that a reader would type and that need nothing but the quickstart dataset."""
    text = (REPOSITORY / page).read_text()
    fenced = "\n".join(blocks(page, "sh"))
    indented = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    kept = []
    for line in (fenced + "\n" + indented).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["metasweep"] and words[1] in ("summary", "figure", "report", "show", "theory"):
            kept.append(words[1:])
    return kept


@pytest.mark.parametrize("page", ["README.md", "docs/figures.md"])
def test_shell_lines(page, quickstart):
    lines = shell_lines(page)
    assert len(lines) >= 4
    for words in lines:
        metasweep(*words, cwd=quickstart)
        if "--out" in words:
            assert (quickstart / words[words.index("--out") + 1]).stat().st_size > 1000, words


def test_every_command_has_its_row():
    """docs/commands.md and `metasweep --help` name the same commands."""
    listed = re.search(r"^Commands:\n(.*?)^Options:", metasweep("--help").stdout, re.M | re.S).group(1)
    commands = set(re.findall(r"^  ([a-z]+)  ", listed, re.M)) - {"help"}
    page = (REPOSITORY / "docs/commands.md").read_text()
    named = set(re.findall(r"`([a-z]+)(?: [^`]*)?`", "\n".join(line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `"))))
    assert commands <= named, commands - named


def test_the_man_page_and_the_completions():
    assert ".TH metasweep" in metasweep("man").stdout
    for shell in ("bash", "zsh", "fish", "elvish", "powershell"):
        script = metasweep("completions", shell).stdout
        assert "metasweep" in script and "paired" in script, shell
    done = subprocess.run(["bash", "-n"], input=metasweep("completions", "bash").stdout, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_the_sweep_files_page_is_what_schema_prints():
    assert metasweep("schema").stdout.strip() == (REPOSITORY / "docs/sweep-file.md").read_text().strip()
    keys = json.loads(metasweep("schema", "--json").stdout)
    assert {key["section"] for key in keys} == {"top", "grid", "time", "observe", "output"}


def test_the_notebook(quickstart, monkeypatch):
    """Every code cell of the example, in order, as Jupyter would run them."""
    monkeypatch.chdir(quickstart)
    notebook = json.loads((REPOSITORY / "docs/examples/quickstart.ipynb").read_text())
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(sources) >= 5
    names = {}
    for source in sources:
        exec(compile(source, "quickstart.ipynb", "exec"), names)  # noqa: S102
    assert names["phase"].height == 9 and 0 < names["curve"]["S"].min() < 0.5
