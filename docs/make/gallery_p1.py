"""Sections of the gallery for P1: leaders, polytopes, hyperplanes."""

import numpy as np
import polars as pl

from dataset import Dataset


def by_time(dataset: Dataset, group: list[str], columns: list[str], largest: tuple[str, ...] = ()) -> list[str]:
    """Means over replicas at every sample time, and the largest value of some columns: a table."""
    rows = (
        dataset.table("series")
        .group_by(*group, "t")
        .agg([pl.col(column).mean() for column in columns] + [pl.col(column).max().alias(f"most {column}") for column in largest])
        .sort(*group, "t")
        .collect()
    )
    names = [*group, "t", *columns, *(f"most {column}" for column in largest)]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows.rows():
        lines.append("| " + " | ".join(shown(value, k > len(group)) for k, value in enumerate(row)) + " |")
    return lines


def shown(value: object, is_mean: bool) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.2f}" if is_mean else f"{value:g}"
    return str(value)


def leaders(dataset: Dataset) -> tuple[str, list[str]]:
    last = dataset.table("series").filter(pl.col("t") == pl.col("t").max()).collect()
    ranks = sorted(set(last["attention_rank"].to_list()))
    return "P1 Figures 3 and 10: one dimension", [
        "Theorem 2.1: for d = 1, V > 0, QK > 0 the attention matrix becomes Boolean, of rank at most 3. Figure 3 (n = 40) shows two columns at the end; "
        "Figure 10 (n = 100) prints the ranks 11, 27, 15, 3 at t = 0, 3, 5, 10. Ours end alike and are lower on the way: numerical ranks depend on the "
        "tolerance (here numpy's default), and the figure's start, of rank 11, is another than ours. n makes little difference, as the paper says.",
        "",
        *by_time(dataset, ["n"], ["attention_rank", "leaders", "clusters"], ("attention_rank",)),
        "",
        f"Ranks at t = 10, over all replicas: {', '.join(map(str, ranks))}.",
    ]


def polytope(dataset: Dataset) -> tuple[str, list[str]]:
    last = dataset.table("series").filter(pl.col("t") == pl.col("t").max()).collect()
    agree = (last["leaders"] == last["clusters"]).sum()
    return "P1 Figure 5: a polytope", [
        "Theorem 3.1: for V = I rescaled tokens tend to the boundary of a convex polytope, mostly to its vertices, the leaders. The figure (n = 40, d = 3) shows "
        "every token at a vertex. A leader here is a token that takes more than half of a row's weight.",
        "",
        *by_time(dataset, ["n"], ["attention_rank", "leaders", "clusters"]),
        "",
        f"At the end the number of clusters is that of the leaders in {agree} of {len(last)} replicas: every token is at a vertex.",
    ]


def spread(points: np.ndarray, within: float) -> int:
    """Connected components of the graph of distances ≤ within."""
    label = np.arange(len(points))
    near = np.linalg.norm(points[:, None] - points[None], axis=2) <= within
    for _ in range(len(points)):
        label = np.array([label[row].min() for row in near])
    return len(set(label.tolist()))


def hyperplanes(dataset: Dataset) -> tuple[str, list[str]]:
    series = dataset.table("series").collect()
    last = series.filter(pl.col("t") == pl.col("t").max().over("value"))
    worst = last.group_by("value").agg(pl.col("hyperplanes").max()).drop_nulls().sort("value")
    tokens = (
        dataset.table("tokens").filter(pl.col("value") == "diag(1, 1, -0.5)", pl.col("t") == 15.0).sort("replica", "token").collect()
    )
    points = np.array(tokens["x"].to_list())
    replica = tokens["replica"][0]
    found = last.filter(pl.col("value") == "diag(1, 1, -0.5)", pl.col("replica") == replica)["leaders"][0]
    return "P1 Figures 6, 7, 8, 12, 13: hyperplanes", [
        "Theorem 4.2: with a simple leading eigenvalue λ_1 > 0 and ⟨Qφ_1, Kφ_1⟩ > 0 tokens tend to at most three parallel hyperplanes; the figures show two "
        "(Figs. 6, 7, 12, 13). Theorem 5.2: for diag(1, 1, −1/2) (Fig. 8) the first two coordinates tend to a polygon. `hyperplanes` counts clusters of "
        "⟨z_i, ψ⟩, ψ the left eigenvector (gaps of more than 0.045); it is null where λ_1 is not simple.",
        "",
        *by_time(dataset, ["value"], ["hyperplanes", "attention_rank", "leaders", "clusters"]),
        "",
        "Most hyperplanes of a replica at the end: " + "; ".join(f"`{value}` {count}" for value, count in worst.iter_rows()) + ". "
        f"Fig. 8, replica {replica}, t = 15: the first two coordinates of the {len(points)} tokens are at {spread(points[:, :2], 0.05)} places (within 0.05), and "
        f"{found} tokens lead. From λ_1 t ≈ 36 on (t = 40 in Figs. 12 and 13) e^{{λ_1 t}} is 2^52 and more: score differences within a cluster are then those of "
        "the rounding of z, and the rank and leaders of P mean nothing; positions and hyperplanes do.",
    ]


def high_dimension(dataset: Dataset) -> tuple[str, list[str]]:
    return "P1 Figure 11: positive V in 10, 40, 80 dimensions", [
        "The paper draws a random V > 0 (here entries uniform in [0, 1]) and prints the ranks of P(t): d = 10: 40, 40, 2, 2 at t = 0, 0.2, 1, 10; d = 40: 40, 7, 2, 2 "
        "at 0, 0.5, 5, 10; d = 80: 40, 4, 2, 2 at 0, 0.5, 1, 10.",
        "",
        *by_time(dataset, ["d"], ["attention_rank", "leaders"], ("attention_rank",)),
        "",
        "The leading eigenvalue is about d/2: by t = 36/(d/2) all that decides is below rounding (see above), and the numbers beyond are those of P where it froze.",
    ]


def origin(dataset: Dataset) -> tuple[str, list[str]]:
    tokens = dataset.table("tokens").with_columns(norm=pl.col("x").list.eval(pl.element() ** 2).list.sum().sqrt())
    norms = tokens.group_by("d", "t").agg(pl.col("norm").max()).sort("d", "t").collect()
    return "P1 Table 1: V = −I", [
        "The tokens of R^d themselves go to the origin, algebraically: near it A_i is minus the mean plus O(‖x‖³). 1 − `min_cosine` is half the squared diameter "
        "of the cloud.",
        "",
        *by_time(dataset, ["d"], ["min_cosine", "clusters"]),
        "",
        "Largest ‖x_i‖ of four replicas: " + "; ".join(f"d = {d}, t = {t:g}: {norm:.3f}" for d, t, norm in norms.rows()) + ".",
    ]


SECTIONS = {
    "p1-fig3": leaders,
    "p1-fig5": polytope,
    "p1-hyperplanes": hyperplanes,
    "p1-fig11": high_dimension,
    "p1-repulsive": origin,
}
