"""Sections of the gallery for P1: repelling tokens of R^d."""

import polars as pl

from dataset import Dataset


def by_time(dataset: Dataset, group: list[str], columns: list[str]) -> list[str]:
    """Means over replicas at every sample time, a table."""
    rows = (
        dataset.table("series")
        .group_by(*group, "t")
        .agg(pl.col(column).mean() for column in columns)
        .sort(*group, "t")
        .collect()
    )
    lines = ["| " + " | ".join([*group, "t", *columns]) + " |", "|" + "---|" * (len(group) + 1 + len(columns))]
    for row in rows.iter_rows():
        cells = [f"{value:.2f}" if isinstance(value, float) and i > len(group) else f"{value:g}" if isinstance(value, float) else str(value) for i, value in enumerate(row)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def origin(dataset: Dataset) -> tuple[str, list[str]]:
    return "P1 Table 1: V = −I", [
        "The tokens of R^d themselves go to the origin: 1 − `min_cosine` is half the squared diameter of the cloud.",
        "",
        *by_time(dataset, ["d"], ["min_cosine", "clusters"]),
    ]


SECTIONS = {"p1-repulsive": origin}
