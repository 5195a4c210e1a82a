"""Sections of the gallery for P1: leaders, polytopes, hyperplanes."""

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


def leaders(dataset: Dataset) -> tuple[str, list[str]]:
    last = dataset.table("series").filter(pl.col("t") == pl.col("t").max()).collect()
    worst = last["attention_rank"].max()
    return "P1 Figures 3 and 10: one dimension", [
        "Theorem 2.1: for d = 1, V > 0, QK > 0 the attention matrix becomes Boolean, of rank at most 3; the figures show rank 2 for n = 40 and 100.",
        "",
        *by_time(dataset, ["n"], ["attention_rank", "leaders"]),
        "",
        f"The largest rank at the end is {worst}.",
    ]


def polytope(dataset: Dataset) -> tuple[str, list[str]]:
    return "P1 Figure 5: a polytope", [
        "Theorem 3.1: for V = I rescaled tokens tend to the vertices of a convex polytope, its leaders (or to its boundary).",
        "",
        *by_time(dataset, ["n"], ["attention_rank", "leaders", "clusters"]),
    ]


def hyperplanes(dataset: Dataset) -> tuple[str, list[str]]:
    last = dataset.table("series").filter(pl.col("t") == pl.col("t").max()).collect()
    worst = last.group_by("value").agg(pl.col("hyperplanes").max()).sort("value")
    return "P1 Figures 6, 7, 8, 12, 13: hyperplanes", [
        "Theorem 4.2: with a simple leading eigenvalue λ_1 > 0 and ⟨Qφ_1, Kφ_1⟩ > 0 tokens tend to at most three parallel hyperplanes, mostly two. "
        "(Random bases may have ⟨Qφ_1, Kφ_1⟩ of either sign; here Q = K = I, so that it is positive.)",
        "",
        *by_time(dataset, ["value"], ["hyperplanes", "clusters"]),
        "",
        "Most hyperplanes of a replica at the end: " + "; ".join(f"`{value}` {count}" for value, count in worst.iter_rows()) + ".",
    ]


def high_dimension(dataset: Dataset) -> tuple[str, list[str]]:
    return "P1 Figure 11: V in 10, 40, 80 dimensions", [
        "The paper's V has positive entries; here they are U[−1, 1]. It shows the rank falling to that of a few leaders.",
        "",
        *by_time(dataset, ["d"], ["attention_rank", "leaders"]),
    ]


def origin(dataset: Dataset) -> tuple[str, list[str]]:
    return "P1 Table 1: V = −I", [
        "The tokens of R^d themselves go to the origin: 1 − `min_cosine` is half the squared diameter of the cloud.",
        "",
        *by_time(dataset, ["d"], ["min_cosine", "clusters"]),
    ]


SECTIONS = {
    "p1-fig3": leaders,
    "p1-fig5": polytope,
    "p1-hyperplanes": hyperplanes,
    "p1-fig11": high_dimension,
    "p1-repulsive": origin,
}
