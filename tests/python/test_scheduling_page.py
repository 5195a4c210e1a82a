"""docs/scheduling.md: a section that was measured alone takes the place of the old one, and nothing else changes."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benches" / "scheduling"))

import measure  # noqa: E402


def test_one_section_is_replaced():
    text = f"# Page\n\n{measure.THREADS}\n\nold\n\n{measure.TAIL}\n\nold tail\n\n## The cost model\n\nmodel\n"
    assert measure.replaced(text, measure.THREADS, f"{measure.THREADS}\n\nnew\n") == text.replace("\n\nold\n\n", "\n\nnew\n\n")
    assert measure.replaced(text, measure.TAIL, f"{measure.TAIL}\n\nnew\n") == text.replace("old tail", "new")


def test_the_page_has_the_sections_by_their_headings():
    page = (measure.ROOT / "docs" / "scheduling.md").read_text(encoding="utf-8")
    assert [page.count(heading + "\n") for heading in (measure.THREADS, measure.TAIL)] == [1, 1]


def test_forms_change_their_order_every_round(tmp_path):
    log = tmp_path / "log"
    forms = {name: ["sh", "-c", f"echo {name} >> {log}"] for name in ("a", "b")}
    times = measure.in_turns(forms, 3)
    assert log.read_text().split() == ["a", "b", "b", "a", "a", "b"]
    assert {name: len(found) for name, found in times.items()} == {"a": 3, "b": 3}
