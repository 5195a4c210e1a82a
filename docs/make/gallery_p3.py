"""Sections of the gallery for P3: causal attention, how many clusters are left."""

import polars as pl

from dataset import Dataset

SHOWS = {
    "identity": "all to x_1(0)",
    "diag(1, 1, 0)": "one point of the leading plane, the projection of x_1(0)",
    "diag(1, 0, 0)": "±ξ",
    "diag(-1, -1, -3)": "a cloud around the projection of x_1(0)",
    "diag(-1, -3, -3)": "two clouds around ±ξ",
}


def final_configurations(dataset: Dataset) -> tuple[str, list[str]]:
    rows = dataset.table("series").filter(pl.col("t").is_in([0.0, 10.0, 100.0, 1000.0, 5000.0])).collect()
    lines = [
        "Table 1, T = 5000, β = 9: clusters (δ = 1e-3) over time, means over replicas. Where the first token ends, and the others at β = 2, is a test "
        "(oracle 9 of [oracles.md](oracles.md)); at β = 9 pairs at a cosine c merge in times of e^{9(1−c)}, so that most starts keep more than one cluster.",
        "",
        "| V | the paper | t = 10 | 100 | 1000 | 5000 | mean cosine at 5000 |",
        "|---|---|---|---|---|---|---|",
    ]
    for value, text in SHOWS.items():
        of = rows.filter(pl.col("value") == value)
        at = {t: of.filter(pl.col("t") == t) for t in (10.0, 100.0, 1000.0, 5000.0)}
        counts = " | ".join(f"{frame['clusters'].mean():.2f}" for frame in at.values())
        lines.append(f"| {value} | {text} | {counts} | {at[5000.0]['mean_cosine'].mean():.3f} |")
    return "P3 Figure 1 and Table 1: where causal tokens end", lines


SECTIONS = {"p3-fig1": final_configurations}
