"""docs/dependencies.md names every dependency of the workspace, with its version, and no other."""

import re
import subprocess
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_dependency_has_its_line():
    table = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["dependencies"]
    versions = {name: entry if isinstance(entry, str) else entry.get("version") for name, entry in table.items()}
    expected = {(name, version) for name, version in versions.items() if version is not None}
    page = (REPOSITORY / "docs" / "dependencies.md").read_text()
    assert set(re.findall(r"^\| `([^`]+)` \| ([^|]*[^| ]) \|", page, re.MULTILINE)) == expected


def crates(*arguments: str) -> set[str]:
    """Every crate of a build of the binary, with its version and features."""
    command = ["cargo", "tree", "--locked", "-p", "metasweep", "-e", "normal,build", "--prefix", "none", "--no-dedupe", "-f", "{p} {f}"]
    tree = subprocess.run([*command, *arguments], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {line.removesuffix(" (*)").strip() for line in tree.splitlines()}


def test_builds_with_and_without_mpi_share_what_is_below_cluster():
    """What `syn` is asked for in Cargo.toml is what bindgen asks for: else all that stands on it is compiled once more for MPI."""
    without, with_mpi = crates(), crates("--features", "mpi")
    assert any(line.startswith("metasweep-dynamics ") for line in without) and any(line.startswith("bindgen ") for line in with_mpi)
    assert {line.split()[0] for line in without - with_mpi} == {"metasweep", "metasweep-cluster"}
