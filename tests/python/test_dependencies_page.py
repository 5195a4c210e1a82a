"""docs/dependencies.md names every dependency of the workspace, with its version, and no other."""

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_dependency_has_its_line():
    table = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["dependencies"]
    versions = {name: entry if isinstance(entry, str) else entry.get("version") for name, entry in table.items()}
    expected = {(name, version) for name, version in versions.items() if version is not None}
    page = (REPOSITORY / "docs" / "dependencies.md").read_text()
    assert set(re.findall(r"^\| `([^`]+)` \| ([^|]*[^| ]) \|", page, re.MULTILINE)) == expected
