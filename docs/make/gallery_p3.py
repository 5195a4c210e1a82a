"""Sections of the gallery for P3: causal attention, final configurations and Rényi centres."""

import numpy as np
import polars as pl

from dataset import Dataset


def tokens_at(dataset: Dataset, value: str, replica: int, t: float) -> np.ndarray:
    """n × d, from table tokens."""
    rows = (
        dataset.table("tokens")
        .filter(pl.col("value") == value, pl.col("replica") == replica, (pl.col("t") - t).abs() < 1e-9)
        .sort("token")
        .collect()
    )
    return np.array(rows["x"].to_list())


def final_configurations(dataset: Dataset) -> tuple[str, list[str]]:
    lines = [
        "Table 1, T = 5000, β = 9. What is true of every start at a finite time is the first token's place; how many tokens have joined it depends on β: "
        "pairs at a cosine c merge in times of e^{β(1−c)}.",
        "",
        "| V | the paper | ‖x_1(T) − its limit‖ | mean distance of all tokens to the leading eigenspace | mean cosine with x_1 |",
        "|---|---|---|---|---|",
    ]
    shows = {
        "identity": "all to x_1(0)",
        "diag(1, 1, 0)": "one point of the leading plane, the projection of x_1(0)",
        "diag(1, 0, 0)": "±ξ",
        "diag(-1, -1, -3)": "a cloud around the projection of x_1(0)",
        "diag(-1, -3, -3)": "two clouds around ±ξ",
    }
    masks = {
        "identity": [1, 1, 1],
        "diag(1, 1, 0)": [1, 1, 0],
        "diag(1, 0, 0)": [1, 0, 0],
        "diag(-1, -1, -3)": [1, 1, 0],
        "diag(-1, -3, -3)": [1, 0, 0],
    }
    for value, text in shows.items():
        first, away, along = [], [], []
        for replica in range(dataset.manifest["replicas"]):
            start, end = tokens_at(dataset, value, replica, 0.0), tokens_at(dataset, value, replica, 5000.0)
            target = start[0] * masks[value]
            target = target / np.linalg.norm(target)
            first.append(np.linalg.norm(end[0] - target))
            away.append(np.linalg.norm(end * (1 - np.array(masks[value])), axis=1).mean())
            along.append((end @ end[0]).mean())
        lines.append(f"| {value} | {text} | {max(first):.1e} | {np.mean(away):.3f} | {np.mean(along):.3f} |")
    return "P3 Figure 1 and Table 1: where causal tokens end", lines


def centres(dataset: Dataset) -> tuple[str, list[str]]:
    series = dataset.table("series").sort("t").collect()
    names = [name.removesuffix("_mean") for name in series.columns if name.startswith("captured") and name.endswith("_mean")]
    n, beta = series["n"][0], series["beta"][0]
    separation = 4 / np.sqrt(beta)
    p = separation / np.pi
    expected = (1 - (1 - p) ** n) / p
    lines = [
        f"n = {n}, β = {beta:g}, separation 4β^(−1/2) = {separation:g}. Strong centres at t = 0: {series['strong_renyi_centres_mean'][0]:.3f}, "
        f"expected (1−(1−p)ⁿ)/p = {expected:.3f}; Rényi centres: {series['renyi_centres_mean'][0]:.3f}, Rényi's constant gives 0.7476·2π/δ = "
        f"{0.7476 * 2 * np.pi / separation:.3f} for n → ∞. Share of tokens captured, mean and 0.1, 0.9 quantiles:",
        "",
        "| t | " + " | ".join(f"`{name}`" for name in names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for index in np.linspace(0, len(series) - 1, 8).round().astype(int):
        row = series.row(int(index), named=True)
        cells = [f"{row[name + '_mean']:.3f} ({row[name + '_q10']:.3f}–{row[name + '_q90']:.3f})" for name in names]
        lines.append(f"| {row['t']:.3g} | " + " | ".join(cells) + " |")
    return "P3 Figures 2 and 3: Rényi centres", lines


SECTIONS = {"p3-fig1": final_configurations, "p3-fig3": centres}
