"""Paragraphs of a generated page, wrapped for people who read its source; called by the programs that write pages."""

import textwrap


def wrapped(lines: list[str], width: int = 120) -> str:
    """The page of these lines: prose wrapped, tables and headings as they are."""
    whole = ("|", "#", " ", "![")
    texts = [line if line.startswith(whole) else textwrap.fill(line, width, break_on_hyphens=False) for line in lines]
    return "\n".join(texts)
