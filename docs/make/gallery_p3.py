"""Sections of the gallery for P3: causal attention, final configurations and Rényi centres."""

import numpy as np
import polars as pl

from dataset import Dataset

# V, what Table 1 says of the limit, and the coordinates of the leading eigenspace.
SHOWS = {
    "identity": ("all to x_1(0)", [1, 1, 1]),
    "diag(1, 1, 0)": ("one point of the leading plane, the projection of x_1(0)", [1, 1, 0]),
    "diag(1, 0, 0)": ("±ξ", [1, 0, 0]),
    "diag(-1, -1, -3)": ("a cloud around the projection of x_1(0)", [1, 1, 0]),
    "diag(-1, -3, -3)": ("two clouds around ±ξ", [1, 0, 0]),
}


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
    last = dataset.table("series").filter(pl.col("t") == 5000.0).collect()
    lines = [
        "Table 1, T = 5000, β = 9, n = 32. What is true of every start at a finite time is where the first token ends, and how near all tokens are to the leading "
        "eigenspace; how many of them have joined depends on β, since pairs at a cosine c merge in times of e^{9(1−c)}: at β = 2 they all have (oracle 9 of "
        "[oracles.md](oracles.md), a test). Extremes over replicas, means over replicas and tokens:",
        "",
        "| V | the paper | largest ‖x_1(T) − its limit‖ | mean distance to the leading eigenspace | mean cosine with x_1, its modulus | clusters |",
        "|---|---|---|---|---|---|",
    ]
    for value, (text, mask) in SHOWS.items():
        first, away, along, aligned = [], [], [], []
        for replica in range(dataset.manifest["replicas"]):
            start, end = tokens_at(dataset, value, replica, 0.0), tokens_at(dataset, value, replica, 5000.0)
            target = start[0] * mask
            target = target / np.linalg.norm(target)
            first.append(np.linalg.norm(end[0] - target))
            away.append(np.linalg.norm(end * (1 - np.array(mask)), axis=1).mean())
            along.append((end @ end[0]).mean())
            aligned.append(np.abs(end @ end[0]).mean())
        clusters = last.filter(pl.col("value") == value)["clusters"].mean()
        lines.append(
            f"| {value} | {text} | {max(first):.1e} | {np.mean(away):.3f} | {np.mean(along):.3f}, {np.mean(aligned):.3f} | {clusters:.2f} |"
        )
    lines += [
        "",
        "Uniform tokens would have distances of 1/2 to a plane and π/4 to a line, a mean cosine of 0 and a modulus of 1/2.",
    ]
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
        f"{0.7476 * 2 * np.pi / separation:.3f} for n → ∞ (`metasweep theory renyi` has the number for finite n). The figure shows the shares of tokens captured by Rényi and "
        "strong Rényi centres growing to nearly all, the strong ones slower and with a wider band; \"captured\" is not defined there, and its values are not printed. "
        "Share of tokens within δ/2, δ (`_separation`) and β^(−1/2) (`_beta`) of a centre's current place, mean and 0.1, 0.9 quantiles:",
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
