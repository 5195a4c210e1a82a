"""Section of the gallery for collapse times at any β, which no paper has: ln T and plateaus' lifetimes against β, and the pairing cascade."""

import numpy as np
import polars as pl

from dataset import Dataset
from pairing_cascade import ln_collapse_time

#: Replicas a cell whose cascade is computed.
CASCADES = 128
#: Normal quantile of the 95% interval.
TWO_SIDED = 1.959964


def cascades(dataset: Dataset, cell: str, beta: float) -> dict[int, float]:
    """ln T by the cascade from the initial tokens that the dataset keeps, by replica."""
    tokens = dataset.table("tokens").filter(pl.col("cell") == cell, pl.col("replica") < CASCADES).sort("replica", "token").collect()
    found = {}
    for (replica,), rows in tokens.group_by(["replica"], maintain_order=True):
        found[replica] = ln_collapse_time(np.array(rows["x"].to_list()), beta)
    return found


def law(dataset: Dataset) -> tuple[str, list[str]]:
    replicas = dataset.table("replicas").select("cell", "n", "d", "beta", "replica", "end", "collapse_time").collect()
    uncollapsed = replicas.filter(pl.col("collapse_time").is_null()).height
    lines = [
        "No paper has this: fixed steps of any size would never end. SA from uniform tokens, integrator `multiscale`; "
        f"{replicas.height} replicas, of which {uncollapsed} did not collapse. Mean of ln T, T the time at which all cosines are above 1 − 1e-3, with half its "
        f"95% interval relative to it; beside it the pairing cascade (the fastest pair alone, again and again) from the same initial tokens "
        f"({CASCADES} replicas a cell): mean difference of ln T, paired.",
        "",
        "| d | n | β | ln T | interval | log₁₀ of the longest T | cascade: ln T − ours |",
        "|---|---|---|---|---|---|---|",
    ]
    widest = 0.0
    for (d, n, beta, cell), rows in replicas.sort("d", "n", "beta", "replica").group_by(["d", "n", "beta", "cell"], maintain_order=True):
        times = {row["replica"]: np.log(row["collapse_time"]) for row in rows.iter_rows(named=True) if row["collapse_time"] is not None}
        values = np.array(list(times.values()))
        half = TWO_SIDED * values.std(ddof=1) / np.sqrt(len(values))
        if beta >= 10:
            widest = max(widest, half / abs(values.mean()))
        off = [value - times[replica] for replica, value in cascades(dataset, cell, beta).items() if replica in times]
        lines.append(
            f"| {d} | {n} | {beta:g} | {values.mean():.3f} | ± {half / abs(values.mean()):.1%} | {values.max() / np.log(10):.1f} | "
            f"{np.mean(off):+.3f} ± {TWO_SIDED * np.std(off, ddof=1) / np.sqrt(len(off)):.3f} |"
        )
    lines += ["", f"The widest interval from β = 10 on: ± {widest:.1%}.", "", *lifetimes(dataset), "", *staircase(dataset)]
    return "Collapse times and lifetimes at any β", lines


def lifetimes(dataset: Dataset) -> list[str]:
    most = int(dataset.cells["n"].max())
    plateaus = dataset.table("plateaus").filter(pl.col("n") == most, pl.col("clusters").is_between(2, 8), ~pl.col("censored"))
    means = plateaus.group_by("d", "clusters", "beta").agg(pl.col("lifetime").log().mean().alias("ln")).collect()
    betas = sorted(means["beta"].unique())
    lines = [
        f"Mean ln of the lifetime of plateaus, n = {most}, by number of clusters; every plateau is in the table `plateaus`:",
        "",
        "| d | clusters | " + " | ".join(f"β = {beta:g}" for beta in betas) + " |",
        "|---" * (len(betas) + 2) + "|",
    ]
    for (d, clusters), rows in means.sort("d", "clusters", descending=[False, True]).group_by(["d", "clusters"], maintain_order=True):
        found = dict(rows.select("beta", "ln").rows())
        lines.append(f"| {d} | {clusters} | " + " | ".join(f"{found[beta]:.2f}" if beta in found else "–" for beta in betas) + " |")
    return lines


def staircase(dataset: Dataset) -> list[str]:
    """The energy of one replica, plateau by plateau."""
    n, d, beta = 32, 2, 50.0
    rows = dataset.table("plateaus").filter(pl.col("n") == n, pl.col("d") == d, pl.col("beta") == beta, pl.col("replica") == 0)
    rows = rows.sort("plateau").select("from", "until", "clusters", "closest_cosine", "energy").collect()
    lines = [
        f"The staircase of one replica's energy (d = {d}, n = {n}, β = {beta:g}, replica 0): its plateaus, {rows.height} of them:",
        "",
        "| from | until | clusters | closest cosine | energy |",
        "|---|---|---|---|---|",
    ]
    for start, until, clusters, closest, energy in rows.rows():
        lines.append(f"| {start:.3g} | {until:.3g} | {clusters} | {'–' if closest is None else f'{closest:.4f}'} | {energy:.6g} |")
    return lines


SECTIONS = {"collapse-law": law}
